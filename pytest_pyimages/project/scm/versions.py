"""Version numbers as the most used tools compute them from ``git describe``, by their documentation.

Each formula returns the number for a checkout and the tool's options, or None if the options select another formula.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

from pytest_pyimages.project.files import Table, get_table

# "Configuration" in setuptools-scm's documentation; pdm-backend has the same.
_TAG = r"^(?:[\w-]+-)?(?P<version>[vV]?\d+(?:\.\d+){0,2}[^\+]*)(?:\+.*)?$"
_PUBLIC_SCHEMES = frozenset({"guess-next-dev", "no-guess-dev", "post-release"})
_LOCAL_SCHEMES = frozenset({"node-and-date", "no-local-version", "no-local-version-strict", "dirty-tag"})
# "VERSION_SOURCE_PATTERN" in dunamai's documentation.
_DUNAMAI_TAG = (
    r"^v(?P<base>(?:\d+!)?\d+(?:\.\d+)*)(?:[-._]?(?P<stage>[a-zA-Z]+)(?:[-._]?(?P<revision>\d+))?)?(?:\+.+)?$"
)


class Checkout(NamedTuple):
    """A checkout as ``git describe --dirty --tags --long`` describes it."""

    tag: str  # empty: there is none
    distance: int  # commits since the tag, or in all
    node: str  # the commit's hash
    is_dirty: bool
    today: date

    @property
    def is_exact(self) -> bool:
        return bool(self.tag) and self.distance == 0 and not self.is_dirty


Formula = Callable[[Checkout, Table], str | None]


def _compute_setuptools_scm(checkout: Checkout, options: Table) -> str | None:
    """Return setuptools-scm's number, which flit-scm and hatch-vcs have as well."""
    tag = get_table(options, "tag")
    if checkout.tag:
        pattern = tag.get("regex") or options.get("tag_regex") or _TAG
        tagged = _match_version(checkout.tag.removeprefix(str(tag.get("prefix") or "")), str(pattern))
    else:
        tagged = _parse_version(str(options.get("fallback_version") or "0.0"))
    if tagged is None:
        return None
    if checkout.is_exact:
        return tagged.public
    scheme = _get_scheme(options, "version_scheme", "guess-next-dev")
    if scheme == "no-guess-dev" and tagged.dev is None:
        base = None if tagged.post is not None else f"{tagged.public}.post1"
    else:
        base = _increment(tagged)
    if scheme == "post-release":
        public = f"{tagged.public}.post{checkout.distance}"
    elif base is None:
        return None
    else:
        public = f"{base}.dev{checkout.distance}"
    local = _make_local_part(checkout, _get_scheme(options, "local_scheme", "node-and-date"))
    return f"{public}+{local}" if local else public


def _make_local_part(checkout: Checkout, scheme: str) -> str:
    if scheme.startswith("no-local-version"):
        return ""
    if scheme == "dirty-tag":
        return "dirty" if checkout.is_dirty else ""
    return f"g{checkout.node[:9]}" + (f".d{checkout.today:%Y%m%d}" if checkout.is_dirty else "")


def _compute_pdm_backend(checkout: Checkout, options: Table) -> str | None:
    """Return the number of pdm-backend's source "scm"."""
    if "version_format" in options:
        return None
    tagged = _match_version(checkout.tag or "0.0", str(options.get("tag_regex") or _TAG)) or Version("0.0.0")
    day = f"d{checkout.today:%Y%m%d}" if checkout.is_dirty else ""
    if checkout.tag and not checkout.distance:
        return f"{tagged}+{day}" if day else str(tagged)
    base = _increment(tagged)
    node = f"g{checkout.node[:7]}" + (f".{day}" if day else "")
    return base and f"{base}.dev{checkout.distance}+{node}"


def _compute_pbr(checkout: Checkout, options: Table) -> str | None:
    """Return pbr's number; what commit messages add to it ("Sem-Ver:") is not looked for."""
    tagged = _parse_version(checkout.tag.lstrip("vV").replace("-", ".")) if checkout.tag else Version("0")
    if tagged is None:
        return None
    major, minor, patch = (*tagged.release, 0, 0)[:3]
    release = f"{major}.{minor}.{patch}"
    distance = checkout.distance if checkout.tag else checkout.distance - 1  # without a tag the first commit is one
    if not distance:
        return release + (f".0{tagged.pre[0]}{tagged.pre[1]}" if tagged.pre else "")
    if tagged.pre:
        base = f"{release}.0{tagged.pre[0]}{tagged.pre[1] + 1}"
    else:
        base = release if tagged.dev == 0 else f"{major}.{minor}.{patch + 1}"
    configured = _parse_version(str(options.get("version") or ""))  # of the release that is being worked on
    if configured is not None and configured > Version(base):
        base = str(configured)
    return f"{base}.dev{distance}"


