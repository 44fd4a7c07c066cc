"""The engines of a cluster's machines, one for each unit: Dask decides where a unit runs, and moves lost ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from pytest_pyimages.containers import Lease, Source
from pytest_pyimages.engines import Waits, watch_engine
from pytest_pyimages.errors import BaseImageMissingError, EngineError, PyimagesError
from pytest_pyimages.host import Settings
from pytest_pyimages.images import ImagePlan, LastUsed, Listener
from pytest_pyimages.session.placement.backends import Backend, is_missing_base, read_pins_of

if TYPE_CHECKING:
    from pytest_pyimages.cluster import Cluster, MachineEngine

LEAVE_SECONDS = 30.0  # that the removal of containers on a machine may take
MOST_MACHINES = 4  # that a unit may lose; Dask's own limit (distributed.scheduler.allowed-failures) is 3


class MachineBackend(Backend):
    """The engine of a machine, as long as a unit has it."""

    machine: MachineEngine


class ClusterBackends:
    """Has the interface of Backends. May be used from several threads at once.

    :param used: when images were used last, by this host.
    :param notes: gets what could not be removed on a machine.
    :raises ConfigurationError: for a lock file that cannot be used.
    """

    are_several = True
    resumes = True  # whether a suite goes on on another machine after tests had begun

    def __init__(  # noqa: PLR0913 - what its images are made of
        self,
        cluster: Cluster,
        settings: Settings,
        source: Source,
        lease: Lease,
        listener: Listener,
        *,
        waits: Waits,
        used: LastUsed,
        notes: list[str],
    ) -> None:
        self.cluster = cluster
        self._settings = settings
        self._source = source
        self._lease = lease
        self._listener = listener
        self._waits = waits
        self._used = used
        self._notes = notes
        self._pins = read_pins_of(settings)
        self._open: list[MachineBackend] = []
        self._swept: set[str] = set()  # endpoints of engines whose leaked containers were removed
        self._missing: dict[str, dict[str, str]] = {}  # by base image: names of machines without it, by address
        self._left: dict[str, list[MachineEngine]] = {}  # by endpoint, the lost ones that have left something
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Backend]:
        with self._lock:
            return iter(tuple(self._open))

    def __len__(self) -> int:
        return len(self._open)

    def prepare(self, step: Callable[[Backend], None]) -> None:
        """Do nothing: machines are not known before their units run."""

    def try_choose(self, plan: ImagePlan) -> Backend | None:
        """Return None: Dask chooses."""

    def run_image(
        self,
        plan: ImagePlan,
        chosen: Backend | None,  # noqa: ARG002 - as in Backends
        work: Callable[[Backend], None],
        *,
        is_over: Callable[[], bool],
    ) -> None:
        """Do the work on an image on a machine of the cluster; on another one if that is lost, or lacks the base image.

        :param chosen: not used.
        :raises PyimagesError: the error of the work, or that the cluster does not run the unit.
        """
        label, missing = plan.tag.label, self._missing.setdefault(plan.tag.reference, {})
        task, lost, note = self.cluster.submit(label or "report", missing), 0, ""
        try:
            while not is_over():
                self._listener.progress(label, "waiting for a machine of the cluster")
                engine = task.wait(is_over)
                self._listener.progress(label, "")
                if engine is None:
                    return
                if note:
                    self._listener.note(note)
                    note = ""
                try:
                    self._work_on(engine, plan, work)
                except PyimagesError as error:
                    if is_missing_base(error) and not engine.problem and not is_over():
                        missing[engine.worker] = engine.machine
                        if not task.move(missing):
                            raise _name_machines(error, missing.values()) from error
                        self._listener.note(f"{label}: not run on {engine.machine} ({error.message})")
                        continue
                    lost += 1
                    if not engine.problem or self.cluster.scheduler.problem or lost == MOST_MACHINES or is_over():
                        raise
                    note = f"{label}: run again elsewhere ({error.message})"  # if there is another machine
                else:
                    return
        finally:
            task.leave()

    def _work_on(self, engine: MachineEngine, plan: ImagePlan, work: Callable[[Backend], None]) -> None:
        backend = MachineBackend(
            watch_engine(engine.as_engine, self._waits),
            self._settings,
            self._source.copy_undecided(),
            lease=self._lease,
            listener=self._listener,
            pins=self._pins,
        )
        backend.machine = engine
        with self._lock:
            is_new = engine.info.endpoint not in self._swept
            self._swept.add(engine.info.endpoint)
            left = self._left.pop(engine.info.endpoint, [])
        try:
            for each in left:
                each.created.remove_all(backend.engine)
            if is_new:
                backend.sweep(self._notes)
            if self._pins is not None:
                backend.bases.check_pins([plan.tag])
            backend.prepare([plan], engines=1)
            with self._lock:
                self._open.append(backend)
            work(backend)
        finally:
            backend.environments.join(time.monotonic() + LEAVE_SECONDS)
            self._prune(backend)
            with self._lock:
                if engine.problem and engine.created:
                    self._left.setdefault(engine.info.endpoint, []).append(engine)
                self._open = [each for each in self._open if each is not backend]

    def _prune(self, backend: MachineBackend) -> None:
        from pytest_pyimages.images import prune_superseded  # only after a build

        for image in [] if backend.machine.problem else backend.new_images:
            try:
                removed = prune_superseded(backend.engine, self._used, image)
            except EngineError as error:
                removed = f"superseded images were not checked ({error.message})"
            if removed:
                self._listener.note(removed)
        backend.new_images = []

    def run_again(self, backend: Backend, plan: ImagePlan, work: Callable[[Backend], None]) -> None:  # noqa: ARG002
        """Do more work on an image that has ended, in a unit of its own."""
        self.run_image(plan, None, work, is_over=lambda: False)

    def is_lost(self, backend: Backend, reference: str) -> bool:  # noqa: ARG002 - as in Backends
        """Return whether a machine is lost."""
        return isinstance(backend, MachineBackend) and bool(backend.machine.problem)

    def prune_superseded(self, last_used: LastUsed) -> None:
        """Do nothing: that is done on each machine while a unit has it."""

    def close(self) -> None:
        """Disconnect from the cluster; note where something may be left."""
        self._notes += (f"{text}; nothing ran there" for text in self.cluster.scheduler.unusable.values())
        self.cluster.scheduler.unusable.clear()
        for machine in dict.fromkeys(engine.machine for left in self._left.values() for engine in left):
            self._notes.append(f"{machine}: a lost unit may have left containers; the next session there removes them")
        self.cluster.close()


def _name_machines(error: PyimagesError, machines: Collection[str]) -> PyimagesError:
    """Return the error of the last machine that lacks a base image, for all of them."""
    names, log = ", ".join(sorted(set(machines))), getattr(error, "log", "")
    return BaseImageMissingError(f"{error.message} (machines of the cluster without it: {names})", error.hint, log)
