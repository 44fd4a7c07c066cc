"""Compare the workflows in a repository with what would be printed now."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_pyimages.cli.ci import github, gitlab
from pytest_pyimages.errors import ConfigurationError

_HEADER = re.compile(r"^# Printed by: (?P<command>pyimages ci .*)$", re.MULTILINE)
_SUFFIXES = (".yml", ".yaml")


def find_workflows(folder: Path) -> dict[Path, list[str]]:
    """Return the workflows of the repository that contains a folder, and the arguments that each was printed with.

    :raises ConfigurationError: if there are none.
    """
    root = next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)
    folders = [folder for folder in (root / github.FOLDER, root / gitlab.FOLDER) if folder.is_dir()]
    files = [root / gitlab.FILE, *(path for each in folders for path in sorted(each.rglob("*.y*ml")))]
    found = {}
    for path in files:
        text = path.read_text("utf-8", "replace") if path.is_file() and path.suffix in _SUFFIXES else ""
        header = _HEADER.search(text)
        if header is not None:
            try:
                found[path] = shlex.split(header["command"])[2:]
            except ValueError:  # an open quote
                found[path] = []
    if not found:
        places = f"{github.FOLDER}, {gitlab.FOLDER} or {gitlab.FILE}"
        raise ConfigurationError(
            f"no workflow of `pyimages ci` in {places} of {root}", "print one with `pyimages ci github` or gitlab"
        )
    return found


def describe_difference(text: str, expected: str, configured: Sequence[re.Pattern[str]]) -> str:
    """Return what a workflow has that the configuration has not, and the reverse; empty if they agree.

    :param configured: lines that the configuration decides.
    """
    parts = []
    for pattern in configured:
        found, wanted = list(_match_lines(text, pattern)), list(_match_lines(expected, pattern))
        lacking = [each for each in wanted if each not in found]
        further = [each for each in found if each not in wanted]
        for verb, entries in (("lacks", lacking), ("should not have", further)):
            part = f"{verb} {', '.join(dict.fromkeys(entries))}"
            if entries and part not in parts:
                parts.append(part)
    return "; ".join(parts)


def _match_lines(text: str, pattern: re.Pattern[str]) -> Iterator[str]:
    """Yield what lines have: the names of a list, or the line itself."""
    for line in text.splitlines():
        match = pattern.match(line.strip())
        if match is None:
            continue
        names = match.groupdict().get("names")
        kind = line.strip().removeprefix("- ").partition(":")[0].lower()
        try:
            yield from [line.strip()] if names is None else (f"{kind} {name}" for name in json.loads(names))
        except ValueError:
            yield line.strip()
