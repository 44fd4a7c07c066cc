"""Requirement strings (PEP 508), requirements files, and the places of a project that list requirements.

The syntax of the files is pip's ("Requirements File Format" in its documentation).
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from pytest_pyimages.errors import ConfigurationError, make_read_error
from pytest_pyimages.immutable import Immutable

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# Names of extras, groups, files and environments, the nearest to the tests first.
TEST_NAMES = tuple(
    "test tests testing pytest test-suite testsuite test-requires tests-require test-require test-requirements "
    "tests-requirements testing-requirements test-deps tests-deps test-dependencies test-extra test-extras testextra "
    "test-all tests-all all-tests test-full full-test test-base test-core hatch-test unittest unittests "
    "unit-test unit-tests unit-testing unit dev-test dev-tests test-dev".split()
)
# Those with these names may also hold linters and the like only.
_DEVELOPMENT_NAMES = tuple(
    "ci dev devel develop development developer dev-requires dev-requirements dev-deps dev-dependencies dev-extras "
    "local default lint-test all".split()
)
_RANKS = {name: rank for rank, name in enumerate(TEST_NAMES + _DEVELOPMENT_NAMES)}

_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(?:-(?P<short>[rce])|--(?P<long>requirement|constraint|editable)(?=[\s=]))[\s=]*(?P<value>.*)")
_LOCAL = re.compile(r"(?P<path>[^\[\]]+?)\s*(?:\[(?P<extras>[^\]]*)\])?")
# What uv refuses or ignores in these files: "Requirements File Format" in pip's documentation, "Compatibility" in uv's.
_PIP_ONLY = re.compile(
    r"(?:^|\s)(--prefer-binary|--config-settings?|-C|--global-option|--install-option)(?=[=\s]|$)"
    r"|^(?:-e|--editable)[\s=]*((?:git|hg|svn|bzr)\+)|^(?:[^#]*@\s*)?((?:hg|svn|bzr)\+)"
)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class RequirementSource(Immutable):
    """A place of a project that lists requirements."""

    origin: str  # for messages: ``group dev (pyproject.toml)``
    rank: int = 0  # see rank_name
    extras: tuple[str, ...] = ()  # of the project itself
    groups: tuple[str, ...] = ()  # their entries are among the requirements
    requirements: tuple[str, ...] = ()  # PEP 508, or "-e PATH" with an absolute path
    requirement_files: tuple[Path, ...] = ()

    @property
    def is_for_tests(self) -> bool:
        """Whether it is named after tests, and not after development in general."""
        return self.rank < len(TEST_NAMES)


class LocalPackage(NamedTuple):
    """A package of this host's file system that is installed beside the project."""

    path: Path  # a folder, or a file such as a wheel
    is_editable: bool


def rank_name(name: str) -> int | None:
    """Return the distance of a name from "test"; None for a name of neither tests nor development."""
    return _RANKS.get(canonicalize_name(name))


