"""The controller of a run: schedule, threads, and what pytest sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.session.connection import connect
    from pytest_pyimages.session.controller import ImagesSession
    from pytest_pyimages.session.durations import Durations
    from pytest_pyimages.session.last_failed import Memory
    from pytest_pyimages.session.messages import Built, Ended, Said
    from pytest_pyimages.session.planning import Planned, parse_settings_matrix, planned, plans_of
    from pytest_pyimages.session.schedule import Schedule
    from pytest_pyimages.session.signals import Interruptions

__all__ = [
    "Built",
    "Durations",
    "Ended",
    "ImagesSession",
    "Interruptions",
    "Memory",
    "Planned",
    "Said",
    "Schedule",
    "connect",
    "parse_settings_matrix",
    "planned",
    "plans_of",
]
__getattr__ = lazy_names(
    __name__,
    {
        "connection": "connect",
        "controller": "ImagesSession",
        "durations": "Durations",
        "last_failed": "Memory",
        "messages": "Built Ended Said",
        "planning": "Planned parse_settings_matrix planned plans_of",
        "schedule": "Schedule",
        "signals": "Interruptions",
    },
)
