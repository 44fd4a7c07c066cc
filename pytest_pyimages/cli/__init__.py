"""The ``pyimages`` command; each of its commands is a module of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.cli.attend import attend_suite
    from pytest_pyimages.cli.program import main

__all__ = ["attend_suite", "main"]
__getattr__ = lazy_names(
    __name__,
    {
        "attend": "attend_suite",
        "program": "main",
    },
)
