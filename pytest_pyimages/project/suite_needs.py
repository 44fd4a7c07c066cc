"""The places where projects write down what their tests need, and how near each is to the tests by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from pytest_pyimages.project.files import ProjectFiles, Table, expand_group, read_toml, table, texts
from pytest_pyimages.project.metadata import Metadata
from pytest_pyimages.project.poetry import poetry_requirements

# Names of extras, groups, files and environments, the nearest to the tests first.
TEST_NAMES = tuple(
    "test tests testing pytest test-suite testsuite test-requires tests-require test-require test-requirements "
    "tests-requirements testing-requirements test-deps tests-deps test-dependencies test-extra test-extras testextra "
    "test-all tests-all all-tests test-full full-test test-base test-core hatch-test unittest unittests "
    "unit-test unit-tests unit-testing unit dev-test dev-tests test-dev".split()
)
# What these hold may also be linters and the like only.
DEVELOPMENT_NAMES = tuple(
    "ci dev devel develop development developer dev-requires dev-requirements dev-deps dev-dependencies dev-extras "
    "local default lint-test all".split()
)
_CLOSENESS = {name: place for place, name in enumerate(TEST_NAMES + DEVELOPMENT_NAMES)}
_FOLDERS = ("requirements", "reqs", "requires", "requirement", "dependencies", "deps", ".requirements", "etc", "ci")
_TEST_FOLDERS = ("tests", "test", "testing")
_REQUIREMENTS_WORDS = frozenset({"requirements", "requirement", "requires", "require", "reqs", "req", "deps"})
_MAIN_FILES = ("requirements", "requirements-base", "base", "common", "main", "default", "prod", "production")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one place of a project asks for."""

    origin: str  # for people: ``group dev (pyproject.toml)``
    closeness: int = 0  # place in the names above; 0: named after tests
    extras: tuple[str, ...] = ()  # of the project itself
    groups: tuple[str, ...] = ()  # whose entries are among the requirements
    requirements: tuple[str, ...] = ()  # PEP 508
    requirement_files: tuple[Path, ...] = ()

    @property
    def is_for_tests(self) -> bool:
        """Whether its name says that it is for tests, and not for all development."""
        return self.closeness < len(TEST_NAMES)


def closeness(name: str) -> int | None:
    """Return how far a name is from "test"; None for a name that has nothing to do with tests or development."""
    return _CLOSENESS.get(canonicalize_name(name))


def named_needs(files: ProjectFiles, metadata: Metadata) -> list[Needs]:
    """Return the groups, extras and environments that are named after tests or development, nearest first."""
    found = [
        *_groups(files),
        *_extras(metadata),
        *_poetry(files),
        *_pdm_and_uv(files),
        *_hatch(files),
        *_tests_require(files),
        *_pipfile(files),
    ]
    return sorted(found, key=lambda needs: needs.closeness)


def _groups(files: ProjectFiles) -> Iterator[Needs]:
    groups = table(files.pyproject, "dependency-groups")
    for name in groups:
        place = closeness(name)
        if place is not None:
            requirements = expand_group(groups, name, path=files.root / "pyproject.toml")
            origin = f"group {name} (pyproject.toml)"
            yield Needs(origin=origin, closeness=place, groups=(name,), requirements=requirements)


def _extras(metadata: Metadata) -> Iterator[Needs]:
    for name, requirements in (metadata.extras or {}).items():
        place = closeness(name)
        if place is not None and requirements:
            yield Needs(origin=f".[{name}] ({metadata.extras_origin})", closeness=place, extras=(name,))


def _poetry(files: ProjectFiles) -> Iterator[Needs]:
    poetry = table(files.tool, "poetry")
    groups = {name: poetry_group(poetry, name, root=files.root) for name in table(poetry, "group")}
    dev = table(poetry, "dev-dependencies")
    if dev:
        where = f"{files.root / 'pyproject.toml'} [tool.poetry.dev-dependencies]"
        groups["dev"] = (*groups.get("dev", ()), *poetry_requirements(dev, where=where, root=files.root))
    for name, requirements in groups.items():
        place = closeness(name)
        if place is not None:
            origin = f"poetry group {name} (pyproject.toml)"
            yield Needs(origin=origin, closeness=place, requirements=requirements)


