"""Find the places where a project lists what its tests require, and choose among them.

The first place that lists a test library settles it. A place named after development only that lists none is skipped.
A place named after tests that lists none is taken, since pytest is taken for granted there, and the search goes on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import ProjectFiles, Table, get_strings, get_table, read_toml
from pytest_pyimages.project.metadata import Metadata
from pytest_pyimages.project.poetry import convert_dependencies
from pytest_pyimages.project.requirements import (
    RequirementsFile,
    RequirementSource,
    find_distributions,
    rank_name,
    read_requirements_file,
)
from pytest_pyimages.project.tox import find_tox_sources

# Besides pytest and names that start with "pytest-".
_TEST_LIBRARIES = frozenset(
    "allure-pytest approvaltests asynctest ddt dirty-equals django-test-plus doublex expects factory-boy faker "
    "flexmock freezegun green hypothesis inline-snapshot mock mocket mockito model-bakery moto nose nose2 "
    "parameterized polyfactory pook pyfakefs pyhamcrest requests-mock responses respx schemathesis stestr sybil "
    "syrupy testcontainers testfixtures testing-postgresql testresources testscenarios testtools time-machine "
    "trustme unittest2 vcrpy webtest xdoctest zope-testing zope-testrunner".split()
)
# Programs that run tests or check source: a place that lists nothing else is not about the suite.
_TOOLS = frozenset(
    "autopep8 bandit black build codecov coverage coveralls flake8 hatch isort nox pip pre-commit pylint ruff "
    "setuptools tox tox-gh-actions tox-uv twine wheel".split()
)
_TOX_ENVIRONMENTS = 2  # the base environment, and the one nearest to "test"
_FOLDERS = ("requirements", "reqs", "requires", "requirement", "dependencies", "deps", ".requirements", "etc", "ci")
_TEST_FOLDERS = ("tests", "test", "testing")
_REQUIREMENTS_WORDS = frozenset({"requirements", "requirement", "requires", "require", "reqs", "req", "deps"})
_MAIN_FILES = ("requirements", "requirements-base", "base", "common", "main", "default", "prod", "production")


def find_sources(files: ProjectFiles, metadata: Metadata, *, is_installed: bool) -> tuple[RequirementSource, ...]:
    """Return the places whose requirements to install, in the order of trust.

    :param is_installed: whether the project itself is installed, with its dependencies.
    :raises ConfigurationError: if a chosen file refers to one that does not exist, and no other place is enough.
    """
    search = _Search(files, metadata)
    search.consider(_find_named_sources(files, metadata))
    named_files = _find_named_files(files.root)
    search.consider(named_files, also_after_development=True)
    main = _find_main_file(files.root)
    search.consider(main, needs_test_library=True)
    environments = find_tox_sources(files, name=metadata.name)[:_TOX_ENVIRONMENTS]
    search.consider(environments)
    development = [source for source in named_files if not source.is_for_tests]
    taken = search.widen(search.taken, environments, skipped=development)
    lists_in_files = any(source.requirement_files for source in taken) or not search.is_enough
    if not is_installed or (lists_in_files and not metadata.dependencies):
        # An application's own requirements, or those of a package that declares none where they can be read.
        taken = (*(source for source in main if not search.includes(taken, source)), *taken)
    return taken if is_installed else (*_find_application_sources(files, metadata), *taken)


class _Search:
    """Takes sources one after the other until the tests have a test library."""

    def __init__(self, files: ProjectFiles, metadata: Metadata) -> None:
        self._files = files
        self._metadata = metadata
        self._taken: list[RequirementSource] = []
        self._is_settled = False  # a source named after tests has a test library
        self._is_half_settled = False  # one named after development has
        self._problem: ConfigurationError | None = None

    @property
    def is_enough(self) -> bool:
        """Whether any source that was taken has a test library."""
        return self._is_settled or self._is_half_settled

    @property
    def taken(self) -> tuple[RequirementSource, ...]:
        """The chosen sources; raises the first problem if they are not enough."""
        if self._problem is not None and not self.is_enough:
            raise self._problem
        return tuple(self._taken)

    def consider(
        self,
        candidates: Iterable[RequirementSource],
        *,
        also_after_development: bool = False,
        needs_test_library: bool = False,
    ) -> None:
        """Take candidates in turn.

        :param also_after_development: add a source named after tests to one named after development.
        :param needs_test_library: skip a source without a test library, even if it is named after tests.
        """
        for source in candidates:
            if self._is_settled or (self._is_half_settled and not (also_after_development and source.is_for_tests)):
                continue
            contents = self._read_files(source)
            names = self._list_names(source, contents)
            has_library = any(_is_test_library(name) for name in names)
            problem = next((content.problem for content in contents if content.problem is not None), None)
            if problem is not None:
                # Source distributions often lack files that one for development refers to: no matter if it is skipped.
                self._problem = self._problem or (problem if has_library or source.is_for_tests else None)
                continue
            lists_more = not names <= _TOOLS if names else bool(source.extras)
            if has_library or (source.is_for_tests and lists_more and not needs_test_library):
                self._taken.append(source)
                self._is_settled = has_library and source.is_for_tests
                self._is_half_settled = self._is_half_settled or has_library

    def includes(self, taken: Iterable[RequirementSource], source: RequirementSource) -> bool:
        """Whether requirements files of taken sources include those of another."""
        chains = {path for other in taken for content in self._read_files(other) for path in content.chain}
        return chains.issuperset(source.requirement_files)

    def widen(
        self,
        taken: tuple[RequirementSource, ...],
        environments: Iterable[RequirementSource],
        *,
        skipped: Iterable[RequirementSource],
    ) -> tuple[RequirementSource, ...]:
        """Replace files by one that includes them and that tox installs for the tests.

        ``requirements/test.txt`` may hold what all test runs have in common, and tox install one with ``-r test.txt``.

        :param skipped: files that never replace: requirements of all development may not fit every Python.
        """
        known = {path for source in (*taken, *skipped) for path in source.requirement_files}
        for path in [path for source in environments for path in source.requirement_files if path not in known]:
            origin = f"-r {os.path.relpath(path, self._files.root)} (tox)"
            wider = RequirementSource(origin=origin, requirement_files=(path,))
            if any(content.problem is not None for content in self._read_files(wider)):
                continue
            rest = [source for source in taken if not source.requirement_files or not self.includes([wider], source)]
            if len(rest) < len(taken):
                return (*rest, wider)
        return taken

    def _read_files(self, source: RequirementSource) -> list[RequirementsFile]:
        root, name = self._files.root, self._metadata.name
        return [read_requirements_file(path, root=root, name=name) for path in source.requirement_files]

    def _list_names(self, source: RequirementSource, contents: Iterable[RequirementsFile]) -> frozenset[str]:
        """Return the normalised names of the listed distributions, without their dependencies."""
        listed = [*source.requirements, *self._metadata.expand_extras(source.extras)]
        for content in contents:
            listed += [*content.requirements, *self._metadata.expand_extras(content.own_extras)]
        return find_distributions(listed)


def _is_test_library(name: str) -> bool:
    return name == "pytest" or name.startswith("pytest-") or name in _TEST_LIBRARIES


def _find_application_sources(files: ProjectFiles, metadata: Metadata) -> Iterator[RequirementSource]:
    """Yield where an application that is not installed lists its own requirements."""
    if metadata.dependencies:
        yield RequirementSource(origin=f"dependencies ({files.main_file})", requirements=metadata.dependencies)
    packages = _read_pipfile(files, "packages")
    if packages:
        yield RequirementSource(origin="packages (Pipfile)", requirements=packages)


def _find_named_sources(files: ProjectFiles, metadata: Metadata) -> list[RequirementSource]:
    """Return the groups, extras and environments that are named after tests or development, nearest first."""
    found = [
        *_find_groups(files),
        *_find_extras(metadata),
        *_find_poetry_groups(files),
        *_find_pdm_and_uv_groups(files),
        *_find_hatch_environments(files),
        *_find_tests_require(files),
        *_make_source("dev", "dev-packages (Pipfile)", _read_pipfile(files, "dev-packages")),
    ]
    return sorted(found, key=lambda source: source.rank)


def _rank_names(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield the names of tests or development, each with its rank."""
    ranks = ((name, rank_name(name)) for name in names)
    yield from ((name, rank) for name, rank in ranks if rank is not None)


