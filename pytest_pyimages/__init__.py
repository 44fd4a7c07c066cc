"""Run a pytest suite in containers of several Python images and get one combined result.

The names here are the public interface, for implementations of the hooks in ``hookspecs``; all others may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.engines import Engine, EngineSettings
    from pytest_pyimages.errors import ConfigurationError
    from pytest_pyimages.images import BuiltImage, Recipe
    from pytest_pyimages.matrix import ImageTag
    from pytest_pyimages.project import Project
    from pytest_pyimages.results import ImageResult

__all__ = [
    "BuiltImage",
    "ConfigurationError",
    "Engine",
    "EngineSettings",
    "ImageResult",
    "ImageTag",
    "Project",
    "Recipe",
]
_load = lazy_names(
    __name__,
    {
        "engines": "Engine EngineSettings",
        "errors": "ConfigurationError",
        "images": "BuiltImage Recipe",
        "matrix": "ImageTag",
        "project": "Project",
        "results": "ImageResult",
    },
)


def __getattr__(name: str) -> Any:
    """Load a public name, or read the version of the installed distribution."""
    if name == "__version__":
        from importlib.metadata import version

        return version("pytest-pyimages")
    return _load(name)
