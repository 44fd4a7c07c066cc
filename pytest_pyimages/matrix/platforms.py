"""Parse platforms as engines name them: ``linux/arm64``, ``linux/arm/v7``.

Names of architectures: https://pkg.go.dev/github.com/containerd/platforms.
"""

from __future__ import annotations

import re

from pytest_pyimages.matrix.faults import EntryError

_PLATFORM = re.compile(r"(?P<system>[a-z]+)/(?P<architecture>[a-z0-9_]+)(?:/(?P<variant>v?[0-9]+))?")
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm", "i386": "386"}
_ARCHITECTURES = frozenset({"amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "mips64le", *_ALIASES})
_EXAMPLE = "for example linux/arm64 or linux/amd64"


def split_platform(text: str) -> tuple[str, str]:
    """Return an entry and its platform, which follows the last ``@``: ``3.12@linux/arm64``; empty without one.

    :raises EntryError: for an invalid platform.
    """
    name, at, last = text.rpartition("@")
    if not at or last.startswith("sha256:") or not (_PLATFORM.fullmatch(last) or last in _ARCHITECTURES):
        return text, ""
    return name, parse_platform(last, prefix=f"{name}@")


def parse_platform(text: str, *, prefix: str = "") -> str:
    """Return a platform in its usual spelling.

    :param prefix: what precedes it in a suggestion.
    :raises EntryError: if it is none, or one of another system than Linux.
    """
    match = _PLATFORM.fullmatch(text)
    if match is None:
        nearest = (f"{prefix}linux/{_ALIASES.get(text, text)}",) if text in _ARCHITECTURES else ()
        raise EntryError("is not a platform", nearest=nearest, hint="" if nearest else _EXAMPLE)
    if match["system"] != "linux":
        raise EntryError("names a platform of another system than Linux", hint=_EXAMPLE)
    architecture = _ALIASES.get(match["architecture"], match["architecture"])
    if architecture not in _ARCHITECTURES:
        raise EntryError(f"names an unknown architecture, {architecture}", hint=_EXAMPLE)
    return f"linux/{architecture}" + (f"/{match['variant']}" if match["variant"] else "")


def is_same_platform(present: str, requested: str) -> bool:
    """Return whether an image is for a platform; a variant counts only where both name one."""
    ours, theirs = (text.split("/") for text in (present, requested))
    ours[1:2] = [_ALIASES.get(name, name) for name in ours[1:2]]
    theirs[1:2] = [_ALIASES.get(name, name) for name in theirs[1:2]]
    return all(one == other for one, other in zip(ours, theirs, strict=False))
