"""The controller: one thread per image builds and runs, the main thread replays what they report through pytest."""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module

import pytest

from pytest_pyimages.commandline import container_arguments
from pytest_pyimages.engines.base import Engine
from pytest_pyimages.errors import ConfigurationError, EngineError, PyimagesError
from pytest_pyimages.images.build import Builder, BuiltImage, source_root
from pytest_pyimages.images.network import host_network
from pytest_pyimages.images.project import Project, find_project
from pytest_pyimages.matrix import ImageTag, ProjectPythons, parse_matrix
from pytest_pyimages.results.outcome import ImageResult, exit_status
from pytest_pyimages.results.replay import Replay
from pytest_pyimages.results.reports import STATUS
from pytest_pyimages.runs.events import Event
from pytest_pyimages.runs.ownership import Ownership
from pytest_pyimages.runs.run import Run, RunEnd, RunSpec
from pytest_pyimages.runs.source import Source, Witness, witnesses
from pytest_pyimages.settings import OWN_INI, OWN_OPTIONS, Settings
from pytest_pyimages.signals import Interruptions

QUEUE_BATCHES = 256  # per session; a full queue holds the containers back
CLEANUP_SECONDS = 5.0
# What pytest says of the host's own session stands: the images have no part in it.
_OURS = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)


