"""Run the installer in a container, and commit the container as an environment image.

Set-up commands and builds of packages can change all that a build can. So each project has a cache volume of its own,
for wheels and bytecode (without it, a build takes twice as long), and only the host writes to the volume with uv.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from typing import Any

from pytest_pyimages.containers import (
    SILENT_SECONDS,
    ContainerProcess,
    Lease,
    Source,
    SourceNotVisibleError,
    StoppedError,
    encode_job,
    run_with_source,
    try_commands,
)
from pytest_pyimages.engines import STDOUT, ContainerSpec, Engine, ImageInfo, Mount
from pytest_pyimages.engines.labels import KIND_LABEL, LABEL, PROJECT_LABEL, RECIPE_LABEL, ROOT_LABEL
from pytest_pyimages.errors import BuildError, EngineError, ImageNotFound, PyimagesError
from pytest_pyimages.images.bases import Listener
from pytest_pyimages.images.install_job import BOOTSTRAP, InstallJob, Phase, Wheels, make_install_job
from pytest_pyimages.images.install_log import InstallLog
from pytest_pyimages.images.labels import hash_root, identify_project
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.recipe import REPOSITORY
from pytest_pyimages.images.uv_program import UvMissingError, UvProgram
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes import MEMORY, IndexAccess, Server, Tunnel, prepare_access

CACHE_VOLUME = "pytest-pyimages-cache"  # what the names of the projects' volumes begin with
CACHE_TARGET = "/var/cache/pyimages"
LOG_BYTES = 256 * 1024
STOPPED = "stopped while it was built"
_OPTIONAL_LABELS = ("extra", "implementation", "left", "lock", "worker")
RESULT_LABELS = ("python", "executable", "extendable")  # of the installer's result


class NewImage(Immutable):
    """An image to be built by an install step."""

    start: ImageInfo  # that the container starts from
    extends: bool  # whether the start is an environment image of the same project
    reference: str  # empty if the image is not kept
    labels: Mapping[str, str]  # without those of the installer's result
    wheels: Wheels | None = None  # of which installation the project's wheel can be used; None: of none


class Installed(Immutable):
    """The installer's result, and its log."""

    result: Mapping[str, Any]
    log: str

    @property
    def succeeded(self) -> bool:
        return "python" in self.result

    def clean(self, access: IndexAccess) -> Installed:
        """Return a copy without secrets."""
        result = {key: access.clean(value) if isinstance(value, str) else value for key, value in self.result.items()}
        return Installed(result=result, log=access.clean(self.log))


class _RemoteEngineError(PyimagesError):
    """The engine runs on another machine, so that it cannot mount this host's folders."""


