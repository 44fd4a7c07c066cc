"""Where the stand-ins keep what outlives one command, and how they run other programs and speak of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAME = "pytest-pyimages-tests"
# sun_path holds 108 bytes on Linux (unix(7)); some are left for suffixes that the engine adds.
SOCKET_PATH_LIMIT = 100
LOG_LINES_SHOWN = 20


class StandinError(Exception):
    """The engine or an image cannot be had; the text says why and what to do."""


@dataclass(slots=True, kw_only=True, frozen=True)
class State:
    """The folders of one engine that was started here.

    ``home`` outlives a reboot, ``run`` holds sockets and is the short one of the two.
    """

    home: Path
    run: Path

    @property
    def log(self) -> Path:
        """What the programs that were run have printed."""
        return self.home / "standins.log"

    @property
    def socket(self) -> Path:
        """The Engine API of the engine that was started here."""
        return self.run / "docker.sock"

    @property
    def url(self) -> str:
        """What goes into DOCKER_HOST for that engine."""
        return f"unix://{self.socket}"


def state_home(environ: Mapping[str, str], user_home: Path) -> Path:
    """Return the folder to keep things in: the one asked for, or one in the user's cache."""
    if asked := environ.get("PYIMAGES_TEST_HOME"):
        return Path(asked).absolute()
    cache = environ.get("XDG_CACHE_HOME")
    # "All paths set in these environment variables must be absolute", others are ignored (XDG base directory spec)
    if cache and Path(cache).is_absolute():
        return Path(cache) / NAME
    return user_home / ".cache" / NAME


def run_folder(home: Path, short: Path = Path("/run")) -> Path:
    """Return the folder for sockets: in ``home`` if its path is short enough, else one of its own below ``short``."""
    longest = home / "run" / "exec" / "containerd" / "containerd.sock.ttrpc"
    if len(os.fsencode(longest)) < SOCKET_PATH_LIMIT:
        return home / "run"
    return short_folder(home, short)


def short_folder(home: Path, short: Path = Path("/run")) -> Path:
    """Return a folder below ``short`` that belongs to a state folder."""
    return short / f"pyimages-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


def default_state() -> State:
    """Return the folders that this machine's environment asks for, made if they are missing."""
    home = state_home(os.environ, Path.home())
    short = Path("/run")
    run = run_folder(home, short if os.access(short, os.W_OK) else Path("/tmp"))  # noqa: S108 - named by a hash, made with mode 0700
    for folder in (home, run):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            message = f"{folder} belongs to another user · set PYIMAGES_TEST_HOME to a folder of yours"
            raise StandinError(message)
    return State(home=home, run=run)


def say(line: str) -> None:
    """Show one line of progress."""
    sys.stderr.write(f"standins: {line}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def locked(file: Path, seconds: float) -> Iterator[None]:
    """Let one process at a time in; the others wait, and say so.

    :raises StandinError: no turn within ``seconds``.
    """
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"waiting for another process, which holds {file}")
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            message = f"another process has held {file} for {seconds:.0f} s · end it, or wait and run this again"
            raise StandinError(message) from None
    try:
        yield
    finally:
        lock.release()


def last_lines(text: str, count: int = LOG_LINES_SHOWN) -> str:
    """Return the end of a log, indented below the line that speaks of it."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "".join(f"\n    {line}" for line in lines[-count:])


def run_logged(
    command: Sequence[str],
    state: State,
    *,
    what: str,
    environ: Mapping[str, str] | None = None,
    seconds: float = 600,
) -> None:
    """Run a program with its output in the log; when it fails, raise with the last lines of it."""
    with state.log.open("ab") as log:
        log.write(f"\n$ {' '.join(command)}\n".encode())
        log.flush()
        start = log.tell()
        try:
            status: int | str = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environ,
                timeout=seconds,
            ).returncode
        except FileNotFoundError:
            status = "no such program"
        except subprocess.TimeoutExpired:
            status = f"no end after {seconds:.0f} s"
    if status != 0:
        with state.log.open("rb") as log:
            log.seek(start)
            printed = log.read().decode(errors="replace")
        message = f"{what} failed ({command[0]}: {status}), see {state.log}{last_lines(printed)}"
        raise StandinError(message)
