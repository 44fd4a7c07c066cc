"""A user's own Dockerfile, which an environment image stands on: what decides the result, and what its build is sent.

Only instructions that read the build context matter here; the engine parses everything else. The rules of its syntax
are from the Dockerfile reference (docs.docker.com/reference/dockerfile), those of ``.dockerignore`` from docker-py.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from pytest_pyimages.errors import ConfigurationError

ARGUMENT = "PYTHON_IMAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A Dockerfile and the files that it copies."""

    path: Path
    text: str
    context: Path  # the folder that COPY and ADD start from
    files: tuple[str, ...]  # below the context, sorted: what the build is sent
    digest: str  # of the text, and of the files with their names and permissions


def read_dockerfile(path: Path) -> Dockerfile:
    """Read a Dockerfile.

    :raises ConfigurationError: if it cannot be read, or does not build on the image that it is given.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", "name a Dockerfile that can") from error
    instructions = tuple(_instructions(text))
    if not any(name == "FROM" and ARGUMENT in rest for name, rest in instructions):
        raise ConfigurationError(
            f"{path} does not build on the image that it is given",
            f"write ARG {ARGUMENT} and FROM ${{{ARGUMENT}}} in it",
        )
    context = path.parent
    sources = [source for name, rest in instructions if name in {"COPY", "ADD"} for source in _sources(rest)]
    files = tuple(_copied(context, sources)) if sources else ()
    return Dockerfile(path=path, text=text, context=context, files=files, digest=_digest(text, context, files))


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    escape = "`" if re.match(r"(?i)\s*#\s*escape\s*=\s*`", text) else "\\"
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in kept.replace(f"{escape}\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name:
            yield name.upper(), rest.strip()


def _sources(rest: str) -> Iterator[str]:
    """Yield what one COPY or ADD takes from the context; "." where that cannot be told."""
    words = rest.split()
    while words and words[0].startswith("--"):
        if words[0].startswith("--from="):
            return
        del words[0]
    rest = " ".join(words)
    if rest.startswith("["):
        try:
            words = [str(word) for word in json.loads(rest)]
        except ValueError:
            words = [".", "."]
    else:
        try:
            words = shlex.split(rest)
        except ValueError:
            words = [".", "."]
    for word in words[:-1]:
        if word.startswith("<<") or re.match(r"(https?|git|ssh)://|git@", word):
            continue
        yield "." if "$" in word else word


def _copied(context: Path, sources: Iterable[str]) -> Iterator[str]:
    patterns = [PurePosixPath(source.lstrip("/")).as_posix() for source in sources]
    from pytest_pyimages.engines import context_files

    for name in context_files(context):
        parents = ["."] + [parent.as_posix() for parent in PurePosixPath(name).parents]
        if any(fnmatch(candidate, pattern) for pattern in patterns for candidate in (name, *parents)):
            yield name


def _digest(text: str, context: Path, files: tuple[str, ...]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in files:
        path = context / name
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        digest.update(b"\0%s\0%o\0" % (name.encode(), path.lstat().st_mode & 0o777))
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
