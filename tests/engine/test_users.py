"""Suites run as the image's user, or as a configured one, who may write to all of the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.jobs import Job, counts

from .containers import Derive

SUITE = """
import os, pwd, subprocess, sys, tempfile
from pathlib import Path
import pytest
import package
ROOT = Path(__file__).parent

def test_the_source_is_writable():
    assert os.getuid() == int(os.environ["EXPECTED_UID"])
    for path in (ROOT / "new.txt", ROOT / "data" / "new.txt", ROOT / "data" / "old.txt"):
        with path.open("a") as file:
            file.write("changed")
    (ROOT / "data" / "old.txt").rename(ROOT / "moved.txt")
    assert (ROOT / "data" / "run.sh").stat().st_mode & 0o777 == 0o750
    assert {path.stat().st_uid for path in (ROOT, ROOT / "data" / "run.sh")} == {os.getuid()}

def test_the_account_is_usable():
    entry = pwd.getpwuid(os.getuid())
    assert Path.home() == Path(os.environ["HOME"])
    (Path.home() / "file").write_text(entry.pw_name)
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    subprocess.run(["sh", "-c", "echo x >/dev/stderr; id -un"], check=True)

@pytest.mark.skipif(os.environ["EXPECTED_UID"] == "0", reason="root may do everything")
def test_permissions_count():
    with pytest.raises(PermissionError):
        open("/etc/shadow")
    assert os.stat("/proc/self").st_uid == os.getuid()
"""
CONFIGURATION = """
[tool.pytest.ini_options]
addopts = "--cov=package"
filterwarnings = "error"
"""
OVERRIDE = """
[[tool.pyimages.overrides]]
select = "{image}"
user = "{user}"
env = {{ EXPECTED_UID = "{uid}" }}
"""


def write_project(folder: Path, overrides: str) -> None:
    (folder / "pyproject.toml").write_text(CONFIGURATION + overrides)
    (folder / "requirements.txt").write_text("pytest\npytest-cov\n")
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("x = 1\n")
    (folder / "data").mkdir()
    (folder / "data" / "old.txt").write_text("old")
    (folder / "data" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "data" / "run.sh").chmod(0o750)
    (folder / "test_user.py").write_text(SUITE)


@pytest.mark.battery
def test_users_may_write_to_the_source(job: Job, derive: Derive) -> None:
    """In an overlay, if there can be one, and in a copy; --cov, cache and filterwarnings = error work as for root."""
    numeric = derive("USER 4321")
    named = derive("RUN useradd --uid 2345 --create-home app", "USER app")
    users = (("3.12-slim", "1234:5678", 1234), (numeric, "", 4321), (named, "", 2345))
    overrides = (OVERRIDE.format(image=image, user=user, uid=uid) for image, user, uid in users)
    write_project(job.folder, "".join(overrides))
    for source in ((), ("--py-images-source=copy",)):
        done = job.run(*source, images=f"3.12-slim,{numeric},{named}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert [counts(image, "passed") for image in job.images.values()] == [(3,)] * 3
        assert "warning" not in done.stdout.lower()
    done = job.run("--py-images-user=root", "-k", "writable", images=numeric)
    assert "assert 0 == 4321" in done.stdout, "the command line comes first"
