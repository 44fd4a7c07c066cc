"""How much of a session is done at once: builds, suites, and processes that run tests in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pytest_pyimages.host import OWN_OPTIONS, Settings, containers_at_once, with_share, workers_of
from pytest_pyimages.images import ImagePlan
from pytest_pyimages.session.turns import Turns

LEAST_AT_ONCE = 2  # containers, whatever the engine has: while one starts or ends, there is work for another


class Concurrency:
    """Turns of builds and of suites, as many at once as the engine has processors.

    More at once take longer in all: installing is bound by processors, compiling bytecode most of all. A number of
    containers that the user names holds for builds and suites together.

    :param processors: asks the engine; called only where something depends on it.
    :raises ConfigurationError: for arguments of an image that say no number of workers.
    """

    def __init__(self, settings: Settings, plans: Sequence[ImagePlan], processors: Callable[[], int]) -> None:
        first = settings.invocation.typed_first
        self._asked = {
            plan.tag.label: workers_of((*first, *plan.args), OWN_OPTIONS, environ=os.environ) for plan in plans
        }
        asked = settings.workers
        is_auto = any(one is not None and one.number is None for one in (asked, *self._asked.values()))
        self._processors = LEAST_AT_ONCE
        if is_auto or len(plans) > LEAST_AT_ONCE:
            self._processors = processors() or os.cpu_count() or 1
        self.workers = asked.total(self._processors) if asked is not None else 0  # of all suites; 0 without -n
        jobs = settings.jobs or max(self._processors, LEAST_AT_ONCE)
        self._builds = Turns(min(jobs, max(self._processors, LEAST_AT_ONCE)))
        self._suites = Turns(containers_at_once(len(plans), jobs=jobs, workers=self.workers))
        self._containers = Turns(jobs if settings.jobs else 2 * jobs)

    @property
    def suites(self) -> int:
        """How many run at once."""
        return self._suites.places

    @property
    def suites_are_full(self) -> bool:
        """Whether one more would have to wait."""
        return self._suites.are_taken

    @contextmanager
    def build(self) -> Iterator[None]:
        """Wait until one more image may be built, and build it."""
        with self._builds.turn(), self._containers.turn():
            yield

    @contextmanager
    def suite(self, number: int) -> Iterator[int]:
        """Wait until one more suite may run, and run it; yield its place among those that do.

        :param number: of its image, which has the place of that number where it can.
        """
        with self._suites.turn(number) as place, self._containers.turn():
            yield place

    def arguments(self, plan: ImagePlan, place: int) -> tuple[str, ...]:
        """Return pytest's arguments for an image, with its share of the workers."""
        asked = self._asked[plan.tag.label]
        if asked is None:
            return plan.args
        total = asked.total(self._processors)
        return with_share(plan.args, OWN_OPTIONS, workers=total, places=self.suites, place=place)
