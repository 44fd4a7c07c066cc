"""Deselect the tests of other shards, in the container: a pytest plugin of its own.

Inner workers of xdist collect, too, and load no plugin objects: so the worker writes this file to a folder, with its
job beside it, and names it with ``-p``, which xdist forwards. The plugin writes the number of all tests there, too.
Standard library and pytest only, and the common syntax of Python 2.7 to 3.15.

A shard is a range of the sorted node ids, since tests of a file share its fixtures; plugins that shuffle tests do not
change it. So every machine with the same tests and the same recorded durations makes the same shards.
"""

from __future__ import print_function

import hashlib
import json
import os
from bisect import bisect_left, bisect_right

import pytest

JOB = "shard.json"  # index (from 1), of, milliseconds by node id
WHOLE = "whole.json"
SNAP = 20  # a shard may be a twentieth heavier or lighter to end where a file ends


def partition(nodeids, milliseconds, number):
    """Return so many shards of the sorted node ids, of about the same weight; some may be empty.

    Each shard ends at the test where its weight is reached, or nearby, where a file or at least a class ends.

    :param milliseconds: durations by node id; a missing one counts as the median of the others.
    """
    ordered = sorted(set(nodeids))
    sums = [0]
    for weight in weigh(ordered, milliseconds):
        sums.append(sums[-1] + weight * number)
    share = sums[-1] // number
    cuts = [cut(ordered, sums, part * share, share // SNAP) for part in range(1, number)]
    return [ordered[start:end] for start, end in zip([0] + cuts, cuts + [len(ordered)])]


def weigh(nodeids, milliseconds):
    known = sorted(milliseconds[nodeid] for nodeid in nodeids if nodeid in milliseconds)
    median = known[len(known) // 2] if known else 1
    return [max(milliseconds.get(nodeid, median), 1) for nodeid in nodeids]


def cut(ordered, sums, ideal, room):
    """Return the number of tests before a cut.

    :param sums: the weight of all tests before each test, and of all tests.
    :param ideal: the best weight before the cut.
    :param room: the largest distance from it to prefer the end of a file.
    """
    after = bisect_left(sums, ideal)
    nearest = min(
        (place for place in (after - 1, after) if 0 <= place < len(sums)), key=lambda at: abs(sums[at] - ideal)
    )
    nearby = range(bisect_left(sums, ideal - room), bisect_right(sums, ideal + room))
    return min([nearest] + list(nearby), key=lambda at: (rate_cut(ordered, at), abs(sums[at] - ideal), at))


def rate_cut(ordered, place):
    """Return 2 if a cut before this test divides a class, or a file's functions, 1 if it divides a file, else 0."""
    if not 0 < place < len(ordered):
        return 0
    before, after = [nodeid.partition("[")[0].split("::") for nodeid in ordered[place - 1 : place + 1]]
    return 0 if before[0] != after[0] else 1 if before[:-1] != after[:-1] else 2


def hash_lines(lines):
    return hashlib.sha256("\n".join(lines).encode("utf-8", "backslashreplace")).hexdigest()


def to_text(value):
    return value if isinstance(value, type("".encode("ascii").decode("ascii"))) else value.decode("utf-8", "replace")


class Shard(object):
    """Registered when the collection begins, so that its hook wrapper is the outermost, outside of --lf's."""

    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, JOB)) as file:
            self.job = json.load(file)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, config, items):
        outcome = yield
        if outcome.excinfo is not None:
            return
        nodeids = [to_text(item.nodeid) for item in items]
        milliseconds = self.job["milliseconds"]
        part = set(partition(nodeids, milliseconds, self.job["of"])[self.job["index"] - 1])
        rest = [item for item, nodeid in zip(items, nodeids) if nodeid not in part]
        items[:] = [item for item, nodeid in zip(items, nodeids) if nodeid in part]
        whole = sorted(set(nodeids))
        self.write(
            {
                "collected": len(whole),
                "tests": len(part),
                "deselected": len(rest),
                "digest": hash_lines(whole),
                "durations": hash_lines("%s %s" % (nodeid, milliseconds.get(nodeid)) for nodeid in whole),
            }
        )
        if rest:
            config.hook.pytest_deselected(items=rest)

    def write(self, whole):
        """Write the file atomically: every worker of xdist does, and another process reads it."""
        path = os.path.join(self.folder, WHOLE)
        with open("%s.%d" % (path, os.getpid()), "w") as file:
            json.dump(whole, file)
        os.rename(file.name, path)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    plugins = session.config.pluginmanager
    if not plugins.hasplugin("pyimages-shard"):
        plugins.register(Shard(os.path.dirname(os.path.abspath(__file__))), "pyimages-shard")
