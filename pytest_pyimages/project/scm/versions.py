"""The version numbers that the tools of setuptools-scm's kind make of what git says.

Each function returns the number for a state of a checkout and the tool's own options, or None where the tool's way
cannot be followed. The rules are those of the tools' documentation, at their defaults and their commonest options.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from packaging.version import InvalidVersion, Version

Options = Mapping[str, Any]

# "Configuration" in setuptools-scm's documentation; pdm-backend has the same.
TAG = r"^(?:[\w-]+-)?(?P<version>[vV]?\d+(?:\.\d+){0,2}[^\+]*)(?:\+.*)?$"
_PUBLIC_SCHEMES = frozenset(
    "guess-next-dev no-guess-dev only-version post-release semver-pep440 python-simplified-semver"
    " semver-pep440-release-branch release-branch-semver".split()
)
_LOCAL_SCHEMES = frozenset("node-and-date no-local-version no-local-version-strict dirty-tag".split())
# "VERSION_SOURCE_PATTERN" in dunamai's documentation.
_DUNAMAI_TAG = (
    r"^v((?P<epoch>\d+)!)?(?P<base>\d+(\.\d+)*)"
    r"([-._]?((?P<stage>[a-zA-Z]+)[-._]?(?P<revision>\d+)?))?"
    r"(\+(?P<tagged_metadata>.+))?$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A checkout as ``git describe --dirty --tags --long`` describes it."""

    tag: str  # empty: there is none
    distance: int  # commits since the tag, or in all
    node: str  # the commit's hash
    is_dirty: bool
    branch: str  # empty: none
    today: date

    @property
    def is_exact(self) -> bool:
        return bool(self.tag) and self.distance == 0 and not self.is_dirty


def setuptools_scm(state: Described, options: Options) -> str | None:
    """Return setuptools-scm's number, which flit-scm and hatch-vcs have as well."""
    if state.tag:
        prefix = str(_in(options, "tag", "prefix") or "")
        pattern = _in(options, "tag", "regex") or options.get("tag_regex") or TAG
        tagged = _version_of(state.tag.removeprefix(prefix), str(pattern))
    else:
        tagged = _parsed(str(options.get("fallback_version") or "0.0"))
    if tagged is None:
        return None
    public = _public_part(tagged, state, _first(options.get("version_scheme"), "guess-next-dev"))
    if public is None:
        return None
    local = _local_part(state, _first(options.get("local_scheme"), "node-and-date"))
    return f"{public}+{local}" if local else public


def _public_part(tagged: Version, state: Described, scheme: str) -> str | None:
    """Return a version without its local part ("Version number construction" in setuptools-scm's documentation)."""
    if state.is_exact or scheme == "only-version":
        return tagged.public
    if scheme == "post-release":
        return f"{tagged.public}.post{state.distance}"
    guessed: str | None
    if scheme == "no-guess-dev":
        guessed = _without_dev(tagged) or (None if tagged.post is not None else f"{tagged.public}.post1")
    elif scheme in {"semver-pep440", "python-simplified-semver"}:
        guessed = _semantic(tagged, minor="feature" in state.branch)
    elif scheme in {"semver-pep440-release-branch", "release-branch-semver"}:
        of_branch = _version_of(state.branch.rpartition("/")[2], TAG)
        is_release = of_branch is not None and of_branch.release[:2] == tagged.release[:2]
        guessed = _next(tagged) if is_release else _semantic(tagged, minor=True)
    else:
        guessed = _next(tagged)
    return None if guessed is None else f"{guessed}.dev{state.distance}"


def _local_part(state: Described, scheme: str) -> str:
    if scheme.startswith("no-local-version"):
        return ""
    if scheme == "dirty-tag":
        return "dirty" if state.is_dirty else ""
    if state.is_exact:
        return ""
    node = f"g{state.node[:9]}"
    return f"{node}.d{state.today:%Y%m%d}" if state.is_dirty else node


def pdm_backend(state: Described, options: Options) -> str | None:
    """Return the number of pdm-backend's source "scm"."""
    if "version_format" in options:
        return None
    tagged = _version_of(state.tag or "0.0", str(options.get("tag_regex") or TAG)) or Version("0.0.0")
    is_tagged = bool(state.tag) and not state.distance
    guessed = str(tagged) if is_tagged else _next(tagged)
    if guessed is None:
        return None
    local = [] if is_tagged else [f"g{state.node[:7]}"]
    if state.is_dirty:
        local.append(f"d{state.today:%Y%m%d}")
    public = guessed if is_tagged else f"{guessed}.dev{state.distance}"
    return public + ("+" + ".".join(local) if local else "")


