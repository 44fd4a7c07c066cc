"""The controller: replaces pytest's collection and run loop, and replays the events of the containers."""

from __future__ import annotations

import os
import queue
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pyimages.containers import is_empty
from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.host import Settings, describe_losses, describe_selection, find_wanted_files, selects_tests
from pytest_pyimages.results import STATUS, fold_exit_statuses
from pytest_pyimages.session.connection import wait_for_engines
from pytest_pyimages.session.durations import Durations
from pytest_pyimages.session.ending import SessionEnding, describe_interrupted, get_verbosity, hide_place
from pytest_pyimages.session.garbage import GarbageCollection
from pytest_pyimages.session.header import (
    describe_session,
    format_engines,
    format_images,
    format_late_copies,
    format_plans,
)
from pytest_pyimages.session.judging import describe_refused_connections, make_judge
from pytest_pyimages.session.kept_files import KeptFiles, make_documents
from pytest_pyimages.session.last_failed import LastFailed, unregister_host_cache_plugins
from pytest_pyimages.session.messages import (
    EventsReceived,
    ImageBuilt,
    ImagePlaced,
    Message,
    OutputReceived,
    Progressed,
    StageChanged,
)
from pytest_pyimages.session.planning import SessionPlan, start_result
from pytest_pyimages.session.schedule import Schedule
from pytest_pyimages.session.seed import choose_seed, save_seed
from pytest_pyimages.session.signals import InterruptHandler, hold_interrupts
from pytest_pyimages.session.twins import Twins

if TYPE_CHECKING:
    from pytest_pyimages.cluster import Cluster
    from pytest_pyimages.results import DebuggerTerminal, Replay, Stages
    from pytest_pyimages.runs import HostTerminal
    from pytest_pyimages.session.coverage import MatrixCoverage

# Exit statuses of the host's own session, which the images do not change.
_OURS = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)
OTHER_ANNOTATIONS = "annotate_errors"  # what pytest-github-actions-annotate-failures registers


