"""Recognise the notations of other tools for sets of Pythons, and suggest the same in ours."""

from __future__ import annotations

import re

from pytest_pyimages.matrix.faults import EntryError
from pytest_pyimages.matrix.releases import NEWEST_RELEASED, RELEASE_OF, RELEASES

_NAMES = [release.name for release in RELEASES if release.status != "prerelease"]  # oldest first
_RELEASED = [release.name for release in RELEASES if release.status == "released"]
_VERSION = r"[23]\.\d{1,3}"
_RANGE = re.compile(
    rf"(?P<first>{_VERSION})(?:\.\d+)?(?P<first_variant>-[a-z][a-z0-9]*)?\s*(?:-|\u2013|\u2014|:|\.{{2,3}}|\u2026|to)\s*"
    rf"(?:(?P<major>[23])\.)?(?P<minor>\d{{1,3}})(?P<variant>-[a-z].*)?"
)
_OPEN = re.compile(rf"(?P<first>{_VERSION})(?:\+|\.\.\.?)(?P<variant>-[a-z].*)?")
_UP_TO = re.compile(rf"\.\.\.?(?P<last>{_VERSION})(?P<variant>-[a-z].*)?")
_ALL = re.compile(r"(?:all|any|every|\*|3\.?[x*]|3\+|maintained|stable)(?P<variant>-[a-z].*)?", re.IGNORECASE)
_PATH = re.compile(rf"(?P<version>{_VERSION}(?:\.\d+)?)/(?P<variant>[a-z][a-z0-9.-]*)")
_IP6 = re.compile(r"\[[0-9a-f.]*:")  # of a registry
_MARKS = "[]()'\"`"
_HINT = '"auto" stands for the releases that requires-python admits'
_SPECIFIER = re.compile(r"\s*(?:[<>=!~]=?=?|\^)\s*\d")


def refuse_specifier(spec: str) -> None:
    """Refuse a version specifier, such as ``>=3.10,<3.13``.

    :raises EntryError: with the range that it stands for.
    """
    if not _SPECIFIER.match(spec):
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # slow to import

    text = spec.strip().rstrip("?").replace("^", "~=").replace("\n", ",")
    try:
        versions = SpecifierSet(text)
    except InvalidSpecifier:
        raise EntryError("is a version specifier, which is not an image", hint=_HINT) from None
    has_start = any(each.operator in (">", ">=", "~=", "==") for each in versions)
    chosen = [name for name in (_NAMES if has_start else _RELEASED) if versions.contains(name)]
    raise EntryError("is a version specifier, which is not an image", nearest=(_join(chosen),), hint=_HINT)


def refuse_notation(entry: str) -> None:
    """Refuse an entry in the notation of another tool, such as ``3.10-3.14``, ``3.10+`` or ``all``.

    :raises EntryError: with what was probably meant.
    """
    if "#" in entry:
        kept = entry.partition("#")[0].strip().rstrip(",")
        raise EntryError(
            'contains a "#", which begins no comment inside of a value',
            nearest=(kept,),
            hint="in TOML, put the comment after the quotation mark; in other files, on a line of its own",
        )
    bare = entry.strip(_MARKS)
    if bare not in ("", entry) and not _IP6.match(entry):  # of a list or a text in TOML, YAML or a shell
        raise EntryError("contains brackets or quotation marks", nearest=(bare,))
    text = entry.rstrip("?")
    allowed = entry[len(text) :][:1]
    if match := _ALL.fullmatch(text):
        nearest = f"{_join(_RELEASED)}{match['variant'] or ''}{allowed}"
        raise EntryError("is not a Python tag", nearest=("auto", nearest))
    if match := _PATH.fullmatch(text):
        raise EntryError("is not a Python tag", nearest=(f"{match['version']}-{match['variant']}{allowed}",))
    first, last, variant = _find_ends(text)
    if first:
        nearest = f"{first}..{last}{variant}{allowed}"
        raise EntryError("is not a range of Python releases", nearest=(nearest,))


def _find_ends(text: str) -> tuple[str, str, str]:
    """Return the first and the last release of a range, and its variant; empty if the text is none, or is valid."""
    if match := _RANGE.fullmatch(text):
        last = f"{match['major'] or match['first'][0]}.{match['minor']}"
        variant = match["variant"] or match["first_variant"] or ""
        is_valid = text == f"{match['first']}..{last}{match['variant'] or ''}"
        return ("", "", "") if is_valid or last not in RELEASE_OF else (match["first"], last, variant)
    if match := _OPEN.fullmatch(text):
        return match["first"], NEWEST_RELEASED.name, match["variant"] or ""
    if match := _UP_TO.fullmatch(text):
        return _RELEASED[0], match["last"], match["variant"] or ""
    return "", "", ""


def _join(names: list[str]) -> str:
    """Return the entry for some releases, a range if they follow each other."""
    if not names:
        return ""
    first, last = _NAMES.index(names[0]), _NAMES.index(names[-1])
    if len(names) > 1 and _NAMES[first : last + 1] == names:
        return f"{names[0]}..{names[-1]}"
    return ",".join(names)
