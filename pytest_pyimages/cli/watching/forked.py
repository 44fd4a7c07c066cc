"""The process of one run of the watch: a pytest session, prepared before it is requested, and its report at the end."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_pyimages.cli.project import read_invocation, run_pytest
from pytest_pyimages.cli.watching.preparation import Preparation, UnpreparedError
from pytest_pyimages.containers import WaitingContainers, Wanted, offer_containers
from pytest_pyimages.engines import connect as connect_engine
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.host import Invocation
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.results import NOT_RUN, ImageResult, append_label, find_differences
from pytest_pyimages.session import HANDLED, WAITING, InterruptHandler, hold_interrupts

WATCHED = "pyimages-watched"  # see ``plugin``
CHUNK = 1 << 16  # bytes
GRACE_SECONDS = 30.0  # that an interrupted session has to remove its containers
_FAILED = ("failed", "error")
_OURS = ("pytest_pyimages", "docker", "requests", "urllib3", "filelock", "packaging", "pygments")
_IMPORTED = sys.stdlib_module_names.union(_OURS)


class SessionReport(Immutable):
    """What the watch knows after a session."""

    failed: Mapping[str, Sequence[str]] = field(default_factory=dict)  # node ids by label, with those not run again
    newly_failing: Sequence[str] = ()  # node ids with their images, compared with the session before
    fixed: Sequence[str] = ()  # likewise
    differing: Sequence[str] = ()  # node ids
    written: Sequence[str] = ()  # absolute paths of files that the session itself has written into the project
    endpoint: str = ""  # of the engine, as it was given
    wanted: Sequence[Wanted] = ()  # the containers that the next session will need
    modules: Sequence[str] = ()  # names of those that it has imported and that ``import_modules`` may import


class Request(NamedTuple):
    """What the watch asks a prepared session to do."""

    words: Sequence[str]  # pytest's arguments
    has_same_files: bool = False  # whether files were only modified since the session was forked


class _Reporting:
    """The plugin in the session.

    :param receive: returns the request of the watch, once there is one.
    """

    def __init__(self, receive: Callable[[], Request]) -> None:
        self.__name__ = WATCHED  # pluggy's name of the plugin
        self.waiting = WaitingContainers()
        self.preparation: Preparation | None = None  # as long as the session is prepared
        self._receive = receive
        self._results: dict[str, ImageResult] = {}
        self._written: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_pyimages_run_finished(self, result: ImageResult) -> None:
        self._results[result.label] = result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_parse(self) -> Generator[None, pytest.Config, pytest.Config]:
        """Print no error of a session that is only prepared."""
        try:
            return (yield)
        except Exception as error:
            if self.preparation is None:
                raise
            raise UnpreparedError from error

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Generator[None, object, object]:
        """Before anything is printed, wait until the prepared session is to run."""
        if not config.hook.pytest_pyimages_engine.get_hookimpls():  # an engine of theirs belongs to one session
            config.stash[WAITING] = self.waiting
        preparation = self.preparation
        if preparation is not None:
            preparation.finish(config, connects=self.waiting.has_started)
            request = self._receive()
            if not (request.has_same_files and preparation.is_usable(request.words)):
                raise UnpreparedError
            self.preparation = None
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        session, coverage = map(config.pluginmanager.get_plugin, ("pyimages-session", "pyimages-coverage"))
        paths = () if session is None else session.kept_files.ours
        measured = () if coverage is None else coverage.written
        self._written = [str(path) for path in (*paths, *measured)]

    def report(self, before: Mapping[str, Sequence[str]] | None) -> SessionReport:
        """Return the report.

        :param before: what had failed before this session, by label; None if nothing was run yet.
        """
        failed, newly_failing, fixed = dict(before or {}), [], []
        for label, result in self._results.items():
            known = (before or {}).get(label, ())
            now = [nodeid for nodeid, outcome in result.outcomes.items() if outcome in _FAILED]
            left = [nodeid for nodeid in known if result.outcomes.get(nodeid, NOT_RUN) == NOT_RUN]
            failed[label] = [*left, *now]
            gone = {*known}.difference(left, now)
            fixed += [append_label(nodeid, label) for nodeid in known if nodeid in gone]
            newly_failing += [append_label(nodeid, label) for nodeid in now if nodeid not in known]
        return SessionReport(
            failed=failed,
            newly_failing=newly_failing if before is not None else [],
            fixed=fixed,
            differing=[each.nodeid for each in find_differences(self._results)] if len(self._results) > 1 else [],
            written=self._written,
            endpoint=self.waiting.endpoint,
            wanted=self.waiting.used,
            modules=[name for name in sys.modules if name.partition(".")[0] in _IMPORTED],
        )


class Task(NamedTuple):
    """What a session process is to do."""

    invocation: Invocation
    last: SessionReport | None
    root: Path
    expected: Sequence[str] | None


def become_session(task: Task, life: int, writing: int) -> None:
    """Wait for pytest's arguments in this forked process, run it, send the report, and end the process."""
    status = int(pytest.ExitCode.INTERNAL_ERROR)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (*HANDLED[1:], signal.SIGCONT):
            signal.signal(number, signal.SIG_DFL)
        with InterruptHandler():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)  # the keys are for the watch
            status = _prepare_and_run(task, life, writing)
    except KeyboardInterrupt:
        status = int(pytest.ExitCode.INTERRUPTED)
    except BaseException:  # noqa: BLE001 - this process must not go on as a second watch
        traceback.print_exc()
    finally:
        _flush_output()
        os._exit(status)


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def _prepare_and_run(task: Task, life: int, writing: int) -> int:
    """Start containers, prepare the session, wait for pytest's arguments, run it, and send the report.

    Return pytest's exit status.
    """
    last, requests = task.last, _Requests(life)
    reporting = _Reporting(requests.receive)
    offers = contextlib.ExitStack()
    try:
        if last is not None and last.wanted:
            with hold_interrupts():
                lease = reporting.waiting.start(lambda: connect_engine(last.endpoint), last.wanted)
                offers.enter_context(offer_containers(reporting.waiting, lease))
        status = _run_prepared(task, reporting)
        if status is None:
            status = _run_session(task.invocation, requests.receive().words, reporting)
        _flush_output()  # before the removal of containers
    finally:
        with hold_interrupts():
            offers.close()
            reporting.waiting.close()
    with hold_interrupts(), open(writing, "wb") as file:  # a part of it would be of no use
        pickle.dump(reporting.report(None if last is None else last.failed), file)
    return status


