"""Hooks that another plugin may implement. The docstrings are their contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_pyimages.engines.base import Engine
    from pytest_pyimages.images.project import Project
    from pytest_pyimages.images.recipe import Recipe
    from pytest_pyimages.matrix import ImageTag
    from pytest_pyimages.settings import Settings


@pytest.hookspec(firstresult=True)
def pytest_pyimages_engine(settings: Settings) -> Engine | None:
    """Return the engine to use instead of the one that the environment names; None leaves the choice to others.

    Called once per session, before any container, from a thread of its own. Raise ConfigurationError to end the
    session with a usage error.
    """


@pytest.hookspec(firstresult=True)
def pytest_pyimages_recipe(recipe: Recipe, image: ImageTag, project: Project) -> Recipe | None:
    """Return what the environment image is to be made of instead; None leaves it as it is.

    Called once per session and image, before anything is built. ``dataclasses.replace`` makes a changed recipe of one;
    whatever changes in it changes the image's digest. Raise ConfigurationError to end the session with a usage error.
    """
