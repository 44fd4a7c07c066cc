"""The install step in a process: what it runs, what it keeps in the image, and the result that the host reads."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module, resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.containers import SourceJob, Witness
from pytest_pyimages.containers.job import encode_job
from pytest_pyimages.images.install_job import InstallJob
from pytest_pyimages.images.recipe import read_modules
from tests.support.golden import message
from tests.support.project_tree import write_tree

TREE: Any = import_module("pytest_pyimages.inside.worker.tree")  # without annotations, for Python 2.7
INSIDE = Path(str(resources.files("pytest_pyimages.inside")))
MACHINE = os.uname().machine
# As the host's bootstrap, with folders of the test for those of a container.
PROGRAM = """
import json, sys
from importlib import import_module
inside, folder = sys.argv[1:]
for package in "worker", "installer":
    module = sys.modules["pyimages_" + package] = type(sys)("pyimages_" + package)
    module.__path__ = [inside + "/" + package]
commands = import_module("pyimages_installer.commands")
commands.CACHE, commands.MEMORY, commands.HOME = folder + "/cache", folder + "/memory", folder + "/home"
import_module("pyimages_installer.programs").UV = folder + "/uv"
main = import_module("pyimages_installer.main")
main.APT_LISTS = folder + "/lists"
main.trust_checkouts.__defaults__ = (folder + "/gitconfig",)
sys.path[:] = [path for path in sys.path if "site-packages" not in path] + [folder + "/packages"]
with open(folder + "/job.json") as file:
    job = json.load(file)
