"""The controller: takes pytest's collection and run loop over, and replays there what the containers report."""

from __future__ import annotations

import gc
import os
import queue
import threading
from concurrent.futures import Future
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages.containers import Source, is_empty
from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import ConfigurationError, EngineError, PyimagesError
from pytest_pyimages.host import OWN_OPTIONS, Settings, losses, options, other_images, selects_tests
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.project import find_source_root
from pytest_pyimages.results import STATUS, ImageResult, Shard, exit_status
from pytest_pyimages.session.durations import Durations
from pytest_pyimages.session.ending import SessionEnding, verbosity_of
from pytest_pyimages.session.last_failed import Memory, forget_last_failed
from pytest_pyimages.session.messages import Batch, Built, Message, Printed, Progressed, Said
from pytest_pyimages.session.planning import planned
from pytest_pyimages.session.schedule import Schedule
from pytest_pyimages.session.seed import remember_seed, shared_seed
from pytest_pyimages.session.signals import Interruptions

if TYPE_CHECKING:
    from pytest_pyimages.results import DebuggerTerminal, Judge, Replay, Stages
    from pytest_pyimages.runs import HostTerminal

# What pytest says of the host's own session stands: the images have no part in it.
_OURS = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)


OTHER_ANNOTATIONS = "annotate_errors"  # what pytest-github-actions-annotate-failures registers


