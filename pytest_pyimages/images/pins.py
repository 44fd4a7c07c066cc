"""Pin image references to digests: the file that the ini key ``py_images_lock`` names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from pytest_pyimages.atomic_write import write_atomically
from pytest_pyimages.engines import Engine, ImageInfo
from pytest_pyimages.errors import ConfigurationError, PyimagesError
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.toml import parse_toml

KEY = "py_images_lock"
REFRESH = "run `pyimages lock`"
_FIX = f"fix it, or remove it and {REFRESH}"  # which keeps the other pins, and so reads the file
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Pins(Immutable):
    """The contents of the file."""

    path: Path
    digests: Mapping[str, str]  # by reference: a registry's digest, or the id of an image that is in no registry

    def get(self, reference: str) -> str:
        """Return the pin of a reference.

        :raises ConfigurationError: if it has none.
        """
        if reference not in self.digests:
            raise ConfigurationError(f"{self.path.name} has no pin for {reference}", REFRESH)
        return self.digests[reference]

    def pin(self, reference: str) -> str:
        """Return a reference with its pin instead of its tag; raise ConfigurationError as ``get`` does."""
        return pin_reference(reference, self.get(reference))

    def find(self, engine: Engine, reference: str) -> ImageInfo | None:
        """Return the pinned image if the engine has it; raise ConfigurationError as ``get`` does."""
        return engine.find_image(self.pin(reference)) or engine.find_image(self.get(reference))

    def check(self, reference: str, present: ImageInfo) -> None:
        """Check that an image is the one that its reference is pinned to.

        :raises ConfigurationError: if it is another one; with both digests.
        """
        digest = self.get(reference)
        if not has_digest(present, digest):
            raise ConfigurationError(
                f"{reference} is {find_digest(present, reference)}, but {self.path.name} pins it to {digest}",
                f"{REFRESH} to pin the present image, or `docker pull {self.pin(reference)}`",
            )


def read_pins(path: Path) -> Pins:
    """Read the file.

    :raises ConfigurationError: if it does not exist or is invalid.
    """
    try:
        document = parse_toml(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{KEY}: file not found: {path}", f"{REFRESH} to write it") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{KEY}: {path} cannot be read: {error}", _FIX) from error
    digests = document.get("images")
    if not isinstance(digests, Mapping):
        raise ConfigurationError(f"{KEY}: {path} has no table [images]", _FIX)
    for reference, digest in digests.items():
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ConfigurationError(f"{KEY}: {path.name} pins {reference} to {digest!r}, not to a digest", _FIX)
    return Pins(path=path, digests=dict(digests))


def write_pins(path: Path, digests: Mapping[str, str]) -> None:
    """Write the file, sorted by reference; if that fails, an existing one is unchanged.

    :raises PyimagesError: if it cannot be written.
    """
    lines = ["# The image that each reference means. Written by `pyimages lock`.", "", "[images]"]
    lines += [f"{json.dumps(reference)} = {json.dumps(digest)}" for reference, digest in sorted(digests.items())]
    path = path.resolve()
    try:
        write_atomically(path, [f"{line}\n".encode() for line in lines])
    except OSError as error:
        raise PyimagesError(f"{path} cannot be written: {error.strerror}", f"name another file in {KEY}") from error


def has_digest(image: ImageInfo, digest: str) -> bool:
    """Return whether an image has a digest in some registry, or as its id."""
    return image.id == digest or any(known.rpartition("@")[2] == digest for known in image.digests)


def find_digest(image: ImageInfo, reference: str) -> str:
    """Return an image's digest in the repository of a reference; its id if it is in no registry."""
    by_repository = dict(known.rsplit("@", 1) for known in image.digests)
    return by_repository.get(_read_repository(reference)) or next(iter(by_repository.values()), image.id)


def pin_reference(reference: str, digest: str) -> str:
    """Return a reference with a digest instead of its tag: ``python:3.12`` becomes ``python@sha256:…``."""
    return f"{_read_repository(reference)}@{digest}"


def _read_repository(reference: str) -> str:
    name = reference.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name
