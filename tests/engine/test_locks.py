"""Lock files in real builds: pins used, not for an image, not available, and with hashes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.jobs import Job

OLD, NEW = "3.12", "3.14-slim"
VERSIONS = """
import json, sys
from importlib.metadata import distributions
def test_it():
    found = {found.metadata["Name"].lower(): found.version for found in distributions()}
    with open("expected.json") as file:
        expected = json.load(file)["%d.%d" % sys.version_info[:2]]
    assert {name: found[name] == version for name, version in expected.items()} == dict.fromkeys(expected, True), found
"""
# The wheel of idna 3.4, as the index has had it since it was published.
HASH = "sha256:90b77e79eaa3eba6de819a0c442c0b4ceefc341a7a2ab77d7562bf49f425c5c2"


@pytest.fixture
def job(job: Job) -> Job:
    job.write(test_it=VERSIONS)
    return job


def lock(job: Job, versions: Mapping[str, str], *, python: str = ">=3.9") -> None:
    entry = '[[package]]\nname = "{}"\nversion = "{}"\nsource = {{ registry = "https://pypi.org/simple" }}\n'
    text = f'version = 1\nrequires-python = "{python}"\n' + "".join(entry.format(*pair) for pair in versions.items())
    (job.folder / "uv.lock").write_text(text)


def expect(job: Job, **versions: str) -> None:
    (job.folder / "expected.json").write_text(str({"3.12": versions, "3.14": versions}).replace("'", '"'))


def test_pins_are_used_and_editing_them_rebuilds(job: Job) -> None:
    (job.folder / "requirements.txt").write_text("pytest\nidna\n")
    lock(job, {"idna": "3.4", "pytest": "8.4.2", "six": "1.16.0"})
    expect(job, idna="3.4", pytest="8.4.2")
    done = job.run(images=f"{OLD},{NEW}")
    assert done.returncode == 0, done.stdout
    assert "installs: -r requirements.txt, versions of uv.lock" in done.stdout
    assert "note:" not in done.stdout
    lock(job, {"idna": "3.4", "pytest": "8.4.2", "six": "1.17.0"})
    job.run(images=NEW)
    assert job.images[NEW]["cached"]
    lock(job, {"idna": "3.6", "pytest": "8.4.2"})
    expect(job, idna="3.6", pytest="8.4.2")
    done = job.run(images=NEW)
    assert done.returncode == 0, done.stdout
    assert not job.images[NEW]["cached"]


def test_a_lock_for_one_image_of_two(job: Job) -> None:
    (job.folder / "requirements.txt").write_text("pytest<9\nidna\n")
    lock(job, {"idna": "3.4", "pytest": "8.4.2"}, python=">=3.13")
    job.write(
        test_it="""
import sys
from importlib.metadata import version
def test_it(): assert (version("idna") == "3.4") is (sys.version_info >= (3, 13))
"""
    )
    done = job.run(images=f"{OLD},{NEW}")
    assert done.returncode == 0, done.stdout
    assert f"note: {OLD}: uv.lock is not for Python 3.12" in done.stdout
    assert done.stdout.count("note:") == 1
    again = job.run(images=f"{OLD},{NEW}")
    assert job.images[OLD]["cached"]
    assert f"note: {OLD}: uv.lock is not for Python 3.12" in again.stdout
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images_versions = locked\n")
    required = job.run(images=f"{OLD},{NEW}")
    assert required.returncode == 1
    assert f"{OLD}: uv.lock is not for this Python" in required.stdout
    assert job.images[NEW]["outcome"] == "passed"


def test_unavailable_pin_is_dropped_and_the_rest_used(job: Job) -> None:
    (job.folder / "requirements.txt").write_text("pytest\nidna\nsix\n")
    lock(job, {"idna": "3.4", "six": "0.1", "pytest": "8.4.2"})
    expect(job, idna="3.4", pytest="8.4.2")
    done = job.run(images=NEW)
    assert done.returncode == 0, done.stdout
    assert f"note: {NEW}: not as in uv.lock, since it does not work here: six 0.1" in done.stdout
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images_versions = locked\n")
    required = job.run(images=NEW)
    assert required.returncode == 1
    assert "not installable: -r requirements.txt, versions of uv.lock" in required.stdout
    assert "six==0.1" in required.stdout


def test_hashes_are_still_checked(job: Job) -> None:
    lock(job, {"idna": "3.4", "pytest": "8.4.2"})
    expect(job, idna="3.4", pytest="8.4.2")
    (job.folder / "requirements.txt").write_text(f"pytest\nidna==3.4 --hash={HASH[:-4]}0000\n")
    done = job.run(images=NEW)
    assert done.returncode == 1
    assert "Hash mismatch" in done.stdout, done.stdout
    (job.folder / "requirements.txt").write_text(f"pytest\nidna==3.4 --hash={HASH}\n")
    done = job.run(images=NEW)
    assert done.returncode == 0, done.stdout
