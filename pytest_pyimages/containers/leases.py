"""A session's lease on its containers, networks and volumes: labels, a file lock, and the sweep after dead sessions."""

from __future__ import annotations

import glob
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from filelock import FileLock, Timeout

from pytest_pyimages.engines import Engine, Leftover
from pytest_pyimages.engines.labels import CREATED_LABEL, HOST_LABEL, KIND_LABEL, LABEL, SESSION_LABEL
from pytest_pyimages.errors import ConfigurationError, EngineError

OFFERS = "offers"  # folder
LOOK_SECONDS = 0.2  # between two checks while a file lock is waited for
FOREIGN_HOURS = 24  # another host's leaked containers are removed when older than this and none of its session runs


def make_state_directory() -> Path:
    """Return this user's folder for file locks: below XDG_CACHE_HOME, or ~/.cache (XDG Base Directory Specification).

    :raises ConfigurationError: if it cannot be created, or belongs to another user.
    """
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pytest-pyimages"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = path.stat().st_uid
    except OSError as error:
        raise ConfigurationError(
            f"--py-images: the folder for locks {path} cannot be used ({error.strerror})", "set XDG_CACHE_HOME"
        ) from error
    if hasattr(os, "getuid") and owner != os.getuid():
        raise ConfigurationError(
            f"--py-images: the folder for locks {path} belongs to another user", "set XDG_CACHE_HOME"
        )
    return path


def find_offers_folder() -> Path:
    """Return this user's folder for the sockets of watches, which may not exist; see ``offers``."""
    return make_state_directory() / OFFERS


def has_offers() -> bool:
    """Return whether any watch of this user may have containers for others."""
    try:
        return bool(os.listdir(find_offers_folder()))  # noqa: PTH208 - each session looks there
    except OSError:
        return False


def identify_host(directory: Path) -> str:
    """Return a digest of this host and its lock folder, as 16 hex digits: an engine may serve several hosts."""
    stat = directory.stat()
    parts = [socket.gethostname(), str(directory), str(stat.st_dev), str(stat.st_ino)]
    machine = Path("/etc/machine-id")
    if machine.is_file():
        parts.append(machine.read_text(encoding="ascii", errors="replace").strip())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


