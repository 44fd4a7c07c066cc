"""Setup commands, system packages, custom Dockerfiles and extended builds in real containers."""

from __future__ import annotations

import os
from typing import Any

import pytest

from pytest_pyimages.engines.base import ImageInfo
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import LABEL, ROOT_LABEL
from pytest_pyimages.errors import ImageNotFound
from tests.support.golden import message
from tests.support.jobs import Job

from .containers import Create, outcome

SLIM = "3.14-slim"


def environments(engine: DockerEngine, job: Job) -> list[ImageInfo]:
    found = [image for _, image in engine.images(LABEL) if image.labels.get(ROOT_LABEL) == job.root]
    return sorted(found, key=lambda image: image.created)


def test_setup_packages_and_variables(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    (job.folder / "pytest.ini").write_text(
        "[pytest]\n"
        "py_images_apt = file\n"
        "py_images_setup =\n"
        '    test "$TOKEN" = secret && echo "$GREETING" > /etc/greeting\n'
        "    test -f pytest.ini\n"
        "py_images_env =\n"
        "    GREETING=good day\n"
        "    TOKEN\n"
    )
    job.write(
        test_it="""
import os, shutil
def test_it():
    assert open("/etc/greeting").read() == "good day\\n"
    assert os.environ["GREETING"] == "good day" and os.environ["TOKEN"] == "secret"
    assert shutil.which("file") and not os.listdir("/var/lib/apt/lists")
"""
    )
    monkeypatch.setenv("TOKEN", "secret")
    done = job.run(images=SLIM)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.setenv("TOKEN", "another")  # it decides nothing, so it builds nothing
    job.run(images=SLIM)
    assert job.images[SLIM]["cached"]


def test_failing_command_is_named(job: Job) -> None:
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images_setup = echo so far; exit 7\n")
    job.write(test_it="def test_it(): pass")
    done = job.run(images=SLIM)
    assert done.returncode == 1
    assert "py_images_setup: `echo so far; exit 7` failed with status 7" in done.stdout
    assert "so far" in done.stdout


def test_custom_dockerfile(job: Job, engine: DockerEngine) -> None:
    (job.folder / "ci").mkdir()
    (job.folder / "ci" / "motd").write_text("from the context\n")
    dockerfile = job.folder / "ci" / "Dockerfile"
    dockerfile.write_text("ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}\nCOPY motd /etc/motd\nENV MOOD=fine\n")
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images_dockerfile = ci/Dockerfile\n")
    job.write(
        test_it="""
import os
def test_it():
    assert open("/etc/motd").read() == "from the context\\n"
    assert os.environ["MOOD"] == "fine"
"""
    )
    done = job.run(images=SLIM)
    assert done.returncode == 0, done.stdout + done.stderr
    job.run(images=SLIM)
    assert job.images[SLIM]["cached"]
    (job.folder / "ci" / "motd").write_text("changed\n")
    done = job.run(images=SLIM)
    assert not job.images[SLIM]["cached"]
    assert "'changed\\n' == 'from the context\\n'" in done.stdout
    dockerfile.write_text("ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}\nRUN echo so far; exit 7\n")
    done = job.run(images=SLIM)
    assert done.returncode == 1
    assert "Dockerfile: " in done.stdout
    assert "so far" in done.stdout
    assert "non-zero code: 7" in done.stdout


def test_extended_build_equals_a_fresh_build(job: Job, engine: DockerEngine, raw: Any) -> None:
    (job.folder / "requirements.txt").write_text(f"pytest\nidna<3\nattrs\n{job.unique_requirement}\n")
    job.write(
        test_it="""
from importlib.metadata import distributions, version
def test_it():
    names = {found.metadata["Name"].lower() for found in distributions()}
    assert names == {"pytest", "pluggy", "iniconfig", "packaging", "pygments", "pip", "idna", "attrs", "six"}
    assert int(version("idna").split(".")[0]) < 3
"""
    )
    assert job.run(images=SLIM).returncode == 0
    (job.folder / "requirements.txt").write_text(f"pytest\nidna\n{job.unique_requirement}\n")
    text = (job.folder / "test_it.py").read_text().replace('"attrs"', '"six"').replace("< 3", ">= 3")
    (job.folder / "test_it.py").write_text(text)
    done = job.run(images=SLIM)
    assert done.returncode == 0, done.stdout
    first, second = environments(engine, job)
    assert second.labels[f"{LABEL}.layers"] == "2"
    assert raw.inspect_image(second.id)["Parent"] == first.id


def test_damaged_image_is_built_again_once(job: Job, engine: DockerEngine, create: Create) -> None:
    """Bytecode that still runs, but is not what was installed."""
    (job.folder / "requirements.txt").write_text(f"pytest\n{job.unique_requirement}\n")
    job.write(test_it="def test_it(): pass\n")
    assert job.run(images=SLIM).returncode == 0
    found = [pair for pair in engine.images(LABEL) if pair[1].labels.get(ROOT_LABEL) == job.root]
    ((reference, built),) = found
    damage = "open('/opt/pyimages/worker/reporter.pyc', 'ab').write(b'x')"
    container = create(damage, image=reference)
    assert outcome(engine, container)[2] == 0
    engine.commit(container, reference=reference, labels=built.labels)  # not those of the container
    done = job.run(images=SLIM)
    assert done.returncode == 0, done.stdout
    reason = "the container ended with exit status 1 before the run was complete: "
    reason += "the worker's files are not those that were installed"
    assert message("images", "damaged", label=SLIM, reason=reason) in done.stdout
    assert job.images[SLIM]["cached"] is False
    assert "it was built again" not in job.run(images=SLIM).stdout
    assert job.images[SLIM]["cached"] is True


def test_requirement_that_no_longer_names_a_folder(job: Job, engine: DockerEngine) -> None:
    """An installer would keep what an earlier image has of it, and a build from nothing would never see that."""
    (job.folder / "fork").mkdir()
    (job.folder / "fork" / "setup.py").write_text("from setuptools import setup\nsetup(name='idna', version='999')\n")
    (job.folder / "requirements.txt").write_text("pytest\n./fork\n")
    job.write(test_it="from importlib.metadata import version\ndef test_it(): assert version('idna') == '999'\n")
    done = job.run(images=SLIM)
    assert done.returncode == 0, done.stdout
    (job.folder / "requirements.txt").write_text("pytest\nidna\n")
    job.write(test_it="import idna\ndef test_it(): assert idna.__version__ != '999'\n")
    done = job.run(images=SLIM)
    assert done.returncode == 0, done.stdout
    assert environments(engine, job)[-1].labels[f"{LABEL}.layers"] == "2"


def test_packages_of_the_base_image_are_kept(job: Job, engine: DockerEngine) -> None:
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images_setup = python -m pip install -q six\n")
    (job.folder / "requirements.txt").write_text("pytest\n")
    job.write(test_it="def test_it():\n    import six\n")
    assert job.run(images=SLIM).returncode == 0
    (job.folder / "requirements.txt").write_text("pytest\nidna\n")
    assert job.run(images=SLIM).returncode == 0
    assert {image.labels[f"{LABEL}.layers"] for image in environments(engine, job)} == {"1"}


def test_container_of_a_removed_image(create: Create) -> None:
    """What the run relies on to build it again."""
    with pytest.raises(ImageNotFound):
        create(image="sha256:" + os.urandom(32).hex())
