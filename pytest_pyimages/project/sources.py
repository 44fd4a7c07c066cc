"""Find the places where a project lists what its tests require, and choose among them.

The first place that lists a test library settles it. A place named after development only that lists none is skipped.
A place named after tests that lists none is taken, since pytest is taken for granted there, and the search goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_pyimages.project.environments.hatch import find_hatch_sources
from pytest_pyimages.project.environments.nox import find_nox_sources
from pytest_pyimages.project.environments.tox import find_tox_sources
from pytest_pyimages.project.files import ProjectFiles, get_strings, get_table, read_toml
from pytest_pyimages.project.metadata import Metadata
from pytest_pyimages.project.package_sources import find_member_sources
from pytest_pyimages.project.requirements import RequirementSource, convert_pdm_entry, rank_name, rank_names
from pytest_pyimages.project.search import Search

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
    search = Search(files, metadata)
    named = _find_named_sources(files, metadata)
    search.consider(named)
    named_files = _find_named_files(files.root)
    search.consider(named_files, also_after_development=True)
    main = _find_main_file(files.root)
    search.consider(main, needs_test_library=True)
    environments = [
        *find_tox_sources(files, name=metadata.name)[:_TOX_ENVIRONMENTS],
        *find_nox_sources(files, metadata)[:1],
    ]
    search.consider(environments)
    # One for development, as for "tox -e dev", completes nothing if there is one for tests: it has linters, too.
    for_tests = [source for source in environments if source.is_for_tests] or environments
    development = [source for source in named_files if not source.is_for_tests]
    taken = search.widen(search.taken, for_tests, skipped=development)
    taken = search.complete(taken, [*for_tests, *list(find_hatch_sources(files))[:1]])
    taken = search.add_conftest_imports(taken, [*named, *named_files, *environments])
    lists_in_files = any(source.requirement_files for source in taken) or not search.is_enough
    if not is_installed or (lists_in_files and not metadata.dependencies):
        # An application's own requirements, or those of a package that declares none where they can be read.
        taken = (*(source for source in main if not search.includes(taken, source)), *taken)
    return taken if is_installed else (*_find_application_sources(files, metadata), *taken)


def _find_application_sources(files: ProjectFiles, metadata: Metadata) -> Iterator[RequirementSource]:
    """Yield where an application that is not installed lists its own requirements."""
    if metadata.dependencies:
        yield RequirementSource(origin=f"dependencies ({files.main_file})", requirements=metadata.dependencies)
    packages = _read_pipfile(files, "packages")
    if packages:
        yield RequirementSource(origin="packages (Pipfile)", requirements=packages)
    yield from find_member_sources(files)


def _find_named_sources(files: ProjectFiles, metadata: Metadata) -> list[RequirementSource]:
    """Return the groups, extras and environments that are named after tests or development, nearest first."""
    found = [
        *_find_groups(files),
        *_find_extras(metadata),
        *_find_poetry_groups(files),
        *_find_pdm_and_uv_groups(files),
        *find_hatch_sources(files),
        *_find_tests_require(files),
        *_make_source("dev", "dev-packages (Pipfile)", _read_pipfile(files, "dev-packages")),
    ]
    return sorted(found, key=lambda source: source.rank)


def _make_source(name: str, origin: str, requirements: tuple[str, ...]) -> Iterator[RequirementSource]:
    if requirements:
        yield RequirementSource(origin=origin, rank=rank_name(name) or 0, requirements=requirements)


def _find_groups(files: ProjectFiles) -> Iterator[RequirementSource]:
    for name, rank in rank_names(get_table(files.pyproject, "dependency-groups")):
        origin = f"group {name} (pyproject.toml)"
        yield RequirementSource(origin=origin, rank=rank, groups=(name,), requirements=files.expand_group(name))


def _find_extras(metadata: Metadata) -> Iterator[RequirementSource]:
    extras = metadata.extras or {}
    for name, rank in rank_names(extras):
        if extras[name]:
            yield RequirementSource(origin=f".[{name}] ({metadata.extras_origin})", rank=rank, extras=(name,))


def _find_poetry_groups(files: ProjectFiles) -> Iterator[RequirementSource]:
    poetry = get_table(files.tool, "poetry")
    if not poetry:
        return
    from pytest_pyimages.project.poetry import convert_dependencies, expand_group

    groups = {name: expand_group(poetry, name, root=files.root) for name in get_table(poetry, "group")}
    dev = get_table(poetry, "dev-dependencies")
    if dev:
        where = f"{files.root / 'pyproject.toml'} [tool.poetry.dev-dependencies]"
        groups["dev"] = (*groups.get("dev", ()), *convert_dependencies(dev, where=where, root=files.root))
    for name, rank in rank_names(groups):
        origin = f"poetry group {name} (pyproject.toml)"
        yield RequirementSource(origin=origin, rank=rank, requirements=groups[name])


def _find_pdm_and_uv_groups(files: ProjectFiles) -> Iterator[RequirementSource]:
    groups = get_table(files.tool, "pdm", "dev-dependencies")
    for name, rank in rank_names(groups):
        requirements = tuple(convert_pdm_entry(text, root=files.root) for text in get_strings(groups[name]))
        yield RequirementSource(origin=f"pdm group {name} (pyproject.toml)", rank=rank, requirements=requirements)
    development = get_strings(get_table(files.tool, "uv").get("dev-dependencies"))
    yield from _make_source("dev", "uv dev-dependencies (pyproject.toml)", development)


def _find_tests_require(files: ProjectFiles) -> Iterator[RequirementSource]:
    script = files.setup_script.get_strings("tests_require") if files.uses_setuptools else ()
    config = files.setup_cfg.get("options", {}).get("tests_require", "").split("\n")
    for file, listed in (("setup.py", script), ("setup.cfg", config)):
        requirements = tuple(text.strip() for text in listed if text.strip())
        yield from _make_source("tests-require", f"tests_require ({file})", requirements)


def _read_pipfile(files: ProjectFiles, key: str) -> tuple[str, ...]:
    path = files.root / "Pipfile"
    table = get_table(read_toml(path), key)
    if not table:
        return ()
    from pytest_pyimages.project.poetry import convert_dependencies

    return convert_dependencies(table, where=f"{path} [{key}]", root=files.root)


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
