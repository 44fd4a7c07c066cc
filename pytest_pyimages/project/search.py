"""Choose among the places that list requirements, and complete the choice by what the tests cannot do without."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from packaging.utils import canonicalize_name

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.conftests import find_imported_distributions
from pytest_pyimages.project.files import ProjectFiles
from pytest_pyimages.project.metadata import Metadata
from pytest_pyimages.project.requirements import (
    RequirementsFile,
    RequirementSource,
    find_distributions,
    read_requirements_file,
)

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


class Search:
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

    def complete(
        self, taken: tuple[RequirementSource, ...], environments: Iterable[RequirementSource]
    ) -> tuple[RequirementSource, ...]:
        """Add what the test environments of tox, nox and hatch install beside the sources that were taken.

        An environment that uses one of them, such as its group, is added as a whole; of any other, only extras and
        groups: its own list of requirements is another way to the same tests.
        """
        for source in environments:
            uses_taken = any(_shares(source, other) for other in taken)
            if not (uses_taken or source.is_for_tests) or source in taken:
                continue
            added = self._drop_known(source if uses_taken else self._keep_named(source), taken)
            if added.extras or added.groups or added.requirements or added.requirement_files:
                taken = (*taken, added)
        return taken

    def _keep_named(self, source: RequirementSource) -> RequirementSource:
        """Return a source without what it lists itself."""
        requirements = tuple(text for group in source.groups for text in self._files.expand_group(group))
        return replace(source, requirements=requirements, requirement_files=())

    def _drop_known(self, source: RequirementSource, taken: Sequence[RequirementSource]) -> RequirementSource:
        """Return a source without what others have, what the project lacks, and what cannot be read."""
        extras = {canonicalize_name(extra) for other in taken for extra in other.extras}
        groups = {canonicalize_name(group) for other in taken for group in other.groups}
        names = frozenset[str]().union(*(self._list_names(other, self._read_files(other)) for other in taken))
        known = self._metadata.extras and {canonicalize_name(extra) for extra in self._metadata.extras}
        files = []
        for path in source.requirement_files:
            single = RequirementSource(origin="", requirement_files=(path,))
            is_readable = all(content.problem is None for content in self._read_files(single))
            if is_readable and not self.includes(taken, single):
                files.append(path)
        return replace(
            source,
            extras=tuple(
                extra
                for extra in source.extras
                if canonicalize_name(extra) not in extras and (not known or canonicalize_name(extra) in known)
            ),
            groups=tuple(group for group in source.groups if canonicalize_name(group) not in groups),
            requirements=tuple(text for text in source.requirements if not find_distributions([text]) <= names),
            requirement_files=tuple(files),
        )

    def add_conftest_imports(
        self, taken: tuple[RequirementSource, ...], candidates: Iterable[RequirementSource]
    ) -> tuple[RequirementSource, ...]:
        """Add the sources with distributions that a conftest imports and no other lists.

        A candidate that includes sources that were taken replaces them: ``dev`` with ``{include-group = "test"}``.
        """
        own = (*(self._metadata.dependencies or ()), *self._metadata.expand_extras(_list_extras(taken)))
        listed = find_distributions(own).union(*(self._list_names(each, self._read_files(each)) for each in taken))
        missing = find_imported_distributions(self._files.root) - listed - {canonicalize_name(self._metadata.name)}
        for source in candidates:
            if not missing:
                break
            contents = self._read_files(source)
            found = missing & self._list_names(source, contents)
            if found and all(content.problem is None for content in contents):
                missing -= found
                taken = (*(other for other in taken if not self._covers(source, other)), source)
        return taken

    def _covers(self, source: RequirementSource, other: RequirementSource) -> bool:
        extras = set(self._metadata.expand_extras(source.extras))
        return (
            set(source.requirements).issuperset(other.requirements)
            and extras.issuperset(self._metadata.expand_extras(other.extras))
            and (not other.requirement_files or self.includes([source], other))
        )

    def _read_files(self, source: RequirementSource) -> list[RequirementsFile]:
        root, name, origin = self._files.root, self._metadata.name, source.origin
        return [
            read_requirements_file(path, root=root, name=name, included_by=origin) for path in source.requirement_files
        ]

    def _list_names(self, source: RequirementSource, contents: Iterable[RequirementsFile]) -> frozenset[str]:
        """Return the normalised names of the listed distributions, without their dependencies."""
        listed = [*source.requirements, *self._metadata.expand_extras(source.extras)]
        for content in contents:
            listed += [*content.requirements, *self._metadata.expand_extras(content.own_extras)]
        return find_distributions(listed)


def _is_test_library(name: str) -> bool:
    return name == "pytest" or name.startswith("pytest-") or name in _TEST_LIBRARIES


def _list_extras(sources: Iterable[RequirementSource]) -> list[str]:
    return [extra for source in sources for extra in source.extras]


def _shares(source: RequirementSource, other: RequirementSource) -> bool:
    """Whether both use the same extra, group or file."""
    return any(
        not {*map(str, ours)}.isdisjoint(map(str, theirs))
        for ours, theirs in (
            (source.extras, other.extras),
            (source.groups, other.groups),
            (source.requirement_files, other.requirement_files),
        )
    )
