"""The events of a suite that runs in several containers, as if they were of one.

In a cluster, the tests of an image are divided among units; and a unit whose machine is lost begins again on another
one. What was reported counts: a test that had its result before the machine was lost has no second one. A test is
reported as a whole, once its last phase has come, so that no half of one is left.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace

from pytest_pyimages.host import CommandLine, Settings, selects_tests
from pytest_pyimages.images import ImagePlan
from pytest_pyimages.results import Interleaved, pick_worst_status
from pytest_pyimages.runs import RunEnd
from pytest_pyimages.runs.events import (
    Beat,
    Collected,
    CollectReport,
    CoveragePart,
    Divided,
    Event,
    Failing,
    Hello,
    Item,
    Items,
    Kept,
    Measured,
    Passed,
    Report,
    Seeded,
    SuiteProperties,
    Summary,
    Warned,
)
from pytest_pyimages.session.messages import ImageEnded

PART_SECONDS = 30.0  # short enough that the end is not a wait for one machine, long against a container's start
_ONCE = (Hello, Seeded, Collected, SuiteProperties)  # each container reports the same


def count_parts(settings: Settings, plan: ImagePlan, milliseconds: Mapping[str, int]) -> int:
    """Return into how many parts the suite of an image is divided, so that each takes about ``PART_SECONDS``.

    One, if that is not known, or where the parts would not do the same as the whole: what measures coverage, shows
    output as it comes, has a debugger, keeps changed files, runs selected tests, or goes on where the last run stopped.
    """
    line = CommandLine.parse(plan.args)
    is_whole = settings.measures_coverage or settings.live_output or settings.collect_only or plan.smoke
    is_whole = is_whole or settings.terminal is not None or bool(settings.keep_changes or settings.artifacts)
    typed = replace(settings.invocation, addopts=CommandLine.parse(()))  # what those of all runs select was recorded
    is_whole = is_whole or selects_tests(typed)  # how long these take is not known
    if is_whole or any(map(line.has, ("--sw", "--stepwise", "--sw-skip", "--stepwise-skip"))):
        return 1
    return max(1, min(round(sum(milliseconds.values()) / 1000 / PART_SECONDS), len(milliseconds)))


class Part:
    """What one unit has reported; see ``Suite``."""

    def __init__(self) -> None:
        self.items: list[int] = []  # by the index of a test in the current container: that in all items
        self.seen: dict[str, int] = defaultdict(int)  # how often the current container has a node id
        self.phases = Interleaved()
        self.coverage: list[CoveragePart] = []
        self.reported_once: Counter[Hashable] = Counter()
        self.divided: Divided | None = None
        self.failing: list[str] = []
        self.kept: Kept | None = None
        self.ended: ImageEnded | None = None


class Suite:
    """The parts of one image's suite. May be used from several threads at once, each with a part of its own.

    :param count: of the parts.
    """

    def __init__(self, count: int = 1) -> None:
        # Held while events are put into the queue, too: the indexes of tests follow the order in which they come.
        self.lock = threading.RLock()
        self._items: list[Item] = []
        self._indexes: dict[str, list[int]] = defaultdict(list)  # in the items, by node id, which may be there twice
        self._parts = [Part() for _ in range(count)]
        # How often containers on lost machines have reported a node id, and the current ones.
        self._done: Counter[str] = Counter()
        self._reported: list[Counter[str]] = [Counter() for _ in range(count)]
        self._reported_once: Counter[Hashable] = Counter()  # by key: how often a part has reported it
        self._summaries: list[str] = []

    @property
    def is_divided(self) -> bool:
        """Whether there are several parts."""
        return len(self._parts) > 1

    def begin(self, number: int) -> None:
        """Begin the container of a part; forget what an earlier one has not finished."""
        with self.lock:
            self._done |= self._reported[number]
            self._reported[number] = Counter()
            self._parts[number] = Part()

    def play(self, number: int, events: Sequence[Event]) -> list[Event]:
        """Return the new events among those of a part's container."""
        return [new for event in events for new in self._play(self._parts[number], self._reported[number], event)]

    def _play(self, part: Part, reported: Counter[str], event: Event) -> Iterator[Event]:
        if isinstance(event, Passed):
            nodeid = self._items[part.items[event.test]].nodeid
            reported[nodeid] += 1
            if reported[nodeid] > self._done[nodeid]:
                yield event._replace(test=part.items[event.test])
        elif isinstance(event, Report):
            phases = list(part.phases.add_phase(event))
            if phases:
                reported[event.nodeid] += 1
            if reported[event.nodeid] > self._done[event.nodeid]:
                yield from phases
        elif isinstance(event, Items):
            new = self._add_items(part, event.items)
            if new:
                yield Items(new)
        elif isinstance(event, Beat):
            yield event._replace(running=_translate(part, event.running))
        else:
            yield from self._play_other(part, event)

    def _play_other(self, part: Part, event: Event) -> Iterator[Event]:
        if isinstance(event, CoveragePart):
            part.coverage.append(event)
        elif isinstance(event, Measured):
            yield from part.coverage
            yield event
        elif isinstance(event, Divided):
            part.divided = event
            if not self.is_divided:
                yield event
        elif isinstance(event, Failing):
            part.failing += event.nodeids
        elif isinstance(event, Kept):
            part.kept = event
        elif isinstance(event, Summary):
            self._summaries.append(event.text)
            yield Summary("\n".join(dict.fromkeys(self._summaries)))
        elif self._is_new(part, event):
            yield event

    def _is_new(self, part: Part, event: Event) -> bool:
        """Return whether no other container has reported the same, for what all of them report."""
        key: Hashable
        if isinstance(event, _ONCE):
            key = type(event).__name__
        elif isinstance(event, CollectReport):
            key = (CollectReport, event.nodeid)
        elif isinstance(event, Warned) and (event.when != "runtest" or event.nodeid in self._done):
            key = event
        else:
            return True
        part.reported_once[key] += 1
        if part.reported_once[key] <= self._reported_once[key]:
            return False
        self._reported_once[key] = part.reported_once[key]
        return True

    def _add_items(self, part: Part, items: Sequence[Item]) -> tuple[Item, ...]:
        """Find the tests that a container has collected among those that are known; return the others."""
        new = []
        for item in items:
            known, number = self._indexes[item.nodeid], part.seen[item.nodeid]
            part.seen[item.nodeid] += 1
            if number == len(known):
                known.append(len(self._items))
                self._items.append(item)
                new.append(item)
            part.items.append(known[number])
        return tuple(new)

    def end(self, number: int, ended: ImageEnded) -> tuple[list[Event], ImageEnded | None]:
        """Return the last events of a part, and the end of the suite if it is that of all parts."""
        part = self._parts[number]
        events: list[Event] = [phase for phase in part.phases.take_unfinished() if phase.nodeid not in self._done]
        end = ended.end
        part.ended = ended._replace(end=end and end._replace(running=_translate(part, end.running)))
        ends = [each.ended for each in self._parts if each.ended is not None]
        if len(ends) < len(self._parts):
            return events, None
        return [*events, *self._keep()], self._unite(ends)

    def _keep(self) -> Iterator[Event]:
        """Yield the last-failed cache of the suite: who has run a test knows whether it still fails."""
        kept = [part.kept for part in self._parts]
        if not all(kept):
            return
        ran = [{self._items[index].nodeid for index in part.items} for part in self._parts]
        failing = (
            nodeid
            for part, own in zip(self._parts, ran, strict=True)
            for nodeid in part.failing
            if nodeid in own or not any(nodeid in other for other in ran)
        )
        yield Failing(tuple(dict.fromkeys(failing)))
        yield from filter(None, kept[:1])

    def _unite(self, ends: Sequence[ImageEnded]) -> ImageEnded:
        if len(ends) == 1:
            return ends[0]
        error = next((each.error for each in ends if each.error is not None), None)
        runs = [each.end for each in ends if each.end is not None]
        statuses = [run.status for run in runs if run.status is not None]
        problems = dict.fromkeys(run.problem for run in runs if run.problem)
        is_whole = error is None and not problems and len(runs) == len(ends)
        problem = " · ".join(problems) or (self._find_difference() if is_whole else "")
        end = RunEnd(
            status=pick_worst_status(statuses) if len(statuses) == len(ends) else None,
            unrun=sum(run.unrun for run in runs),
            reason=" · ".join(dict.fromkeys(run.reason for run in runs if run.reason)),
            problem=problem,
            running=next((run.running for run in runs if run.problem), -1),
            stderr="".join(run.stderr for run in runs),
            note=" · ".join(dict.fromkeys(run.note for run in runs if run.note)),
        )
        return ImageEnded(ends[0].label, end, error, max(each.run_seconds for each in ends))

    def _find_difference(self) -> str:
        """Return why the parts are not one suite; empty if they are."""
        divided = [part.divided for part in self._parts if part.divided is not None]
        if not divided:
            return ""  # none has collected a test, or each reports why
        first = divided[0]
        if any((each.digest, each.durations) != (first.digest, first.durations) for each in divided):
            return "the units of the cluster have collected different tests"
        missing = first.collected - sum(each.tests for each in divided)
        return f"{missing} of {first.collected} tests were in no unit" if missing else ""


def _translate(part: Part, index: int) -> int:
    return part.items[index] if 0 <= index < len(part.items) else -1
