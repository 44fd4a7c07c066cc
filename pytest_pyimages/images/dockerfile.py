"""Read a user's Dockerfile: its digest, and the files of the build context that it copies.

Only instructions that read the build context matter here; the engine parses the others. The syntax is that of the
Dockerfile reference (docs.docker.com/reference/dockerfile); ``.dockerignore`` is read by docker-py.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.immutable import Immutable

ARGUMENT = "PYTHON_IMAGE"


class Dockerfile(Immutable):
    """A Dockerfile and the files that it copies."""

    path: Path
    text: str
    context: Path  # the folder of the build context
    files: tuple[str, ...]  # to send to the build: paths below the context, sorted
    digest: str  # of the text, and of the files' names, permissions and contents


def read_dockerfile(path: Path) -> Dockerfile:
    """Read a Dockerfile.

    :raises ConfigurationError: if it cannot be read, or does not build on the image of the matrix.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", "fix it, or name another Dockerfile") from error
    instructions = tuple(_split_instructions(text))
    if not any(name == "FROM" and ARGUMENT in rest for name, rest in instructions):
        raise ConfigurationError(
            f"{path} does not build on the matrix's image",
            f"add ARG {ARGUMENT} and FROM ${{{ARGUMENT}}}",
        )
    context = path.parent
    sources = [source for name, rest in instructions if name in {"COPY", "ADD"} for source in _list_sources(rest)]
    files = tuple(_list_copied(context, sources)) if sources else ()
    return Dockerfile(path=path, text=text, context=context, files=files, digest=_compute_digest(text, context, files))


def _split_instructions(text: str) -> Iterator[tuple[str, str]]:
    escape = "`" if re.match(r"(?i)\s*#\s*escape\s*=\s*`", text) else "\\"
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in kept.replace(f"{escape}\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name:
            yield name.upper(), rest.strip()


def _list_sources(rest: str) -> Iterator[str]:
    """Yield the paths that a COPY or ADD reads from the context; "." if they are unknown."""
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


def _list_copied(context: Path, sources: Iterable[str]) -> Iterator[str]:
    patterns = [PurePosixPath(source.lstrip("/")).as_posix() for source in sources]
    from pytest_pyimages.engines import list_context_files

    for name in list_context_files(context):
        parents = ["."] + [parent.as_posix() for parent in PurePosixPath(name).parents]
        if any(fnmatch(candidate, pattern) for pattern in patterns for candidate in (name, *parents)):
            yield name


def _compute_digest(text: str, context: Path, files: tuple[str, ...]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in files:
        path = context / name
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        digest.update(b"\0%s\0%o\0" % (name.encode(), path.lstat().st_mode & 0o777))
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
