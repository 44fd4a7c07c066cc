"""An exported Dockerfile, built by the engine alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pytest_pyimages.engines.docker import DockerEngine
from tests.support.jobs import Job, counts

from .conftest import name
from .containers import Create, outcome

PYPROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "shop"
version = "1.5"
dependencies = ["attrs"]
[project.optional-dependencies]
test = ["pytest", "idna<3"]
[tool.pytest.ini_options]
py_images_apt = ["file"]
py_images_env = ["MOOD=a \\"good\\" $one"]
"""
SUITE = """
import os, shutil, attr, idna, pytest, shop
from importlib.metadata import version
def test_environment():
    assert os.environ["MOOD"] == 'a "good" $one' and shutil.which("file") and not os.listdir("/var/lib/apt/lists")
    assert (version("shop"), version("idna")[0], shop.__file__) == ("1.5", "2", os.path.abspath("src/shop/__init__.py"))
def test_user(tmp_path):
    assert os.getuid() == 1000 and os.access(os.path.expanduser("~"), os.W_OK) and os.access(".", os.W_OK)
def test_nothing_of_the_host():
    assert not os.path.exists("venv/lib")
def test_fails():
    assert False
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail
@pytest.mark.parametrize("number", range(3))
def test_xfails(number): assert number == 2
"""


def build_image(raw: Any, folder: Path, tag: str) -> None:
    """Build a folder with the classic builder, which reads nothing but the folder."""
    records = list(raw.build(path=str(folder), tag=tag, decode=True, rm=True, forcerm=True))
    assert not [record for record in records if "error" in record], records


def derive_index_access(raw: Any, folder: Path, tag: str) -> None:
    """Build python:3.12-slim with this host's certificates, which a proxy may need."""
    folder.mkdir()
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or ""
    (folder / "ca.pem").write_bytes(Path(bundle).read_bytes() if bundle else b"")
    settings = f"ENV {'PIP_CERT=/etc/ca.pem' if bundle else 'PIP_NO_INPUT=1'}"
    (folder / "Dockerfile").write_text(f"FROM python:3.12-slim\nCOPY ca.pem /etc/ca.pem\n{settings}\n")
    build_image(raw, folder, tag)


def test_an_exported_dockerfile_makes_the_same_environment(
    job: Job, engine: DockerEngine, raw: Any, create: Create, made: ExitStack, tmp_path: Path
) -> None:
    base, exported = f"{name()}:1", f"{name()}:1"
    (job.folder / "pyproject.toml").write_text(PYPROJECT)
    (job.folder / "src" / "shop").mkdir(parents=True)
    (job.folder / "src" / "shop" / "__init__.py").write_text("")
    (job.folder / "venv" / "lib").mkdir(parents=True)
    (job.folder / "venv" / "pyvenv.cfg").write_text("")
    job.write(test_it=SUITE)
    for tag in (base, exported):
        made.callback(engine.remove_image, tag)
    derive_index_access(raw, tmp_path / "base", base)
    job.run("--py-images-user=1000:1000", images=base)
    command = (sys.executable, "-m", "pytest_pyimages.cli", "export", base, "-o", ".", "--user=1000:1000")
    done = subprocess.run(command, cwd=job.folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    build_image(raw, job.folder, exported)
    config = raw.inspect_image(exported)["Config"]
    assert config["User"] == "1000:1000"
    out, err, status = outcome(engine, create(image=exported, command=tuple(config["Cmd"]), working_dir="/app"))
    assert status == 1, (out + err).decode()
    names = ("failed", "passed", "skipped", "xfailed", "xpassed")
    last = out.decode().splitlines()[-1]
    found = {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", last)}
    assert tuple(found[word] for word in names) == counts(job.images[base], *names) == (1, 3, 1, 2, 1), last
