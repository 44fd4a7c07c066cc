"""Convert dependencies of Poetry and Pipenv to PEP 508 strings.

The constraint syntax is that of Poetry's documentation, "Dependency specification": caret, tilde, wildcard, ``||``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, Specifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import Table, get_strings, get_table

_ALTERNATIVES = re.compile(r"\s*\|\|?\s*")
_SPACE_AFTER_OPERATOR = re.compile(r"([<>=!~^]+)\s+")
_SEPARATORS = re.compile(r"[,\s]+")


def convert_dependencies(dependencies: Table, *, where: str, root: Path, optional: bool = False) -> tuple[str, ...]:
    """Return a Poetry or Pipenv table of dependencies as PEP 508 strings.

    :param where: file and table, for errors: ``pyproject.toml [tool.poetry.dependencies]``.
    :param root: the folder that relative paths start from.
    :param optional: include dependencies that only an extra requests.
    :raises ConfigurationError: for a constraint that is none.
    """
    found: list[str] = []
    for name, spec in dependencies.items():
        if name.lower() == "python":
            continue
        # A list holds the alternatives for different Pythons or platforms.
        for entry in spec if isinstance(spec, list) else [spec]:
            single = {"version": entry} if isinstance(entry, str) else entry
            if isinstance(single, Mapping) and (optional or not single.get("optional", False)):
                try:
                    found.append(_convert_dependency(name, single, root))
                except (InvalidSpecifier, InvalidVersion) as error:
                    raise ConfigurationError(f"{where}: {name}: {error}", "fix the constraint") from error
    return tuple(found)


def convert_constraint(constraint: str) -> str:
    """Return a constraint as a PEP 440 specifier set; for alternatives the smallest range that holds all of them.

    :raises InvalidSpecifier, InvalidVersion: where it is no constraint.
    """
    alternatives = [SpecifierSet(",".join(_split_clauses(text))) for text in _ALTERNATIVES.split(constraint.strip())]
    if len(alternatives) > 1:
        return _merge_ranges(alternatives)
    return ",".join(_split_clauses(constraint))


def convert_python(constraint: str) -> str:
    """Return a constraint on Python as an environment marker; empty if it admits every version."""
    branches = []
    for text in _ALTERNATIVES.split(constraint.strip()):
        clauses = []
        for part in _split_clauses(text):
            specifier = Specifier(part)
            short = specifier.version.removesuffix(".*").count(".") < 2
            # ">3.8" and "<=3.8" mean 3.8.0, and only the full version distinguishes it from 3.8.1.
            variable = "python_version" if short and specifier.operator in {">=", "<"} else "python_full_version"
            clauses.append(f"{variable} {specifier.operator} '{specifier.version}'")
        if not clauses:
            return ""
        branches.append(" and ".join(clauses))
    return " or ".join(f"({branch})" for branch in branches) if len(branches) > 1 else branches[0]


def _convert_dependency(name: str, spec: Table, root: Path) -> str:
    extras = get_strings(spec.get("extras"))
    text = name + (f"[{','.join(extras)}]" if extras else "")
    address = _find_address(spec, root)
    text += f" @ {address}" if address else convert_constraint(str(spec.get("version", "*")))
    marker = make_marker(spec)
    return f"{text} ; {marker}" if marker else text


def make_marker(spec: Table) -> str:
    """Return the environment marker of a dependency of Poetry or Pipenv; empty if it has none.

    :raises InvalidSpecifier, InvalidVersion: for an invalid constraint on Python.
    """
    markers = [
        convert_python(str(spec.get("python", "*"))),
        f"sys_platform == '{spec['platform']}'" if "platform" in spec else "",
        str(spec.get("markers", "")),
    ]
    # Pipenv also takes a marker's variable as a key of its own.
    markers += [f"{key} {spec[key]}" for key in ("sys_platform", "python_version", "os_name") if key in spec]
    used = [marker for marker in markers if marker]
    if len(used) > 1:
        used = [f"({marker})" if " or " in marker else marker for marker in used]
    return " and ".join(used)


def _find_address(spec: Table, root: Path) -> str:
    """Return the URL of a distribution that is not in an index; empty for one that is."""
    if "git" in spec:
        revision = next((f"@{spec[key]}" for key in ("rev", "ref", "tag", "branch") if key in spec), "")
        folder = f"#subdirectory={spec['subdirectory']}" if "subdirectory" in spec else ""
        return f"git+{spec['git']}{revision}{folder}"
    for key in ("path", "file"):
        if key in spec and "://" not in str(spec[key]):
            return Path(os.path.normpath(root / str(spec[key]))).as_uri()
    return str(spec.get("url", spec.get("file", "")))


def _split_clauses(constraint: str) -> Iterator[str]:
    """Yield the PEP 440 clauses of a constraint without alternatives."""
    tight = _SPACE_AFTER_OPERATOR.sub(r"\1", constraint.strip())
    for part in filter(None, _SEPARATORS.split(tight)):
        if part.startswith("^"):
            yield from _make_range(part[1:], _find_caret_place(Version(part[1:].removesuffix(".*"))))
        elif part.startswith("~") and not part.startswith("~="):
            yield from _make_range(part[1:], min(1, len(Version(part[1:].removesuffix(".*")).release) - 1))
        elif part[0] in "<>=!~":
            yield str(Specifier(f"={part}" if re.match(r"=[^=]", part) else part))
        elif part != "*":
            yield str(Specifier(f"=={part}"))


def _find_caret_place(version: Version) -> int:
    """The place of the first number that is not zero; of the last, if all are."""
    return next((place for place, number in enumerate(version.release) if number), len(version.release) - 1)


def _make_range(lowest: str, place: int) -> Iterator[str]:
    """Yield the clauses for everything from a version on that has its numbers up to this place."""
    version = Version(lowest.removesuffix(".*"))
    yield f">={version}"
    yield f"<{_raise_number(version, place)}"


def _raise_number(version: Version, place: int) -> str:
    release = version.release
    return ".".join(map(str, (*release[:place], release[place] + 1, *(0 for _ in release[place + 1 :]))))


def _merge_ranges(alternatives: Iterable[SpecifierSet]) -> str:
    lowest: list[Version | None] = []
    highest: list[tuple[Version, str] | None] = []
    for alternative in alternatives:
        bounds = [_find_bounds(specifier) for specifier in alternative]
        lowest.append(max((low for low, _ in bounds if low is not None), default=None))
        highest.append(min((high for _, high in bounds if high is not None), default=None))
    clauses = []
    lows, highs = [low for low in lowest if low is not None], [high for high in highest if high is not None]
    if len(lows) == len(lowest):
        clauses.append(f">={min(lows)}")
    if len(highs) == len(highest):
        version, operator = max(highs)
        clauses.append(f"{operator}{version}")
    return ",".join(clauses)


def _find_bounds(specifier: Specifier) -> tuple[Version | None, tuple[Version, str] | None]:
    """Return the lowest version and the end of what a clause admits."""
    operator, wildcard = specifier.operator, specifier.version.endswith(".*")
    if operator in ("!=", "==="):
        return None, None
    version = Version(specifier.version.removesuffix(".*"))
    if operator in ("<", "<="):
        return None, (version, operator)
    if operator == "==" and not wildcard:
        return version, (version, "<=")
    if operator in ("==", "~="):
        place = len(version.release) - (1 if wildcard else 2)
        return version, (Version(_raise_number(version, max(place, 0))), "<")
    return version, None


def expand_group(poetry: Table, name: str, *, root: Path, within: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the PEP 508 strings of a group in [tool.poetry.group], with those of the groups that it includes."""
    group = get_table(poetry, "group", name)
    where = f"{root / 'pyproject.toml'} [tool.poetry.group.{name}.dependencies]"
    found = convert_dependencies(get_table(group, "dependencies"), where=where, root=root, optional=True)
    for other in get_strings(group.get("include-groups")):
        if other not in within:
            found += expand_group(poetry, other, root=root, within=(*within, name))
    return found
