"""Lazy package facades: a package's stub names what others may import; a module is loaded when a name is used.

The stub is the only list of the names: type checkers read it as such, and ``lazy_names`` reads it at run time
(Scientific Python's SPEC 1, without its dependency).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_names(package: str, init: str) -> tuple[Callable[[str], Any], list[str]]:
    """Return a package's ``__getattr__`` (PEP 562) and ``__all__``.

    :param init: the path of the package's ``__init__.py``, which has a stub with the suffix ``.pyi`` beside it.
    """
    lines = Path(init).with_suffix(".pyi").read_text(encoding="utf-8").splitlines()
    imports = (line.split() for line in lines if line.startswith("from "))  # "from MODULE import NAME as NAME"
    origins = {words[3]: words[1] for words in imports}

    def load(name: str) -> Any:
        if name not in origins:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(origins[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, sorted(origins)
