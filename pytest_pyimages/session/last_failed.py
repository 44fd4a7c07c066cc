"""What failed on each image, kept in the host's pytest cache: ``--lf`` and its relatives work per test and image.

pytest inside selects and remembers with its own code, but its cache goes with the container. So each container is given
what is its own before pytest starts, and says at the end what is to be kept. The host's ``cache/lastfailed`` is that of
runs without images: neither sees the other's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.host import OWN_OPTIONS, POSITION, Invocation, options, pieces
from pytest_pyimages.results import NOT_RUN, ImageResult

LASTFAILED = "pyimages/lastfailed"  # {label: {node id: true}}; without images of which nobody knows
NODEIDS = "pyimages/nodeids"  # [[label, ...], [node id, ...]] for each group of images that know the same tests
STEPWISE = "pyimages/stepwise"  # {label: what pytest inside keeps}

_FAILED = ("failed", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the arguments want of the memory."""

    last_failed: bool  # --lf
    none_without: bool  # --lfnf=none
    new_first: bool
    clear: bool

    @classmethod
    def of(cls, args: Sequence[str]) -> Asked:
        found = {option.name: option.value for option in options(args, OWN_OPTIONS)}
        without = [option.value for option in options(args, OWN_OPTIONS) if option.name in _NO_FAILURES]
        return cls(
            last_failed=not found.keys().isdisjoint(("--lf", "--last-failed")),
            none_without=without[-1:] == ["none"],
            new_first=not found.keys().isdisjoint(("--nf", "--new-first")),
            clear="--cache-clear" in found,
        )


_NO_FAILURES = ("--lfnf", "--last-failed-no-failures")


class Memory:
    """What the host's cache has of every image; read once, written once at the end of a session.

    :param cache: the host's; None without pytest's cacheprovider, which then is not there inside either.
    """

    def __init__(self, cache: pytest.Cache | None, invocation: Invocation) -> None:
        self._cache = cache
        self._asked = Asked.of(invocation.all_args)
        self._invocation = invocation
        forget = cache is None or self._asked.clear
        failed = {} if forget else _by_label(self._get(LASTFAILED))
        self._failed = {label: dict.fromkeys(ids, True) for label, ids in failed.items() if isinstance(ids, dict)}
        self._stepwise = {} if forget else _by_label(self._get(STEPWISE))

    def _get(self, key: str) -> Any:
        return None if self._cache is None else self._cache.get(key, None)

    def without_work(self, arguments: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Return the images that ``--lf`` need not start, and why; none if nothing is known to have failed.

        :param arguments: of each image that is selected, by label.
        """
        if not self._asked.last_failed or self._cache is None:
            return {}
        failing = {label for label, words in arguments.items() if any(self._failing_among(label, words))}
        if not failing and not self._asked.none_without:
            return {}
        found = {}
        for label in arguments:
            if label not in self._failed and self._asked.none_without:
                found[label] = "no failure is remembered"
            elif label in self._failed and label not in failing:
                found[label] = "nothing failed"
        return found

    def _failing_among(self, label: str, arguments: Sequence[str]) -> Iterator[str]:
        """Yield what failed on an image, as far as the paths and node ids among its arguments reach."""
        invocation = self._invocation
        wanted = []
        for piece in pieces(arguments, OWN_OPTIONS):
            if piece.name == POSITION:
                path, _, names = (piece.value or "").partition("::")
                wanted.append((invocation.cwd / path, names))
        for nodeid in self._failed.get(label, ()):
            path, _, names = nodeid.partition("::")
            if not wanted or any(_reaches(*each, invocation.rootdir / path, names) for each in wanted):
                yield nodeid

    def given_to(self, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the values of each image's own cache, by their names in ``v/cache``."""
        if self._cache is None:
            return {}
        known = _nodeids(self._get(NODEIDS)) if self._asked.new_first and not self._asked.clear else {}
        given = {}
        for label in labels:
            given[label] = {"lastfailed": self._failed.get(label, {}), "stepwise": self._stepwise.get(label)}
            if self._asked.new_first:  # nobody else reads so many
                given[label]["nodeids"] = sorted(known.get(label, ()))
        return given

    def keep(self, results: Mapping[str, ImageResult], *, collect_only: bool) -> None:
        """Write down what the images' runs were; of an image without a word at its end, what was reported."""
        cache = self._cache
        if cache is None:
            return
        known = {} if self._asked.clear else _nodeids(self._get(NODEIDS))
        nodeids = dict(known)
        for label, result in results.items():
            kept = result.kept
            failed = self._reported(result) if kept is None else dict.fromkeys(sorted(kept.failed), True)
            was_tested = not result.problem and (not collect_only or label in self._failed)
            if failed or was_tested:
                self._failed[label] = failed
            else:  # nobody knows what would have failed
                self._failed.pop(label, None)
            if kept is not None and kept.stepwise is not None:
                self._stepwise[label] = kept.stepwise
            ran = {nodeid for nodeid in result.outcomes if "::" in nodeid}
            if not collect_only and not ran <= nodeids.get(label, set()):
                nodeids[label] = nodeids.get(label, set()) | ran
        cache.set(LASTFAILED, self._failed)
        if self._stepwise or self._asked.clear:
            cache.set(STEPWISE, self._stepwise)
        if nodeids != known or self._asked.clear:
            cache.set(NODEIDS, _groups(nodeids))

    def _reported(self, result: ImageResult) -> dict[str, bool]:
        """Return what is known to fail on an image, as pytest would: what was not run stays as it is."""
        failed = dict(self._failed.get(result.label, {}))
        for nodeid in list(failed):
            if any(tested.startswith(f"{nodeid}::") for tested in result.outcomes):
                del failed[nodeid]  # a file that could not be collected, and now was
        for nodeid, outcome in result.outcomes.items():
            if outcome in _FAILED:
                failed[nodeid] = True
            elif outcome != NOT_RUN:
                failed.pop(nodeid, None)
        return failed


def forget_last_failed(config: pytest.Config) -> None:
    """Keep the host's pytest from remembering the ids of images as its own."""
    for name in ("lfplugin", "nfplugin"):
        if config.pluginmanager.hasplugin(name):
            config.pluginmanager.unregister(name=name)


def _reaches(wanted: Path, names: str, path: Path, failed: str) -> bool:
    """Whether a path and the names behind it select what failed: a test, or a file that could not be collected."""
    if names and failed:
        return path == wanted and (failed == names or failed.startswith((f"{names}::", f"{names}[")))
    return path.is_relative_to(wanted)


def _by_label(value: Any) -> dict[str, Any]:
    """Return what a cache file has; it is a file that anybody may have edited."""
    return dict(value) if isinstance(value, dict) else {}


def _nodeids(groups: Any) -> dict[str, set[str]]:
    found = {}
    for group in groups if isinstance(groups, list) else ():
        if isinstance(group, list) and len(group) == 2 and all(isinstance(part, list) for part in group):
            shared = set(map(str, group[1]))
            found.update(dict.fromkeys(map(str, group[0]), shared))
    return found


def _groups(nodeids: Mapping[str, Collection[str]]) -> list[list[list[str]]]:
    groups: dict[frozenset[str], list[str]] = {}
    for label, known in nodeids.items():
        groups.setdefault(frozenset(known), []).append(label)
    return [[labels, sorted(known)] for known, labels in groups.items()]
