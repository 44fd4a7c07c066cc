"""Set-up of all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from tests.support.signals import restore_defaults_in_children


def pytest_configure() -> None:
    restore_defaults_in_children()
    os.environ.pop("PYTHONUNBUFFERED", None)  # users do not have it, and it hides what is not flushed


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Take back the variables that code under test has set: monkeypatch forgets one that was not set when deleted."""
    with mock.patch.dict(os.environ):
        yield
