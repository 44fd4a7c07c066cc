"""Packages come from where a project says, even if an index has a newer one of the same name."""

from __future__ import annotations

import os
import time

import pytest

from tests.support.jobs import Job
from tests.support.project_tree import write_tree

from .package_index import package_index, wheel

UV, PIP = "3.14-slim", "3.6"  # by which of them installs there
STRANGER = {
    "pyimages-helper": dict([wheel("pyimages_helper", "9.0", "OWNER = 'stranger'\n")]),
    "pyimages-plugin": dict([wheel("pyimages_plugin", "1.0", "", requires="pyimages-helper")]),
}
SUITE = "import pyimages_helper\ndef test_owner(): assert pyimages_helper.OWNER == {owner!r}\n"
HELPER = {
    "helper/setup.py": "from setuptools import setup\n"
    "setup(name='pyimages-helper', version='1', py_modules=['pyimages_helper'])\n",
    "helper/pyimages_helper.py": "OWNER = 'us'\n",
}


@pytest.fixture
def job(job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return a project that nobody has built, on a host without indexes of its own."""
    for name in os.environ:
        if name == "NETRC" or (name.startswith(("PIP_", "UV_")) and "INDEX" in name):
            monkeypatch.delenv(name)
    return job


def test_a_name_of_the_tree_is_never_requested_from_an_index(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even if only another package requires it. A change of the copy that is installed builds a new image."""
    pyproject = '[tool.uv.sources]\npyimages-helper = {path = "helper"}\n'
    files = {"pyproject.toml": pyproject, "requirements-test.txt": f"pyimages-plugin!=0.{time.time_ns()}\n", **HELPER}
    write_tree(job.folder, {**files, "test_it.py": SUITE.format(owner="us")})
    with package_index(STRANGER) as index:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url)
        done = job.run(images=f"{UV},{PIP}")
        assert done.returncode == 0, done.stdout + done.stderr
        write_tree(job.folder, {"helper/pyimages_helper.py": "OWNER = 'us again'\n"})
        write_tree(job.folder, {"test_it.py": SUITE.format(owner="us again")})
        done = job.run(images=UV)
        assert done.returncode == 0, done.stdout + done.stderr
        paths = [asked.path for asked in index.asked]
    assert any("pyimages-plugin" in path for path in paths)
    assert not any("pyimages-helper" in path for path in paths)


def test_a_package_comes_from_the_index_of_the_project(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {"pyimages-helper": dict([wheel("pyimages_helper", "1.0", "OWNER = 'us'\n")])}
    with package_index(STRANGER) as public, package_index(ours, credentials="reader:s3cret-token") as index:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", public.url)
        monkeypatch.setenv("OUR_TOKEN", "s3cret-token")
        pyproject = f"""
            [project]
            name = "shop"
            version = "1"
            dependencies = ["pyimages-plugin!=0.{time.time_ns()}", "pyimages-helper"]
            [[tool.pdm.source]]
            name = "ours"
            url = "{index.url.replace("://", "://reader:${OUR_TOKEN}@")}"
            include_packages = ["pyimages-h*"]
            [tool.pdm]
            distribution = false
            """
        write_tree(job.folder, {"pyproject.toml": pyproject, "test_it.py": SUITE.format(owner="us")})
        done = job.run(images=UV)
        assert done.returncode == 0, done.stdout + done.stderr
        assert any(asked.path.startswith("/files/pyimages-helper/") for asked in index.asked)
        assert not any("pyimages-helper" in asked.path for asked in public.asked)
    assert "s3cret-token" not in done.stdout + done.stderr + (job.folder / "report.json").read_text()
