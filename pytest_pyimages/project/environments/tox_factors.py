"""The factors of the environment that tox would run the tests in: parts of its name, such as ``crypto``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pytest_pyimages.project.requirements import parse_requirement, rank_name

# tox's documentation, "Generative section names" and "Conditional settings".
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)-(\d+)")
_PYTHON = re.compile(r"(py|pypy|cpython|python)?\d[\d.]*t?(-dev)?|py|pypy|python")


def find_factors(names: Iterable[str]) -> frozenset[str]:
    """Return the factors, besides Python's, of the first environment for tests; empty if one has no other.

    :param names: of the environments that tox runs by default, expanded.
    """
    found = [
        frozenset(other)
        for factors in (name.split("-") for name in names)
        if len(other := [factor for factor in factors if not _PYTHON.fullmatch(factor)]) < len(factors)
    ]
    if frozenset() in found:
        return frozenset()
    of_tests = [factors for factors in found if any(rank_name(factor) is not None for factor in factors)]
    return next(iter(of_tests or found), frozenset())


def expand_names(value: str) -> Iterator[str]:
    """Yield the names of a list of environments such as ``lint, py{38,39}-{crypto,nocrypto}, py3{10-12}``."""
    for name in re.findall(r"(?:\{[^{}]*\}|[^\s,{}])+", value):
        yield from _expand_braces(name)


def applies(condition: str, factors: frozenset[str]) -> bool:
    """Return whether a line's condition such as ``crypto-!py27,test`` holds on any Python."""
    return any(all(_holds(part, factors) for part in name.split("-")) for name in expand_names(condition))


def is_free(line: str) -> bool:
    """Return whether a conditional line of ``deps`` may be installed although other environments do without it.

    A version that is limited is what the name of the environment promises, such as an old Django: it may not fit
    every Python.
    """
    requirement = parse_requirement(line)
    return requirement is not None and all(each.operator in (">=", ">", "!=") for each in requirement.specifier)


def _holds(part: str, factors: frozenset[str]) -> bool:
    if part.startswith("!"):
        return part[1:] not in factors
    return part in factors or rank_name(part) is not None


def _expand_braces(name: str) -> Iterator[str]:
    match = _BRACES.search(name)
    if match is None:
        yield name
        return
    for choice in match[1].split(","):
        numbers = _RANGE.fullmatch(choice.strip())
        values = range(int(numbers[1]), int(numbers[2]) + 1) if numbers else [choice.strip()]
        for value in values:
            yield from _expand_braces(name[: match.start()] + str(value) + name[match.end() :])
