"""The last-failed cache of each image, so that ``--lf``, ``--ff``, ``--nf`` and ``--sw`` work per test and image.

pytest in the container selects with its own code, but its cache is removed with the container. So each container gets
its own values before pytest starts, and sends at the end what is to be saved in the host's pytest cache. The host's
``cache/lastfailed`` belongs to runs without images and is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_pyimages.host import CommandLine, Invocation, split_nodeid
from pytest_pyimages.results import NOT_RUN, ImageResult

LASTFAILED = "pyimages/lastfailed"  # {label: {node id: true}}; without images whose failures are unknown
NODEIDS = "pyimages/nodeids"  # [[label, ...], [node id, ...]] for each group of images with the same tests
STEPWISE = "pyimages/stepwise"  # {label: the value of pytest in the container}

_FAILED = ("failed", "error")


class CacheOptions(NamedTuple):
    """The options of pytest's cacheprovider among the arguments."""

    last_failed: bool  # --lf
    none_without: bool  # --lfnf=none
    new_first: bool
    clear: bool

    @classmethod
    def read(cls, line: CommandLine) -> CacheOptions:
        return cls(
            last_failed=line.has("--lf", "--last-failed"),
            none_without=line.last("--lfnf", "--last-failed-no-failures") == "none",
            new_first=line.has("--nf", "--new-first"),
            clear=line.has("--cache-clear"),
        )


class LastFailed:
    """The cached values of all images; read once, saved once at the end of a session.

    :param cache: the host's; None without pytest's cacheprovider, which then is missing in the containers too.
    """

    def __init__(self, cache: pytest.Cache | None, invocation: Invocation) -> None:
        self._cache = cache
        self._options = CacheOptions.read(invocation.command_line)
        self._invocation = invocation
        forget = cache is None or self._options.clear
        failed = {} if forget else _as_dict(self._get(LASTFAILED))
        self._failed = {label: dict.fromkeys(ids, True) for label, ids in failed.items() if isinstance(ids, dict)}
        self._stepwise = {} if forget else _as_dict(self._get(STEPWISE))

    def _get(self, key: str) -> Any:
        return None if self._cache is None else self._cache.get(key, None)

    def find_idle_images(self, arguments: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Return the images that ``--lf`` does not need to start, and why; none if no failure is known.

        :param arguments: of each selected image, by label.
        """
        if not self._options.last_failed or self._cache is None:
            return {}
        failing = {label for label, words in arguments.items() if any(self._find_failed(label, words))}
        if not failing and not self._options.none_without:
            return {}
        found = {}
        for label in arguments:
            if label not in self._failed and self._options.none_without:
                found[label] = "no failures recorded"
            elif label in self._failed and label not in failing:
                found[label] = "nothing failed"
        return found

    def _find_failed(self, label: str, arguments: Sequence[str]) -> Iterator[str]:
        """Yield the failed node ids of an image that the paths and node ids among its arguments select."""
        invocation = self._invocation
        wanted = []
        for position in invocation.parse(arguments).positions:
            nodeid, _ = split_nodeid(position, [label])
            path, _, names = nodeid.partition("::")
            wanted.append((invocation.cwd / path, names))
        for nodeid in self._failed.get(label, ()):
            path, _, names = nodeid.partition("::")
            if not wanted or any(_selects(*each, invocation.rootdir / path, names) for each in wanted):
                yield nodeid

    def cache_values(self, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the values for each container's cache, by their names in ``v/cache``."""
        if self._cache is None:
            return {}
        known = _ungroup(self._get(NODEIDS)) if self._options.new_first and not self._options.clear else {}
        given = {}
        for label in labels:
            given[label] = {"lastfailed": self._failed.get(label, {}), "stepwise": self._stepwise.get(label)}
            if self._options.new_first:  # large, and unused otherwise
                given[label]["nodeids"] = sorted(known.get(label, ()))
        return given

    def save(self, results: Mapping[str, ImageResult], *, collect_only: bool) -> None:
        """Save what the containers sent; for a container that sent nothing, what its tests reported."""
        cache = self._cache
        if cache is None:
            return
        known = {} if self._options.clear else _ungroup(self._get(NODEIDS))
        nodeids = dict(known)
        shared: dict[frozenset[str], frozenset[str]] = {}  # most images have the same
        for label, result in results.items():
            kept = result.kept
            failed = self._merge_reported(result) if kept is None else dict.fromkeys(sorted(kept.failed), True)
            was_tested = not result.problem and (not collect_only or label in self._failed)
            if failed or was_tested:
                self._failed[label] = failed
            else:  # unknown
                self._failed.pop(label, None)
            if kept is not None and kept.stepwise is not None:
                self._stepwise[label] = kept.stepwise
            ran = {nodeid for nodeid in result.outcomes if "::" in nodeid}
            if not collect_only and not ran <= nodeids.get(label, frozenset()):
                ids = nodeids.get(label, frozenset()) | ran
                nodeids[label] = shared.setdefault(ids, ids)
        cache.set(LASTFAILED, self._failed)
        if self._stepwise or self._options.clear:
            cache.set(STEPWISE, self._stepwise)
        if nodeids != known or self._options.clear:
            cache.set(NODEIDS, _group(nodeids))

    def _merge_reported(self, result: ImageResult) -> dict[str, bool]:
        """Return the failures of an image as pytest would: tests that were not run keep their state."""
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


def unregister_host_cache_plugins(config: pytest.Config) -> None:
    """Keep the host's pytest from saving the node ids of images as its own."""
    for name in ("lfplugin", "nfplugin"):
        if config.pluginmanager.hasplugin(name):
            config.pluginmanager.unregister(name=name)


def _selects(wanted: Path, names: str, path: Path, failed: str) -> bool:
    """Return whether a path and the names after it select a failed test or a file with a collection error."""
    if names and failed:
        return path == wanted and (failed == names or failed.startswith((f"{names}::", f"{names}[")))
    return path.is_relative_to(wanted)


def _as_dict(value: Any) -> dict[str, Any]:
    """Return a cached value as a dict; the file may have been edited."""
    return dict(value) if isinstance(value, dict) else {}


def _ungroup(groups: Any) -> dict[str, frozenset[str]]:
    found = {}
    for group in groups if isinstance(groups, list) else ():
        if isinstance(group, list) and len(group) == 2 and all(isinstance(part, list) for part in group):
            shared = frozenset(map(str, group[1]))
            found.update(dict.fromkeys(map(str, group[0]), shared))
    return found


def _group(nodeids: Mapping[str, Collection[str]]) -> list[list[list[str]]]:
    groups: dict[frozenset[str], list[str]] = {}
    for label, known in nodeids.items():
        groups.setdefault(frozenset(known), []).append(label)
    return [[labels, sorted(known)] for known, labels in groups.items()]
