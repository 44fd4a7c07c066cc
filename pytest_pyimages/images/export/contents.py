"""What an environment image has installed on top of the image that it was built on, as requirements."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from pytest_pyimages.containers import Lease, run_helper
from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.immutable import Immutable

_USERINFO = re.compile(r"(://)(?!git@)[^\s/@]+@")


class LocalPackage(Immutable):
    """A package that was installed from the source."""

    name: str  # of its distribution, normalised
    path: Path  # on this host
    editable: bool


class ImageContents(Immutable):
    """The result of ``inside/distributions.py``, without what the image below has."""

    python: str  # the command that runs its Python
    programs: frozenset[str]  # those of apt-get, apk, useradd and adduser that it has
    managed: bool  # whether pip needs --break-system-packages
    users: frozenset[int]  # numbers in /etc/passwd
    groups: frozenset[int]
    requirements: tuple[str, ...]  # pinned
    packages: tuple[LocalPackage, ...]
    installed_only: tuple[tuple[str, str], ...]  # installed files that runs get in the source: path there


def read_contents(engine: Engine, lease: Lease, image: str, below: str, root: Path) -> ImageContents:
    """Return the contents of an environment image.

    :param below: id of the image that it was built on.
    :param root: the source's folder.
    :raises EngineError: if a container of one of them fails.
    :raises PyimagesError: if a distribution was installed from a folder that is not in the source.
    """
    found = run_helper(engine, lease, image, (), {}, program="distributions")
    before = run_helper(engine, lease, below, (), {}, program="distributions")
    return parse_contents(found, before, root)


def parse_contents(found: Mapping[str, Any], before: Mapping[str, Any], root: Path) -> ImageContents:
    """Return the contents by the results of the program in both images; see ``read_contents``."""
    added = [entry for entry in found["distributions"] if entry not in before["distributions"]]
    packages = tuple(_list_local(added, root))
    local = {package.name for package in packages}
    return ImageContents(
        python=found["python"],
        programs=frozenset(found["programs"]),
        managed=bool(found["managed"]),
        users=frozenset(found["users"]),
        groups=frozenset(found["groups"]),
        requirements=tuple(
            format_requirement(name, version, direct)
            for name, version, direct in added
            if canonicalize_name(name) not in local
        ),
        packages=packages,
        installed_only=tuple((installed, path) for installed, path in found["installed_only"]),
    )


def _list_local(distributions: list[list[str]], root: Path) -> Iterator[LocalPackage]:
    for name, _, direct in distributions:
        origin = _read_origin(direct)
        url = str(origin.get("url", ""))
        if url.startswith("file:"):
            path = Path(unquote(urlsplit(url).path))
            if not path.is_relative_to(root):
                raise PyimagesError(
                    f"{name} was installed from {path}, which is not in {root}: `docker build` cannot copy it",
                    "name a folder that contains both in py_images_root, or require it by a name or a URL",
                )
            editable = bool(origin.get("dir_info", {}).get("editable"))
            yield LocalPackage(name=canonicalize_name(name), path=path, editable=editable)


def _read_origin(direct: str) -> dict[str, Any]:
    try:
        origin = json.loads(direct or "{}")
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else {}


def format_requirement(name: str, version: str, direct: str) -> str:
    """Return the requirement for an installed distribution.

    :param direct: its direct_url.json (PEP 610); empty if it is from an index.
    """
    origin = _read_origin(direct)
    if not origin.get("url"):
        return f"{name}=={version}"
    vcs, archive = origin.get("vcs_info", {}), origin.get("archive_info", {})
    url = _USERINFO.sub(r"\1", str(origin["url"]))
    address = f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url
    hashes = archive.get("hashes") or dict([str(archive.get("hash", "")).split("=", 1)] if archive.get("hash") else [])
    fragment = [f"subdirectory={origin['subdirectory']}"] if origin.get("subdirectory") else []
    fragment += [f"sha256={hashes['sha256']}"] if "sha256" in hashes else []
    return f"{name} @ {address}" + (f"#{'&'.join(fragment)}" if fragment else "")
