"""The user of a suite: whom a text means, and the job that the restarted program receives."""

from __future__ import annotations

import errno
import json
import os
import pwd
import socket
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.project_tree import write_tree

USER: Any = import_module("pytest_pyimages.inside.worker.user")  # without annotations, for Python 2.7
TREE: Any = import_module("pytest_pyimages.inside.worker.tree")
UNKNOWN = "4000123"


def test_an_unknown_number_has_the_group_of_root_as_in_docker() -> None:
    user = USER.User(UNKNOWN)
    assert (user.uid, user.gid, user.home, user.groups) == (int(UNKNOWN), 0, "", [])


@pytest.mark.parametrize("text", ["root", "0"])
def test_a_known_user_has_its_home(text: str) -> None:
    assert USER.User(text).home == pwd.getpwuid(0).pw_dir


def test_a_group_may_be_given() -> None:
    assert USER.User(f"{UNKNOWN}:{UNKNOWN}").gid == int(UNKNOWN)


def test_the_user_of_the_host_is_mapped_as_the_container_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a rootless engine, the host's user is root in the container."""
    monkeypatch.setattr(TREE, "find_identifier", lambda number, path: 0 if number == 1000 else None)
    user = USER.User("host 1000:2000")
    assert (user.uid, user.gid) == (0, 2000)


@pytest.mark.parametrize(("text", "problem"), [("no-such", "no user no-such"), ("0:no-such", "no group no-such")])
def test_an_unknown_name_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(USER.UnusableUserError, match=problem):
        USER.User(text)


@pytest.mark.parametrize(
    ("ranges", "number", "found"),
    [
        ("0 0 4294967295", 1000, 1000),
        ("0 1000 1\n1 100000 65536", 1000, 0),
        ("0 1000 1\n1 100000 65536", 100005, 6),
        ("0 1000 1\n1 100000 65536", 0, None),
    ],
)
def test_identifiers_of_the_host_are_mapped(tmp_path: Any, ranges: str, number: int, found: int | None) -> None:
    (tmp_path / "uid_map").write_text(ranges + "\n")
    assert TREE.find_identifier(number, str(tmp_path / "uid_map")) == found


def test_a_socket_of_a_group_is_shared_with_the_user(tmp_path: Path) -> None:
    """Only one that its group may use; not a file, and not what does not exist."""
    user = USER.User(f"{UNKNOWN}:{UNKNOWN}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "engine.sock"))
        for mode, path, groups in (
            (0o600, "engine.sock", []),
            (0o660, "missing.sock", []),
            (0o660, "", []),
            (0o660, "engine.sock", [os.getgid()]),
        ):
            (tmp_path / "engine.sock").chmod(mode)
            user.join_group_of(str(tmp_path / path))
            assert user.groups == groups


def test_the_restarted_program_receives_its_job() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps({"args": ["ä"]}).encode())
        file.seek(0)
        arguments = ["worker", str(os.dup(file.fileno()))]
    assert USER.receive_job(arguments) == {"args": ["ä"]}
    assert arguments == ["worker"]
    assert USER.receive_job(arguments) is None


def test_a_line_is_appended_to_a_file_without_a_last_newline(tmp_path: Any) -> None:
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0::/root:/bin/sh")
    USER.append_line(str(path), "app:x:1:1::/:/bin/sh")
    assert path.read_text() == "root:x:0:0::/root:/bin/sh\napp:x:1:1::/:/bin/sh\n"


def test_nothing_of_the_host_is_changed_outside_of_a_container(tmp_path: Any) -> None:
    (tmp_path / "hidden").touch()
    (tmp_path / "folder").mkdir()
    before = tmp_path.stat()
    source = {"root": str(tmp_path), "owner": [1, 1, 0o700], "others": [], "hidden": ["hidden", "folder"]}
    TREE.restore_owner(source)
    TREE.hide(source)
    assert {path.name for path in tmp_path.iterdir()} == {"hidden", "folder"}
    assert tmp_path.stat()[:6] == before[:6]


