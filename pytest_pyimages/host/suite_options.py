"""Options that only the suite knows: whether the word after one is its value or a path.

pytest itself takes it for a path until conftests and plugins have defined their options, and lets it decide the rootdir
(pytest issue #6904). Conftests are read, not run; plugins that only the images have are not known at all.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from pathlib import Path

CONFTEST = "conftest.py"
_USUAL_FOLDERS = ("", "tests", "test", "testing", "src")
_FLAG_ACTIONS = frozenset("store_true store_false store_const append_const count help version".split())


class SuiteOptions:
    """The options that the conftests near the working folder or near a path define."""

    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self._read: dict[Path, dict[str, bool]] = {}

    def takes_value(self, option: str, word: str) -> bool | None:
        """Return whether a word is the value of the option before it; None if that cannot be known."""
        for folder in self._find_folders(word):
            if folder not in self._read:
                self._read[folder] = dict(_find_options(folder / CONFTEST))
            if option in self._read[folder]:
                return self._read[folder][option]
        return None if self._exists(word) or self._exists(word.rpartition("[")[0]) else True

    def _find_folders(self, word: str) -> Iterator[Path]:
        yield from (self._cwd / name for name in _USUAL_FOLDERS)
        path = self._path(word)
        yield from (folder for folder in (path, *path.parents) if folder != self._cwd)

    def _exists(self, word: str) -> bool:
        try:
            return self._path(word).exists() and word != ""
        except (OSError, ValueError):  # longer than a path may be, or with a null character
            return False

    def _path(self, word: str) -> Path:
        return self._cwd / word.partition("::")[0]


def _find_options(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the options that a source file adds to pytest's parser, and whether each takes a value."""
    tree = ast.Module(body=[], type_ignores=[])
    with contextlib.suppress(OSError, ValueError, SyntaxError, RecursionError):
        tree = ast.parse(path.read_bytes())
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "addoption":
            takes_value = not any(keyword.arg == "action" and _is_flag(keyword.value) for keyword in call.keywords)
            for name in call.args:
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value, takes_value


def _is_flag(action: ast.expr) -> bool:
    """Return whether an option with this action of argparse has no value."""
    if isinstance(action, ast.Constant):
        return action.value in _FLAG_ACTIONS
    return ast.unparse(action).endswith("BooleanOptionalAction")
