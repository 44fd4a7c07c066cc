"""Choose the forks of a lock file: the versions for the selected extras and groups, each with its environments.

A distribution that is locked in several versions has one for each Python or platform, or for each of several extras and
groups that exclude each other. uv writes the conditions of the latter to the dependencies (``conflicts`` in its
documentation), Poetry and PEP 751 to the packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from packaging.utils import NormalizedName, canonicalize_name

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.project.lockfiles.formats import Edge, LockedPackage

_ALWAYS, _NEVER = "always", "never"  # stand for comparisons in a marker
_EXTRA = re.compile(r"\bextra\s*(?P<operator>==|!=)\s*(?P<quote>['\"])(?P<name>[^'\"]*)(?P=quote)")
_MEMBER = re.compile(
    r"(?P<quote>['\"])(?P<name>[^'\"]*)(?P=quote)\s+(?P<operator>not\s+in|in)\s+(?P<set>extras|dependency_groups)\b"
)
_INNERMOST = re.compile(r"\(([^()]*)\)")

Reached = Mapping[LockedPackage, tuple[str, ...]]  # markers of its environments; ("",) for all


class Selection(Immutable):
    """What of a project is installed."""

    name: NormalizedName  # of the project; empty if it has none
    extras: frozenset[NormalizedName] = frozenset()
    groups: frozenset[NormalizedName] = frozenset()

    def resolve(self, marker: str) -> str | None:
        """Return a marker for a constraint, where extras and groups are not known: those selected are filled in.

        :return: an empty text if it always applies, None if it never does.
        """

        def decide(found: re.Match[str]) -> str:
            kind = found.groupdict().get("set", "extra")
            known = {"extras": self.extras, "dependency_groups": self.groups, "extra": self._list_names()}[kind]
            is_in = canonicalize_name(found["name"]) in known
            return _ALWAYS if is_in == (found["operator"] in {"==", "in"}) else _NEVER

        resolved = _MEMBER.sub(decide, _EXTRA.sub(decide, marker))
        if resolved == marker:
            return marker
        resolved = _simplify(resolved)
        return None if resolved == _NEVER else "" if resolved == _ALWAYS else resolved

    def _list_names(self) -> frozenset[str]:
        """Return what ``extra`` may be: an extra, or uv's name of an extra or group ("extra-4-shop-a")."""
        size, own = len(self.name), self.name
        encoded = {f"extra-{size}-{own}-{extra}" for extra in self.extras}
        return (
            self.extras | encoded | {f"group-{size}-{own}-{group}" for group in self.groups} | {f"project-{size}-{own}"}
        )

    def list_edges(self, own: LockedPackage | None) -> Iterator[Edge]:
        """Yield what the project itself requires with these extras and groups."""
        if own is not None:
            keys = {"", *(f"extra {extra}" for extra in self.extras), *(f"group {group}" for group in self.groups)}
            yield from (edge for key, edges in own.selections if key in keys for edge in edges)


def find_reached(
    groups: Mapping[NormalizedName, Sequence[LockedPackage]],
    names: Iterable[NormalizedName],
    own: LockedPackage | None,
    selection: Selection,
) -> Reached:
    """Return the packages that the project and further distributions need, and for which environments.

    :param groups: the packages by name.
    :param own: the project itself, if the lock file has it.
    """
    incoming: dict[LockedPackage, list[tuple[str | None, LockedPackage | None]]] = {}  # by marker and parent
    waiting: list[tuple[Edge, LockedPackage | None]] = [(edge, None) for edge in selection.list_edges(own)]
    covered = {
        edge.name for edge, _ in waiting for package in groups.get(edge.name, ()) if edge.version == package.version
    }
    waiting += [(Edge(name), None) for name in names if name not in covered]
    while waiting:
        edge, parent = waiting.pop()
        marker = selection.resolve(edge.marker)
        for package in groups.get(edge.name, ()) if marker is not None else ():
            if edge.version in {"", package.version}:
                if package not in incoming:
                    waiting += [(needed, package) for needed in package.edges]
                incoming.setdefault(package, []).append((marker if edge.version else None, parent))

    def list_markers(package: LockedPackage, below: tuple[LockedPackage, ...] = ()) -> Iterator[str]:
        for marker, parent in incoming[package]:
            if marker is None:
                yield from list_own_markers(package, selection)
            elif marker or parent is None or len(groups[parent.name]) == 1 or parent in below:
                yield marker
            else:
                yield from list_markers(parent, (*below, package))

    return {
        package: tuple(dict.fromkeys(list_markers(package))) if len(groups[package.name]) > 1 else ("",)
        for package in incoming
    }


def list_own_markers(package: LockedPackage, selection: Selection) -> list[str]:
    """Return the environments that a package names itself; an empty marker for all."""
    found = [selection.resolve(marker) for marker in package.markers]
    return [marker for marker in found if marker is not None] or [""] * (not package.markers)


def _simplify(marker: str) -> str:
    """Return a marker without the comparisons that were decided; one of the two words if nothing else is left."""
    parts: list[str] = []  # what stands in parentheses, and in the text as its number

    def fold(text: str) -> str:
        alternatives: list[str] = []
        for alternative in text.split(" or "):
            terms = [term.strip() for term in alternative.split(" and ") if term.strip() != _ALWAYS]
            if not terms:
                return _ALWAYS
            if _NEVER not in terms:
                alternatives.append(" and ".join(terms))
        return " or ".join(dict.fromkeys(alternatives)) or _NEVER

    def replace(found: re.Match[str]) -> str:
        folded = fold(found[1])
        if folded in {_ALWAYS, _NEVER}:
            return folded
        parts.append(f"({folded})" if " or " in folded else folded)
        return f"\0{len(parts) - 1}\0"

    while _INNERMOST.search(marker):
        marker = _INNERMOST.sub(replace, marker)
    marker = fold(marker)
    while "\0" in marker:
        marker = re.sub("\0(\\d+)\0", lambda found: parts[int(found[1])], marker)
    return marker
