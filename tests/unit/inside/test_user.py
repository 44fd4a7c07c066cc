"""The user of a suite: whom a text means, and the job that the restarted program receives."""

from __future__ import annotations

import json
import os
import pwd
import socket
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

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
