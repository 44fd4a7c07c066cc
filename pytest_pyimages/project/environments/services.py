"""Find the servers that a project's other tools start for its tests: tox-docker, Compose, and two CI services."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import read_ini

_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_KEY = re.compile(r"(?P<indent> *)(?P<dash>- +)?(?P<key>[\w.-]+) *:(?: +(?P<value>[^#]*?))? *(?:#.*)?")
_ENTRY = re.compile(r"(?P<indent> *)- +(?P<value>[^\s:#]+(?::[^\s:#]+)?) *(?:#.*)?")
_MOST_BYTES = 1_000_000


class DeclaredService(NamedTuple):
    """A server that another tool of the project starts."""

    name: str
    image: str
    file: str  # relative to the project


def find_declared_services(root: Path) -> list[DeclaredService]:
    """Return the servers that tox.ini, a Compose file, GitHub's workflows or GitLab's file name, those of the first.

    YAML is read by its indentation: a hint needs no more, and is not worth a parser.
    """
    found: list[DeclaredService] = []
    with suppress(ConfigurationError):  # it is not needed for the run
        found = _read_tox(root)
    for path in _list_yaml_files(root):
        found = found or _read_yaml(path, root)
    return found


def _list_yaml_files(root: Path) -> Iterator[Path]:
    yield from (root / name for name in _COMPOSE)
    yield root / ".gitlab-ci.yml"
    yield from sorted((root / ".github" / "workflows").glob("*.y*ml"))


def _read_tox(root: Path) -> list[DeclaredService]:
    """Return the sections of tox-docker: ``[docker:db]``, with ``image``."""
    return [
        DeclaredService(name.partition(":")[2], section["image"].strip(), "tox.ini")
        for name, section in read_ini(root / "tox.ini").items()
        if name.startswith("docker:") and section.get("image", "").strip()
    ]


def _read_yaml(path: Path, root: Path) -> list[DeclaredService]:
    """Return what ``services:`` names, as a mapping with ``image``, or as a list of images."""
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        return []
    file = path.relative_to(root).as_posix()
    found: list[DeclaredService] = []
    depth, name, name_depth = -1, "", -1  # of the last "services:", and of the last key directly below it
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        key, entry = _KEY.fullmatch(line), _ENTRY.fullmatch(line)
        indent = len(line) - len(line.lstrip())
        if line.strip() and depth >= 0 and indent <= depth and not (entry and indent == depth):
            depth, name = -1, ""
        if key and key["key"] == "services" and not key["value"]:
            depth, name, name_depth = len(key["indent"]), "", -1
        elif depth < 0:
            continue
        elif entry and name_depth < 0:
            found.append(DeclaredService("", entry["value"].strip("'\""), file))
        elif key and key["dash"] and key["key"] == "name" and key["value"] and name_depth < 0:
            found.append(DeclaredService("", key["value"].strip("'\""), file))
        elif key and not key["value"] and name_depth in (-1, indent):
            name, name_depth = key["key"], indent
        elif key and name and key["key"] == "image" and key["value"] and indent > name_depth:
            found.append(DeclaredService(name, key["value"].strip("'\""), file))
            name = ""
    return [service for service in dict.fromkeys(found) if "docker:" not in service.image and "$" not in service.image]
