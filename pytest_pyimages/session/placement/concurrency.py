"""Limit how much of a session runs at once: builds, test runs, and the xdist workers in them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pytest_pyimages.host import CommandLine, Settings, Workers, containers_at_once, share_workers
from pytest_pyimages.images import ImagePlan

LEAST_AT_ONCE = 2  # containers, however few CPUs the engine has: one can work while another starts or ends


class Slots:
    """A semaphore whose places are numbered from 0."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = set(range(count))
        self._changed = threading.Condition()

    @property
    def are_full(self) -> bool:
        """Whether the next ``acquire`` would wait, if called now."""
        return not self._free

    @contextmanager
    def acquire(self, preferred: int = 0) -> Iterator[int]:
        """Wait for a free slot and hold it; yield its number.

        :param preferred: the slot to take if it is free, modulo the number of slots.
        """
        with self._changed:
            while not self._free:
                self._changed.wait()
            slot = preferred % self.count
            if slot not in self._free:
                slot = min(self._free)
            self._free.remove(slot)
        try:
            yield slot
        finally:
            with self._changed:
                self._free.add(slot)
                self._changed.notify()


class Concurrency:
    """Slots for builds and for test runs, by default as many of each as the engine has CPUs.

    More at once take longer in all: installing is limited by the CPU, mostly by compiling bytecode. A number of
    containers that the user sets is the limit of builds and test runs together.

    :param processors: asks the engine; called only if something depends on the answer.
    :param engines: among which the images are divided.
    :raises ConfigurationError: for an invalid number of xdist workers among an image's arguments.
    """

    def __init__(
        self, settings: Settings, plans: Sequence[ImagePlan], processors: Callable[[], int], *, engines: int = 1
    ) -> None:
        configured = settings.invocation.configured
        self._lines = {plan.tag.label: CommandLine.parse(plan.args) for plan in plans}
        self._workers = {label: Workers.requested(configured + line, os.environ) for label, line in self._lines.items()}
        is_auto = any(
            workers is not None and workers.number is None for workers in (settings.workers, *self._workers.values())
        )
        self._processors = LEAST_AT_ONCE
        if is_auto or len(plans) > LEAST_AT_ONCE:
            self._processors = processors() or os.cpu_count() or 1
        # xdist workers of all test runs; 0 without -n
        self.workers = settings.workers.total(self._processors) if settings.workers is not None else 0
        jobs = settings.jobs or max(self._processors, LEAST_AT_ONCE)
        self._builds = Slots(min(jobs, max(self._processors, LEAST_AT_ONCE)))
        # With -n, the images that are here at once share the workers; without, a fast engine may get most images.
        images = -(-len(plans) // engines) if self.workers else len(plans)
        self._suites = Slots(containers_at_once(images, jobs=jobs, workers=self.workers))
        self._containers = Slots(jobs if settings.jobs else 2 * jobs)

    @property
    def suites(self) -> int:
        """The number of test runs at once."""
        return self._suites.count

    @property
    def suites_are_full(self) -> bool:
        """Whether another test run would have to wait."""
        return self._suites.are_full

    @contextmanager
    def build(self) -> Iterator[None]:
        """Wait until another image may be built, and hold its slot."""
        with self._builds.acquire(), self._containers.acquire():
            yield

    @contextmanager
    def suite(self, number: int) -> Iterator[int]:
        """Wait until another test run may start, and hold its slot; yield the slot's number.

        :param number: the image's number, whose slot is preferred.
        """
        with self._suites.acquire(number) as slot, self._containers.acquire():
            yield slot

    def arguments(self, plan: ImagePlan, slot: int) -> tuple[str, ...]:
        """Return pytest's arguments for an image, with its share of the xdist workers."""
        workers = self._workers[plan.tag.label]
        if workers is None:
            return plan.args
        total = workers.total(self._processors)
        return share_workers(self._lines[plan.tag.label], workers=total, places=self.suites, place=slot)
