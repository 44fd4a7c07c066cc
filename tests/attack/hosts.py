"""Sessions in processes of their own, which are interrupted, and what is left of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.stepped_engine import Stock

HANG_SECONDS = 10.0  # after the last signal
SESSION_SECONDS = 60.0
PLUGIN = """
import json, os
import pytest

OPTIONS = json.loads(os.environ["STEPPED_ENGINE"])

@pytest.hookimpl(optionalhook=True)
def pytest_pyimages_engine(settings):
    # Imported by this hook's thread, as docker-py is.
    from tests.attack.stepped_session import make_engine
    return make_engine(OPTIONS)

def pytest_configure(config):
    if OPTIONS["stop"].startswith("pytest_"):
        from tests.attack.stepped_session import watch_hooks
        watch_hooks(config, OPTIONS)
"""
SUITE = """
import time
def test_first(): pass
def test_second(): time.sleep(0.05)
def test_third(): pass
"""
TESTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a session ended."""

    status: int | None  # None: it had to be killed, since it did not end in time
    seconds: float  # since its last signal, or since its start without one
    out: str
    steps: tuple[str, ...]
    signals: int  # that were sent

    @property
    def has_finished(self) -> bool:
        """Whether pytest has printed its last line."""
        return f"{TESTS} passed in " in self.out


@dataclass(slots=True)
class Host:
    """A folder for sessions of one user: a project, the plugin of a fake engine, and folders for all that is written.

    :param workers: "real" for the worker and pytest in local processes; "scripted" for what a worker has sent, "pulled"
        for the same with an image that has to be pulled; "docker" for a real engine; else the path of a JSON file with
        what the worker of each label sends, in Latin-1.
    """

    folder: Path
    workers: str = "real"
    images: str = "3.12"
    arguments: tuple[str, ...] = ()
    _trial: Path = field(init=False)

    def __post_init__(self) -> None:
        site, project = self.folder / "site", self.folder / "project"
        metadata = site / "pytest_stepped_engine-1.0.dist-info"
        metadata.mkdir(parents=True)
        project.mkdir()
        # A link, since the folder above the tests has the source of the package, too: what is installed is tested.
        (site / "tests").symlink_to(Path(__file__).parents[1])
        (site / "stepped_engine_plugin.py").write_text(PLUGIN)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-stepped-engine\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("[pytest11]\nstepped = stepped_engine_plugin\n")
        (project / "test_a.py").write_text(SUITE)
        self.reset()

    def reset(self) -> None:
        """Begin with empty folders for caches and files."""
        self._trial = self.folder / "trial"
        shutil.rmtree(self._trial, ignore_errors=True)
        for name in ("cache", "home", "tmp"):
            (self._trial / name).mkdir(parents=True)

    @property
    def stock(self) -> Stock:
        return Stock(self._trial / "stock.json")

    @property
    def state(self) -> Path:
        """The folder that tells its sessions from those of other hosts."""
        return self._trial / "cache" / "pytest-pyimages"

    def environment(self, stop: str = "", number: int = 0) -> dict[str, str]:
        """Return the environment of a session that interrupts itself at a step."""
        options = {"folder": str(self._trial), "stop": stop, "signal": number, "workers": self.workers}
        kept = {name: value for name, value in os.environ.items() if self._is_kept(name)}
        return {
            "HOME": str(self._trial / "home"),
            **kept,
            "XDG_CACHE_HOME": str(self._trial / "cache"),
            "TMPDIR": str(self._trial / "tmp"),
            "PYTHONPATH": str(self.folder / "site"),
            "STEPPED_ENGINE": json.dumps(options),
        }

    def _is_kept(self, name: str) -> bool:
        """Return whether a session gets a variable of this process; on a real engine, also how that is reached."""
        if self.workers == "docker":
            return (
                not name.startswith(("PYTEST_", "PY_IMAGES", "PYIMAGES", "TOX_", "GITHUB_", "COVERAGE_"))
                and name != "CI"
            )
        return name in {"PATH", "LANG", "LC_ALL"}

    def run(self, *, stop: str = "", number: int = 0, signals: Sequence[tuple[float, int]] = ()) -> Ended:
        """Run a session.

        :param stop: the step at which it sends itself the signal ``number``.
        :param signals: seconds since the one before, and the number; they are sent from here.
        """
        for name in ("steps", "signalled"):
            (self._trial / name).unlink(missing_ok=True)
        with (self._trial / "out").open("wb") as out:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "pytest",
                    "-p",
                    "no:cacheprovider",
                    f"--py-images={self.images}",
                    *self.arguments,
                ],
                cwd=self.folder / "project",
                env=self.environment(stop, number),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            sent = time.monotonic()
            count = 0
            for delay, each in signals:
                try:
                    process.wait(delay)
                    break
                except subprocess.TimeoutExpired:
                    process.send_signal(each)
                    sent, count = time.monotonic(), count + 1
            status: int | None
            try:
                status = process.wait(HANG_SECONDS if signals else SESSION_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = None
        ended = time.monotonic()
        if (self._trial / "signalled").exists():
            sent, count = float((self._trial / "signalled").read_text()), 1
        steps = self._trial / "steps"
        return Ended(
            status=status,
            seconds=ended - sent,
            out=(self._trial / "out").read_text(errors="replace"),
            steps=tuple(steps.read_text().split()) if steps.exists() else (),
            signals=count,
        )

    def find_remains(self, *, is_killed: bool = False, after_killed: bool = False) -> list[str]:
        """Return what a session has left: containers, volumes, processes, files and locks.

        :param is_killed: the session could not remove anything; only what ends and is released by itself counts.
        :param after_killed: the session before was killed; the file of its lock may stay for a day.
        """
        entries = self.stock.read()
        remains = [f"process {entry['pid']}" for entry in entries.values() if not _has_ended(entry.get("pid", 0))]
        if is_killed:
            return remains
        remains += [f"{entry['kind']} {name}" for name, entry in entries.items()]
        if after_killed:  # temporary files of a killed process are the system's to remove
            return remains
        # Those of a fake container are like a container's own: they are part of it.
        files = [path.name for path in (self._trial / "tmp").iterdir() if not path.name.startswith("fake-container-")]
        remains += [f"file {name}" for name in files]
        locks = (self.state / "sessions").glob("*.lock")
        return remains + [f"lock {path.name}" for path in locks]


def _has_ended(pid: int, seconds: float = 10.0) -> bool:
    """Return whether a process has ended, at the latest in so many seconds."""
    deadline = time.monotonic() + seconds
    while pid and _is_running(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return False
        time.sleep(0.02)
    return True


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
