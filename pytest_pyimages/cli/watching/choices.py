"""What a run of the watch selects: the arguments of pytest for each key."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from pytest_pyimages.containers import NO_SOURCE
from pytest_pyimages.host import CommandLine, Invocation, split_words

Choice = Literal["all", "failed", "changed", "differing"]
KEYS: dict[str, Choice] = {"a": "all", "f": "failed", "c": "changed", "d": "differing"}
KEYS_HELP = "Enter: again, f: failed, c: changed files, d: differences, a: all, q: quit"
DESCRIPTIONS: dict[Choice, str] = {
    "failed": "what failed last",
    "changed": "the tests of changed files",
    "differing": "what differs between images",
}
_TEST_FILES = ("test_*.py", "*_test.py")  # pytest's default of python_files


def add_failed(invocation: Invocation) -> tuple[str, ...]:
    """Return the arguments that run what failed last, or everything if nothing did."""
    return invocation.typed.adding("--lf")


def replace_positions(invocation: Invocation, positions: Sequence[str]) -> tuple[str, ...]:
    """Return the typed arguments with other paths and node ids.

    :param positions: relative to the rootdir.
    """
    kept = tuple(argument for argument in invocation.typed.arguments if argument.name or argument.may_be_value)
    places = (position.partition("::") for position in positions)
    # First, so that none of them is taken for the value of an option.
    return (
        *(os.path.relpath(invocation.rootdir / path, invocation.cwd) + colons + name for path, colons, name in places),
        *CommandLine(tuple(argument for argument in kept if argument.name != "--")).words,
    )


def find_tests(invocation: Invocation, root: Path, changed: Collection[Path]) -> list[str]:
    """Return the tests of changed files, relative to the rootdir.

    These are the changed test files, those that are named after a changed module, and the folder of a conftest.py. If
    paths were typed, only what lies below them.

    :param root: the folder that is watched.
    :param changed: absolute paths; files that do not exist are left out.
    """
    configured = split_words(invocation.ini.get("python_files", "")) or _TEST_FILES
    stems = {path.stem for path in changed if path.suffix == ".py"}
    named = {f"test_{stem}.py" for stem in stems} | {f"{stem}_test.py" for stem in stems}
    found = [path.parent for path in changed if path.name == "conftest.py"]
    found += [path for path in _walk(root) if path.name in named or (path in changed and _is_test(path, configured))]
    typed = [Path(os.path.normpath(invocation.cwd / path)) for path in invocation.typed.paths if "::" not in path]
    kept = [path for path in found if not typed or any(path.is_relative_to(each) for each in typed)]
    return sorted({os.path.relpath(path, invocation.rootdir) for path in kept if path.exists()})


def _is_test(path: Path, patterns: Iterable[str]) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in patterns)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in NO_SOURCE]
        yield from (Path(folder, name) for name in names if name.endswith(".py"))
