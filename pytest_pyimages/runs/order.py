"""Check the order of a run's records, and that they name only tests that were collected."""

from __future__ import annotations

from pytest_pyimages.runs import events
from pytest_pyimages.runs.fields import WireError

# States: what has been reported last.
_NOTHING, _HELLO, _COLLECTED, _END = "nothing", "hello", "the collection", "the end"
_CHANGED, _LAST = "the changed files", "the last record"

_ASIDE = {events.Beat, events.Debugger, events.Shown}
_ALWAYS = {*_ASIDE, events.Warned, events.Internal, events.Interrupted, events.End, events.Exit}
# Also after a suite that died.
_CHANGES = {
    events.ChangedPaths,
    events.ListedFolder,
    events.ChangedContent,
    events.ContentPart,
    events.Scanned,
}
_FINISH = {
    events.Failing,
    events.Kept,
    events.Summary,
    events.SuiteProperties,
    events.GaveUp,
    events.CoveragePart,
    events.Measured,
}
_SUITE = {
    _NOTHING: {*_ALWAYS, *_CHANGES, events.Hello, events.NoSource},
    _HELLO: {
        *_ALWAYS,
        *_FINISH,
        *_CHANGES,
        events.Seeded,
        events.CollectReport,
        events.Items,
        events.Divided,
        events.Compiled,
        events.Collected,
    },
    # With xdist, collectors of other processes are reported late; tests that are made during the run are items, too.
    _COLLECTED: {*_ALWAYS, *_FINISH, *_CHANGES, events.CollectReport, events.Items, events.Passed, events.Report},
    _END: {*_ASIDE, *_CHANGES, events.Exit},
    _CHANGED: {*_ASIDE, *_CHANGES, events.Exit},
    _LAST: set[type](),
}
_COVERAGE = {
    _NOTHING: {
        *_ALWAYS,
        events.NoSource,
        events.CoverageSaid,
        events.CoverageFile,
        events.CoveragePart,
        events.CoverageLines,
        events.Covered,
    },
    _END: {*_ASIDE, events.Exit},
    _LAST: _SUITE[_LAST],
}
_NEXT = {
    **dict.fromkeys(_CHANGES, _CHANGED),
    events.Hello: _HELLO,
    events.Collected: _COLLECTED,
    events.End: _END,
    events.Exit: _LAST,
    events.NoSource: _LAST,
}


class RecordOrder:
    """The state of one run.

    :param coverage: whether the container makes the coverage report instead of running the suite.
    """

    def __init__(self, *, coverage: bool = False) -> None:
        self._allowed = _COVERAGE if coverage else _SUITE
        self._state = _NOTHING
        self._tests = 0
        self._nodeids: set[str] = set()

    def check(self, event: events.Event) -> None:
        """Raise WireError if a healthy worker would not send this event now; else remember it."""
        kind = type(event)
        if kind not in self._allowed[self._state]:
            raise WireError(f"the worker sent a record of the kind {kind.__name__!r} after {self._state}")
        if isinstance(event, events.Passed):
            self._check_index(event.test)
        elif isinstance(event, events.Report):
            if event.nodeid not in self._nodeids:
                raise WireError(f"the worker reported a test that was not collected: {event.nodeid[:200]!r}")
        elif isinstance(event, events.Items):
            self._tests += len(event.items)
            self._nodeids.update(item.nodeid for item in event.items)
        elif isinstance(event, events.Collected):
            if event.total != self._tests:
                raise WireError(f"the worker reported {self._tests} tests and a total of {event.total}")
        elif isinstance(event, events.Exit) and event.running >= 0:
            self._check_index(event.running)
        self._state = _NEXT.get(kind, self._state)

    def _check_index(self, index: int) -> None:
        if not index < self._tests:
            raise WireError(f"the worker reported test {index} of {self._tests}")
