"""Build what a slim image cannot compile in the full image of the same Python.

The installation runs there first, and its container is removed. The slim image then installs the wheels that it built:
both installers share the cache, and a wheel is for a Python and a C library, not for an image.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from packaging.version import InvalidVersion, Version

from pytest_pyimages.engines import ImageInfo
from pytest_pyimages.errors import BuildError
from pytest_pyimages.images.bases import BaseImages
from pytest_pyimages.matrix import ImageTag

_SLIM = re.compile(r"(?P<name>.*:)(?P<before>(?:[^/:]*-)?)slim(?P<after>(?:-[^/:@]*)?)")


def find_full_tag(tag: ImageTag) -> ImageTag | None:
    """Return the tag of the full image that a slim one was made from; None for other images, and those by digest."""
    found = _SLIM.fullmatch(tag.reference)
    if found is None:
        return None
    full = f"{found['before'].rstrip('-')}{found['after']}".strip("-") or "latest"
    return replace(tag, reference=f"{found['name']}{full}")


def describe_left_out(tag: ImageTag, left_out: str) -> str:
    """Return the note on what a smoke-tested image lacks; empty if it lacks nothing.

    :param left_out: JSON of the installer: by requirement the distribution that could not be built, if any.
    """
    try:
        entries = {str(name): str(unbuilt) for name, unbuilt in dict(json.loads(left_out or "{}")).items()}
    except (ValueError, TypeError):  # of another version
        return ""
    if not entries:
        return ""
    reasons = []
    for name, unbuilt in entries.items():
        what = "" if unbuilt == name else f"{unbuilt}: "
        reasons.append(f"{name} ({what}no wheel for this Python, and it cannot be built here)" if unbuilt else name)
    full = find_full_tag(tag) if any(entries.values()) else None
    way_out = "" if full is None else f" · use {full.reference}, the full image, which has compilers"
    return f"{tag.label}: not installed: {', '.join(reasons)}{way_out}"


def resolve_full_image(bases: BaseImages, tag: ImageTag, full: ImageTag, slim: ImageInfo) -> ImageInfo:
    """Return the full image; it is pulled if the engine does not have it.

    :raises BuildError: if it is not available, or if what it builds is for another Python.
    """
    found = bases.resolve(full)
    ours, theirs = (image.environment.get("PYTHON_VERSION", "") for image in (slim, found))
    try:
        same = _identify(Version(ours)) == _identify(Version(theirs))
    except InvalidVersion:
        same = ours == theirs
    if not same:
        problem = f"py_images_build_in: {full.reference} has Python {theirs}, and {tag.reference} has {ours}"
        raise BuildError(problem, f"run `docker pull` for both, or remove {tag.label}")
    return found


def _identify(version: Version) -> tuple[object, ...]:
    """Return what decides whether a wheel of one Python works on another; prereleases may differ from each other."""
    return (*version.release[:2], version.pre if version.is_prerelease else None)