class ImagesSession:
    """The plugin object that takes pytest's collection and run loop over when images are asked for."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        connecting: Future[Engine],
        terminal: HostTerminal | None = None,
    ) -> None:
        """Prepare; nothing is started yet.

        :param terminal: where a debugger of a single image may be shown and typed to.
        """
        self._config = config
        self._settings = settings
        self._connecting = connecting
        invocation = settings.invocation
        asked = planned(config, settings)
        self.project, self._skipped, self._unselected = asked.project, asked.skipped, asked.unselected
        self._memory = Memory(getattr(config, "cache", None), invocation)
        self._durations = Durations(getattr(config, "cache", None), invocation)
        self._idle = self._memory.without_work({plan.tag.label: plan.args for plan in asked.plans})
        self.plans = tuple(plan for plan in asked.plans if plan.tag.label not in self._idle)
        forget_last_failed(config)
        if settings.fail_fast == "session":
            config.option.maxfail = 1
        self.matrix = tuple(plan.tag for plan in self.plans)
        self._terminal = terminal if len(self.plans) == 1 and os.name == "posix" else None
        root = find_source_root(self.project, invocation.rootdir, invocation.cwd)
        self.source = Source(root, None if settings.source == "auto" else settings.source)
        self.results = {tag.label: self._not_yet(tag) for tag in self.matrix}
        self._coverage: MatrixCoverage | None = None
        if settings.measures_coverage and not settings.collect_only:
            from pytest_pyimages.session.coverage import MatrixCoverage  # few runs measure

            self._coverage = MatrixCoverage(config, settings, self.results, lambda: self._schedule)
        self._ending = SessionEnding(config, settings, self.results, left_out=(*asked.skipped, *asked.unselected))
        self._ending.notes += list(dict.fromkeys(note for plan in self.plans for note in plan.project.notes))
        configured = [option.name for option in options(invocation.typed_first, OWN_OPTIONS)]
        self._ending.notes += losses(configured, invocation.host_options)
        self._engine: Engine | None = None
        self._schedule: Schedule | None = None
        self._interruptions = Interruptions()
        config.add_cleanup(self._interruptions.restore)  # the last thing: cleanups run in reverse
        config.add_cleanup(self.close)

    def _not_yet(self, tag: ImageTag) -> ImageResult:
        asked = self._settings.shard
        return ImageResult(
            label=tag.label,
            reference=tag.reference,
            allowed_to_fail=tag.allowed_to_fail,
            shard=None if asked is None else Shard(index=asked[0], of=asked[1]),
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Connect and set everything going before the header is drawn."""
        if is_empty(self.source.root):
            pytest.exit(f"no tests: there is no file in {self.source.root}", int(pytest.ExitCode.NO_TESTS_COLLECTED))
        if not self.plans:
            pytest.exit("nothing to run again: no image is known to fail", int(pytest.ExitCode.NO_TESTS_COLLECTED))
        if self._settings.github and self._config.pluginmanager.hasplugin(OTHER_ANNOTATIONS):
            self._config.pluginmanager.unregister(name=OTHER_ANNOTATIONS)  # a failure is told once, with its image
        self._interruptions.install()
        try:
            self._engine = self._connecting.result()
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
        except EngineError as error:
            raise pytest.UsageError(f"--py-images: {error}") from None
        try:
            memory = self._memory.given_to([tag.label for tag in self.matrix])
            kind = None if self._terminal is None else self._terminal.kind
            seed = shared_seed(self._config, self._settings.invocation)
            settings = replace(self._settings, seed=seed, terminal=kind)
            shard = self._durations.shard(self._settings)
            self._schedule = Schedule(self._engine, settings, self.source, memory=memory, shard=shard)
            self._schedule.start(self.plans)
        except PyimagesError as error:
            raise pytest.UsageError(str(error)) from None

    def pytest_report_header(self) -> list[str]:
        labels = ", ".join(tag.label + ("?" if tag.allowed_to_fail else "") for tag in self.matrix)
        engine = str(self._engine.info) if self._engine is not None else "no engine"
        labels += "".join(f" ({label}: skipped by the project's overrides)" for label in self._skipped)
        labels += "".join(f" ({label}: nothing selected)" for label in self._unselected)
        labels += "".join(f" ({label}: {reason})" for label, reason in self._idle.items())
        if self._settings.shard is not None:
            labels += " · shard {}/{}".format(*self._settings.shard)
        return [
            f"py-images: {labels} · {engine} · source: {self.source.mode}{self._workers()}",
            *self._origins(),
        ]

    def _workers(self) -> str:
        """Return what -n comes to."""
        at_once = self._schedule.concurrency if self._schedule is not None else None
        if at_once is None or not at_once.workers or self._settings.collect_only:
            return ""
        workers = "1 worker" if at_once.workers == 1 else f"{at_once.workers} workers"
        return f" · {workers} in " + ("1 container" if at_once.suites == 1 else f"{at_once.suites} containers at once")

    def _origins(self) -> list[str]:
        """Return a line for each group of images that get the same installed."""
        groups: dict[str, list[str]] = {}
        for plan in self.plans:
            groups.setdefault(plan.project.origin or "pytest", []).append(plan.tag.label)
        if len(groups) == 1:
            return [f"installs: {origin}" for origin in groups]
        return [f"installs: {origin} ({', '.join(labels)})" for origin, labels in groups.items()]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Collect nothing here: the containers do."""
        session.items = []
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Replay what the containers report until all have ended."""
        if verbosity_of(self._config) >= 0:
            # Needed at the end, with rich below it; imported while there is nothing to do but wait.
            threading.Thread(target=import_module, args=("pytest_pyimages.results.output.terminal",)).start()
        schedule = self._schedule
        if schedule is None:  # another plugin has ended pytest_sessionstart before it came to us
            raise pytest.UsageError("--py-images: the session was never started")
        collect_only = self._settings.collect_only
        from pytest_pyimages.results import Replay

        shown = self._stages()
        replay = Replay(
            session,
            self.results,
            collect_only=collect_only,
            judge=self._judge(),
            details=self._settings.wants_details,
        )
        if self._coverage is not None:
            replay.measured = self._coverage.take
        replay.debugger = self._debugger(schedule, shown)
        waiting = set(self.results)
        thresholds = gc.get_threshold()
        # Reports are many, live to the end and hold no cycles: searching them over and over costs a fifth of the time.
        gc.set_threshold(50_000, 50, 100)
        try:
            while waiting:
                self._handle(self._next(schedule, replay, shown), replay, shown, waiting)
                self._check_stop(session)
            if not selects_tests(self._settings.invocation):
                replay.miss_tests()
        finally:
            gc.set_threshold(*thresholds)
            try:
                replay.flush()
            finally:
                shown.close()
        return True

    def _judge(self) -> Judge:
        from pytest_pyimages.results import IniFile, Judge, MissingModules

        invocation, labels = self._settings.invocation, list(self.results)
        missing = MissingModules(
            {plan.tag.label: plan.project for plan in self.plans},
            IniFile(ini=invocation.ini, inipath=invocation.inipath, rootdir=invocation.rootdir),
            source=self.source.root,
            overridden=[plan.tag.label for plan in self.plans if plan.project.install != self.project.install],
        )
        rootdir = str(self._config.rootpath)
        return Judge(missing, labels=labels, other_images=other_images(invocation, labels), rootdir=rootdir)

    def _stages(self) -> Stages:
        from pytest_pyimages.results import make_stages

        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        return make_stages(terminal, self.results, verbosity=verbosity_of(self._config), environ=os.environ)

    def _debugger(self, schedule: Schedule, shown: Stages) -> DebuggerTerminal | None:
        if self._terminal is None:
            return None
        from pytest_pyimages.results import DebuggerTerminal

        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        label = self.matrix[0].label
        return DebuggerTerminal(self._terminal, lambda line: schedule.send(label, line), reporter=reporter, shown=shown)

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
        if self._schedule is not None:
            self._memory.keep(self.results, collect_only=self._settings.collect_only)
            remember_seed(self._config, self.results.values())
            if self._settings.shard is None:
                self._durations.keep(self.results.values())
        if self._settings.wants_details and not self._ending.write_files(int(session.exitstatus)):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        notes = list(self._schedule.notes) if self._schedule is not None else []
        if self.source.reason:
            notes.append(f"source: copy ({self.source.reason})")
        self._ending.write(terminalreporter, notes)

    @staticmethod
    def _next(schedule: Schedule, replay: Replay, shown: Stages) -> Message:
        while True:
            shown.tick()
            try:
                return schedule.messages.get(timeout=shown.interval or replay.patience)
            except queue.Empty:
                replay.flush_late()

    def _handle(self, message: Message, replay: Replay, shown: Stages, waiting: set[str]) -> None:
        result = self.results[message.label]
        if isinstance(message, Batch):
            replay.events(message.label, message.events)
        elif isinstance(message, Said):
            shown.say(message.label, message.text)
        elif isinstance(message, Progressed):
            shown.detail(message.label, message.text)
        elif isinstance(message, Printed):
            replay.printed(message.label, message.data)
        elif isinstance(message, Built):
            result.digest, result.python = message.image.digest, message.image.python
            result.cached, result.build_seconds = message.image.cached, message.image.build_seconds
            shown.runs(message.label)
            image = next(tag for tag in self.matrix if tag.label == message.label)
            self._config.hook.pytest_pyimages_image_ready(image=image, built=message.image)
        else:
            waiting.discard(message.label)
            result.run_seconds = message.run_seconds
            replay.ended(message.label, message.end, message.error)
            self._config.hook.pytest_pyimages_run_finished(result=result)

    @staticmethod
    def _check_stop(session: pytest.Session) -> None:
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

    def close(self) -> None:
        """Stop what still runs and wait until nothing is left. May be called more than once."""
        if self._schedule is not None:
            self._schedule.close()
        if self._engine is not None:
            self._engine.close()
