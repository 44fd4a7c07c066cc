"""Set-up of all tests."""

from __future__ import annotations

from tests.support.signals import restore_defaults_in_children


def pytest_configure() -> None:
    restore_defaults_in_children()