def pbr(state: Described, options: Options) -> str | None:
    """Return pbr's number; what commit messages say of it ("Sem-Ver:") is not looked for."""
    tagged = _parsed(state.tag.lstrip("vV").replace("-", ".")) if state.tag else Version("0")
    if tagged is None:
        return None
    release = ".".join(str(number) for number in (*tagged.release, 0, 0)[:3])
    before = f".0{tagged.pre[0]}{tagged.pre[1]}" if tagged.pre else ""
    distance = state.distance if state.tag else state.distance - 1  # without a tag the first commit counts as one
    if not distance:
        return release + before
    guessed = f"{release}.0{tagged.pre[0]}{tagged.pre[1] + 1}" if tagged.pre else _semantic(tagged, minor=False)
    configured = _parsed(str(options.get("version") or ""))  # of the release that is being worked on
    if configured is not None and configured > Version(guessed):
        guessed = str(configured)
    return f"{guessed}.dev{distance}"


def dunamai(state: Described, options: Options) -> str | None:
    """Return the number of poetry-dynamic-versioning and uv-dynamic-versioning, which ask dunamai."""
    if options.get("style") not in {None, "pep440"} or options.get("format-jinja") or options.get("format"):
        return None
    base, stage, revision = "0.0.0", "", None
    epoch = ""
    if state.tag:
        found = re.search(_dunamai_pattern(options), state.tag)
        if found is None:
            return None
        groups = found.groupdict()
        base, stage, epoch = groups["base"], groups.get("stage") or "", groups.get("epoch") or ""
        revision = int(groups["revision"]) if groups.get("revision") else None
    numbers, post, dev = _dunamai_numbers(base, stage, revision, state, options)
    local = []
    metadata = options.get("metadata")
    if metadata is not False and (metadata or state.distance):
        local.append(str(options.get("commit-prefix") or "") + state.node[: int(options.get("commit-length") or 7)])
    if metadata is not False and options.get("dirty") and state.is_dirty:
        local.append("dirty")
    public = f"{epoch}!{numbers}" if epoch else numbers
    public += (f".post{post}" if post is not None else "") + (f".dev{dev}" if dev is not None else "")
    return public + ("+" + ".".join(local) if local else "")


def _dunamai_pattern(options: Options) -> str:
    pattern, prefix = str(options.get("pattern") or "default"), str(options.get("pattern-prefix") or "")
    if "?P<base>" not in pattern:
        pattern = _DUNAMAI_TAG.replace("^v", "^v?", 1) if pattern == "default-unprefixed" else _DUNAMAI_TAG
    return pattern.replace("^", f"^{prefix}", 1) if prefix else pattern


def _dunamai_numbers(
    base: str, stage: str, revision: int | None, state: Described, options: Options
) -> tuple[str, int | None, int | None]:
    """Return release with pre-release, post and dev."""
    bump = options.get("bump")
    if isinstance(bump, Mapping):
        index, bump = int(bump.get("index", -1)), bump.get("enable", False)
    else:
        index = -1
    bumped = bool(bump) and state.distance > 0
    if bumped and stage:
        revision = 2 if revision is None else revision + 1
    elif bumped:
        base = _bumped(base, index)
    post = revision if stage == "post" else None
    dev = revision if stage == "dev" else None
    if stage and stage not in {"post", "dev"}:
        name = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}.get(stage.lower(), stage.lower())
        base = f"{base}{name}{revision or 0}"
    if state.distance:
        if bumped or dev is not None or post is not None:
            dev = (dev or 0) + state.distance
        else:
            post, dev = state.distance, 0
    return base, post, dev


def _bumped(base: str, index: int) -> str:
    numbers = [int(part) for part in base.split(".")]
    place = index % len(numbers)
    return ".".join(map(str, [*numbers[:place], numbers[place] + 1, *[0] * (len(numbers) - place - 1)]))


