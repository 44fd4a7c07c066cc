"""Requirements files: what they hold, as far as it matters to say what an environment gets.

The syntax is pip's ("Requirements File Format" in its documentation).
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import parsed, unreadable

_COMMENT = re.compile(r"(^|\s+)#.*$")
_REFERENCE = re.compile(r"(?:-r|--requirement(?=[\s=])|-c|--constraint(?=[\s=]))[\s=]*(?P<file>.*)")
_EDITABLE = re.compile(r"(?:-e|--editable(?=[\s=]))[\s=]*(?P<address>.*)")
_LOCAL = re.compile(r"(?P<path>[^\[\]]+?)\s*(?:\[(?P<extras>[^\]]*)\])?")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsFile:
    """What a requirements file asks for, with all files that it refers to."""

    path: Path
    requirements: tuple[str, ...]  # PEP 508 strings, without those that mean the project itself
    own_extras: tuple[str, ...]  # extras of the project itself that it asks for
    names_project: bool  # it asks for the project itself: ``-e .``, ``.[test]``, or by name
    is_plain: bool  # it holds nothing else, so the requirements say it all: no URL, constraint, hash or option
    chain: tuple[Path, ...]  # itself and every file below it
    problem: ConfigurationError | None = None  # the first file that could not be read; what it asks for is missing


def read_requirements_file(path: Path, *, root: Path, name: str) -> RequirementsFile:
    """Return what a requirements file and those it refers to ask for.

    :param root: the project's folder; pip is run there, so relative paths of projects start there.
    :param name: the project's own distribution name; empty if it has none.
    """
    reader = _Reader(root.resolve(), canonicalize_name(name))
    reader.read(path, asked_by="")
    return RequirementsFile(
        path=path,
        requirements=tuple(dict.fromkeys(reader.requirements)),
        own_extras=tuple(dict.fromkeys(reader.own_extras)),
        names_project=reader.names_project,
        is_plain=reader.is_plain,
        chain=tuple(reader.chain),
        problem=reader.problem,
    )


def own_extras(text: str, *, root: Path, name: str) -> tuple[str, ...] | None:
    """Return the extras of the project that a pip argument asks for; None if it does not mean the project itself.

    :param text: a path such as ``.[test]``, a ``file:`` URL, or a PEP 508 string.
    :param root: the project's folder, resolved.
    :param name: the project's own distribution name, normalised; empty if it has none.
    """
    requirement = parsed(text)
    if requirement is not None and requirement.url is None:
        return tuple(sorted(requirement.extras)) if canonicalize_name(requirement.name) == name else None
    address = re.split(r"\s;|#", text)[0]
    local = _LOCAL.fullmatch((address.partition(" @ ")[2] or address).strip())
    if local is None:
        return None
    path = local["path"].strip().removeprefix("file://").removeprefix("file:")
    if "://" in path or (root / path).resolve() != root:
        return None
    return tuple(extra.strip() for extra in (local["extras"] or "").split(",") if extra.strip())


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with the number it starts at: continued lines joined, comments and empty lines left out."""
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if pending else number
        pending += line
        if line.endswith("\\") and not _COMMENT.match(line):
            pending = pending[:-1]
            continue
        content = _COMMENT.sub("", pending).strip()
        if content:
            yield start, content
        pending = ""
    if pending.strip():
        yield start, pending.strip()


@dataclass(slots=True)
class _Reader:
    root: Path
    name: str
    requirements: list[str] = field(default_factory=list)
    own_extras: list[str] = field(default_factory=list)
    names_project: bool = False
    is_plain: bool = True
    chain: list[Path] = field(default_factory=list)
    problem: ConfigurationError | None = None

    def read(self, path: Path, *, asked_by: str, constrains: bool = False) -> None:
        if path in self.chain:  # a file that refers to itself in the end; pip reads it once, too
            return
        try:
            text = _text(path, asked_by)
        except ConfigurationError as error:
            self.problem = self.problem or error
            return
        self.chain.append(path)
        for number, line in logical_lines(text):
            reference = _REFERENCE.fullmatch(line)
            if reference is not None:
                constraint = constrains or line.startswith(("-c", "--c"))
                self._refer(reference["file"].strip("\"' "), path.parent, f"{path}:{number}", constrains=constraint)
            elif not constrains:
                self._take(line)

    def _refer(self, file: str, folder: Path, asked_by: str, *, constrains: bool) -> None:
        if "://" in file or "${" in file:
            self.is_plain = False
            return
        self.is_plain = self.is_plain and not constrains
        self.read(Path(os.path.normpath(folder / file)), asked_by=asked_by, constrains=constrains)

    def _take(self, line: str) -> None:
        editable = _EDITABLE.fullmatch(line)
        if line.startswith("-") and editable is None:
            self.is_plain = False
            return
        content, *options = re.split(r"\s+--?(?=[a-z])", editable["address"] if editable else line)
        extras = own_extras(content, root=self.root, name=self.name)
        if extras is not None:
            self.names_project = True
            self.own_extras += extras
            return
        is_requirement = editable is None and parsed(content) is not None
        self.is_plain = self.is_plain and is_requirement and not options
        if is_requirement:
            self.requirements.append(content)


def _text(path: Path, asked_by: str) -> str:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        subject = f"{asked_by}: {path}" if asked_by else str(path)
        hint = "add the file, or name in py_images_install what to install instead"
        raise ConfigurationError(f"{subject} is not there", hint) from error
    except OSError as error:
        raise unreadable(path, error) from error
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    # What is not UTF-8 stands in comments, if at all.
    return data.decode("utf-8", "replace")
