"""Hooks that other plugins on the host may implement. Their docstrings are contracts; docs/plugins.md has examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_pyimages import BuiltImage, Engine, EngineSettings, ImageResult, ImageTag, Project, Recipe


@pytest.hookspec(firstresult=True)
def pytest_pyimages_engine(settings: EngineSettings) -> Engine | None:
    """Return a container engine, or None for the one that the settings or the environment name.

    Called once per session for each value of --py-images-engine, before any container is created, each time in a
    thread of its own. Raise ConfigurationError to end the session with a usage error.
    """


@pytest.hookspec(firstresult=True)
def pytest_pyimages_recipe(recipe: Recipe, image: ImageTag, project: Project) -> Recipe | None:
    """Return a changed recipe for an environment image, or None to leave it unchanged.

    Called once per session and image, before any image is built. Use ``dataclasses.replace``; every change of a recipe
    changes the digest of the image. Raise ConfigurationError to end the session with a usage error.
    """


@pytest.hookspec
def pytest_pyimages_image_ready(image: ImageTag, built: BuiltImage) -> None:
    """Act on an environment image that exists, before its suite runs.

    Called on the main thread, once per image that could be built. Runs of other images may have ended before.
    """


@pytest.hookspec
def pytest_pyimages_run_finished(result: ImageResult) -> None:
    """Act on the result of an image whose run has ended, or which could not be tested (``result.problem``).

    Called on the main thread, once per image that the session waited for, in the order in which they end.
    """


@pytest.hookspec
def pytest_pyimages_report(document: dict[str, Any]) -> None:
    """Change the results of all images, in the form of report.schema.json, before report files are written.

    Called once at the end of a session that writes a report file, reports to GitHub Actions or has a baseline. Keys
    that are added to the document appear in JSON reports.
    """