class _Requests:
    """The only request of the watch, which comes once.

    :param life: the descriptor that it comes from; its end is that of the watch.
    """

    def __init__(self, life: int) -> None:
        self._life = life
        self._request: Request | None = None

    def receive(self) -> Request:
        """Wait for the request, and return it; the same again if this is called again.

        :raises KeyboardInterrupt: if the watch ends first.
        """
        if self._request is None:
            line = b""
            while not line.endswith(b"\n"):
                data = os.read(self._life, CHUNK)
                if not data:
                    raise KeyboardInterrupt
                line += data
            self._request = Request(*json.loads(line))
            threading.Thread(target=_end_with_the_watch, args=(self._life,), daemon=True).start()
        return self._request


def _run_prepared(task: Task, reporting: _Reporting) -> int | None:
    """Start pytest, and run it as soon as the watch asks for that; return None if it must be started again."""
    if task.expected is None:
        return None
    try:
        folders = (task.invocation.cwd, task.invocation.rootdir, task.invocation.project_folder)
    except PyimagesError:  # the session will report it, unless it is fixed before that
        return None
    preparation = reporting.preparation = Preparation(task.expected, task.root, folders)
    try:
        return run_pytest(read_invocation(task.expected, command=task.invocation.command), [], plugins=[reporting])
    except (PyimagesError, UnpreparedError):
        preparation.close()
        return None
    finally:
        reporting.preparation = None


def _run_session(invocation: Invocation, words: Sequence[str], reporting: _Reporting) -> int:
    """Run pytest as ``pyimages test`` does, or as if it had been called by its own name."""
    try:
        fresh = read_invocation(words, command=invocation.command)
    except PyimagesError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return int(pytest.ExitCode.USAGE_ERROR)
    return run_pytest(fresh, [], plugins=[reporting])


def _end_with_the_watch(life: int) -> None:
    os.read(life, 1)  # returns when the watch has ended
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(int(pytest.ExitCode.INTERRUPTED))
