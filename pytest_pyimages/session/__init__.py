"""The controller of a run: schedule, threads, and what pytest sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.session.connection import connect
    from pytest_pyimages.session.controller import ImagesSession
    from pytest_pyimages.session.durations import Durations
    from pytest_pyimages.session.last_failed import LastFailed
    from pytest_pyimages.session.messages import ImageBuilt, ImageEnded, StageChanged
    from pytest_pyimages.session.planning import SessionPlan, parse_requested_images, plan_images, plan_session
    from pytest_pyimages.session.schedule import Schedule, make_job
    from pytest_pyimages.session.signals import InterruptHandler

__all__ = [
    "Durations",
    "ImageBuilt",
    "ImageEnded",
    "ImagesSession",
    "InterruptHandler",
    "LastFailed",
    "Schedule",
    "SessionPlan",
    "StageChanged",
    "connect",
    "make_job",
    "parse_requested_images",
    "plan_images",
    "plan_session",
]
__getattr__ = lazy_names(
    __name__,
    {
        "connection": "connect",
        "controller": "ImagesSession",
        "durations": "Durations",
        "last_failed": "LastFailed",
        "messages": "ImageBuilt ImageEnded StageChanged",
        "planning": "SessionPlan parse_requested_images plan_session plan_images",
        "schedule": "Schedule make_job",
        "signals": "InterruptHandler",
    },
)
