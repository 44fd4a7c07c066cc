"""One seed for all images: pytest-randomly would take another in each container."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

import pytest

from pytest_pyimages.host import OWN_OPTIONS, Invocation, options
from pytest_pyimages.results import ImageResult

OPTION = "--randomly-seed"
KEPT = "randomly_seed"  # where pytest-randomly keeps the last one in pytest's cache


def shared_seed(config: pytest.Config, invocation: Invocation) -> int:
    """Return the seed for the suites that use pytest-randomly: the one that is asked for, or any.

    To be asked once plugins are configured: where the host has pytest-randomly, its header has named one.
    """
    named_here = getattr(config.option, KEPT, None)
    if isinstance(named_here, int):
        return named_here
    cache = getattr(config, "cache", None)
    given = [option.value or "" for option in options(invocation.all_args, OWN_OPTIONS) if option.name == OPTION]
    last = given[-1] if given else ""
    if last == "last" and cache is not None:
        kept = cache.get(KEPT, None)
        return kept if isinstance(kept, int) else secrets.randbits(32)
    try:
        return int(last)
    except ValueError:  # none, or one that pytest-randomly refuses
        return secrets.randbits(32)


def remember_seed(config: pytest.Config, results: Iterable[ImageResult]) -> None:
    """Keep the seed for ``--randomly-seed=last``, if any suite has used it."""
    cache = getattr(config, "cache", None)
    used = [result.seed for result in results if result.seed is not None]
    if used and cache is not None:
        cache.set(KEPT, used[0])
