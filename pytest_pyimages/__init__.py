"""Run a pytest suite in containers of several Python images and get one combined result.

The names here are the public interface, for implementations of the hooks in ``hookspecs``; all others may change.
"""

from typing import Any

from pytest_pyimages.facade import lazy_names

_load, __all__ = lazy_names(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Load a public name, or read the version of the installed distribution."""
    if name == "__version__":
        from importlib.metadata import version

        return version("pytest-pyimages")
    return _load(name)