main.main(job)
"""
RECORDS = """#!/bin/sh
test "$1" = --version && exit 0
echo "${{0##*/}} $*" >> {folder}/calls
/usr/bin/env > {folder}/environment
{more}
"""


@dataclass(frozen=True)
class Ended:
    """An install step that ended."""

    status: int
    result: dict[str, Any]
    log: str


class Image:
    """Folders that stand for a container's: its image, its volumes and the source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.packages = folder / "packages"
        for path in (self.project, self.packages, folder / "memory", folder / "uv", folder / "bin"):
            path.mkdir()
        for name in ("coverage", "packaging", "pip"):  # without the metadata of what is installed for the tests
            spec = find_spec(name)
            if spec is not None and spec.submodule_search_locations:
                (self.packages / name).symlink_to(spec.submodule_search_locations[0])
        self.uv = self.offer(folder / "uv" / f"uv-{MACHINE}")
        self.job = InstallJob(
            name="pyimages-1",
            phase="all",
            build="pyimages-1",
            root=str(self.project),
            extends=False,
            interpreter="",
            apt=(),
            setup=(),
            steps=(("six",),),
            built_extras=(),
            is_partial=False,
            lock=None,
            needs_pip=False,
            uv={MACHINE: hashlib.sha256(self.uv.read_bytes()).hexdigest()},
            uv_features=(),
            packages={},
            distribution="shop",
            kind="none",
            version=None,
            environment={},
            files={},
            servers=(),
            hosts={},
            folders=(),
            volumes=(),
            source=SourceJob(root=str(self.project), owner=(0, 0, 0o755), hidden=()),
            skipped={"anywhere": [], "top": []},
            worker=read_modules("worker"),
            installer={},
        )

    def offer(self, path: Path, more: str = "") -> Path:
        """Write a program that records its arguments and environment, and runs more lines of shell."""
        path.write_text(RECORDS.format(folder=self.folder, more=more))
        path.chmod(0o755)
        return path

    def let_uv(self, more: str) -> None:
        self.offer(self.uv, more)
        self.job = replace(self.job, uv={MACHINE: hashlib.sha256(self.uv.read_bytes()).hexdigest()})

    def install(self, variables: Mapping[str, str] | None = None, **changes: Any) -> Ended:
        """Run the step with another job, in a container with these variables."""
        (self.folder / "job.json").write_text(encode_job(replace(self.job, **changes)).decode())
        command = [sys.executable, "-c", PROGRAM, str(INSIDE), str(self.folder)]
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # open until the end: the host is there
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(variables or {})},
                text=True,
            )
            with process:
                assert process.stdout is not None
                lines = process.stdout.read().splitlines()
                status = process.wait(60)
        result = json.loads(lines[-1]) if lines else {}
        return Ended(status, result, (self.folder / "log").read_text())

    @property
    def calls(self) -> list[str]:
        """The commands of the offered programs."""
        path = self.folder / "calls"
        return path.read_text().replace(str(self.folder), "").splitlines() if path.exists() else []

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the last one of these commands."""
        lines = (self.folder / "environment").read_text().replace(str(self.folder), "").splitlines()
        return dict(line.partition("=")[::2] for line in lines)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


PIP_INSTALL = f"uv-{MACHINE} pip install --python {sys.executable}"


def test_uv_installs_and_the_image_can_run_suites(image: Image) -> None:
    write_tree(image.folder, {"cache/tmp/killed/file": "", "cache/tmp/current/file": ""})
    os.utime(image.folder / "cache" / "tmp" / "killed", (time.time() - 2 * 86400,) * 2)
    files = {"ca.pem": "certificate", "netrc": "secret", "variant.txt": "six<2", "sources/pyproject.toml": ""}
    ended = image.install(environment={"A": "\u00e4"}, files=files, setup=("echo 1 > made.txt",))
    assert ended.status == 0, ended.log
    worker = image.folder / "home" / "worker"
    assert ended.result == {
        "python": ".".join(map(str, sys.version_info[:3])),
        "executable": sys.executable,
        "implementation": "",
        "extendable": True,
        "lock": "",
        "extra": "",
        "note": "",
        "left": "{}",
        "worker": TREE.hash_worker(str(worker)),
        "variables": {},
    }
    assert image.calls == [f"{PIP_INSTALL} -r /memory/sources/pyproject.toml -c /memory/variant.txt six"]
    expected = {
        "A": "ä",
        "HOME": "/memory/home",
        "TMPDIR": "/cache/tmp/pyimages-1",
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": "/cache/uv",
    }
    assert {name: image.environment.get(name) for name in expected} == expected
    modes = {name: (image.folder / "memory" / name).stat().st_mode & 0o777 for name in ("ca.pem", "netrc")}
    assert modes == {"ca.pem": 0o644, "netrc": 0o600}  # apt reads certificates as another user
    assert [path.name for path in (image.folder / "cache" / "tmp").iterdir()] == ["current"]
    assert {path.name for path in worker.iterdir()} == {f"{name}.pyc" for name in read_modules("worker")}
    assert (image.folder / "home" / "made" / "setup" / "made.txt").read_text() == "1\n"
    assert "1 passed" in ended.log  # what pytest imports is there as bytecode


def test_an_image_is_extended(image: Image) -> None:
    """With the versions of a new installation, without what set-up would do again."""
    image.install(setup=("echo 1 > made.txt",))
    (image.project / "made.txt").unlink()
    origin = {"six-1.dist-info/METADATA": "Name: six\n", "six-1.dist-info/direct_url.json": '{"url": "https://a/six"}'}
    write_tree(image.packages, origin)
    ended = image.install(extends=True, setup=("exit 1",))
    assert ended.result["extendable"] is True, ended.log
    assert image.calls[1:] == [
        f"uv-{MACHINE} pip uninstall --python {sys.executable} six",
        f"{PIP_INSTALL} --exact --upgrade six",
    ]
    assert (image.project / "made.txt").read_text() == "1\n"
    assert "passed" not in ended.log
    assert (image.folder / "gitconfig").read_text() == "[safe]\n\tdirectory = *\n"


def test_set_up_alone(image: Image) -> None:
    """So that its commands do not meet credentials; the next container goes on with its files."""
    volume = image.folder / "volume"
    volume.mkdir()
    command = f"echo 1 > made.txt; echo 1 > {volume}/data"
    ended = image.install(phase="setup", setup=(command,), volumes=(str(volume),))
    note = message("images", "lost-in-volume", path=volume / "data")
    assert (ended.result["extendable"], ended.result["note"]) == (False, note)
    assert image.calls == []
    assert not (image.folder / "home" / "worker").exists()
    (image.project / "made.txt").unlink()
    image.install(phase="install", setup=("exit 1",))
    assert (image.project / "made.txt").exists()
    assert len(image.calls) == 1


def test_the_project_s_build_is_kept(image: Image) -> None:
    image.let_uv("echo 2 > _version.py")
    version = {"variables": {"SHOP_VERSION": "2"}, "is_certain": True, "note": ""}
    ended = image.install(kind="pure", version=version)
    assert ended.result["variables"] == {"SHOP_VERSION": "2"}
    assert (image.folder / "home" / "made" / "build" / "_version.py").read_text() == "2\n"
    settings = (image.folder / "memory" / "uv.toml").read_text()
    assert '"shop" = {"PYIMAGES_BUILD" = "pyimages-1", "SHOP_VERSION" = "2"}' in settings
    assert image.environment["UV_CONFIG_FILE"] == "/memory/uv.toml"


def test_pip_installs_where_uv_is_not_available(image: Image) -> None:
    wheel = image.folder / "shop-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("shop.py", "PRICE = 17")
        file.writestr("shop-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: shop\nVersion: 1\n")
        file.writestr("shop-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("shop-1.dist-info/RECORD", "")
    target = image.folder / "target"
    ended = image.install(uv={}, steps=(("--target", str(target), str(wheel)),), variables={"PIP_NO_INDEX": "1"})
    assert ended.result["extendable"] is False, ended.log
    assert (target / "shop.py").read_text() == "PRICE = 17"
    assert "uv is not available here; the image's pip installs" in ended.log


def test_failures_name_the_step_and_leave_no_temporary_files(image: Image) -> None:
    image.let_uv("exit 3")
    command = f"{image.uv} pip install --python {sys.executable} six"
    for changes, failed in (
        ({"setup": ("exit 7",)}, {"failed": "setup", "status": 7, "command": "exit 7"}),
        ({}, {"failed": "install", "status": 3, "command": command}),
        ({"needs_pip": True, "uv_features": ("index",)}, {"failed": "sources", "status": 1}),
    ):
        ended = image.install(**changes)
        assert (ended.status, ended.result) == (0, failed), ended.log
        assert list((image.folder / "cache" / "tmp").iterdir()) == []


def test_what_the_container_lacks_is_reported_before_anything_runs(image: Image) -> None:
    missing = str(image.folder / "gone.py")
    scripts = sysconfig.get_path("scripts")
    for changes, result in (
        ({"folders": ((str(image.folder), ("wheel",)),)}, {"elsewhere": True}),
        ({"witness": (Witness(missing, 1, 1),)}, {"nosource": missing}),
        ({"uv": {MACHINE: "another"}}, {"nouv": MACHINE}),
        ({"volumes": (scripts,)}, {"failed": "volume", "volume": scripts, "path": scripts}),
    ):
        ended = image.install(setup=("exit 7",), **changes)
        assert (ended.status, ended.result) == (0, result), ended.log


def test_a_job_of_another_version_is_refused(image: Image) -> None:
    ended = image.install(skipped=None)
    assert (ended.status, ended.result) == (1, {})
    assert "the job is one of another version: skipped" in ended.log


def test_a_pytest_that_the_worker_does_not_support(image: Image) -> None:
    (image.packages / "pytest-4.0.1.dist-info").mkdir()
    assert image.install().result == {"failed": "pytest", "version": "4.0.1", "oldest": "4.6"}


def test_system_packages(image: Image) -> None:
    """With the package manager that the image has; apt must not get a folder that its own user cannot enter."""
    variables = {"PATH": str(image.folder / "bin")}
    assert image.install(variables, apt=("git",)).result == {"failed": "apt", "status": 127}
    image.offer(image.folder / "bin" / "apk")
    image.install(variables, apt=("git", "make"), phase="setup")
    assert image.calls == ["apk add --no-cache git make"]
    image.offer(image.folder / "bin" / "apt-get")
    write_tree(image.folder, {"lists/partial/a": "", "lists/b": ""})
    image.install(variables, apt=("git", "make"), phase="setup", environment={"SSL_CERT_FILE": "/ca.pem"})
    options = "apt-get -q -o Acquire::Retries=3 -o Acquire::https::CAInfo=/ca.pem"
    commands = ("update", "install -y --no-install-recommends git make", "clean")
    assert image.calls[1:] == [f"{options} {command}" for command in commands]
    assert image.environment["DEBIAN_FRONTEND"] == "noninteractive"
    assert "TMPDIR" not in image.environment
    assert list((image.folder / "lists").iterdir()) == []


LOCK = {"constraints": ["attrs==20.1", "six==1.15"], "environments": [], "requires_python": "", "is_required": False}


@pytest.mark.parametrize(
    ("lock", "result"),
    [
        (LOCK, {"lock": "partly six==1.15"}),
        ({**LOCK, "constraints": ["attrs==20.1"]}, {"lock": "held"}),
        ({**LOCK, "is_required": True}, {"failed": "install", "status": 1}),
        ({**LOCK, "is_required": True, "requires_python": "<3"}, {"failed": "lock", "status": 1}),
    ],
    ids=["partly", "held", "required", "for another Python"],
)
def test_versions_of_a_lock_file(image: Image, lock: dict[str, object], result: dict[str, object]) -> None:
    image.let_uv(
        f"grep -q six== {image.folder}/memory/constraints.txt && echo 'error: no six==1.15' >&2 && exit 1; exit 0"
    )
    ended = image.install(lock=lock)
    assert {key: ended.result.get(key) for key in result} == result, ended.log


def test_what_cannot_be_installed_is_left_out(image: Image) -> None:
    image.let_uv("case $* in *numpy*) echo 'Failed to build `numpy==1`' >&2; exit 1;; *) exit 0;; esac")
    ended = image.install(is_partial=True, steps=(("pytest", "numpy", "six"),))
    assert ended.result["left"] == '{"numpy": "numpy"}', ended.log
    assert image.calls[1:] == [f"{PIP_INSTALL} {name}" for name in ("pytest", "numpy", "six")]
    ended = image.install(is_partial=True, steps=(("pytest<numpy",),))
    assert (ended.result["failed"], ended.result["status"]) == ("install", 1)


def test_an_extra_that_only_the_build_reports_is_installed(image: Image) -> None:
    metadata = "Metadata-Version: 2.1\nName: shop\nVersion: 1\nProvides-Extra: Test\n"
    origin = json.dumps({"url": f"file://{image.project}", "dir_info": {}})
    write_tree(image.packages, {"shop-1.dist-info/METADATA": metadata, "shop-1.dist-info/direct_url.json": origin})
    ended = image.install(built_extras=("testing", "test"), steps=(("-e", str(image.project)),))
    assert ended.result["extra"] == "Test", ended.log
    assert image.calls == [f"{PIP_INSTALL} -e /project", f"{PIP_INSTALL} -e /project[Test]"]