@dataclass(frozen=True, slots=True)
class Said:
    """A stage of an image, in words."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Built:
    label: str
    image: BuiltImage


@dataclass(frozen=True, slots=True)
class Batch:
    label: str
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Printed:
    """What a suite printed while nothing captures its output (-s)."""

    label: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """An image is done, one way or the other."""

    label: str
    end: RunEnd | None
    error: PyimagesError | None
    run_seconds: float


Message = Said | Built | Batch | Printed | Ended


def parse_settings_matrix(settings: Settings, project: Project) -> tuple[ImageTag, ...]:
    """Return the images that the user asked for; raise ConfigurationError for what is not one."""
    pythons = ProjectPythons(requires_python=project.requires_python, classifiers=project.classifiers)
    try:
        return parse_matrix(settings.specs, registry=settings.registry, project=pythons)
    except ConfigurationError as error:
        # The grammar does not know where its text came from.
        option, colon, rest = error.message.partition(": ")
        origin = {"--py-images": settings.specs_origin, "--py-images-registry": settings.registry_origin}.get(
            option, option
        )
        raise ConfigurationError(f"{origin}{colon}{rest}", error.hint) from error


class ImagesSession:
    """The plugin object that takes pytest's collection and run loop over when images are asked for."""

    def __init__(self, config: pytest.Config, settings: Settings, connecting: Future[Engine]) -> None:
        self._config = config
        self._settings = settings
        self._connecting = connecting
        invocation = settings.invocation
        self.project = find_project(invocation.rootdir, ini=invocation.ini)
        self.matrix = parse_settings_matrix(settings, self.project)
        root = source_root(self.project, invocation.rootdir, invocation.cwd)
        self.source = Source(root, None if settings.source == "auto" else settings.source)
        self.results = {
            tag.label: ImageResult(label=tag.label, reference=tag.reference, allowed_to_fail=tag.allowed_to_fail)
            for tag in self.matrix
        }
        self.notes: list[str] = []  # what people should know at the end
        self.engine: Engine | None = None
        self._queue: queue.Queue[Message] = queue.Queue(QUEUE_BATCHES)
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._closing = False
        self._cleanup = ExitStack()
        self._threads: list[threading.Thread] = []
        self._builder: Builder | None = None
        self._interruptions = Interruptions()
        config.add_cleanup(self._interruptions.restore)  # the last thing: cleanups run in reverse
        config.add_cleanup(self.close)

    # what pytest calls

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Connect and set everything going before the header is drawn."""
        self._interruptions.install()
        try:
            self.engine = self._connecting.result()
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
        except EngineError as error:
            raise pytest.UsageError(f"--py-images: {error}") from None
        self._begin(self.engine)

    def pytest_report_header(self) -> list[str]:
        labels = ", ".join(tag.label + ("?" if tag.allowed_to_fail else "") for tag in self.matrix)
        engine = str(self.engine.info) if self.engine is not None else "no engine"
        return [
            f"py-images: {labels} · {engine} · source: {self.source.mode}",
            f"installs: {self.project.origin or 'pytest'}",
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Collect nothing here: the containers do."""
        session.items = []
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Replay what the containers report until all have ended."""
        # Needed at the end; imported while there is nothing to do but wait.
        threading.Thread(
            target=import_module, args=("pytest_pyimages.results.terminal",), name="pyimages-import"
        ).start()
        replay = Replay(session, self.results, collect_only=self._settings.collect_only)
        waiting = set(self.results)
        thresholds = gc.get_threshold()
        # Reports are many, live to the end and hold no cycles: searching them over and over costs a fifth of the time.
        gc.set_threshold(50_000, 50, 100)
        try:
            while waiting:
                self._handle(self._next(replay), replay, waiting)
                self._check_stop(session)
        finally:
            gc.set_threshold(*thresholds)
            replay.flush()
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        status: tuple[str, str, str] | None = getattr(report, STATUS, None)
        return status

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fold the images' exit statuses, unless the session was interrupted here; write the report in any case."""
        self.close()
        if session.exitstatus not in _OURS:
            session.exitstatus = exit_status(self.results)
            if session.testsfailed and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._settings.report is not None:
            from pytest_pyimages.results.json_report import write_report

            try:
                write_report(self._settings.report, self.results)
            except PyimagesError as error:
                self.notes.append(str(error))
                session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        from pytest_pyimages.results.terminal import write_summary

        if self.source.reason:
            self.notes.append(f"source: copy ({self.source.reason})")
        write_summary(terminalreporter, self.results, collect_only=self._settings.collect_only, notes=self.notes)

    # the threads

    def _begin(self, engine: Engine) -> None:
        owner = self._cleanup.enter_context(Ownership())
        builder = Builder(
            engine=engine,
            owner=owner,
            source=self.source,
            project=self.project,
            network=lambda: host_network(os.environ),
            say=lambda label, text: self._put(Said(label, text)),
        )
        self._builder = builder
        jobs = min(len(self.matrix), max(2, os.cpu_count() or 1))
        turn = threading.Semaphore(jobs)
        witness = witnesses(self.source.root)

        def work(tag: ImageTag) -> None:
            with turn:
                self._image(tag, engine, owner, builder, witness)

        for tag in self.matrix:
            # Daemons: an engine that answers nobody must not keep the process from ending.
            thread = threading.Thread(target=work, args=(tag,), name=f"pyimages-{tag.label}", daemon=True)
            self._threads.append(thread)
            thread.start()
        sweeper = threading.Thread(target=self._sweep, args=(engine, owner), name="pyimages-sweep")
        sweeper.start()
        self._cleanup.callback(sweeper.join, CLEANUP_SECONDS)

    def _sweep(self, engine: Engine, owner: Ownership) -> None:
        try:
            self.notes += owner.sweep(engine)
        except EngineError as error:
            self.notes.append(f"what earlier sessions may have left was not looked for ({error.message})")

    def _image(
        self, tag: ImageTag, engine: Engine, owner: Ownership, builder: Builder, witness: tuple[Witness, ...]
    ) -> None:
        """Build and run one image; whatever happens, say that it has ended."""
        began = time.monotonic()

        def ended(end: RunEnd | None, error: PyimagesError | None) -> None:
            self._put(Ended(tag.label, end, error, time.monotonic() - began))

        try:
            if self._closing:
                return
            image = builder.ensure(tag)
            self._put(Built(tag.label, image))
            began = time.monotonic()
            missing = self._run(tag.label, Run(engine, owner, self.source, self._spec(image, witness)), ended)
            if missing:
                self.source.fall_back(missing)
                missing = self._run(tag.label, Run(engine, owner, self.source, self._spec(image, witness)), ended)
            if missing:
                raise PyimagesError(f"the source is not visible inside: {missing}")
        except PyimagesError as error:
            ended(None, error)
        except Exception as error:  # noqa: BLE001 - ours; it must not leave the session waiting
            sys.excepthook(type(error), error, error.__traceback__)
            ended(None, PyimagesError(f"internal error: {type(error).__name__}: {error}"))

    def _run(self, label: str, run: Run, ended: Callable[[RunEnd | None, PyimagesError | None], None]) -> str:
        """Run one container; return why the source was not there, if so: then nothing was run."""
        missing = ""

        def done(end: RunEnd) -> None:
            nonlocal missing
            missing = end.missing_source
            if not missing:
                ended(end, None)

        with self._lock:
            if self._closing:
                return ""
            self._runs[label] = run
        try:
            printed = (lambda data: self._put(Printed(label, data))) if self._settings.live_output else None
            run.execute(lambda events: self._put(Batch(label, events)), done, printed)
            return missing
        finally:
            with self._lock:
                del self._runs[label]

    def _spec(self, image: BuiltImage, witness: tuple[Witness, ...]) -> RunSpec:
        invocation = self._settings.invocation
        folder = image.executable.rpartition("/")[0]
        return RunSpec(
            image=image.id,
            python=image.executable,
            args=tuple(container_arguments(invocation.args, OWN_OPTIONS)),
            program=f"{folder}/pytest",
            cwd=str(invocation.cwd),
            cwd_on_path=invocation.module,
            environment=self._settings.container_environment,
            witness=witness,
            passed_output=self._settings.passed_output,
            own_options=OWN_OPTIONS,
            own_ini=OWN_INI,
        )

    def _put(self, message: Message) -> None:
        while not self._closing:
            try:
                self._queue.put(message, timeout=0.2)
            except queue.Full:
                continue
            return

    # the main thread

    def _next(self, replay: Replay) -> Message:
        while True:
            try:
                return self._queue.get(timeout=replay.patience)
            except queue.Empty:
                replay.flush_late()

    def _handle(self, message: Message, replay: Replay, waiting: set[str]) -> None:
        result = self.results[message.label]
        if isinstance(message, Batch):
            replay.events(message.label, message.events)
        elif isinstance(message, Said):
            replay.say(message.label, message.text)
        elif isinstance(message, Printed):
            replay.printed(message.label, message.data)
        elif isinstance(message, Built):
            result.digest, result.python = message.image.digest, message.image.python
            result.cached, result.build_seconds = message.image.cached, message.image.build_seconds
        else:
            waiting.discard(message.label)
            result.run_seconds = message.run_seconds
            replay.ended(message.label, message.end, message.error)

    @staticmethod
    def _check_stop(session: pytest.Session) -> None:
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

    def close(self) -> None:
        """Stop what still runs and wait until nothing is left. May be called more than once."""
        with self._lock:
            self._closing = True
            runs = list(self._runs.values())
        if self._builder is not None:
            self._builder.abort()
        for run in runs:
            run.stop()
        deadline = time.monotonic() + CLEANUP_SECONDS
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        late = [thread.name for thread in self._threads if thread.is_alive()]
        self._threads.clear()
        if late:
            # Their containers carry our labels, and the lock of this session is given up: the next one removes them.
            self.notes.append(f"the engine did not answer in time to {', '.join(late)}; the next session cleans up")
        self._cleanup.close()
        if self.engine is not None:
            self.engine.close()