class InstallStep:
    """Runs installers in containers, and commits those that succeed. May be used from several threads at once."""

    def __init__(self, engine: Engine, lease: Lease, source: Source, listener: Listener) -> None:
        self._engine = engine
        self._lease = lease
        self._source = source
        self._listener = listener
        self.is_aborted = False
        self._uv = UvProgram(engine, lease, listener)
        self._is_remote = False  # whether the engine is known to run on another machine
        self._lock = threading.Lock()
        self._processes: set[ContainerProcess] = set()
        self._threads: list[threading.Thread] = []

    def abort(self) -> None:
        """Kill all containers without committing them, and start none."""
        with self._lock:
            self.is_aborted = True
            processes = tuple(self._processes)
        for process in processes:
            process.kill()

    def join(self, deadline: float) -> tuple[str, ...]:
        """Wait until all containers are removed; return the threads that still run at the deadline (monotonic)."""
        with self._lock:
            threads, self._threads = self._threads, []
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return tuple(thread.name for thread in threads if thread.is_alive())

    def run(self, plan: ImagePlan, new: NewImage) -> Installed:
        """Install a plan, and commit the new image if that succeeds; the container is removed in the background."""
        return run_with_source(self._source, lambda: self._install(plan, new))

    def _install(self, plan: ImagePlan, new: NewImage) -> Installed:
        while True:
            was_remote = self._is_remote
            try:
                return try_commands(BOOTSTRAP, lambda command: self._attempt(plan, new, command))
            except UvMissingError as error:
                self._listener.report(plan.tag.label, "fetching uv")
                self._uv.provide(error, new.start.id)
            except _RemoteEngineError:
                if was_remote:
                    raise
                self._is_remote = True

    def _attempt(self, plan: ImagePlan, new: NewImage, command: tuple[str, ...]) -> Installed:
        access = self._prepare_access(plan)
        if new.extends or not access.is_private or not (plan.recipe.apt or plan.recipe.setup):
            return self._run_container(plan, new, access, "all", command=command)
        # What set-up commands leave running must not meet the installer's credentials, or reach servers of the host.
        name = f"setup-{uuid.uuid4().hex}"
        labels = {**new.labels, LABEL: "1", KIND_LABEL: "environment", RECIPE_LABEL: name}
        before = replace(new, reference=f"{REPOSITORY}:{name}", labels=labels)
        set_up = self._run_container(plan, before, access.without_credentials(), "setup", command=command)
        if not set_up.succeeded:
            return set_up
        if self.is_aborted:
            raise BuildError(STOPPED)
        image = self._engine.find_image(before.reference)
        if image is None:
            raise BuildError("the engine does not have the image of the set-up commands", "try again")
        start = replace(new, start=image)
        installed = self._run_container(plan, start, access, "install", command=command, temporary=before.reference)
        return replace(installed, log=set_up.log + installed.log)

    def _run_container(  # noqa: PLR0913 - each has another source
        self,
        plan: ImagePlan,
        new: NewImage,
        access: IndexAccess,
        phase: Phase,
        *,
        command: tuple[str, ...],
        temporary: str = "",
    ) -> Installed:
        """Run the installer in a container.

        :param command: runs it, see ``try_commands``.
        :param temporary: a reference to remove after the container; its layers stay below the new image.
        """
        spec = ContainerSpec(
            name=self._lease.new_name(),
            image=new.start.id,
            command=command,
            labels=self._lease.labels("build"),
            user="0" if new.start.user else "",
            mounts=(
                self._create_cache(plan),
                self._uv.mount(),
                Mount(kind="tmpfs", target=MEMORY),
                *access.mounts,
            ),
        )
        uv, provided = self._uv.digests, self._uv.provided
        volumes = new.start.volumes
        job = make_install_job(
            plan, spec.name, access, extends=new.extends, uv=uv, phase=phase, volumes=volumes, wheels=new.wheels
        )
        progress = InstallLog(lambda text: self._listener.progress(plan.tag.label, text), access.indexes)
        with ExitStack() as stack:
            if temporary:
                stack.callback(self._engine.remove_image, temporary)
            process = stack.enter_context(self._tracked_process())
            try:
                container = stack.enter_context(process.create(spec))
            except ImageNotFound:
                raise
            except (EngineError, SourceNotVisibleError) as error:
                if access.mounts:
                    raise _RemoteEngineError(error.message) from error
                raise
            installed = self._talk(process, container, job, access.servers, progress).clean(access)
            machine = str(installed.result.get("nouv", ""))
            if machine in uv:
                raise UvMissingError(machine, was_provided=machine in provided)
            if installed.succeeded and new.reference and not self.is_aborted:
                labels = {f"{LABEL}.{key}": str(installed.result[key]) for key in RESULT_LABELS}
                # See project.lockfiles.locks, and runs.job.
                labels |= {f"{LABEL}.{key}": str(installed.result.get(key, "")) for key in _OPTIONAL_LABELS}
                self._engine.commit(container, reference=new.reference, labels={**new.labels, **labels})
            if installed.result.get("note"):
                self._listener.note(f"{plan.tag.label}: {installed.result['note']}")
            self._remove_later(stack.pop_all(), plan.tag.label)
        return installed

    def _create_cache(self, plan: ImagePlan) -> Mount:
        """Create the project's cache volume unless it exists; return its mount."""
        project = plan.project
        name = f"{CACHE_VOLUME}-{identify_project(project)}"
        labels = {LABEL: "1", KIND_LABEL: "cache", PROJECT_LABEL: project.name, ROOT_LABEL: hash_root(project)}
        self._engine.create_volume(name, labels=labels, options={})
        return Mount(kind="volume", source=name, target=CACHE_TARGET)

    def _remove_later(self, container: ExitStack, label: str) -> None:
        def remove() -> None:
            try:
                container.close()
            except Exception as error:  # noqa: BLE001 - the image is there; only its container is left
                self._listener.note(f"{label}: {error}; the next session cleans up")

        # A daemon: an engine that does not answer must not keep the process alive.
        thread = threading.Thread(target=remove, name=f"pyimages-install-{label}", daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    @contextmanager
    def _tracked_process(self) -> Iterator[ContainerProcess]:
        """Yield a process that ``abort`` kills."""
        process = ContainerProcess(self._engine, self._lease, self._source)
        with self._lock:
            if self.is_aborted:
                raise BuildError(STOPPED)
            self._processes.add(process)
        try:
            yield process
        except StoppedError as error:
            raise BuildError(STOPPED) from error
        finally:
            with self._lock:
                self._processes.discard(process)

    def _prepare_access(self, plan: ImagePlan) -> IndexAccess:
        access = prepare_access(
            plan.read_network(os.environ),
            root=self._source.root,
            can_mount=self._source.mode == "overlay" and not self._is_remote,
        )
        for note in access.notes:
            self._listener.note(note)
        return access

    def _talk(
        self,
        process: ContainerProcess,
        container: str,
        job: InstallJob,
        servers: Sequence[Server],
        progress: InstallLog,
    ) -> Installed:
        output, log = bytearray(), bytearray()
        with (
            process.start(container, silence=SILENT_SECONDS) as stream,
            closing(Tunnel(servers, stream.send)) as tunnel,
        ):
            data = encode_job(replace(job, witness=process.witness, source=process.source_job))
            with suppress(EngineError):  # the program has ended already; its output is still there
                stream.send(b"%d\n%s" % (len(data), data))
            for channel, data in stream.frames():
                if channel == STDOUT:
                    progress.tick()  # the installer prints a line every few seconds
                    output += tunnel.split(data)
                    del output[:-LOG_BYTES]
                else:
                    log += data
                    del log[:-LOG_BYTES]
                    progress.feed(data)
        if len(log) == LOG_BYTES:
            del log[: log.find(b"\n") + 1]  # redaction would not find a secret that is cut in two
        status = self._engine.wait(container)
        result = _read_result(bytes(output), status)
        if "elsewhere" in result:
            raise _RemoteEngineError("the container runs on another machine")
        if "nosource" in result:
            raise process.make_not_visible_error(str(result["nosource"]))
        return Installed(result=result, log=log.decode("utf-8", "replace"))


def _read_result(output: bytes, status: int) -> Mapping[str, Any]:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    try:
        result = json.loads(lines[-1]) if lines else None
    except ValueError:
        result = None
    if status != 0 or not isinstance(result, dict):
        return {"failed": "installer", "status": status, "has_begun": bool(lines)}
    return result
