"""The netrc file of this host: names and passwords by host, for pip, uv, git and others."""

from __future__ import annotations

import netrc
import re
from collections.abc import Mapping
from pathlib import Path

_PASSWORD = re.compile(r"\b(?:password|passwd|account)\s+(\"(?:[^\"\\]|\\.)*\"|\S+)")


def netrc_path(environ: Mapping[str, str], home: Path) -> Path | None:
    """Return where it is: NETRC names it, or it is .netrc or _netrc in the home folder; None if there is none."""
    candidates = [Path(environ["NETRC"]).expanduser()] if environ.get("NETRC") else [home / ".netrc", home / "_netrc"]
    return next((path for path in candidates if path.is_file()), None)


def netrc_text(path: Path | None) -> str:
    """Return its text; empty for one that is not there or that nobody may read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path is not None else ""
    except OSError:
        return ""


def passwords(text: str) -> tuple[str, ...]:
    """Return all passwords in it, whether the file as a whole is well-formed or not."""
    found = [match[1] for match in _PASSWORD.finditer(text)]
    quoted = [re.sub(r"\\(.)", r"\1", value[1:-1]) for value in found if value.startswith('"')]
    return tuple(dict.fromkeys([*found, *quoted]))


def login(path: Path | None, host: str) -> tuple[str, str]:
    """Return name and password for a host; empty if the file has none for it, or is none."""
    found = _parsed(path)
    entry = found.authenticators(host) if found is not None else None
    return (entry[0] or "", entry[2] or "") if entry else ("", "")


def logins(path: Path | None) -> tuple[tuple[str, str], ...]:
    """Return all names with their passwords."""
    found = _parsed(path)
    return tuple((entry[0] or "", entry[2] or "") for entry in found.hosts.values()) if found is not None else ()


def _parsed(path: Path | None) -> netrc.netrc | None:
    try:
        return netrc.netrc(str(path)) if path is not None else None
    except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
        return None