def _compute_dunamai(checkout: Checkout, options: Table) -> str | None:
    """Return the number of poetry-dynamic-versioning and uv-dynamic-versioning, which use dunamai."""
    bump = options.get("bump")
    if options.get("style") not in {None, "pep440"} or any(options.get(key) for key in ("format", "format-jinja")):
        return None
    if isinstance(bump, Mapping):
        if bump.get("index", -1) != -1:
            return None
        bump = bump.get("enable", False)
    tagged = _match_dunamai(checkout.tag, options) if checkout.tag else Version("0.0.0")
    if tagged is None:
        return None
    public: str | None = tagged.public
    if checkout.distance:
        if tagged.is_postrelease or tagged.is_devrelease:
            return None
        public = f"{_increment(tagged)}.dev{checkout.distance}" if bump else f"{public}.post{checkout.distance}.dev0"
    local = []
    metadata = options.get("metadata")
    if metadata is not False and (metadata or checkout.distance):
        local.append(str(options.get("commit-prefix") or "") + checkout.node[: int(options.get("commit-length") or 7)])
    if metadata is not False and options.get("dirty") and checkout.is_dirty:
        local.append("dirty")
    return f"{public}+{'.'.join(local)}" if local else public


def _match_dunamai(tag: str, options: Table) -> Version | None:
    pattern, prefix = str(options.get("pattern") or "default"), str(options.get("pattern-prefix") or "")
    if "?P<base>" not in pattern:
        pattern = _DUNAMAI_TAG.replace("^v", "^v?", 1) if pattern == "default-unprefixed" else _DUNAMAI_TAG
    found = re.search(pattern.replace("^", f"^{prefix}", 1), tag)
    groups = found.groupdict() if found else {}
    return _parse_version("".join(groups.get(name) or "" for name in ("base", "stage", "revision")))


FORMULAS: Mapping[str, Formula] = {
    "setuptools-scm": _compute_setuptools_scm,
    "hatch-vcs": _compute_setuptools_scm,
    "flit-scm": _compute_setuptools_scm,
    "pbr": _compute_pbr,
    "pdm-backend": _compute_pdm_backend,
    "poetry-dynamic-versioning": _compute_dunamai,
    "uv-dynamic-versioning": _compute_dunamai,
}


def is_certain(tool: str, options: Table) -> bool:
    """Whether the tool's number is surely what its formula returns here."""
    if FORMULAS.get(tool) is _compute_setuptools_scm:
        is_custom = any(key in options for key in ("parse", "version_cls", "normalize"))
        is_scoped = bool(get_table(options, "scm", "git").get("distance_scope"))
        return (
            _get_scheme(options, "version_scheme", "guess-next-dev") in _PUBLIC_SCHEMES
            and _get_scheme(options, "local_scheme", "node-and-date") in _LOCAL_SCHEMES
            and not (is_custom or is_scoped)
        )
    return tool in FORMULAS and tool != "pbr"  # it reads commit messages


def _get_scheme(options: Table, key: str, default: str) -> str:
    """Return the name of a scheme; of several the first."""
    value = options.get(key)
    if isinstance(value, list | tuple):
        value = next((entry for entry in value if entry != "fail-on-uncommitted-changes"), None)
    return str(value).replace("_", "-") if value else default


def _match_version(tag: str, pattern: str) -> Version | None:
    """Return the version in a tag, by a pattern with one group, or one that is called version."""
    try:
        found = re.match(pattern, tag)
    except re.error:
        return None
    if found is None or not found.re.groups:
        return None
    return _parse_version(found["version"] if "version" in found.re.groupindex else found[1])


def _parse_version(text: str | None) -> Version | None:
    try:
        return Version(text or "")
    except InvalidVersion:
        return None


def _increment(version: Version) -> str | None:
    """Return the version with its last number raised by one, and without ".dev0"; None for other ".dev" numbers."""
    if version.dev is not None:
        return version.public.removesuffix(".dev0") if version.dev == 0 else None
    found = re.fullmatch(r"(.*?)(\d+)", version.public)
    return None if found is None else f"{found[1]}{int(found[2]) + 1}"