def versioningit(state: Described, options: Options) -> str | None:
    """Return versioningit's number."""
    rules = _in(options, "tag2version") or {}
    if not isinstance(rules, Mapping) or "method" in rules or not state.tag:
        return None
    tag = state.tag.removeprefix(str(rules.get("rmprefix", ""))).removesuffix(str(rules.get("rmsuffix", "")))
    if "regex" in rules:
        found = re.search(str(rules["regex"]), tag)
        tag = tag if found is None else found.groupdict().get("version") or found[0]
    base = tag.lstrip("v")
    if _parsed(base) is None:
        return None
    if state.is_exact:
        return base
    if "format" in options or "next-version" in options:
        return None
    node, day = f"g{state.node[:7]}", f"d{state.today:%Y%m%d}"
    if not state.distance:
        return f"{base}+{day}"
    return f"{base}.post{state.distance}+{node}" + (f".{day}" if state.is_dirty else "")


def setuptools_git_versioning(state: Described, options: Options) -> str | None:
    """Return setuptools-git-versioning's number."""
    if any(options.get(key) for key in ("version_callback", "version_file", "tag_formatter", "branch_formatter")):
        return None
    if not state.tag:
        return str(options.get("starting_version") or "0.0.1")
    development = "{tag}.post{ccount}+git.{sha}"
    if state.is_dirty:
        template = str(options.get("dirty_template") or f"{development}.dirty")
    elif state.distance:
        template = str(options.get("dev_template") or development)
    else:
        template = str(options.get("template") or "{tag}")
    fields = {"tag": state.tag, "ccount": state.distance, "sha": state.node[:8], "full_sha": state.node}
    try:
        found = _parsed(template.format(**fields, branch=state.branch))
    except (KeyError, IndexError, ValueError):
        return None
    return None if found is None else str(found)


SCHEMES: Mapping[str, Callable[[Described, Options], str | None]] = {
    "setuptools-scm": setuptools_scm,
    "hatch-vcs": setuptools_scm,
    "flit-scm": setuptools_scm,
    "pdm-backend": pdm_backend,
    "pbr": pbr,
    "poetry-dynamic-versioning": dunamai,
    "uv-dynamic-versioning": dunamai,
    "versioningit": versioningit,
    "setuptools-git-versioning": setuptools_git_versioning,
}


def understands(tool: str, options: Options) -> bool:
    """Whether the tool's number is surely what is worked out here."""
    if SCHEMES.get(tool) is setuptools_scm:
        known = _PUBLIC_SCHEMES, _LOCAL_SCHEMES
        schemes = (
            _first(options.get("version_scheme"), "guess-next-dev"),
            _first(options.get("local_scheme"), "node-and-date"),
        )
        is_custom = any(key in options for key in ("parse", "version_cls", "normalize"))
        is_scoped = bool(_in(options, "scm", "git", "distance_scope"))
        is_known = all(one in names for one, names in zip(schemes, known, strict=True))
        return is_known and not is_custom and not is_scoped
    return tool in SCHEMES and tool != "pbr"  # it reads commit messages


def _in(options: Options, *keys: str) -> object:
    found: object = options
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _first(value: object, default: str) -> str:
    """Return the scheme's name; of several the first, which is asked first."""
    if isinstance(value, list | tuple):
        value = next((entry for entry in value if entry != "fail-on-uncommitted-changes"), None)
    return str(value).replace("_", "-") if value else default


def _version_of(tag: str, pattern: str) -> Version | None:
    """Return the version in a tag, by a pattern with one group, or one that is called version."""
    try:
        found = re.match(pattern, tag)
    except re.error:
        return None
    if found is None or not found.re.groups:
        return None
    return _parsed(found["version"] if "version" in found.re.groupindex else found[1])


def _parsed(text: str | None) -> Version | None:
    try:
        return Version(text or "")
    except InvalidVersion:
        return None


def _without_dev(version: Version) -> str | None:
    """Return what a tag 1.2.dev0 announces; None for any other tag."""
    return version.public.removesuffix(".dev0") if version.dev == 0 else None


def _next(version: Version) -> str | None:
    """Return the version with its last number raised by one, and without ".dev0"; None for other ".dev" numbers."""
    if version.dev is not None:
        return _without_dev(version)
    found = re.fullmatch(r"(.*?)(\d+)", version.public)
    return None if found is None else f"{found[1]}{int(found[2]) + 1}"


def _semantic(version: Version, *, minor: bool) -> str:
    """Return the next minor or patch release."""
    major, second, third = (*version.release, 0, 0)[:3]
    numbers = (major, second + 1, 0) if minor else (major, second, third + 1)
    if version.dev == 0:
        numbers = (major, second, third)
    epoch = f"{version.epoch}!" if version.epoch else ""
    return epoch + ".".join(map(str, numbers))