class System:
    """The calls that only root may make; they are recorded, and fail as a test wants it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.errors: dict[str, int] = {}  # numbers by first argument
        self.denied: set[str] = set()  # paths that the user cannot access
        monkeypatch.setattr(os, "access", lambda path, mode: path not in self.denied)
        for name in (
            "setgroups",
            "setresgid",
            "setresuid",
            "setgid",
            "setuid",
            "chown",
            "lchown",
            "fchown",
            "makedirs",
        ):
            monkeypatch.setattr(os, name, self._record(name))

    def _record(self, name: str) -> Callable[..., None]:
        def record(*args: Any) -> None:
            self.calls.append((name, *args))
            number = self.errors.get(str(args[0]))
            if number is not None:
                raise OSError(number, os.strerror(number))

        return record

    def find(self, *names: str) -> list[tuple[Any, ...]]:
        """Return the calls with these names."""
        return [call for call in self.calls if call[0] in names]


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    """Return a container's system, where the source may be changed, and users have the numbers of the host."""
    monkeypatch.setattr(TREE, "is_container", lambda: True)
    monkeypatch.setattr(TREE, "find_identifier", lambda number, path: number)
    monkeypatch.setattr(TREE, "GITCONFIG", str(tmp_path / "gitconfig"))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("TMPDIR", "TEMP", "TMP", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    return System(monkeypatch)


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return the lines that are appended to files of the system."""
    lines: list[tuple[str, str]] = []
    monkeypatch.setattr(USER, "append_line", lambda path, line: lines.append((path, line)))
    return lines


def test_rights_are_tried_as_the_user_and_taken_back(system: System) -> None:
    system.denied = {"/root"}
    user = USER.User(f"{UNKNOWN}:{UNKNOWN}")
    assert [user.is_able(path, os.X_OK) for path in ("/root", "/")] == [False, True]
    number = int(UNKNOWN)
    as_user: list[tuple[object, ...]] = [
        ("setgroups", []),
        ("setresgid", number, number, 0),
        ("setresuid", number, number, 0),
    ]
    as_root: list[tuple[object, ...]] = [("setresuid", 0, 0, 0), ("setresgid", 0, 0, 0), ("setgroups", os.getgroups())]
    assert system.calls == 2 * (as_user + as_root)


def test_groups_may_be_denied(system: System) -> None:
    """In a user namespace."""
    system.errors = {"[0]": errno.EPERM}
    USER.set_groups([0])
    assert system.calls == [("setgroups", [0])]


def test_an_unknown_user_gets_a_name(system: System, accounts: list[tuple[str, str]], tmp_path: Path) -> None:
    """Python's getpass, git and ssh need one; the home of the image is used if the user may write to it."""
    USER.User(f"{UNKNOWN}:{UNKNOWN}").complete_account()
    assert os.environ["HOME"] == str(tmp_path / "home")
    assert accounts == [
        ("/etc/passwd", f"pyimages:x:{UNKNOWN}:{UNKNOWN}::{tmp_path}/home:/bin/sh"),
        ("/etc/group", f"pyimages:x:{UNKNOWN}:"),
    ]
    assert "TMPDIR" not in os.environ


def test_a_user_without_usable_folders_gets_them(
    system: System, accounts: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setenv("HOME", pwd.getpwuid(0).pw_dir)
    system.denied = {nobody.pw_dir, "/tmp"}  # noqa: S108 - Python's default
    USER.User("nobody").complete_account()
    assert (os.environ["HOME"], os.environ["TMPDIR"]) == ("/home/nobody", "/home/nobody/tmp")
    numbers = (nobody.pw_uid, nobody.pw_gid)
    assert system.find("makedirs", "chown") == [
        ("makedirs", "/home/nobody", 0o755),
        ("chown", "/home/nobody", *numbers),
        ("makedirs", "/home/nobody/tmp", 0o755),
        ("chown", "/home/nobody/tmp", *numbers),
    ]
    assert accounts == []


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "private" / "tree", {"a.py": "", "folder/b.py": "", ".git/objects/ab/cd": ""})


def test_the_source_becomes_the_user_s(system: System, source: Path) -> None:
    """Without the objects of git, which is never going to write to them; a parent lets the user pass."""
    source.parent.chmod(0o700)
    system.denied = {str(source.parent)}
    assert USER.User(UNKNOWN).own(str(source)) == ""
    names = {"", "a.py", "folder", "folder/b.py", ".git", ".git/objects", ".git/objects/ab"}
    owned = {os.path.relpath(call[1], source) for call in system.find("chown", "lchown")}
    assert owned == {name or "." for name in names}
    assert {call[2:] for call in system.find("chown", "lchown")} == {(int(UNKNOWN), 0)}
    assert source.parent.stat().st_mode & 0o777 == 0o711


def test_a_source_of_the_user_is_left_alone(system: System, source: Path) -> None:
    user = USER.User(UNKNOWN)
    user.uid = source.stat().st_uid
    assert user.own(str(source)) == ""
    assert system.find("chown", "lchown") == []


@pytest.mark.parametrize(("number", "is_reported"), [(errno.EPERM, True), (errno.EROFS, False), (errno.ENOENT, False)])
def test_what_cannot_become_the_user_s_is_reported(
    system: System, source: Path, number: int, is_reported: bool
) -> None:
    """Not what is mounted read-only, nor what the host has just removed."""
    system.errors = {f"{source}/a.py": number}
    text = f"not all of the source tree is writable: {source}/a.py: {os.strerror(number)}"
    assert USER.User(UNKNOWN).own(str(source)) == (text if is_reported else "")


class RestartedError(Exception):
    """The program became another one."""


@pytest.fixture
def job(source: Path) -> dict[str, Any]:
    owner = [os.getuid(), os.getgid(), 0o755]
    tree = {"root": str(source), "owner": owner, "others": [], "hidden": []}
    return {"project": str(source), "source": tree, "user": "", "report": None, "args": ["\u00e4"]}


@pytest.fixture
def restarts(system: System, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, Any]]]:
    """Return the arguments of this program when it restarts, and the job that it hands on."""
    restarts: list[tuple[list[str], dict[str, Any]]] = []

    def execv(path: str, arguments: list[str]) -> None:
        assert path == sys.executable
        system.calls.append(("execv",))
        restarts.append((arguments[:-1], USER.receive_job([str(os.dup(int(arguments[-1])))])))
        raise RestartedError

    monkeypatch.setattr(os, "execv", execv)
    return restarts