def _make_source(name: str, origin: str, requirements: tuple[str, ...]) -> Iterator[RequirementSource]:
    if requirements:
        yield RequirementSource(origin=origin, rank=rank_name(name) or 0, requirements=requirements)


def _find_groups(files: ProjectFiles) -> Iterator[RequirementSource]:
    for name, rank in _rank_names(get_table(files.pyproject, "dependency-groups")):
        origin = f"group {name} (pyproject.toml)"
        yield RequirementSource(origin=origin, rank=rank, groups=(name,), requirements=files.expand_group(name))


def _find_extras(metadata: Metadata) -> Iterator[RequirementSource]:
    extras = metadata.extras or {}
    for name, rank in _rank_names(extras):
        if extras[name]:
            yield RequirementSource(origin=f".[{name}] ({metadata.extras_origin})", rank=rank, extras=(name,))


def _find_poetry_groups(files: ProjectFiles) -> Iterator[RequirementSource]:
    poetry = get_table(files.tool, "poetry")
    groups = {name: _expand_poetry_group(poetry, name, root=files.root) for name in get_table(poetry, "group")}
    dev = get_table(poetry, "dev-dependencies")
    if dev:
        where = f"{files.root / 'pyproject.toml'} [tool.poetry.dev-dependencies]"
        groups["dev"] = (*groups.get("dev", ()), *convert_dependencies(dev, where=where, root=files.root))
    for name, rank in _rank_names(groups):
        origin = f"poetry group {name} (pyproject.toml)"
        yield RequirementSource(origin=origin, rank=rank, requirements=groups[name])


