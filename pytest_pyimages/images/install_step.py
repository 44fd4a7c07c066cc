"""The install step: a container of an image that is to become another one, and what is said to the installer in it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from pytest_pyimages.containers import (
    BUILD_OUTPUT,
    NO_SOURCE,
    ContainerProcess,
    Lease,
    Source,
    SourceNotVisibleError,
    StoppedError,
    run_with_source,
    witnesses,
)
from pytest_pyimages.engines import STDOUT, ContainerSpec, Engine, Mount
from pytest_pyimages.engines.labels import KIND_LABEL, LABEL
from pytest_pyimages.errors import BuildError, EngineError, ImageNotFound
from pytest_pyimages.images.install_log import InstallLog
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.recipe import installer_sources, worker_sources
from pytest_pyimages.indexes import MEMORY, HostNetwork, Redaction, WayIn, way_in

CACHE_VOLUME = "pytest-pyimages-cache"
CACHE_TARGET = "/var/cache/pyimages"
LOG_BYTES = 256 * 1024
STOPPED = "stopped while it was built"
SAID = ("python", "executable", "extendable")  # of the installer's result, kept as labels

# Reads the job's size, the job and the installer from standard input, so that neither shows in the container's command.
# The current folder comes off the path: a project's ast.py is not Python's.
BOOTSTRAP = (
    "import sys\n"
    "sys.path[:] = [path for path in sys.path if path]\n"
    "import json\n"
    "stdin = getattr(sys.stdin, 'buffer', sys.stdin)\n"
    "JOB = json.loads(stdin.read(int(stdin.readline())).decode('utf-8'))\n"
    "exec(compile(JOB['installer'], 'installer.py', 'exec'))\n"
)
FIND_PYTHON = (
    'for name in python python3 pypy3 pypy; do command -v "$name" >/dev/null 2>&1 && exec "$name" -c "$1"; done; '
    "echo no Python found >&2; exit 127"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """What an install step starts from, and the image that it is to become."""

    start: str  # id of an image
    user: str  # whom the container runs as; empty for the image's own
    extends: bool  # whether the start is an environment of the same project already
    reference: str
    labels: Mapping[str, str]  # beside what the installer says


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What the installer said, and what was logged."""

    result: Mapping[str, Any]
    log: str

    @property
    def succeeded(self) -> bool:
        return "python" in self.result

    def redacted(self, redaction: Redaction) -> Installed:
        """Return the same without secrets."""
        result = {
            key: redaction.redacted(value) if isinstance(value, str) else value for key, value in self.result.items()
        }
        return Installed(result=result, log=redaction.redacted(self.log))


