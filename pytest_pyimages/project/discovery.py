"""Which of the places that a project has for its tests' needs are taken."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import ProjectFiles, distribution_names, read_toml, table
from pytest_pyimages.project.metadata import Metadata
from pytest_pyimages.project.poetry import poetry_requirements
from pytest_pyimages.project.requirements import RequirementsFile, read_requirements_file
from pytest_pyimages.project.suite_needs import Needs, main_requirements_files, named_needs, requirements_file_needs
from pytest_pyimages.project.tox import tox_needs

# Besides pytest and what starts with "pytest-": who asks for one of these runs tests with it.
_TEST_LIBRARIES = frozenset(
    "allure-pytest approvaltests asynctest ddt dirty-equals django-test-plus doublex expects factory-boy faker "
    "flexmock freezegun green hypothesis inline-snapshot mock mocket mockito model-bakery moto nose nose2 "
    "parameterized polyfactory pook pyfakefs pyhamcrest requests-mock responses respx schemathesis stestr sybil "
    "syrupy testcontainers testfixtures testing-postgresql testresources testscenarios testtools time-machine "
    "trustme unittest2 vcrpy webtest xdoctest zope-testing zope-testrunner".split()
)
# What runs tests or looks at source from outside: a place that holds nothing else says nothing about the suite.
_TOOLS = frozenset(
    "autopep8 bandit black build codecov coverage coveralls flake8 hatch isort nox pip pre-commit pylint ruff "
    "setuptools tox tox-gh-actions tox-uv twine wheel".split()
)
_TOX_ENVIRONMENTS = 2  # the base environment, and the one nearest to "test"


@dataclass(frozen=True, slots=True)
class _Project:
    files: ProjectFiles
    metadata: Metadata

    def read(self, needs: Needs) -> list[RequirementsFile]:
        """Return the content of their requirements files."""
        root, name = self.files.root, self.metadata.name
        return [read_requirements_file(path, root=root, name=name) for path in needs.requirement_files]

    def brings(self, needs: Needs, contents: Iterable[RequirementsFile]) -> frozenset[str]:
        """Return the normalised names of the distributions that these needs come to, without their dependencies."""
        listed = [*needs.requirements, *self.metadata.with_extras(needs.extras)]
        for content in contents:
            listed += [*content.requirements, *self.metadata.with_extras(content.own_extras)]
        return distribution_names(listed)


def discovered_needs(files: ProjectFiles, metadata: Metadata, *, is_installed: bool) -> tuple[Needs, ...]:
    """Return the needs to install, in the order of trust.

    The first place that brings a test library settles it. What is named after development only and brings none is
    passed over. What is named after tests and brings none is taken, since pytest is taken for granted there, and the
    search goes on.

    :param is_installed: whether the project itself is installed, and brings its dependencies.
    :raises ConfigurationError: if a file that was to be taken refers to one that is not there, and nothing else does.
    """
    project = _Project(files, metadata)
    search = _Search(project)
    search.over(named_needs(files, metadata))
    named_files = requirements_file_needs(files.root)
    search.over(named_files, also_after_development=True)
    main = [
        Needs(origin=f"-r {path.relative_to(files.root).as_posix()}", requirement_files=(path,))
        for path in main_requirements_files(files.root)
    ]
    search.over(main, needs_test_library=True)
    environments = tox_needs(files, name=metadata.name)[:_TOX_ENVIRONMENTS]
    search.over(environments)
    development = [needs for needs in named_files if not needs.is_for_tests]
    taken = _as_tox_has_it(search.taken, environments, project, passed_over=development)
    lists_in_files = any(needs.requirement_files for needs in taken) or not search.is_enough
    if not is_installed or (lists_in_files and not metadata.dependencies):
        # An application's own needs, or those of a package that declares none where they can be read.
        taken = (*(needs for needs in main if not _holds(taken, needs, project)), *taken)
    if not is_installed:
        taken = (*_own_needs(files, metadata), *taken)
    return taken


class _Search:
    """Takes needs one after the other until the tests have what they need."""

    def __init__(self, project: _Project) -> None:
        self._project = project
        self._taken: list[Needs] = []
        self._is_settled = False  # something named after tests brings a test library
        self._is_half_settled = False  # something named after development does
        self._problem: ConfigurationError | None = None

    @property
    def is_enough(self) -> bool:
        """Whether anything that was taken brings a test library."""
        return self._is_settled or self._is_half_settled

    @property
    def taken(self) -> tuple[Needs, ...]:
        """What to install; raises what stood in the way, if that is not enough."""
        if self._problem is not None and not self.is_enough:
            raise self._problem
        return tuple(self._taken)

    def over(
        self, candidates: Iterable[Needs], *, also_after_development: bool = False, needs_test_library: bool = False
    ) -> None:
        """Look at the candidates in turn.

        :param also_after_development: add what is named after tests to what a place named after development brought.
        :param needs_test_library: pass over what brings no test library, whatever its name.
        """
        for needs in candidates:
            if self._is_settled or (self._is_half_settled and not (also_after_development and needs.is_for_tests)):
                continue
            contents = self._project.read(needs)
            brought = self._project.brings(needs, contents)
            has_library = any(_is_test_library(name) for name in brought)
            problem = next((content.problem for content in contents if content.problem is not None), None)
            if problem is not None:
                # Source distributions often lack what a file for development refers to: no matter, if it is not taken.
                self._problem = self._problem or (problem if has_library or needs.is_for_tests else None)
                continue
            if not has_library and (needs_test_library or not needs.is_for_tests or not _asks_anything(needs, brought)):
                continue
            self._taken.append(needs)
            self._is_settled = has_library and needs.is_for_tests
            self._is_half_settled = self._is_half_settled or has_library


def _is_test_library(name: str) -> bool:
    return name == "pytest" or name.startswith("pytest-") or name in _TEST_LIBRARIES


def _asks_anything(needs: Needs, brought: frozenset[str]) -> bool:
    return not brought <= _TOOLS if brought else bool(needs.extras)


def _holds(taken: Iterable[Needs], needs: Needs, project: _Project) -> bool:
    """Whether requirements files that are taken anyway include these."""
    chains = {path for other in taken for content in project.read(other) for path in content.chain}
    return chains.issuperset(needs.requirement_files)


def _as_tox_has_it(
    taken: tuple[Needs, ...], environments: Iterable[Needs], project: _Project, *, passed_over: Iterable[Needs]
) -> tuple[Needs, ...]:
    """Return the same, with a file that tox installs for the tests in place of those that it includes.

    ``requirements/test.txt`` may hold what all test runs have in common, and tox take one that says ``-r test.txt``.

    :param passed_over: files that are not taken for that; what is for all development may not fit every Python.
    """
    known = {path for needs in (*taken, *passed_over) for path in needs.requirement_files}
    for path in [path for needs in environments for path in needs.requirement_files if path not in known]:
        wider = Needs(origin=f"-r {os.path.relpath(path, project.files.root)} (tox)", requirement_files=(path,))
        if any(content.problem is not None for content in project.read(wider)):
            continue
        rest = tuple(needs for needs in taken if not needs.requirement_files or not _holds([wider], needs, project))
        if len(rest) < len(taken):
            return (*rest, wider)
    return taken


def _own_needs(files: ProjectFiles, metadata: Metadata) -> tuple[Needs, ...]:
    """Return what an application that is not installed says of its own needs."""
    path = files.root / "Pipfile"
    packages = poetry_requirements(table(read_toml(path), "packages"), where=f"{path} [packages]", root=files.root)
    found = []
    if metadata.dependencies:
        found.append(Needs(origin=f"dependencies ({files.main_file})", requirements=metadata.dependencies))
    if packages:
        found.append(Needs(origin="packages (Pipfile)", requirements=packages))
    return tuple(found)
