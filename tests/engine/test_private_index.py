"""Private indexes, proxies, certificates and local folders in a build; no secret is left in an image."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import docker.errors
import pytest

from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.containers.source import Source
from pytest_pyimages.engines.base import Mount
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import HOST_LABEL, KIND_LABEL, LABEL, ROOT_LABEL
from pytest_pyimages.images.bases import BaseImages, Listener
from pytest_pyimages.images.environments import EnvironmentImages
from pytest_pyimages.images.plan import make_plans
from pytest_pyimages.indexes import access
from pytest_pyimages.matrix import parse_matrix
from pytest_pyimages.project.settings.configuration import Configuration
from tests.support.golden import message
from tests.support.jobs import Job
from tests.support.processes import running

from .containers import Create, outcome
from .contents import Member, holding, tar_members
from .package_index import PackageIndex, certificates, package_index, wheel

UV, PIP = "3.14-slim", "3.6"  # by which of them installs there
PROJECT = "pyimages-private-sample"
MODULE = "pyimages_private_sample"
PASSWORD = "c@n/ary:x%1"
CREDENTIALS = f"some.body:{PASSWORD}"
ENCODED = f"some.body:{quote(PASSWORD, safe='')}"
SUITE = f"import {MODULE}\ndef test_a(): assert {MODULE}.ANSWER == 42\n"


@pytest.fixture
def job(job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return a project that nobody has built, with a suite that needs what only the private index has."""
    for name in os.environ:
        if name == "NETRC" or (name.startswith(("PIP_", "UV_")) and "INDEX" in name):
            monkeypatch.delenv(name)
    (job.folder / "requirements.txt").write_text(f"{PROJECT}!=0.{time.time_ns()}\n")
    job.write(test_it=SUITE)
    return job


def sample(marker: str = "") -> dict[str, Mapping[str, bytes]]:
    return {PROJECT: dict([wheel(MODULE, "1.0", f"ANSWER = 42\nMARKER = {marker!r}\n")])}


@pytest.fixture(scope="module")
def index() -> Iterator[PackageIndex]:
    with package_index(sample(), credentials=CREDENTIALS) as running:
        yield running


Way = Callable[[Path, PackageIndex], Mapping[str, str]]


def in_a_url(folder: Path, index: PackageIndex) -> Mapping[str, str]:
    return {"PIP_EXTRA_INDEX_URL": index.url_with(CREDENTIALS)}


def in_variables_of_a_named_index(folder: Path, index: PackageIndex) -> Mapping[str, str]:
    name, _, password = CREDENTIALS.partition(":")
    return {
        "UV_INDEX": f"my-corp={index.url}",
        "UV_INDEX_MY_CORP_USERNAME": name,
        "UV_INDEX_MY_CORP_PASSWORD": password,
    }


def in_pip_conf(folder: Path, index: PackageIndex) -> Mapping[str, str]:
    path = folder.parent / "pip.conf"
    path.write_text(f"[install]\nextra-index-url =\n    {index.url_with(CREDENTIALS)}\n")
    return {"PIP_CONFIG_FILE": str(path)}


def in_uv_toml(folder: Path, index: PackageIndex) -> Mapping[str, str]:
    path = folder.parent / "uv.toml"
    path.write_text(f'[[index]]\nname = "corp"\nurl = "{index.url_with(CREDENTIALS)}"\n')
    return {"UV_CONFIG_FILE": str(path)}


def in_netrc(folder: Path, index: PackageIndex) -> Mapping[str, str]:
    name, _, password = CREDENTIALS.partition(":")
    path = folder.parent / "netrc"
    path.write_text(f"machine localhost\nlogin {name}\npassword {password}\n")
    return {"NETRC": str(path), "PIP_EXTRA_INDEX_URL": index.url}


def in_variables_of_the_requirements(folder: Path, index: PackageIndex) -> Mapping[str, str]:
    path = folder / "requirements.txt"
    url = index.url.replace("://", "://${CORP_NAME}:${CORP_TOKEN}@")
    path.write_text(f"--extra-index-url {url}\n{path.read_text()}")
    name, _, password = ENCODED.partition(":")
    return {"CORP_NAME": name, "CORP_TOKEN": password}


