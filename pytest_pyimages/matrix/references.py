"""Parse image references, as the distribution project defines them.

Grammar: https://pkg.go.dev/github.com/distribution/reference. Stricter here: only sha256 digests, no ".." in a tag; a
host is recognised as engines do it, by a dot, a port, or the name localhost.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.matrix.faults import EntryError, make_error, quote
from pytest_pyimages.matrix.releases import is_tag

LONGEST_TAG = 128
LONGEST_NAME = 255
PATH_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{PATH_COMPONENT}(?:/{PATH_COMPONENT})*")
_HOST_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SHA256_DIGITS = 64
#: Digits of the ids that `docker images` prints.
SHORT_ID = 12
_SHA256 = "sha256:"
_IMAGE_ID = re.compile(rf"[0-9a-f]{{{SHORT_ID},{_SHA256_DIGITS}}}")
_DIGEST = re.compile(rf"sha256:[0-9a-f]{{{_SHA256_DIGITS}}}")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_DEFAULT_HOST = "docker.io"
_DEFAULT_FOLDER = "library"


class Reference(NamedTuple):
    """A valid reference, in its parts."""

    host: str  # "localhost:5000"; empty for the engine's default registry
    repository: str  # "library/python"; empty for an image's id
    tag: str  # may be empty
    digest: str  # "sha256:…"; may be empty

    def __str__(self) -> str:
        """Return the reference for the engine; the tag that it would assume is written out."""
        if not self.repository:
            return self.digest
        name = f"{self.host}/{self.repository}" if self.host else self.repository
        tag = self.tag or ("" if self.digest else "latest")
        return name + (f":{tag}" if tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def identity(self) -> str:
        """The same text for all spellings of one reference: ``python:3.12`` and ``docker.io/library/python:3.12``."""
        if not self.repository:
            return self.digest.removeprefix(_SHA256)[:SHORT_ID]
        host, repository = self.host or _DEFAULT_HOST, self.repository
        if host == _DEFAULT_HOST and "/" not in repository:
            repository = f"{_DEFAULT_FOLDER}/{repository}"
        return str(Reference(host=host, repository=repository, tag=self.tag, digest=self.digest))


def is_image_id(text: str) -> bool:
    """Return whether the text is meant as the id of an image in the engine, in full or as `docker images` prints it."""
    return text.startswith(_SHA256) or _IMAGE_ID.fullmatch(text) is not None


def parse_image_id(text: str) -> Reference:
    """Return the reference of an image's id.

    :raises EntryError: for an invalid id.
    """
    if not _IMAGE_ID.fullmatch(text.removeprefix(_SHA256)):
        hint = f"an id is {SHORT_ID} to {_SHA256_DIGITS} lower-case hexadecimal digits"
        raise EntryError("is not the id of an image", nearest=(text.lower(),), hint=hint)
    return Reference(host="", repository="", tag="", digest=text)


def is_reference(text: str) -> bool:
    """Return whether the text is meant as a reference, valid or not; a plain tag has none of these characters."""
    return any(character in text for character in "/:@")


def parse_reference(text: str) -> Reference:
    """Return the parts of ``host:port/repository:tag@sha256:…``.

    :raises EntryError: for an invalid reference; its suggestions are not checked.
    """
    if "://" in text:
        raise EntryError("has a scheme; a reference starts with the host", nearest=(text.rpartition("://")[2],))
    named, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _make_digest_error(named, digest)
    name, colon, tag = named.rpartition(":")
    if not colon or "/" in tag:
        name, colon, tag = named, "", ""
    if colon:
        _check_tag(name, tag)
    host, slash, repository = name.partition("/")
    if not slash or not (any(character in host for character in ".:[") or host == "localhost"):
        host, repository = "", name
    _check_name(text, host, repository)
    if not host and _VERSION.fullmatch(repository):
        nearest = (f"{repository}-{tag}", f"python:{repository}{at}{digest}")[:: 1 if tag else -1]
        raise EntryError("has a version where the repository belongs", nearest=nearest[:1])
    return Reference(host=host, repository=repository, tag=tag, digest=digest)


def parse_registry(text: str) -> str:
    """Return the prefix of ``python:3.12``: ``localhost:5000/library/``; empty for none.

    :param text: a host, or a host and folders; one slash at the end and space around it are allowed.
    :raises EntryError: for an invalid prefix; its suggestions are not checked.
    """
    text = text.strip(" \t\r\n")
    if not text:
        return ""
    prefix = text.removesuffix("/")
    if "@" in prefix:
        raise EntryError(
            "has an @; a registry's prefix is a host and folders", hint="for example localhost:5000/library"
        )
    try:
        parse_reference(f"{prefix}/python:3")
    except EntryError as fault:
        nearest = tuple(near.removesuffix("/python:3") for near in fault.nearest)
        raise EntryError(fault.problem, nearest=nearest, hint="for example localhost:5000/library") from fault
    return f"{prefix}/"


def parse_repository(option: str, text: str) -> str:
    """Return a repository of a registry, as it is written: ``registry.example/team/tests``.

    :param option: for messages, which never contain a password.
    :raises ConfigurationError: for anything else, such as a reference with a tag.
    """
    hint = "write REGISTRY/NAME, such as registry.example/team/tests"
    if "@" in text:
        raise ConfigurationError(
            f"{option}: a repository has neither a login nor a digest", f"`docker login`, and {hint}"
        )
    try:
        found = parse_reference(text)
    except EntryError as fault:
        raise make_error(option, text, EntryError(fault.problem, nearest=fault.nearest, hint=hint)) from fault
    if found.tag or "/" not in text:
        raise make_error(option, text, EntryError("has a tag" if found.tag else "names no registry", hint=hint))
    return text


def make_labels(text: str) -> Iterator[str]:
    """Yield labels for a valid reference, best first, without end: the text, with a shortened digest, then numbered.

    An IPv6 host loses its brackets and colons, since both have a meaning in node ids.
    """
    if is_image_id(text):
        text = text.removeprefix(_SHA256)[:SHORT_ID]
    text = re.sub(r"^\[([0-9A-Fa-f:]+)\]", lambda host: f"ip6-{host[1].strip(':').replace(':', '-')}", text)
    name, _, digest = text.partition("@")
    if digest:
        hexadecimal = digest.removeprefix("sha256:")
        yield from (f"{name}@sha256:{hexadecimal[:length]}" for length in (12, 24, _SHA256_DIGITS))
    else:
        yield name
    yield from (f"{name}~{number}" for number in itertools.count(2))


def _make_digest_error(named: str, digest: str) -> EntryError:
    if not named:
        return EntryError("has no repository before the @")
    hint = f"a digest is sha256: and {_SHA256_DIGITS} lower-case hexadecimal digits"
    return EntryError("has an invalid digest", nearest=(f"{named}@{digest.lower()}",), hint=hint)


def _check_tag(name: str, tag: str) -> None:
    if not tag:
        raise EntryError("has nothing after the colon", nearest=(name if is_tag(name) else f"{name}:latest",))
    if len(tag) > LONGEST_TAG:
        raise EntryError(f"has a tag of {len(tag)} characters; {LONGEST_TAG} are allowed")
    if not _TAG.fullmatch(tag):
        allowed = 'a tag consists of letters, digits, "_", "." and "-", and does not start with "." or "-"'
        raise EntryError(f"has an invalid tag, {quote(tag)}", hint=allowed)
    if ".." in tag:
        raise EntryError("has a range in a full reference", hint="use braces, as in python:3.{10..14}")


def _check_name(text: str, host: str, repository: str) -> None:
    if host and not _HOST.fullmatch(host):
        raise EntryError(f"has an invalid registry host, {quote(host)}")
    if not repository:
        raise EntryError("names no repository")
    if len(host) + 1 + len(repository) > LONGEST_NAME:
        raise EntryError(f"has a name of more than {LONGEST_NAME} characters")
    if not _PATH.fullmatch(repository):
        problem = f"has an invalid repository, {quote(repository)}"
        hint = "repositories are lower-case letters and digits with single separators"
        raise EntryError(problem, nearest=(text.replace(repository, repository.lower(), 1),), hint=hint)