def rank_names(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield the names of tests or development, each with its rank."""
    ranks = ((name, rank_name(name)) for name in names)
    yield from ((name, rank) for name, rank in ranks if rank is not None)


def parse_requirement(text: str) -> Requirement | None:
    """Return the requirement, or None if the text is not a PEP 508 string."""
    from packaging.requirements import InvalidRequirement, Requirement  # slow to import, and some projects have none

    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def find_distributions(requirements: Iterable[str]) -> frozenset[str]:
    """Return the normalised names in PEP 508 strings."""
    found = map(parse_requirement, requirements)
    return frozenset(canonicalize_name(requirement.name) for requirement in found if requirement is not None)


def find_own_extras(text: str, *, root: Path, name: str) -> tuple[str, ...] | None:
    """Return the extras of the project that a pip argument requests; None if it does not mean the project itself.

    :param text: a path such as ``.[test]``, a ``file:`` URL, or a PEP 508 string.
    :param root: the project's folder, resolved.
    :param name: the project's own distribution name, normalised; empty if it has none.
    """
    requirement = parse_requirement(text)
    if requirement is not None and requirement.url is None:
        return tuple(sorted(requirement.extras)) if canonicalize_name(requirement.name) == name else None
    path, extras = split_local_path(text)
    return extras if path and (root / path).resolve() == root else None


def split_local_path(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the path of a file or folder in a pip argument, and the extras after it; empty if it names none.

    :param text: a path such as ``../lib[test]``, a ``file:`` URL, or a PEP 508 string with one; perhaps after ``-e``.
    """
    option, text = split_option(text)
    requirement = parse_requirement(text)
    if requirement is not None and (option != "-e" or requirement.url is not None):
        path, extras = requirement.url or "", tuple(sorted(requirement.extras))
    else:
        local = _LOCAL.fullmatch(re.split(r"\s;", text)[0].strip())
        listed = (local["extras"] or "").split(",") if local else ()
        path, extras = local["path"] if local else "", tuple(extra.strip() for extra in listed if extra.strip())
    if path.startswith("file:"):
        path = unquote(path.removeprefix("file:").removeprefix("//localhost/").removeprefix("//"))
    path = path.partition("#")[0].strip()
    return ("", ()) if "://" in path else (path, extras)


def find_local_package(text: str, *, root: Path) -> LocalPackage | None:
    """Return the file or folder that a pip argument names; None if it names none that exists.

    :param text: see ``split_local_path``.
    :param root: the folder that relative paths start from.
    """
    path, _ = split_local_path(text)
    found = Path(os.path.normpath(root / path)) if path else None
    if found is None or not found.exists():
        return None
    return LocalPackage(found, is_editable=split_option(text)[0] == "-e")


def convert_pdm_entry(text: str, *, root: Path) -> str:
    """Return a requirement of pdm as a PEP 508 string, or as ``-e PATH`` with an absolute path.

    :param root: the project's folder, for which ``${PROJECT_ROOT}`` stands.
    """
    text = text.replace("file:///${PROJECT_ROOT}", root.as_uri()).replace("${PROJECT_ROOT}", str(root))
    option, value = split_option(text)
    if option != "-e":
        return text
    path, extras = split_local_path(text)
    if path:
        return f"-e {os.path.normpath(root / path)}" + (f"[{','.join(extras)}]" if extras else "")
    address, _, name = value.partition("#egg=")
    return f"{name} @ {address}" if name else value


def split_option(line: str) -> tuple[str, str]:
    """Return the option (``-r``, ``-c``, ``-e``, or empty) and the value of a line of a requirements file."""
    found = _OPTION.fullmatch(line)
    return (f"-{found['short'] or found['long'][0]}", found["value"]) if found else ("", line)


def join_lines(text: str) -> Iterator[tuple[int, str]]:
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


def read_requirements_file(path: Path, *, root: Path, name: str, included_by: str = "") -> RequirementsFile:
    """Read a requirements file and those that it refers to.

    :param root: the project's folder; pip is run there, so relative paths of projects start there.
    :param name: the project's own distribution name; empty if it has none.
    :param included_by: what refers to the file, for messages: an environment of tox.
    """
    content = RequirementsFile(root.resolve(), canonicalize_name(name))
    content.read(path, included_by=included_by)
    return content


@dataclass(slots=True)
class RequirementsFile:
    """The content of a requirements file and of all files that it refers to."""

    root: Path
    name: str
    requirements: list[str] = field(default_factory=list)  # PEP 508, without those that mean the project itself
    own_extras: list[str] = field(default_factory=list)  # requested extras of the project itself
    packages: list[LocalPackage] = field(default_factory=list)
    names_project: bool = False  # it requests the project itself: ``-e .``, ``.[test]``, or by name
    options: list[str] = field(default_factory=list)  # for all of them, which pip reads from the file and uv does not
    pip_only: list[str] = field(default_factory=list)  # what only pip knows: "requirements.txt:3: --global-option"
    is_plain: bool = True  # it holds nothing but requirements: no URL, constraint, hash or option
    chain: list[Path] = field(default_factory=list)  # itself and every file below it
    problem: ConfigurationError | None = None  # the first file that could not be read; its requirements are missing

    def read(self, path: Path, *, included_by: str, constrains: bool = False) -> None:
        """Add the content of one file.

        :param included_by: what refers to it, such as a file and line; may be empty for the first.
        :param constrains: whether it is one of constraints.
        """
        if path in self.chain:  # a file that refers to itself in the end; pip reads it once, too
            return
        try:
            text = _read_text(path, included_by)
        except ConfigurationError as error:
            self.problem = self.problem or error
            return
        self.chain.append(path)
        for number, line in join_lines(text):
            option, value = split_option(line)
            if option in {"-r", "-c"}:
                constraint = constrains or option == "-c"
                self._include(value.strip("\"' "), path.parent, f"{path}:{number}", constrains=constraint)
            elif not constrains:
                self._add(option, value)
                found = _PIP_ONLY.search(line)
                if found is not None:
                    self.pip_only.append(f"{path.name}:{number}: {next(filter(None, found.groups()))}")

    def _include(self, file: str, folder: Path, included_by: str, *, constrains: bool) -> None:
        if "://" in file or "${" in file:
            self.is_plain = False
            return
        self.is_plain = self.is_plain and not constrains
        self.read(Path(os.path.normpath(folder / file)), included_by=included_by, constrains=constrains)

    def _add(self, option: str, value: str) -> None:
        if not option and value.startswith("-"):
            self.is_plain = False
            if value == "--pre" or value.startswith("--trusted-host"):
                self.options += value.replace("=", " ").split()
            return
        content, *options = re.split(r"\s+--?(?=[a-z])", value)
        extras = find_own_extras(content, root=self.root, name=self.name)
        if extras is not None:
            self.names_project = True
            self.own_extras += extras
            return
        is_requirement = not option and parse_requirement(content) is not None
        self.is_plain = self.is_plain and is_requirement and not options
        package = find_local_package(f"{option} {content}".lstrip(), root=self.root)
        if package is not None:
            self.packages.append(package)
        if is_requirement:
            self.requirements.append(content)


def _read_text(path: Path, included_by: str) -> str:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        subject = f"{included_by}: {path}" if included_by else str(path)
        hint = "add the file, or name in py_images_install what to install instead"
        raise ConfigurationError(f"{subject} does not exist", hint) from error
    except OSError as error:
        raise make_read_error(path, error) from error
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if b"\0" in data:  # UTF-16 without its mark, or no text
        raise ConfigurationError(f"{path} contains null characters", "save it as UTF-8")
    # What is not UTF-8 is in comments, if anywhere.
    return data.decode("utf-8", "replace")
