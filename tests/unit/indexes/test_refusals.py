"""What is said of an index that refuses, once an install step has failed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pyimages.indexes.network import host_network
from pytest_pyimages.indexes.refusals import IndexFault, index_faults, is_about_packages
from tests.support.scripted_engine import TLS, ScriptedEngine, answer, scripted_engine

PAGE = "GET /simple/pytest/"


@pytest.fixture
def index() -> Iterator[ScriptedEngine]:
    """Return what answers HTTP as it is told, on loopback."""
    with scripted_engine() as server:
        yield server


def address(server: ScriptedEngine, credentials: str = "") -> str:
    return server.url.replace("tcp://", f"http://{credentials}") + "/simple/"


def fault(tmp_path: Path, **environ: str) -> IndexFault | None:
    return next(index_faults(host_network(environ, home=tmp_path)), None)


@pytest.mark.parametrize(
    ("status", "credentials", "problem", "hint"),
    [
        (401, "", "answers 401 (Unauthorized)", "give a name and a password for it, in PIP_INDEX_URL or ~/.netrc"),
        (
            401,
            "me:s3cret@",
            "answers 401 (Unauthorized)",
            "correct its name and password, in PIP_INDEX_URL or ~/.netrc",
        ),
        (403, "me:s3cret@", "answers 403 (Forbidden)", "ask for leave to read it"),
        (407, "", "answers 407 (Proxy Authentication Required)", "the proxy's variable"),
    ],
)
def test_refusal_names_host_and_setting_and_no_password(
    tmp_path: Path, index: ScriptedEngine, status: int, credentials: str, problem: str, hint: str
) -> None:
    index.answers[PAGE] = answer(status, b"no")
    found = fault(tmp_path, PIP_INDEX_URL=address(index, credentials))
    assert found is not None
    assert found.problem.endswith(f"package index {index.url.removeprefix('tcp://')} {problem}")
    assert hint in found.hint
    assert "s3cret" not in found.problem + found.hint


@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_index_that_answers_is_not_to_blame(tmp_path: Path, index: ScriptedEngine, status: int) -> None:
    index.answers[PAGE] = answer(status, b"").replace(b"\r\n", b"\r\nLocation: http://127.0.0.1:1/\r\n", 1)
    assert fault(tmp_path, UV_INDEX=f"corp={address(index)}") is None
    assert len(index.requests) == 1, "nobody is sent on with the credentials"


def test_credentials_of_netrc_and_of_variables_are_used(tmp_path: Path, index: ScriptedEngine) -> None:
    index.answers[PAGE] = answer(401, b"")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password from-netrc\n")
    found = fault(tmp_path, PIP_EXTRA_INDEX_URL=address(index))
    assert found is not None
    assert str(tmp_path / ".netrc") in found.hint
    fault(tmp_path, UV_INDEX=f"a={address(index)}", UV_INDEX_A_USERNAME="me", UV_INDEX_A_PASSWORD="é")
    assert [request.headers["authorization"] for request in index.asked(PAGE)] == [
        "Basic bWU6ZnJvbS1uZXRyYw==",
        "Basic bWU6w6k=",
    ]


def test_nobody_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = fault(tmp_path, PIP_INDEX_URL=f"http://127.0.0.1:{port}/simple")
    assert found is not None
    assert f"127.0.0.1:{port} cannot be reached (Connection refused)" in found.problem
    assert found.hint == "start it, or correct PIP_INDEX_URL"


def test_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    with scripted_engine(tls=True) as server:
        server.answers[PAGE] = answer(200, b"")
        url = address(server).replace("http:", "https:")
        found = fault(tmp_path, PIP_INDEX_URL=url)
        assert found is not None
        assert "is not trusted" in found.problem
        assert "SSL_CERT_FILE" in found.hint
        assert fault(tmp_path, PIP_INDEX_URL=url, SSL_CERT_FILE=str(TLS / "ca.pem")) is None


def test_proxy_is_asked_as_the_installers_do(tmp_path: Path, index: ScriptedEngine) -> None:
    proxy = index.url.replace("tcp://", "http://")
    fault(tmp_path, PIP_INDEX_URL="http://index.invalid/simple", http_proxy=proxy)
    assert [request.path for request in index.requests] == ["http://index.invalid/simple/pytest/"]
    found = fault(tmp_path, PIP_INDEX_URL="http://index.invalid/simple", http_proxy=proxy, NO_PROXY="index.invalid")
    assert found is not None
    assert len(index.requests) == 1


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("error: No solution found when resolving dependencies", True),
        ("No matching distribution found for a", True),
        ("Failed to build `a`: gcc: No such file or directory", False),
    ],
)
def test_when_indexes_are_asked(log: str, expected: bool) -> None:
    assert is_about_packages(log) is expected
