"""What sessions announce to watches, and what watches make of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pyimages.containers import make_state_directory
from pytest_pyimages.session.announcements import NOTICE_SECONDS, Announcements, has_watches

# It writes, then waits for the end of its input.
SESSION = """
import os, shutil, sqlite3, sys
from pytest_pyimages.session.announcements import Announcer, unannounced
announcer = Announcer()
for words in sys.argv[1:]:
    exec(words)
sys.stdout.write("\\n")
sys.stdout.flush()
sys.stdin.read()
announcer.close()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def watch(project: Path) -> Iterator[Announcements]:
    with Announcements() as announcements:
        yield announcements


def start(project: Path, *words: str) -> subprocess.Popen[str]:
    """Start a session that writes, and wait until it has written."""
    command = [sys.executable, "-c", SESSION, *words]
    process = subprocess.Popen(command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "\n"
    return process


def make_old(watch: Announcements) -> None:
    """Let the last announcement be older than it counts."""
    for path in watch._folder.iterdir():
        os.utime(path, (0, time.time() - NOTICE_SECONDS - 1))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("open('junit.xml', 'w').close()", ["junit.xml"]),
        ("open(b'a.log', 'ab').close()", ["a.log"]),
        ("os.close(os.open('a', os.O_RDWR | os.O_CREAT))", ["a"]),
        ("open('a', 'w').close(); os.replace('a', 'b')", ["a", "b"]),
        ("open('a', 'w').close(); os.remove('a')", ["a"]),
        ("os.mkdir('new'); open('new/x', 'w').close(); os.rename('new', 'htmlcov')", ["new/x", "htmlcov/x"]),
        ("os.mkdir('old'); open('old/x', 'w').close(); shutil.rmtree('old')", ["old/x"]),
        ("sqlite3.connect('.coverage').close()", [".coverage", ".coverage-journal"]),
    ],
)
def test_what_a_session_writes_is_announced(project: Path, watch: Announcements, words: str, names: list[str]) -> None:
    process = start(project, words)
    announced = watch.find()
    assert [name for name in names if project / name not in announced] == []
    assert project / "test_it.py" not in announced
    process.communicate()
    assert project / names[0] in watch.find(), "what it wrote at its end may not have been noticed yet"
    make_old(watch)
    assert project / names[0] not in watch.find()
    assert len([*watch._folder.iterdir()]) == 1, "nothing but its own lock"


@pytest.mark.parametrize(
    "words",
    [
        "open('a').close()",
        "os.listdir('.')",
        'exec(\'with unannounced(): open("a", "w").close()\')',
        "os.open('.', os.O_RDONLY)",
    ],
)
def test_what_changes_the_project_is_not_announced(project: Path, watch: Announcements, words: str) -> None:
    (project / "a").touch()
    start(project, words).communicate()
    assert project / "a" not in watch.find()


def test_a_killed_session_announces_nothing_more(project: Path, watch: Announcements) -> None:
    process = start(project, "open('a', 'w').close()")
    make_old(watch)
    assert project / "a" in watch.find(), "it may still be writing"
    process.kill()
    process.communicate()
    assert project / "a" not in watch.find()


def test_all_watches_hear_of_a_file_by_all_its_paths(project: Path, watch: Announcements, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(project)
    process = start(link, "open('a', 'w').close()")
    with Announcements() as later:
        assert project / "a" in watch.find()
        assert project / "a" not in later.find(), "it began later"
        second = start(project, "open('a', 'w').close()")
        assert link / "a" in watch.find()
        assert link / "a" in later.find()
        second.communicate()
    process.communicate()


def test_the_folder_of_a_killed_watch_is_removed(project: Path) -> None:
    assert not has_watches()
    with Announcements() as watch:
        assert has_watches()
        folder = watch._folder
    assert not folder.exists()
    words = "from pytest_pyimages.session import Announcements; Announcements().__enter__(); import os; os._exit(1)"
    subprocess.run([sys.executable, "-c", words], check=False)
    watches = make_state_directory() / "watches"
    (left,) = watches.iterdir()
    assert has_watches(), "it may be about to lock its folder"
    os.utime(left / "lock", (0, 0))
    assert not has_watches()
    assert [*watches.iterdir()] == []


def test_a_removed_cache_folder_is_no_error(project: Path, watch: Announcements) -> None:
    (watch._folder / "lock").unlink()
    watch._folder.rmdir()
    assert project / "a" not in watch.find()
    start(project, "open('a', 'w').close()").communicate()
