"""Variants of the project in real containers."""

from __future__ import annotations

from tests.support.jobs import Job

PROJECT = """
[project]
name = "shop"
version = "1"
dependencies = ["six>=1.15"]
[tool.setuptools]
py-modules = []
[[tool.pyimages.variants]]
name = "lowest"
resolution = "lowest-direct"
[[tool.pyimages.variants]]
name = "old"
constraints = ["six<1.17"]
"""


def test_a_variant_installs_other_versions(job: Job) -> None:
    """In images of their own, of which none starts from another's."""
    (job.folder / "pyproject.toml").write_text(PROJECT)
    job.write(test_it="import pytest, six\ndef test_versions(): assert 0, 'six ' + six.__version__\n")
    done = job.run("--py-images-report=report.json", images="3.14-slim{,+lowest,+old}")
    assert done.returncode == 1, done.stdout + done.stderr
    for label, version in (("+lowest", "1.15.0"), ("+old", "1.16.0")):
        assert f"FAILED test_it.py::test_versions[3.14-slim{label}] - AssertionError: six {version}" in done.stdout
    assert "test_versions[3.14-slim] - AssertionError: six 1.1" in done.stdout
    assert "same image" not in done.stdout
