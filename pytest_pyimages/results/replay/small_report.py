"""The report of a call that passed, small enough to be kept for each test of each image.

pytest's terminal keeps all reports to the end of a session, and one takes more than a kilobyte. Those of passed calls
are counted, and seldom read.
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pyimages.results.reports import ReportMaker
from pytest_pyimages.runs.events import Item

# The attributes of a report; they depend on the version of pytest.
_NAMES = frozenset(vars(pytest.TestReport("", ("", None, ""), {}, "passed", None, "call")))


class TestReport(pytest.TestReport):  # as pytest's own: the name of the class is part of a serialized report
    """Becomes an ordinary report once more than its duration is read, or anything is changed."""

    outcome = "passed"
    when = "call"
    _maker: ReportMaker
    _item: Item

    def __init__(self, maker: ReportMaker, item: Item, start: float, duration: float) -> None:
        put = super().__setattr__
        put("_maker", maker)
        put("_item", item)
        put("start", start)
        put("duration", duration)

    def _become_ordinary(self) -> None:
        report = self._maker.make_passed_phase(self._item, "call", self.start, self.duration)
        object.__setattr__(self, "__class__", pytest.TestReport)  # of the same layout
        object.__setattr__(self, "__dict__", vars(report))

    def __getattr__(self, name: str) -> Any:
        if name not in _NAMES:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._become_ordinary()
        return getattr(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        self._become_ordinary()
        setattr(self, name, value)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        self._become_ordinary()
        return vars(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        self._become_ordinary()
        return self.__reduce_ex__(protocol)
