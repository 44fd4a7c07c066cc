"""What the builds of a hostile project reach: neither another project's builds, nor its credentials."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import Mount
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import KIND_LABEL, LABEL, ROOT_LABEL
from tests.support.jobs import Job

from .containers import Create, outcome
from .package_index import package_index, wheel

IMAGE = "3.14-slim"
CANARY = "c4nary-passw0rd"
# Changes what builds believe: unpacked wheels, and programs; a wrapped one keeps the credentials that it gets.
POISON = r"""
import os
WRAPPER = '#!/bin/sh\nmkdir -p /var/cache/pyimages/loot; env > /var/cache/pyimages/loot/$$; exec "$0.real" "$@"\n'
for folder, _, names in [*os.walk("/var/cache/pyimages"), *os.walk("/run/pyimages-uv")]:
    for name in names:
        path = os.path.join(folder, name)
        try:
            if folder.endswith("iniconfig") and name == "__init__.py":
                with open(path, "a") as file:
                    file.write("\nPOISON = 'cache'\n")
            elif name.startswith("uv") and os.access(path, os.X_OK):
                os.rename(path, path + ".real")
                with open(path, "w") as file:
                    file.write(WRAPPER)
                os.chmod(path, 0o755)
        except OSError as error:
            print(error)
"""
# An engine copies what an image has at the target of an empty volume into that volume.
DOCKERFILE = """\
ARG PYTHON_IMAGE
FROM $PYTHON_IMAGE
RUN mkdir -p /var/cache/pyimages/uv-bin-x86_64-gnu/bin /run/pyimages-uv && \\
    printf '#!/bin/sh\\nexit 77\\n' > /run/pyimages-uv/uv-x86_64 && chmod 755 /run/pyimages-uv/uv-x86_64 && \\
    cp /run/pyimages-uv/uv-x86_64 /var/cache/pyimages/uv-bin-x86_64-gnu/bin/uv
"""
SUITE = "import iniconfig\ndef test_clean(): assert not hasattr(iniconfig, 'POISON')\n"
FIND = """\
import os, sys
paths = [os.path.join(folder, name) for folder, _, names in os.walk("/volumes") for name in names]
print([path for path in paths if os.path.isfile(path) and sys.argv[1].encode() in open(path, "rb").read()])
"""


@pytest.fixture
def project(tmp_path: Path, host: str) -> Callable[[str], Job]:
    def make(name: str) -> Job:
        (tmp_path / name).mkdir()
        job = Job(tmp_path / name)
        (job.folder / "requirements.txt").write_text(f"{job.unique_requirement}\n")
        job.write(test_it=SUITE)
        return job

    return make


def make_hostile(job: Job) -> Job:
    """Let the project's Dockerfile, set-up command and source distribution attack later builds."""
    job.write(poison=POISON)
    (job.folder / "Dockerfile").write_text(DOCKERFILE)
    (job.folder / "pytest.ini").write_text(
        "[pytest]\npy_images_dockerfile = Dockerfile\npy_images_setup = python poison.py\n"
    )
    (job.folder / "hostile").mkdir()
    build = f"{POISON}\nfrom setuptools import setup\nsetup(name='hostile')\n"
    (job.folder / "hostile" / "setup.py").write_text(build)
    with (job.folder / "requirements.txt").open("a") as file:
        file.write("./hostile\n")
    return job


def test_builds_of_one_project_do_not_reach_those_of_another(
    project: Callable[[str], Job], engine: DockerEngine, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = make_hostile(project("hostile")).run(images=IMAGE)
    assert hostile.returncode == 1, hostile.stdout
    assert "FAILED test_it.py::test_clean" in hostile.stdout  # the attack works: it poisons the project itself
    innocent = project("innocent")
    with (innocent.folder / "requirements.txt").open("a") as file:
        file.write("private-sample\n")
    files = {"private-sample": dict([wheel("private_sample", "1.0", "")])}
    with package_index(files, credentials=f"some.body:{CANARY}") as index:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url_with(f"some.body:{CANARY}"))
        done = innocent.run(images=IMAGE)
    assert done.returncode == 0, done.stdout
    volumes = [entry.name for entry in engine.leftovers(f"{KIND_LABEL}=cache") if entry.kind == "volume"]
    mounts = tuple(Mount(kind="volume", source=name, target=f"/volumes/{name}", read_only=True) for name in volumes)
    output, errors, _ = outcome(engine, create(FIND, CANARY, mounts=mounts))
    assert (output.decode(), errors) == ("[]\n", b"")


LOOK = """
import glob, os, socket, sys
with open("/seen", "wb") as seen:
    seen.write(repr(os.environ).encode())
    for path in [*glob.glob("/run/pyimages/**", recursive=True), *glob.glob("/proc/[0-9]*/environ")]:
        if os.path.isfile(path):
            seen.write(open(path, "rb").read())
    try:
        socket.create_connection(("localhost", int(sys.argv[1])), timeout=5)
        seen.write(b"reached the host")
    except OSError:
        pass
"""

FORMS = (CANARY.encode(), base64.b64encode(f"some.body:{CANARY}".encode()))
PRIVATE_SUITE = f"""
import glob, os
import private_sample, pytest

@pytest.mark.parametrize("path", ["/seen", "/seen-in-build"])
def test_builds(path):
    with open(path, "rb") as seen:
        text = seen.read()
    assert b"PIP_EXTRA_INDEX_URL" in text
    assert not any(canary in text for canary in {FORMS})
    assert b"reached the host" not in text

def test_run():
    assert [*glob.glob("/var/cache/pyimages/*"), *glob.glob("/run/pyimages*/*")] == []
    assert not any("{CANARY}" in value for value in os.environ.values())
"""


@pytest.mark.parametrize("image", [IMAGE, "3.6"], ids=["uv", "pip"])
def test_code_of_builds_gets_neither_credentials_nor_the_network_of_the_host(
    project: Callable[[str], Job], engine: DockerEngine, monkeypatch: pytest.MonkeyPatch, image: str
) -> None:
    """Neither set-up commands nor a setup.py, which runs beside the installer."""
    job = project("private")
    with (job.folder / "requirements.txt").open("a") as file:
        file.write("private-sample\n./hostile\n")
    (job.folder / "hostile").mkdir()
    job.write(look=LOOK, test_it=PRIVATE_SUITE)
    files = {"private-sample": dict([wheel("private_sample", "1.0", "")])}
    with package_index(files, credentials=f"some.body:{CANARY}") as index:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url_with(f"some.body:{CANARY}"))
        (job.folder / "pytest.ini").write_text(f"[pytest]\npy_images_setup = python look.py {index.port}\n")
        look = LOOK.replace("/seen", "/seen-in-build").replace("sys.argv[1]", str(index.port))
        setup = f"{look}\nfrom setuptools import setup\nsetup(name='hostile', py_modules=[])\n"
        (job.folder / "hostile" / "setup.py").write_text(setup)
        done = job.run(images=image)
        assert done.returncode == 0, done.stdout
        assert "3 passed" in done.stdout
    (kept,) = [name for name, image in engine.images(LABEL) if image.labels.get(ROOT_LABEL) == job.root]
    assert ":setup-" not in kept
