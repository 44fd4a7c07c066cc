"""One command over Pythons of many ages and makers: `tox -e images`, which has the images for it."""

from __future__ import annotations

import re

import pytest

from tests.support.jobs import Job, counts

from .containers import Derive

pytestmark = pytest.mark.images
IMAGES = ("2.7-slim", "3.6", "3.9-slim", "3.12-slim", "3.15-slim", "3.11-alpine", "pypy:3.11-slim")
PROJECT = """
from setuptools import setup
setup(name="texts", version="1.0", py_modules=["texts"], install_requires=["six"])
"""
MODULE = """
import sys

import six


def double(text):
    if sys.version_info[0] == 2:
        text = six.ensure_text(text)
    return text * 2
"""
SUITE = """\
# -*- coding: utf-8 -*-
import sys
import unittest

import pytest
import texts


@pytest.mark.parametrize("text", [u"plain", u"gr\u00fcn", u"\u65e5\u672c"])
def test_doubles(text):
    assert texts.double(text) == text + text


def test_fails():
    sys.stdout.write(str("printed\\n"))
    assert texts.double("a") == u"aaa"


@pytest.fixture
def broken():
    raise ValueError(u"gr\u00fcn")


def test_has_an_error(broken):
    pass


@pytest.mark.smoke
def test_is_quick():
    pass


@pytest.mark.xfail
def test_fails_as_expected():
    assert 0


@pytest.mark.xfail
def test_passes_unexpectedly():
    pass


@pytest.mark.skipif(sys.version_info < (3,), reason="needs Python 3")
class TestParts(unittest.TestCase):
    def test_parts(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertLess(number, 5)
"""
CONFIGURATION = """\
[pytest]
markers = smoke
"""
MINOR = {label: re.sub(r"^pypy:|-\w+$", "", label) for label in IMAGES}
OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


@pytest.fixture
def project(job: Job) -> Job:
    job.write(setup=PROJECT, texts=MODULE, test_texts=SUITE)
    (job.folder / "requirements.txt").write_text("pytest\npytest-cov\npytest-xdist\n")
    (job.folder / "pytest.ini").write_text(CONFIGURATION)
    return job


def test_outcomes_are_alike(project: Job, derive: Derive) -> None:
    """In a single command, with coverage; then the tests that failed, by two processes; then the smoke test."""
    user = derive("RUN useradd --uid 1001 --create-home app", "USER app", base="python:3.12-slim")
    labels = (*IMAGES, user)
    images = ",".join(labels)
    (project.folder / "gr\u00fcn").mkdir()
    done = project.run("--cov=texts", "-k", "not \u00fc-", images=images)
    assert done.returncode == 1, done.stdout + done.stderr
    expected = dict.fromkeys(labels, (5, 1, 1, 0, 1, 1)) | {"2.7-slim": (4, 1, 1, 1, 1, 1)}
    assert {label: counts(image, *OUTCOMES) for label, image in project.images.items()} == expected, done.stdout
    assert "\n    def test_fails():" in done.stdout
    assert "\ndef test_fails():" not in done.stdout, "drawn as by pytest on the host"
    assert "texts.py       6      0   100%" in done.stdout, "a line runs on Python 2 only"
    versions = {label: image["python"] for label, image in project.images.items()}
    assert {label: versions[label].startswith(MINOR[label]) for label in IMAGES} == dict.fromkeys(IMAGES, True), (
        versions
    )
    assert project.images["pypy:3.11-slim"]["implementation"].startswith("PyPy")
    done = project.run("--lf", "-n", "2", images=images)
    assert done.returncode == 1, done.stdout + done.stderr
    failures = dict.fromkeys(labels, (0, 1, 1, 0, 0, 0))
    assert {label: counts(image, *OUTCOMES) for label, image in project.images.items()} == failures, done.stdout
    done = project.run("--py-images-smoke", images=images)
    assert done.returncode == 0, done.stdout + done.stderr