class ImagesSession:
    """The plugin that runs a session over images."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        plan: SessionPlan,
        connecting: Sequence[Future[Engine]],
        terminal: HostTerminal | None = None,
    ) -> None:
        """Prepare a session; ``register`` makes pytest use it.

        :param terminal: for a debugger in the container, if there is a single image.
        :raises ConfigurationError: for a baseline that is not one of the images.
        """
        self._config = config
        self._settings = settings
        self._plan = plan
        self._connecting = connecting
        cache, invocation = getattr(config, "cache", None), settings.invocation
        self._last_failed = LastFailed(cache, invocation)
        self._durations = Durations(cache, invocation)
        self._idle = self._last_failed.find_idle_images({image.tag.label: image.args for image in plan.plans})
        self.plans = tuple(image for image in plan.plans if image.tag.label not in self._idle)
        self.results = {image.tag.label: start_result(image, settings.shard) for image in self.plans}
        self._terminal = terminal if len(self.plans) == 1 and os.name == "posix" else None
        self._coverage: MatrixCoverage | None = None
        left_out = (*plan.skipped, *plan.unselected)
        wanted = find_wanted_files(settings, plan.source.root, list(self.results), left_out=left_out)
        self.kept_files = KeptFiles(wanted, plan.source.root, invocation.rootdir, settings.reports)
        self._ending = SessionEnding(config, settings, self.results, left_out=left_out)
        self._ending.notes += plan.source.notes
        self._ending.notes += dict.fromkeys(note for image in self.plans for note in image.project.notes)
        configured = [option.name for option in invocation.configured.options]
        self._ending.notes += describe_losses(configured, invocation.host_options)
        self._engines: list[Engine] = []
        self._cluster: Cluster | None = None
        self._schedule: Schedule | None = None
        self._interrupts = InterruptHandler()
        self._copying: set[str] = set()  # addresses of engines that get a copy of the source, as the header shows
        self._activities: dict[str, str] = {}  # of suites that had not ended, by label

    def register(self) -> None:
        """Register this plugin and those that belong to it; nothing is started yet."""
        config, settings = self._config, self._settings
        unregister_host_cache_plugins(config)
        if settings.fail_fast == "session":
            config.option.maxfail = 1
        if settings.measures_coverage and not settings.collect_only:
            from pytest_pyimages.session.coverage import MatrixCoverage  # few runs measure coverage

            self._coverage = MatrixCoverage(settings, self._plan.source.root, self.results, lambda: self._schedule)
            self._coverage.register(config)
        config.add_cleanup(self._interrupts.restore)  # the last thing: cleanups run in reverse
        config.add_cleanup(self.close)
        config.pluginmanager.register(self, "pyimages-session")
        GarbageCollection().register(config)
        if config.getoption("xmlpath", None):
            from pytest_pyimages.results import JunitSuites

            JunitSuites(config, self.results, self._ending.notes).register()
            junit_file = Path(os.path.expandvars(config.getoption("xmlpath"))).expanduser()
            self.kept_files.ours.add(Path(os.path.normpath(settings.invocation.cwd / junit_file)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Connect to the engines and start the containers before pytest prints its header."""
        if is_empty(self._plan.source.root):
            pytest.exit(f"no tests: {self._plan.source.root} is empty", int(pytest.ExitCode.NO_TESTS_COLLECTED))
        if not self.plans:
            pytest.exit("nothing to run again: no image has recorded failures", int(pytest.ExitCode.NO_TESTS_COLLECTED))
        if self._settings.github and self._config.pluginmanager.hasplugin(OTHER_ANNOTATIONS):
            self._config.pluginmanager.unregister(name=OTHER_ANNOTATIONS)  # each failure is annotated once
        self._interrupts.install()
        self._engines = wait_for_engines(self._connecting)
        try:
            memory = self._last_failed.cache_values(list(self.results))
            kind = None if self._terminal is None else self._terminal.kind
            seed = choose_seed(self._config, self._settings.invocation)
            settings = replace(self._settings, seed=seed, terminal=kind)
            shard = self._durations.shard(self._settings)
            if self._settings.cluster:
                from pytest_pyimages.cluster import connect_cluster  # needs Dask

                self._cluster = connect_cluster(self._settings.cluster)
            self._schedule = Schedule(
                self._engines,
                settings,
                self._plan.source,
                memory=memory,
                shard=shard,
                kept_files=self.kept_files,
                cluster=self._cluster,
                milliseconds=self._durations.load() if self._cluster else None,
            )
            self._schedule.start(self.plans)
            self._schedule.yield_to_threads()
        except PyimagesError as error:
            raise pytest.UsageError(str(error)) from None

    def pytest_report_header(self) -> list[str]:
        left_out = {
            **dict.fromkeys(self._plan.skipped, "skipped by the project's overrides"),
            **dict.fromkeys(self._plan.unselected, "nothing selected"),
            **self._idle,
        }
        images = format_images(self.plans, left_out)
        shard = " · shard {}/{}".format(*self._settings.shard) if self._settings.shard is not None else ""
        shard += f" · platform: {self._settings.platform}" if self._settings.platform else ""
        backends = [] if self._schedule is None else list(self._schedule.backends)
        self._copying = {backend.address for backend in backends if backend.source.mode == "copy"}
        engine, lines = format_engines(backends, shows_workers=not self._settings.collect_only, cluster=self._cluster)
        return [f"py-images: {images}{shard} · {engine}", *format_plans(self.plans, self._plan.source), *lines]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Collect nothing on the host; the containers collect."""
        session.items = []
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Replay the events of the containers until all have ended."""
        schedule = self._schedule
        if schedule is None:  # another plugin has ended pytest_sessionstart before this one
            raise pytest.UsageError("--py-images: the session was not started")
        collect_only = self._settings.collect_only
        from pytest_pyimages.results import Replay

        shown = self._stages()
        judge = make_judge(self._plan, self._settings.invocation, list(self.results), str(self._config.rootpath))
        replay = Replay(
            session,
            self.results,
            collect_only=collect_only,
            judge=judge,
            details=self._settings.wants_details,
        )
        if self._coverage is not None:
            replay.measured = self._coverage.take
        replay.debugger = self._debugger(schedule, shown)
        shown.activities, shown.waits = replay.list_activities, schedule.list_waits
        waiting, twins = set(self.results), Twins(self.results)
        try:
            while waiting:
                for message in twins.repeat(self._next(schedule, replay, shown)):
                    self._handle(message, replay, shown, waiting)
                    self._check_stop(session)
            if not selects_tests(self._settings.invocation):
                replay.errors.fail_images_without_tests()
            self._ending.notes += [*judge.list_notes(), *replay.stand_ins.notes]
        finally:
            self._activities = replay.list_activities()
            try:
                replay.flush()
            finally:
                shown.close()
        return True

    def _stages(self) -> Stages:
        from pytest_pyimages.results import filter_terminal, make_stages

        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal is not None:
            filter_terminal(terminal, os.environ)
        return make_stages(
            terminal,
            self.results,
            verbosity=get_verbosity(self._config),
            environ=os.environ,
            test_seconds=None if self._settings.workers else self._durations.average(),
        )

    def _debugger(self, schedule: Schedule, shown: Stages) -> DebuggerTerminal | None:
        if self._terminal is None:
            return None
        from pytest_pyimages.results import DebuggerTerminal

        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        label = self.plans[0].tag.label
        return DebuggerTerminal(self._terminal, lambda line: schedule.send(label, line), reporter=reporter, shown=shown)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        status: tuple[str, str, str] | None = getattr(report, STATUS, None)
        return status

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        hide_place(self._config, excinfo)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Combine the images' exit statuses unless the host's session was interrupted; write the reports."""
        with hold_interrupts() as held:
            self.close()
            self._finish(session)
            if held.number:  # all has ended, and the summary is still to come
                held.number, session.exitstatus = 0, pytest.ExitCode.INTERRUPTED

    def _finish(self, session: pytest.Session) -> None:
        if session.exitstatus not in _OURS:
            session.exitstatus = fold_exit_statuses(self.results)
            if session.exitstatus and all(
                each.allowed_to_fail and not each.was_tested for each in self.results.values()
            ):
                self._ending.notes.append("no image was tested, which fails the run although all are allowed to fail")
            if session.testsfailed and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._schedule is not None:
            self._last_failed.save(self.results, collect_only=self._settings.collect_only)
            save_seed(self._config, self.results.values())
            if self._settings.shard is None:
                self._durations.save(self.results.values())
            self.kept_files.finish(self.results, names_all=get_verbosity(self._config) > 0)
            self._ending.notes += self.kept_files.notes
            if self.kept_files.is_incomplete:
                session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        if self._settings.wants_details and not self._ending.write_files(int(session.exitstatus)):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_pyimages_report(self, document: dict[str, Any]) -> None:
        document["session"] = describe_session(self._config, self._plan.project, self._engines)
        changed = make_documents(self.kept_files.changes)
        for image in document["images"]:
            label = image.get("same_as", image["label"])
            if label in changed:
                image["changed_files"] = changed[label]
            services = self._schedule.services.get(label) if self._schedule is not None else None
            if services:
                image["services"] = services

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        notes = list(self._schedule.outbox.notes) if self._schedule is not None else []
        if self._schedule is not None and exitstatus == pytest.ExitCode.INTERRUPTED:
            notes += describe_interrupted(self._schedule.outbox.interrupted, self._activities)
        if self._schedule is not None and get_verbosity(self._config) >= 0:
            notes += format_late_copies(list(self._schedule.backends), self._copying)
        labels = [*self.results, *self._plan.unselected]
        nodeids = (nodeid for result in self.results.values() for nodeid in result.outcomes)
        notes += describe_selection(self._settings.invocation, labels, nodeids)
        notes += describe_refused_connections(terminalreporter, self._plan, self._settings.invocation)
        self._ending.write(terminalreporter, notes)

    @staticmethod
    def _next(schedule: Schedule, replay: Replay, shown: Stages) -> Message:
        while True:
            shown.tick()
            try:
                return schedule.outbox.messages.get(timeout=shown.interval or replay.patience)
            except queue.Empty:
                replay.flush_late()

    def _handle(self, message: Message, replay: Replay, shown: Stages, waiting: set[str]) -> None:
        if isinstance(message, EventsReceived):
            replay.play(message.label, message.events)
        elif isinstance(message, StageChanged):
            shown.say(message.label, message.text)
        elif isinstance(message, Progressed):
            shown.detail(message.label, message.text)
        elif isinstance(message, OutputReceived):
            replay.show_output(message.label, message.data)
        elif isinstance(message, ImagePlaced):
            replay.set_engine(message.label, message.address)
        elif isinstance(message, ImageBuilt):
            replay.set_built(message.label, message.image, same_as=message.same_as)
            shown.runs(message.label)
            image = next(plan.tag for plan in self.plans if plan.tag.label == message.label)
            self._config.hook.pytest_pyimages_image_ready(image=image, built=message.image)
        else:
            waiting.discard(message.label)
            replay.end_run(message.label, message.end, message.error, run_seconds=message.run_seconds)
            self._config.hook.pytest_pyimages_run_finished(result=self.results[message.label])

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
        for engine in self._engines:
            engine.close()