class InstallStep:
    """Runs the installer in containers and keeps what it made. May be used from several threads at once."""

    def __init__(  # noqa: PLR0913 - what it works with, given once
        self,
        *,
        engine: Engine,
        lease: Lease,
        source: Source,
        network: Callable[[ImagePlan], HostNetwork],
        progress: Callable[[str, str], None],
        note: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._lease = lease
        self._source = source
        self._network = network
        self._progress = progress
        self._note = note
        self._is_elsewhere = False  # the engine is not on this machine
        self._lock = threading.Lock()
        self._processes: set[ContainerProcess] = set()
        self._threads: list[threading.Thread] = []
        self.aborted = False

    def abort(self) -> None:
        """End all containers now, and start none; what was being installed is not kept."""
        with self._lock:
            self.aborted = True
            processes = tuple(self._processes)
        for process in processes:
            process.kill()

    def run(self, plan: ImagePlan, new: NewImage) -> Installed:
        """Install in a container of an image; commit it if that succeeded; remove the container meanwhile."""
        return run_with_source(self._source, lambda: self._install(plan, new))

    def _install(self, plan: ImagePlan, new: NewImage) -> Installed:
        installed = self._start(plan, new).result()
        if "elsewhere" in installed.result:
            self._is_elsewhere = True
            installed = self._start(plan, new).result()
        return installed

    def _start(self, plan: ImagePlan, new: NewImage) -> Future[Installed]:
        future: Future[Installed] = Future()

        def live() -> None:
            try:
                self._live(plan, new, future)
            except BaseException as error:  # noqa: BLE001 - handed to who waits, or to the session's notes
                if future.done():
                    self._note(f"{plan.tag.label}: {error}; the next session cleans up")
                else:
                    future.set_exception(error)

        # A daemon: an engine that answers nobody must not keep the process from ending.
        thread = threading.Thread(target=live, name=f"pyimages-install-{plan.tag.label}", daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()
        return future

    def join(self, deadline: float) -> tuple[str, ...]:
        """Wait until all containers are removed; return the threads that still work at the deadline (monotonic)."""
        with self._lock:
            threads, self._threads = self._threads, []
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return tuple(thread.name for thread in threads if thread.is_alive())

    def _live(self, plan: ImagePlan, new: NewImage, future: Future[Installed]) -> None:
        """Set the future's result as soon as the image is there: nobody waits for what is removed then."""
        self._engine.create_volume(CACHE_VOLUME, labels={LABEL: "1", KIND_LABEL: "cache"}, options={})
        way = self._way(plan)
        spec = ContainerSpec(
            name=self._lease.new_name(),
            image=new.start,
            command=("sh", "-c", FIND_PYTHON, "sh", BOOTSTRAP),
            labels=self._lease.labels("build"),
            user=new.user,
            mounts=(
                Mount(kind="volume", source=CACHE_VOLUME, target=CACHE_TARGET),
                Mount(kind="tmpfs", target=MEMORY),
                *way.mounts,
            ),
            network="host" if way.machine else "",
        )
        with ExitStack() as stack:
            process = stack.enter_context(self._tracked_process())
            try:
                container = stack.enter_context(process.create(spec))
            except ImageNotFound:
                raise
            except (EngineError, SourceNotVisibleError) as error:
                if way.machine or way.mounts:  # it may have no host network to give, or not see the folders
                    future.set_result(Installed(result={"elsewhere": error.message}, log=""))
                    return
                raise
            watch = InstallLog(lambda words: self._progress(plan.tag.label, words))
            installed = self._talk(process, container, self._job(plan, spec.name, way, extends=new.extends), watch)
            installed = installed.redacted(way.redaction)
            if installed.succeeded and not self.aborted:
                said = {f"{LABEL}.{key}": str(installed.result[key]) for key in SAID}
                said[f"{LABEL}.lock"] = str(installed.result.get("lock", ""))  # see locks_fate
                self._engine.commit(container, reference=new.reference, labels={**new.labels, **said})
            if installed.result.get("note"):
                self._note(f"{plan.tag.label}: {installed.result['note']}")
            future.set_result(installed)

    @contextmanager
    def _tracked_process(self) -> Iterator[ContainerProcess]:
        """Yield a process that ``abort`` kills."""
        process = ContainerProcess(self._engine, self._lease, self._source)
        with self._lock:
            if self.aborted:
                raise BuildError(STOPPED)
            self._processes.add(process)
        try:
            yield process
        except StoppedError as error:
            raise BuildError(STOPPED) from error
        finally:
            with self._lock:
                self._processes.discard(process)

    def _way(self, plan: ImagePlan) -> WayIn:
        """Return how the build reaches what this host reaches; what it cannot reach is noted."""
        network = self._network(plan)
        seen = self._source.mode == "overlay" and not self._is_elsewhere
        way = way_in(network, root=self._source.root, mounted=seen, elsewhere=self._is_elsewhere)
        for note in way.notes:
            self._note(note)
        return way

    def _job(self, plan: ImagePlan, name: str, way: WayIn, *, extends: bool) -> bytes:
        recipe = plan.recipe
        job = {
            "name": name,
            "root": str(plan.project.root),
            "extends": extends,
            "apt": list(recipe.apt),
            "setup": list(recipe.setup),
            "steps": [list(step) for step in recipe.steps],
            "lock": recipe.lock.content if recipe.lock else None,
            "distribution": plan.project.distribution,
            "kind": plan.project.kind,
            "version": _version(plan),
            "environment": {**plan.environment, **way.environment},
            "files": dict(way.files),
            "machine": list(way.machine),
            "folders": [[target, list(names)] for target, names in way.folders],
            "witness": [[witness.path, witness.size, witness.seconds] for witness in witnesses(self._source.root)],
            "skipped": {"anywhere": sorted(NO_SOURCE), "top": sorted(BUILD_OUTPUT | {"target"})},  # target: of Rust
            "worker": worker_sources(),
            **installer_sources(),
        }
        data = json.dumps(job).encode("ascii")
        return b"%d\n%s" % (len(data), data)

    def _talk(self, process: ContainerProcess, container: str, job: bytes, watch: InstallLog) -> Installed:
        output, log = bytearray(), bytearray()
        with process.start(container) as stream:
            stream.send(job)
            for channel, data in stream.frames():
                if channel == STDOUT:
                    output += data
                else:
                    log += data
                    del log[:-LOG_BYTES]
                    watch.feed(data)
        if len(log) == LOG_BYTES:
            del log[: log.find(b"\n") + 1]  # a secret that is cut in two would not be found
        status = self._engine.wait(container)
        result = _result(bytes(output), status)
        if "nosource" in result:
            raise SourceNotVisibleError.of_file(str(result["nosource"]))
        return Installed(result=result, log=log.decode("utf-8", "replace"))


def _version(plan: ImagePlan) -> Mapping[str, Any] | None:
    """Return the version for the tool that takes it from git; None if no tool does."""
    versioning = plan.project.versioning
    if versioning is None:
        return None
    version = versioning.version({**os.environ, **plan.environment})
    return {
        "variables": {} if version is None else dict.fromkeys(versioning.variables, version),
        "is_certain": version is not None and versioning.tool.is_certain,
        "note": f"there is no git for {versioning.tool.name} to take the version from · {versioning.tool.hint}",
    }


def _result(output: bytes, status: int) -> Mapping[str, Any]:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    try:
        result = json.loads(lines[-1]) if lines else None
    except ValueError:
        result = None
    if status != 0 or not isinstance(result, dict):
        return {"failed": "installer", "status": status}
    return result