def _expand_poetry_group(poetry: Table, name: str, *, root: Path, within: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the PEP 508 strings of a group in [tool.poetry.group], with those of the groups that it includes."""
    group = get_table(poetry, "group", name)
    where = f"{root / 'pyproject.toml'} [tool.poetry.group.{name}.dependencies]"
    found = convert_dependencies(get_table(group, "dependencies"), where=where, root=root, optional=True)
    for other in get_strings(group.get("include-groups")):
        if other not in within:
            found += _expand_poetry_group(poetry, other, root=root, within=(*within, name))
    return found


def _find_pdm_and_uv_groups(files: ProjectFiles) -> Iterator[RequirementSource]:
    groups = get_table(files.tool, "pdm", "dev-dependencies")
    for name, rank in _rank_names(groups):
        requirements = tuple(text for text in get_strings(groups[name]) if not text.startswith("-"))
        yield RequirementSource(origin=f"pdm group {name} (pyproject.toml)", rank=rank, requirements=requirements)
    development = get_strings(get_table(files.tool, "uv").get("dev-dependencies"))
    yield from _make_source("dev", "uv dev-dependencies (pyproject.toml)", development)


def _find_hatch_environments(files: ProjectFiles) -> Iterator[RequirementSource]:
    environments = get_table(files.hatch, "envs")
    file = "hatch.toml" if (files.root / "hatch.toml").is_file() else "pyproject.toml"
    for name, rank in _rank_names(environments):
        requirements = list(_read_hatch_list(environments, name, "dependencies"))
        if name == "hatch-test" and not requirements:
            # What hatch gives this environment by itself ("Testing" in its documentation); pytest comes anyway.
            requirements += ["coverage[toml]", "pytest-mock", "pytest-rerunfailures", "pytest-xdist[psutil]"]
        requirements += _read_hatch_list(environments, name, "extra-dependencies")
        groups = _read_hatch_list(environments, name, "dependency-groups")
        for group in groups:
            requirements += files.expand_group(group)
        yield RequirementSource(
            origin=f"hatch environment {name} ({file})",
            rank=rank,
            extras=_read_hatch_list(environments, name, "features"),
            groups=groups,
            requirements=tuple(
                text.replace("{root:uri}", files.root.as_uri()).replace("{root}", str(files.root))
                for text in requirements
            ),
        )


def _read_hatch_list(environments: Table, name: str, key: str, within: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return an environment's list: its own, or else its template's, which is "default" if none is named."""
    environment = get_table(environments, name)
    if key in environment:
        return get_strings(environment[key])
    template = str(environment.get("template", name if environment.get("detached") else "default"))
    if template == name or template in within:
        return ()
    return _read_hatch_list(environments, template, key, (*within, name))


def _find_tests_require(files: ProjectFiles) -> Iterator[RequirementSource]:
    script = files.setup_script.get_strings("tests_require") if files.uses_setuptools else ()
    config = files.setup_cfg.get("options", {}).get("tests_require", "").split("\n")
    for file, listed in (("setup.py", script), ("setup.cfg", config)):
        requirements = tuple(text.strip() for text in listed if text.strip())
        yield from _make_source("tests-require", f"tests_require ({file})", requirements)


def _read_pipfile(files: ProjectFiles, key: str) -> tuple[str, ...]:
    path = files.root / "Pipfile"
    return convert_dependencies(get_table(read_toml(path), key), where=f"{path} [{key}]", root=files.root)


def _find_named_files(root: Path) -> list[RequirementSource]:
    """Return the requirements files that are named after tests or development, nearest first."""
    found = []
    for folder in ("", *_FOLDERS, *_TEST_FOLDERS):
        for path in sorted((root / folder).glob("*.txt")) + sorted((root / folder).glob("*.in")):
            rank = _rank_file(path, folder)
            if rank is not None and path.is_file():
                found.append((rank, path))
    # A compiled file goes before the .in file that it was compiled from.
    found.sort(key=lambda pair: pair[0])
    compiled = {path.with_suffix("") for _, path in found if path.suffix == ".txt"}
    return [
        RequirementSource(origin=f"-r {path.relative_to(root).as_posix()}", rank=rank, requirement_files=(path,))
        for rank, path in found
        if path.suffix == ".txt" or path.with_suffix("") not in compiled
    ]


def _rank_file(path: Path, folder: str) -> int | None:
    words = [word for word in re.split(r"[-_.]+", path.stem.lower()) if word]
    rest = [word for word in words if word not in _REQUIREMENTS_WORDS]
    if folder in _TEST_FOLDERS:
        # Lists of words and the like lie here, too.
        return None if rest == words else rank_name("-".join(rest) or "test")
    if folder in {"", "etc", "ci"} and rest == words:
        return None
    return rank_name("-".join(rest)) if rest else None


def _find_main_file(root: Path) -> list[RequirementSource]:
    """Return the requirements file for the project itself, where there is one: ``requirements.txt``."""
    for suffix in (".txt", ".in"):
        for folder, names in ((root, _MAIN_FILES[:1]), (root / "requirements", _MAIN_FILES)):
            for path in (folder / f"{name}{suffix}" for name in names):
                if path.is_file():
                    origin = f"-r {path.relative_to(root).as_posix()}"
                    return [RequirementSource(origin=origin, requirement_files=(path,))]
    return []
