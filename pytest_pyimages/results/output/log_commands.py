"""Keep what suites and builds print from being commands to the CI service that reads the log.

GitHub's runner runs a line that begins with ``::name`` after white space, and one with ``##[name]`` anywhere (source:
actions/runner, ActionCommand.cs); Azure Pipelines ``##vso[name]``, and TeamCity ``##teamcity[name]``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

_READERS = ("GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION")  # variables of services whose logs have commands
_START = re.compile(r"^(\s*:)(?=:)")
_INSIDE = re.compile(r"(##\w{0,32})(?=\[)")
_KEPT = 40  # characters of a line by which the start of a command can be told


class CommandFilter:
    """Separates the characters that mark a command by a space, in text that comes in pieces."""

    def __init__(self) -> None:
        self._line = ""  # the end of the current line; it begins with white space only if the whole line does

    def filter(self, text: str) -> str:
        """Return the next piece with harmless commands."""
        return "".join(map(self._filter_part, re.split(r"([\r\n])", text)))

    def _filter_part(self, part: str) -> str:
        if part in ("\r", "\n"):
            self._line = ""
            return part
        start = len(self._line)
        line = _INSIDE.sub(r"\1 ", _START.sub(r"\1 ", self._line + part))
        self._line = line if len(line) <= _KEPT else "x" * (not line.isspace()) + line[-_KEPT:]
        return line[start:]


class _FilteredFile:
    """A file whose text is filtered unless ``is_trusted``."""

    def __init__(self, file: Any) -> None:
        self.is_trusted = False
        self._file = file
        self._filter = CommandFilter()

    def write(self, text: str) -> Any:
        return self._file.write(text if self.is_trusted else self._filter.filter(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def disarm_commands(text: str, environ: Mapping[str, str]) -> str:
    """Return a text that contains no commands to the CI service that reads the log, if one does."""
    return CommandFilter().filter(text) if has_commands(environ) else text


def has_commands(environ: Mapping[str, str]) -> bool:
    """Return whether a CI service reads commands from this process' output."""
    return any(environ.get(name) for name in _READERS)


def filter_terminal(terminal: pytest.TerminalReporter, environ: Mapping[str, str]) -> None:
    """Filter all that pytest writes from now on, if a CI service reads it."""
    writer: Any = terminal._tw  # noqa: SLF001 - what plugins and pytest's own summaries write with
    if has_commands(environ) and not isinstance(writer._file, _FilteredFile):  # noqa: SLF001 - it has no other access
        writer._file = _FilteredFile(writer._file)  # noqa: SLF001 - likewise


@contextlib.contextmanager
def allow_commands(terminal: pytest.TerminalReporter) -> Iterator[None]:
    """Write commands of our own."""
    file: Any = terminal._tw._file  # noqa: SLF001 - as above
    if not isinstance(file, _FilteredFile):
        yield
        return
    file.is_trusted = True
    try:
        yield
    finally:
        file.is_trusted = False
