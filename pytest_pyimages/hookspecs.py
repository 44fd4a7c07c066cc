"""Hooks that other plugins of the host may implement. Their docstrings are contracts; docs/plugins.md has examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_pyimages.engines import Engine
    from pytest_pyimages.host import Settings
    from pytest_pyimages.images import BuiltImage, Recipe
    from pytest_pyimages.matrix import ImageTag
    from pytest_pyimages.project import Project
    from pytest_pyimages.results import ImageResult


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


@pytest.hookspec
def pytest_pyimages_image_ready(image: ImageTag, built: BuiltImage) -> None:
    """An environment image is there, and its suite is about to run; ``built.cached`` says whether it was there before.

    Called on the main thread, once per image that could be built; a run of another image may have ended before.
    """


@pytest.hookspec
def pytest_pyimages_run_finished(result: ImageResult) -> None:
    """An image is done: its suite has ended, or it could not be tested (``result.problem`` says why).

    Called on the main thread, once per image that the session waited for, in the order in which they end. What the
    result says of other images' tests (what differs) is known when all have ended only.
    """


@pytest.hookspec
def pytest_pyimages_report(document: dict[str, Any]) -> None:
    """The results of all images, as report.schema.json has them, before any file is made of them.

    Called once at the end of a session that writes a report file, tells GitHub Actions or has a baseline. What is added
    to the document is in the JSON file; other files show what they know.
    """