@pytest.mark.parametrize(
    "way",
    [
        in_a_url,
        in_variables_of_a_named_index,
        in_pip_conf,
        in_uv_toml,
        in_netrc,
        in_variables_of_the_requirements,
    ],
)
def test_credentials_reach_both_installers(
    job: Job, index: PackageIndex, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    for name, value in way(job.folder, index).items():
        monkeypatch.setenv(name, value)
    index.asked.clear()
    done = job.run(images=f"{UV},{PIP}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [image["outcome"] for image in job.images.values()] == ["passed", "passed"]
    assert any(asked.path.startswith("/files/") and asked.credentials == CREDENTIALS for asked in index.asked)
    assert PASSWORD not in done.stdout
    assert ENCODED not in done.stdout


def test_https_with_a_private_ca(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, certificate = certificates(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    with package_index(sample(), credentials=CREDENTIALS, certificate=certificate) as index:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url_with(CREDENTIALS))
        done = job.run(images=f"{UV},{PIP}")
        assert done.returncode == 0, done.stdout + done.stderr


def test_proxy_on_loopback(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    with package_index(sample()) as proxy:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://packages.invalid/simple/")
        monkeypatch.setenv("PIP_TRUSTED_HOST", "packages.invalid")
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        done = job.run(images=f"{UV},{PIP}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert {asked.host for asked in proxy.asked} == {"packages.invalid"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all that a suite on Python 3.14 needs, and the private sample."""
    folder = tmp_path_factory.mktemp("wheels")
    command = (sys.executable, "-m", "pip", "download", "-q", "--only-binary=:all:", "--python-version=3.14")
    done = subprocess.run([*command, "-d", str(folder), "pytest"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name, data in sample()[PROJECT].items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("variable", ["PIP_FIND_LINKS", "UV_FIND_LINKS"])
def test_local_folder_instead_of_indexes(
    job: Job, wheels: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(wheels))
    if variable.startswith("PIP"):
        monkeypatch.setenv("PIP_NO_INDEX", "1")
    else:
        (job.folder.parent / "uv.toml").write_text("no-index = true")
        monkeypatch.setenv("UV_CONFIG_FILE", str(job.folder.parent / "uv.toml"))
    done = job.run(images=UV)
    assert done.returncode == 0, done.stdout + done.stderr


def test_old_pip_skips_releases_for_newer_pythons(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder does not tell for which Python a file is; the one that stands in 3.6's image would fail over it."""
    folder = job.folder.parent / "wheels"
    folder.mkdir()
    for version, requires in (("1.0", ">=2.7"), ("2.0", ">=3.10")):
        name, data = wheel(MODULE, version, f"ANSWER = 42\nVERSION = '{version}'\n", requires)
        (folder / name).write_bytes(data)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    newest = "2.0 if sys.version_info >= (3, 10) else 1.0"
    job.write(test_it=f"import sys, {MODULE}\ndef test_a(): assert float({MODULE}.VERSION) == ({newest})\n")
    done = job.run(images=f"{UV},{PIP}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_invisible_folder_is_skipped_with_a_note(job: Job, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    done = job.run("--py-images-source=copy", images=UV)
    assert done.returncode == 1
    assert message("indexes", "not-mounted", location=wheels) in done.stdout


def test_replacing_the_public_index(job: Job, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, dict[str, bytes]] = {}
    for path in wheels.iterdir():
        files.setdefault(path.name.split("-")[0].replace("_", "-").lower(), {})[path.name] = path.read_bytes()
    with package_index(files, credentials=CREDENTIALS) as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url_with(CREDENTIALS))
        done = job.run(images=UV)
        assert done.returncode == 0, done.stdout + done.stderr
        assert any(asked.path.startswith("/files/pytest/") for asked in index.asked)


@pytest.mark.parametrize("image", [UV, PIP])
def test_wrong_password_names_the_index(job: Job, monkeypatch: pytest.MonkeyPatch, image: str) -> None:
    """By an index that nobody has asked before: what stands in the cache is not asked for again."""
    with package_index(sample(), credentials=CREDENTIALS) as index:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url_with("some.body:wr0ng-password"))
        done = job.run(images=image)
    assert done.returncode == 1
    problem = job.images[image]["problem"]
    status = message("indexes", "status", server="package index", host=index.host, status="401 (Unauthorized)")
    hint = message("indexes", "fix-credentials", where="PIP_EXTRA_INDEX_URL")
    assert f"{status} · {hint}" in problem
    assert "wr0ng-password" not in done.stdout + done.stderr + (job.folder / "report.json").read_text()


def test_engine_on_another_machine(
    job: Job, engine: DockerEngine, index: PackageIndex, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot mount folders; an index on this host's loopback is reached all the same."""
    monkeypatch.setattr(access, "_list_names", lambda folder: ("that no container finds",))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url_with(CREDENTIALS))
    (plan,) = make_plans(
        parse_matrix([UV]), Configuration({}, job.folder, known=()), ini={}, rootdir=job.folder, environ={}
    )
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    notes: list[str] = []
    listener = Listener(note=notes.append)
    with Lease() as lease:
        environments = EnvironmentImages(BaseImages(engine, listener), lease, Source(job.folder))
        assert not environments.ensure(plan).cached
    assert message("indexes", "not-mounted", location=wheels) in notes


def test_proxy_s_password_in_the_build_of_a_dockerfile(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{ENCODED}@localhost:1")
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images_dockerfile = Dockerfile\n")
    (job.folder / "Dockerfile").write_text(
        "ARG PYTHON_IMAGE\nFROM $PYTHON_IMAGE\nRUN echo it is $http_proxy && exit 7\n"
    )
    done = job.run(images=UV)
    assert done.returncode == 1
    assert "it is http://****@localhost:1" in done.stdout
    assert holding([Member("output", done.stdout.encode())], [PASSWORD, ENCODED]) == {}


@pytest.fixture(scope="module")
def canary() -> str:
    return f"c@nary/{uuid4().hex}:%1"


def forms(canary: str) -> list[str]:
    """Return what a search has to look for: the secret as it is, encoded for URLs, and as HTTP sends it."""
    sent = base64.b64encode(f"some.body:{canary}".encode()).decode()
    return [canary, quote(canary), quote(canary, safe=""), canary.partition(":")[0].partition("/")[2], sent.rstrip("=")]


def saved(raw: Any, reference: str) -> Iterator[Member]:
    """Yield everything that the saved image consists of: configuration, history, and each file of each layer."""
    with tempfile.TemporaryFile() as file:
        for piece in raw.get_image(reference):
            file.write(piece)
        file.seek(0)
        yield from tar_members("image", file)


def cached(engine: DockerEngine, create: Create, root: str, since: float) -> Iterator[Member]:
    """Yield everything that was written since then into the cache of a project."""
    code = (
        "import os, sys, tarfile\n"
        "paths = [os.path.join(folder, name) for folder, _, names in os.walk('/cache') for name in names]\n"
        "with tarfile.open(fileobj=sys.stdout.buffer, mode='w|') as tar:\n"
        "    for path in paths:\n"
        "        if os.path.lexists(path) and os.lstat(path).st_ctime >= float(sys.argv[1]):\n"
        "            tar.add(path)\n"
    )
    found = engine.leftovers(f"{KIND_LABEL}=cache")
    (name,) = [entry.name for entry in found if entry.labels.get(ROOT_LABEL) == root]
    volume = Mount(kind="volume", source=name, target="/cache", read_only=True)
    data, errors, status = outcome(engine, create(code, str(since), mounts=(volume,)))
    assert status == 0, errors
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield from tar_members("cache", file)


def watched(
    job: Job, raw: Any, host: str, *args: str, images: str
) -> tuple[subprocess.CompletedProcess[str], list[Member]]:
    """Run a job, and keep what the engine says of its containers meanwhile."""
    seen: list[Member] = []
    command = job.command(*args, images=images)
    with running(command, folder=job.folder, merge_stderr=True) as process:
        while process.poll() is None:
            for container in raw.containers(all=True, filters={"label": f"{HOST_LABEL}={host}"}):
                with contextlib.suppress(docker.errors.NotFound):
                    seen.append(Member("container", json.dumps(raw.inspect_container(container["Id"])).encode()))
            time.sleep(0.2)
        assert process.stdout is not None
        output = process.stdout.read()
    return subprocess.CompletedProcess(command, process.returncode, output), seen


@pytest.mark.parametrize("image", [UV, PIP])
def test_secrets_are_in_no_image(
    job: Job,
    engine: DockerEngine,
    raw: Any,
    create: Create,
    canary: str,
    host: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    image: str,
) -> None:
    """In no layer, history, label, variable, log, report, cache or digest; the marker shows that the search finds."""
    authority, certificate = certificates(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))  # pip keeps what comes by HTTPS alone
    needles, began = forms(canary), time.time()
    marker = f"marker-{uuid4().hex}"
    files = ("--junitxml=junit.xml", "-p", "no:cacheprovider")
    netrc = job.folder.parent / "netrc"
    netrc.write_text(f"machine another.example login some.body password {canary}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with package_index(sample(marker), credentials=f"some.body:{canary}", certificate=certificate) as index:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url_with(f"some.body:{canary}"))
        done, seen = watched(job, raw, host, *files, images=image)
        assert done.returncode == 0, done.stdout
        assert seen
        (made,) = [reference for reference, found in engine.images(LABEL) if found.labels.get(ROOT_LABEL) == job.root]
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url_with("some.body:another-password"))
        again = job.run(*files, images=image)
        assert again.returncode == 0
        assert job.images[image]["cached"], "a password decides nothing"
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url_with(f"some.body:{canary}"))
        shown_in_the_log = "env | grep -i index; cat /run/pyimages/uv.toml /run/pyimages/home/.netrc || true"
        (job.folder / "pytest.ini").write_text(f"[pytest]\npy_images_setup = {shown_in_the_log}\n")
        with (job.folder / "requirements.txt").open("a") as requirements:
            requirements.write("pyimages-no-such-distribution-at-all\n")
        failing, seen_failing = watched(job, raw, host, *files, images=image)
        assert failing.returncode == 1
        assert "pyimages-no-such-distribution-at-all" in failing.stdout
        assert "PIP_EXTRA_INDEX_URL=" in failing.stdout
        assert "not installable" in (job.folder / "junit.xml").read_text()
        shown = [Member("output", text.encode()) for text in (done.stdout, again.stdout, failing.stdout)]
    assert holding([*seen, *seen_failing, *shown], needles) == {}
    here = [Member(str(path), path.read_bytes()) for path in job.folder.rglob("*") if path.is_file()]
    assert holding(here, needles) == {}
    inspected = [raw.inspect_image(made), raw.history(made)]
    assert holding([Member("image", json.dumps(inspected).encode())], needles) == {}
    in_layers = holding(saved(raw, made), [*needles, marker])
    assert in_layers.keys() == {marker}
    assert any(MODULE in name for name in in_layers[marker])
    assert holding(cached(engine, create, job.root, began), [*needles, marker]).keys() == {marker}
