"""Set-up of all tests."""

from __future__ import annotations

import os

from tests.support.signals import restore_defaults_in_children


def pytest_configure() -> None:
    restore_defaults_in_children()
    os.environ.pop("PYTHONUNBUFFERED", None)  # users do not have it, and it hides what is not flushed