@pytest.mark.usefixtures("accounts")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # for the program that exec would start
def test_the_program_restarts_as_the_user(
    system: System, job: dict[str, Any], restarts: list[tuple[list[str], dict[str, Any]]], tmp_path: Path
) -> None:
    """It gives up root's rights last, and owns its streams and the data files of a report."""
    report = {"files": [str(tmp_path / "data" / "0")]}
    with pytest.raises(RestartedError):
        USER.prepare({**job, "user": UNKNOWN, "report": report}, ["-c", "program"])
    ((arguments, received),) = restarts
    assert arguments == [sys.executable, "-c", "program"]
    assert (received["args"], received["fault"], received["incomplete"]) == (["\u00e4"], "", "")
    number = int(UNKNOWN)
    assert [("chown", str(path), number, 0) for path in (tmp_path / "data" / "0", tmp_path / "data")] == system.calls[
        -9:-7
    ]
    assert [call[:2] for call in system.calls[-7:]] == [
        ("fchown", 0),
        ("fchown", 1),
        ("fchown", 2),
        ("setgroups", []),
        ("setgid", 0),
        ("setuid", number),
        ("execv",),
    ]
    assert (tmp_path / "gitconfig").exists()  # the source belongs to another user


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize(
    ("user", "fault"),
    [
        ("0", ""),
        ("no-such", "the image has no user no-such"),
        (UNKNOWN, f"user {UNKNOWN} cannot run {sys.executable}"),
    ],
)
def test_root_goes_on_and_an_unusable_user_is_a_fault(
    system: System, job: dict[str, Any], restarts: list[Any], user: str, fault: str
) -> None:
    system.denied = {sys.executable}
    job["user"] = user
    USER.prepare(job, ["-c", "program"])
    assert (job["fault"], restarts) == (fault, [])