def poetry_group(poetry: Table, name: str, *, root: Path, within: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the PEP 508 strings of a group in [tool.poetry.group], with those of the groups that it includes."""
    group = table(poetry, "group", name)
    where = f"{root / 'pyproject.toml'} [tool.poetry.group.{name}.dependencies]"
    found = poetry_requirements(table(group, "dependencies"), where=where, root=root, optional=True)
    for other in texts(group.get("include-groups")):
        if other not in within:
            found += poetry_group(poetry, other, root=root, within=(*within, name))
    return found


def _pdm_and_uv(files: ProjectFiles) -> Iterator[Needs]:
    for name, value in table(files.tool, "pdm", "dev-dependencies").items():
        place = closeness(name)
        if place is not None:
            requirements = tuple(text for text in texts(value) if not text.startswith("-"))
            yield Needs(origin=f"pdm group {name} (pyproject.toml)", closeness=place, requirements=requirements)
    development = texts(table(files.tool, "uv").get("dev-dependencies"))
    if development:
        origin = "uv dev-dependencies (pyproject.toml)"
        yield Needs(origin=origin, closeness=_CLOSENESS["dev"], requirements=development)


def _hatch(files: ProjectFiles) -> Iterator[Needs]:
    environments = table(files.hatch, "envs")
    file = "hatch.toml" if (files.root / "hatch.toml").is_file() else "pyproject.toml"
    groups = table(files.pyproject, "dependency-groups")
    for name in environments:
        place = closeness(name)
        if place is None:
            continue
        requirements = list(_hatch_list(environments, name, "dependencies"))
        if name == "hatch-test" and not requirements:
            # What hatch gives this environment by itself ("Testing" in its documentation); pytest comes anyway.
            requirements += ["coverage[toml]", "pytest-mock", "pytest-rerunfailures", "pytest-xdist[psutil]"]
        requirements += _hatch_list(environments, name, "extra-dependencies")
        chosen = _hatch_list(environments, name, "dependency-groups")
        for group in chosen:
            requirements += expand_group(groups, group, path=files.root / "pyproject.toml")
        yield Needs(
            origin=f"hatch environment {name} ({file})",
            closeness=place,
            extras=_hatch_list(environments, name, "features"),
            groups=chosen,
            requirements=tuple(_hatch_formatted(text, files.root) for text in requirements),
        )


def _hatch_list(environments: Table, name: str, key: str, within: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return an environment's list: its own, or else its template's, which is "default" if none is named."""
    environment = table(environments, name)
    if key in environment:
        return texts(environment[key])
    template = str(environment.get("template", name if environment.get("detached") else "default"))
    if template == name or template in within:
        return ()
    return _hatch_list(environments, template, key, (*within, name))


def _hatch_formatted(text: str, root: Path) -> str:
    return text.replace("{root:uri}", root.as_uri()).replace("{root}", str(root))


def _tests_require(files: ProjectFiles) -> Iterator[Needs]:
    of_script = files.setup_script.texts("tests_require") if files.setup_script and files.uses_setuptools else ()
    of_config = tuple(files.setup_cfg.get("options", {}).get("tests_require", "").split("\n"))
    for file, listed in (("setup.py", of_script), ("setup.cfg", of_config)):
        requirements = tuple(text.strip() for text in listed if text.strip())
        if requirements:
            place = _CLOSENESS["tests-require"]
            yield Needs(origin=f"tests_require ({file})", closeness=place, requirements=requirements)


def _pipfile(files: ProjectFiles) -> Iterator[Needs]:
    path = files.root / "Pipfile"
    packages = table(read_toml(path), "dev-packages")
    if packages:
        requirements = poetry_requirements(packages, where=f"{path} [dev-packages]", root=files.root)
        yield Needs(origin="dev-packages (Pipfile)", closeness=_CLOSENESS["dev"], requirements=requirements)


def requirements_file_needs(root: Path) -> list[Needs]:
    """Return the requirements files that are named after tests or development, nearest first."""
    found = []
    for folder in ("", *_FOLDERS, *_TEST_FOLDERS):
        for path in sorted((root / folder).glob("*.txt")) + sorted((root / folder).glob("*.in")):
            place = _file_closeness(path, folder)
            if place is not None and path.is_file():
                found.append((place, path))
    # A compiled file goes before the .in file that it was compiled from.
    found.sort(key=lambda pair: pair[0])
    compiled = {path.with_suffix("") for _, path in found if path.suffix == ".txt"}
    return [
        Needs(origin=f"-r {path.relative_to(root).as_posix()}", closeness=place, requirement_files=(path,))
        for place, path in found
        if path.suffix == ".txt" or path.with_suffix("") not in compiled
    ]


def _file_closeness(path: Path, folder: str) -> int | None:
    words = [word for word in re.split(r"[-_.]+", path.stem.lower()) if word]
    rest = [word for word in words if word not in _REQUIREMENTS_WORDS]
    if folder in _TEST_FOLDERS:
        # Lists of words and the like lie here, too.
        return None if rest == words else closeness("-".join(rest) or "test")
    if folder in {"", "etc", "ci"} and rest == words:
        return None
    return closeness("-".join(rest)) if rest else None


def main_requirements_files(root: Path) -> tuple[Path, ...]:
    """Return the requirements file for the project itself, where there is one: ``requirements.txt``."""
    for suffix in (".txt", ".in"):
        for folder, names in ((root, _MAIN_FILES[:1]), (root / "requirements", _MAIN_FILES)):
            for name in names:
                if (folder / f"{name}{suffix}").is_file():
                    return (folder / f"{name}{suffix}",)
    return ()
