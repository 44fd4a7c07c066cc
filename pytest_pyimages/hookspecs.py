"""Hooks that another plugin may implement. The docstrings are their contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_pyimages.engines.base import Engine
    from pytest_pyimages.settings import Settings


@pytest.hookspec(firstresult=True)
def pytest_pyimages_engine(settings: Settings) -> Engine | None:
    """Return the engine to use instead of the one that the environment names; None leaves the choice to others.

    Called once per session, before any container, from a thread of its own. Raise ConfigurationError to end the
    session with a usage error.
    """