class Lease:
    """Marks what a session creates as its own. The operating system releases the file lock when the process dies."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = make_state_directory() if directory is None else directory
        self._locks = self._directory / "sessions"
        self._locks.mkdir(mode=0o700, exist_ok=True)
        self.session = uuid4().hex[:12]
        self.host = identify_host(self._directory)
        self._lock = FileLock(self._path(self.session), thread_local=False)
        self._looking = threading.Lock()  # two threads that look at one file would each take the other for its session

    @property
    def build_locks(self) -> Path:
        """The folder for the file locks of builds."""
        path = self._directory / "builds"
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    @property
    def source_records(self) -> Path:
        """The folder for the records of source trees on engines."""
        path = self._directory / "sources"
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    @property
    def bytecode_records(self) -> Path:
        """The folder for the records of bytecode on engines."""
        path = self._directory / "bytecode"
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def _path(self, session: str) -> Path:
        return self._locks / f"{session}.lock"

    def __enter__(self) -> Lease:
        try:
            self._lock.acquire(timeout=0)
        except BaseException:  # a signal, after the file was made
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
        self._path(self.session).unlink(missing_ok=True)

    def new_name(self) -> str:
        """Return a new name for a container, network or volume."""
        return f"pyimages-{self.session}-{uuid4().hex[:8]}"

    def labels(self, kind: str) -> dict[str, str]:
        """Return the labels of a container, network or volume that the session creates."""
        return {
            LABEL: "1",
            SESSION_LABEL: self.session,
            HOST_LABEL: self.host,
            KIND_LABEL: kind,
            CREATED_LABEL: str(int(time.time())),
        }

    def sweep(self, engine: Engine) -> tuple[str, ...]:
        """Remove leaked containers, networks and volumes of dead sessions; return a problem for each that stays."""
        left = self.find_abandoned(engine)
        problems = remove_leftovers(engine, left)
        for session in {entry.labels[SESSION_LABEL] for entry in left if entry.labels.get(HOST_LABEL) == self.host}:
            for path in (self._path(session), *self._list_joined(session)):
                path.unlink(missing_ok=True)
        self._forget_dead_sessions()
        self._forget_dead_watches()
        return problems

    def _list_joined(self, session: str) -> tuple[Path, ...]:
        return tuple(self._locks.glob(f"{glob.escape(session)}.*.lock"))

    def _forget_dead_sessions(self) -> None:
        """Remove the old file locks of sessions that were killed before they created anything."""
        for path in self._locks.glob("*.lock"):
            try:
                is_old = time.time() - path.stat().st_mtime > FOREIGN_HOURS * 3600
            except FileNotFoundError:  # released a moment ago
                continue
            if is_old and path != self._path(self.session) and self._is_dead(path):
                path.unlink(missing_ok=True)

    def _forget_dead_watches(self) -> None:
        """Remove the sockets of watches that were killed; see ``offers``."""
        for path in (self._directory / OFFERS).glob("*.*"):
            lock = self._path(path.stem)
            if self._is_dead(lock):
                path.unlink(missing_ok=True)
                lock.unlink(missing_ok=True)

    def _is_dead(self, path: Path) -> bool:
        lock = FileLock(path, thread_local=False)
        with self._looking:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                return False
            lock.release()
            return True

    def find_abandoned(self, engine: Engine) -> tuple[Leftover, ...]:
        """Return the leaked containers, networks and volumes of dead sessions."""
        left = engine.leftovers(LABEL)
        running = {entry.labels.get(SESSION_LABEL, "") for entry in left if entry.is_running}
        return tuple(entry for entry in left if self._is_abandoned(entry, running))

    def _is_abandoned(self, entry: Leftover, running: Collection[str]) -> bool:
        session = entry.labels.get(SESSION_LABEL, "")
        if not session or session == self.session:
            return False
        if entry.labels.get(HOST_LABEL) != self.host:
            created = entry.labels.get(CREATED_LABEL, "")
            return session not in running and created.isdigit() and time.time() - int(created) > FOREIGN_HOURS * 3600
        # Its own lock first: who takes one of its containers has joined it before that is released.
        return self._is_dead(self._path(session)) and all(self._is_dead(path) for path in self._list_joined(session))


@contextmanager
def join_lease(session: str) -> Iterator[None]:
    """Keep what a session has created, of which a part is this process' own now, from being swept.

    :param session: its lease must be held until this context is entered.
    """
    path = make_state_directory() / "sessions" / f"{session}.{uuid4().hex[:12]}.lock"
    try:
        with FileLock(path, thread_local=False):
            yield
    finally:
        path.unlink(missing_ok=True)


def acquire_lock(lock: FileLock, seconds: float, check: Callable[[], None]) -> bool:
    """Wait for a file lock; return whether it was acquired within so many seconds.

    :param check: called several times a second; an error that it raises ends the wait.
    """
    deadline = time.monotonic() + seconds
    while True:
        check()
        try:
            lock.acquire(timeout=LOOK_SECONDS)
        except Timeout:
            if time.monotonic() > deadline:
                return False
        else:
            return True


def remove_leftovers(engine: Engine, entries: Iterable[Leftover]) -> tuple[str, ...]:
    """Remove containers, then networks and volumes; return a problem for each that stays."""
    problems = []
    for entry in sorted(entries, key=lambda entry: entry.kind):
        try:
            if entry.kind == "container":
                engine.remove_container(entry.id)
            elif entry.kind == "network":
                engine.remove_network(entry.name)
            else:
                engine.remove_volume(entry.name)
        except EngineError as error:
            command = "docker rm -f -v" if entry.kind == "container" else f"docker {entry.kind} rm"
            problems.append(
                f"{entry.kind} {entry.name} was not removed ({error.message}); remove it with: {command} {entry.name}"
            )
    return tuple(problems)
