"""Import this package without pytest's assertion rewriting.

pytest marks all modules of an installed plugin for it. They assert nothing, and each would be compiled once more: for
good where ``__pycache__`` cannot be written, and where it can, its own bytecode is slower to load than Python's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_PREFIX = f"{__name__.partition('.')[0]}."


class UnrewrittenFinder:
    """A meta path finder for the modules of this package; it must come before pytest's."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path, target) if name.startswith(_PREFIX) else None

    @classmethod
    def install(cls) -> None:
        """Come before the finder that each call of pytest.main inserts."""
        sys.meta_path[:] = [cls, *(finder for finder in sys.meta_path if finder is not cls)]
