"""Give all images the same seed: pytest-randomly would choose another one in each container."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

import pytest

from pytest_pyimages.host import Invocation
from pytest_pyimages.results import ImageResult

OPTION = "--randomly-seed"
CACHE_KEY = "randomly_seed"  # pytest-randomly's own key for the last seed


def choose_seed(config: pytest.Config, invocation: Invocation) -> int:
    """Return the requested seed for pytest-randomly, else a random one.

    Call it once plugins are configured: if the host has pytest-randomly, its header has printed a seed already.
    """
    printed = getattr(config.option, CACHE_KEY, None)
    if isinstance(printed, int):
        return printed
    cache = getattr(config, "cache", None)
    value = invocation.command_line.last(OPTION)
    if value == "last" and cache is not None:
        last = cache.get(CACHE_KEY, None)
        return last if isinstance(last, int) else secrets.randbits(32)
    try:
        return int(value)
    except ValueError:  # none, or one that pytest-randomly refuses
        return secrets.randbits(32)


def save_seed(config: pytest.Config, results: Iterable[ImageResult]) -> None:
    """Save the seed for ``--randomly-seed=last``, if any test run has used it."""
    cache = getattr(config, "cache", None)
    used = [result.seed for result in results if result.seed is not None]
    if used and cache is not None:
        cache.set(CACHE_KEY, used[0])
