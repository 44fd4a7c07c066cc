"""The loop of the watch: wait for keys, for changed files, and for the end of the session that runs."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_pyimages.cli.watching.changes import ChangedFiles, FileChange, add_changes
from pytest_pyimages.cli.watching.choices import (
    DESCRIPTIONS,
    KEYS,
    KEYS_HELP,
    Choice,
    add_failed,
    find_tests,
    replace_positions,
)
from pytest_pyimages.cli.watching.forked import Request, SessionReport
from pytest_pyimages.cli.watching.sessions import SessionProcess, import_modules
from pytest_pyimages.host import Invocation
from pytest_pyimages.runs import HostTerminal
from pytest_pyimages.session import Announcements, InterruptHandler
from pytest_pyimages.text import clean_line

ENTER = ("\r", "\n")
NAMED = 5  # files or tests on a line
# A file that changes in so many sessions in a row, and only then, is either written by them or edited during each.
WRITTEN_SESSIONS = 3
QUIET_SECONDS = 3.0  # without a change, after which another session shows which it is
BACKGROUND_SECONDS = 1.0  # between looks whether the shell has brought the watch to the foreground


class Watch:
    """Run sessions until the user ends that.

    :param invocation: of a single run.
    :param root: the folder that is watched.
    :param terminal: whose keys are read; None for none.
    """

    def __init__(self, invocation: Invocation, root: Path, terminal: HostTerminal | None) -> None:
        self._invocation = invocation
        self._root = root
        self._terminal = terminal
        self._announcements = Announcements()
        self._files = ChangedFiles(root, self._announcements.find)
        self._keys: int | None = None  # the descriptor that keys are read from
        self._choice: Choice = "all"
        self._session: SessionProcess | None = None  # that runs
        self._prepared: SessionProcess | None = None  # that has started its containers
        self._words: tuple[str, ...] | None = None  # pytest's arguments in the last session
        self._last: SessionReport | None = None  # of the last session
        self._differing: Sequence[str] = ()  # node ids
        self._changed: set[Path] = set()  # since the watch began
        self._pending: dict[Path, FileChange] = {}  # while a session ran
        self._written: Counter[Path] = Counter()  # how many sessions in a row a file has changed in
        self._held: dict[Path, FileChange] = {}  # that start a session after QUIET_SECONDS
        self._tried: set[Path] = set()  # files that such a session has started for
        self._next: Choice | None = None  # what was chosen while a session ran

    def run(self) -> int:
        """Run the first session, and others until the user ends the watch; return an exit status.

        :raises PyimagesError: if changes are not noticed.
        """
        with ExitStack() as stack:
            stack.enter_context(InterruptHandler())
            try:
                stack.enter_context(self._announcements)
                stack.enter_context(self._files)
                if self._terminal is not None:
                    self._keys = stack.enter_context(self._terminal.single_keys())
                self._files.read_until_now()  # from here on, nothing is missed
                self._start()
                return self._loop()
            except KeyboardInterrupt as error:
                self._stop(getattr(signal, str(error), signal.SIGINT))
                return int(pytest.ExitCode.INTERRUPTED)
            finally:
                self._stop()

    def _loop(self) -> int:
        first = True
        while True:
            session = self._session
            keys = self._keys if self._terminal is not None and self._terminal.is_foreground else None
            sources = [source for source in (session, self._files, keys) if source is not None]
            ready = select.select(sources, [], [], self._choose_timeout(is_background=keys != self._keys))[0]
            if session is not None and session in ready and session.read():
                status = self._end_session(session)
                if first and status == pytest.ExitCode.USAGE_ERROR:
                    return status  # the same arguments would be refused again
                first = False
                self._go_on()
            if self._files in ready:
                self._take_changes(self._files.read())
            elif self._held and not ready:
                self._tried.update(self._held)
                self._start_after([*self._held.values()])
            if keys is not None and keys in ready:
                typed = os.read(keys, 1).decode(errors="replace")
                if typed in ("q", ""):  # or the terminal is gone
                    return int(pytest.ExitCode.OK)
                self._take_key(typed)

    def _choose_timeout(self, *, is_background: bool) -> float | None:
        return QUIET_SECONDS if self._held else BACKGROUND_SECONDS if is_background else None

    def _start(self) -> None:
        """Start a session with the tests that are chosen, if there are any."""
        self._held.clear()
        words = self._choose_words()
        if words is None:
            self._wait()
            return
        session, self._prepared = self._prepared, None
        if session is None or session.has_ended():
            session = self._fork()
        session.run(Request(words, has_same_files=not self._files.have_new_names))
        self._session, self._words = session, words

    def _fork(self, expected: tuple[str, ...] | None = None) -> SessionProcess:
        self._files.have_new_names = False
        return SessionProcess(
            self._invocation, self._last, self._files.close_copies, root=self._root, expected=expected
        )

    def _choose_words(self) -> tuple[str, ...] | None:
        """Return pytest's arguments; None, and say why, if there is nothing to run."""
        if self._choice == "failed":
            return add_failed(self._invocation)
        if self._choice == "changed":
            tests = find_tests(self._invocation, self._root, self._changed)
            if not tests:
                self._say("no tests of changed files")
            return replace_positions(self._invocation, tests) if tests else None
        if self._choice == "differing" and self._differing:
            return replace_positions(self._invocation, self._differing)
        return self._invocation.typed.words

    def _end_session(self, session: SessionProcess) -> int:
        self._session = None
        status, report = session.end()
        if status < 0:
            self._say(f"the session was killed by {signal.Signals(-status).name}")
        if report is not None:  # else the results of the last session remain
            self._show_differences(report)
            self._last = report
            self._differing = report.differing if self._choice != "failed" else self._differing
            import_modules(report.modules)
        self._drop_written(report.written if report is not None else ())
        return status

    def _show_differences(self, report: SessionReport) -> None:
        """Show how the results differ from those of the session before."""
        for title, nodeids in (("newly failing", report.newly_failing), ("fixed", report.fixed)):
            if nodeids:
                self._say(f"{title}: {_join(nodeids)}")

    def _drop_written(self, written: Iterable[str]) -> None:
        """Forget the changes that sessions have made themselves, and hold those that they may have made.

        :param written: what the last session has written.
        """
        add_changes(self._pending, self._files.read_until_now())
        for name in written:
            self._pending.pop(Path(name), None)
        self._written = Counter({path: self._written[path] + 1 for path in self._pending})
        self._tried.intersection_update(self._written)
        for path, sessions in self._written.items():
            if path in self._tried:
                del self._pending[path]
                self._say(f"{self._name(path)} changes in each run, and starts no other one; Enter: again")
            elif sessions >= WRITTEN_SESSIONS:
                self._held[path] = self._pending.pop(path)

    def _go_on(self) -> None:
        """Start what was waiting for the end of a session; else wait."""
        pending, self._pending = self._pending, {}
        choice, self._next = self._next, None
        if choice is not None and self._choose(choice):
            return
        if pending:
            self._start_after(pending.values())
        else:
            if self._held:
                names = _join([self._name(path) for path in self._held])
                self._say(f"{names} changed during each of the last {WRITTEN_SESSIONS} runs; another one follows soon")
            self._wait()

    def _take_changes(self, changes: Iterable[FileChange]) -> None:
        found = list(changes)
        self._changed.update(change.path for change in found)
        if self._session is not None:
            add_changes(self._pending, found)
        elif found:
            for change in found:
                del self._written[change.path]
                self._tried.discard(change.path)
            self._start_after({**self._held, **{change.path: change for change in found}}.values())

    def _start_after(self, changes: Iterable[FileChange]) -> None:
        kinds = {"added": " (new)", "deleted": " (removed)"}
        self._say(f"changed: {_join([self._name(each.path) + kinds.get(each.kind, '') for each in changes])}")
        self._start()

    def _take_key(self, key: str) -> None:
        choice = self._choice if key in ENTER else KEYS.get(key)
        if choice is None:
            return
        if self._session is not None:
            self._next = choice
            self._session.interrupt()
        elif not self._choose(choice):
            self._wait()

    def _choose(self, choice: Choice) -> bool:
        """Run what a key has chosen; return False, and say why, if there is nothing of that."""
        if choice == "failed" and self._last is not None and not any(self._last.failed.values()):
            self._say("nothing has failed")
            return False
        if choice == "differing" and not self._differing:
            self._say("no test differs between images")
            return False
        self._choice = choice
        self._start()
        return True

    def _wait(self) -> None:
        """Print the line on changes and keys, and let containers wait, too."""
        if self._prepared is None:
            self._prepared = self._fork(self._words)
        chosen = "" if self._choice == "all" else f" to run {DESCRIPTIONS[self._choice]}"
        keys = "" if self._keys is None else f" · {KEYS_HELP}"
        self._say(f"waiting for changes{chosen} · {self._root}{keys}")

    def _name(self, path: Path) -> str:
        return clean_line(os.path.relpath(path, self._root))

    @staticmethod
    def _say(text: str) -> None:
        sys.stdout.write(f"py-images: {text}\n")
        sys.stdout.flush()

    def _stop(self, number: int = signal.SIGINT) -> None:
        """Interrupt the session, and the one that is prepared, and wait for their ends."""
        processes = [process for process in (self._session, self._prepared) if process is not None]
        self._session = self._prepared = None
        for process in processes:
            process.interrupt(number)
        for process in processes:
            process.stop(number)


def _join(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
