"""A file that pins each image reference to the digest of the image that it is to mean."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_pyimages.engines import ImageInfo
from pytest_pyimages.errors import ConfigurationError, PyimagesError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEY = "py_images_lock"
REFRESH = "run `pyimages lock`"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLock:
    """What a lock file says."""

    path: Path
    pins: Mapping[str, str]  # by reference: a digest of a registry, or the id of an image that comes from none

    def pin(self, reference: str) -> str:
        """Return what a reference is pinned to.

        :raises ConfigurationError: if it is not.
        """
        found = self.pins.get(reference)
        if found is None:
            raise ConfigurationError(f"{self.path.name} does not have {reference}", REFRESH)
        return found

    def pinned_reference(self, reference: str) -> str:
        """Return the same with the digest instead of a tag; raise ConfigurationError as ``pin`` does."""
        return pinned_reference(reference, self.pin(reference))

    def check(self, reference: str, present: ImageInfo) -> None:
        """Return if an image is the one that a reference is pinned to.

        :raises ConfigurationError: if it is another one; with both digests.
        """
        pinned = self.pin(reference)
        if not is_image(present, pinned):
            raise ConfigurationError(
                f"{reference} is {digest_of(present, reference)} here, and {self.path.name} pins it to {pinned}",
                f"{REFRESH} to take what is here, or `docker pull {pinned_reference(reference, pinned)}`",
            )


def read_image_lock(path: Path) -> ImageLock:
    """Read a lock file.

    :raises ConfigurationError: if it is not there, or is none.
    """
    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{KEY}: there is no file {path}", f"{REFRESH} to write it") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{KEY}: {path} cannot be read: {error}", f"{REFRESH} to write it anew") from error
    pins = document.get("images")
    if not isinstance(pins, Mapping):
        raise ConfigurationError(f"{KEY}: {path} has no [images]", f"{REFRESH} to write it anew")
    for reference, digest in pins.items():
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ConfigurationError(f"{KEY}: {path.name} pins {reference} to {digest!r}", "a digest is sha256:…")
    return ImageLock(path=path, pins=dict(pins))


def write_image_lock(path: Path, pins: Mapping[str, str]) -> None:
    """Write a lock file, sorted by reference.

    :raises PyimagesError: if it cannot be written.
    """
    lines = ["# Which image each reference means. Written by `pyimages lock`.", "", "[images]"]
    lines += [f"{json.dumps(reference)} = {json.dumps(digest)}" for reference, digest in sorted(pins.items())]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise PyimagesError(
            f"{path} cannot be written: {error.strerror}", "name another file in py_images_lock"
        ) from error


def is_image(image: ImageInfo, digest: str) -> bool:
    """Whether an image has this digest in some registry, or this id."""
    return image.id == digest or any(known.rpartition("@")[2] == digest for known in image.digests)


def digest_of(image: ImageInfo, reference: str) -> str:
    """Return the digest that an image has in the repository of a reference; its id if it comes from no registry."""
    repository = repository_of(reference)
    by_repository = dict(known.rsplit("@", 1) for known in image.digests)
    return by_repository.get(repository) or next(iter(by_repository.values()), image.id)


def pinned_reference(reference: str, digest: str) -> str:
    """Return the reference of an image by its digest: ``python:3.12`` becomes ``python@sha256:…``."""
    return f"{repository_of(reference)}@{digest}"


def repository_of(reference: str) -> str:
    """Return a reference without tag and digest."""
    name = reference.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name
