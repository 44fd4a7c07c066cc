"""Problem and hint of an index that refuses access."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pyimages.indexes.network import read_network
from pytest_pyimages.indexes.refusals import find_refusals, is_about_packages
from tests.support.golden import message
from tests.support.scripted_engine import TLS, ScriptedEngine, answer, scripted_engine

PAGE = "GET /simple/pytest/"


@pytest.fixture
def index() -> Iterator[ScriptedEngine]:
    """A server on loopback with scripted answers."""
    with scripted_engine() as server:
        yield server


def address(server: ScriptedEngine, credentials: str = "") -> str:
    return server.url.replace("tcp://", f"http://{credentials}") + "/simple/"


def refusal(tmp_path: Path, **environ: str) -> tuple[str, str] | None:
    return next(find_refusals(read_network(environ, home=tmp_path)), None)


WHERE = "PIP_INDEX_URL or ~/.netrc"


@pytest.mark.parametrize(
    ("status", "credentials", "server", "hint"),
    [
        ("401 (Unauthorized)", "", "package index", message("indexes", "add-credentials", where=WHERE)),
        ("401 (Unauthorized)", "me:s3cret@", "package index", message("indexes", "fix-credentials", where=WHERE)),
        ("403 (Forbidden)", "me:s3cret@", "package index", message("indexes", "request-access", where=WHERE)),
        (
            "407 (Proxy Authentication Required)",
            "",
            "proxy to the package index",
            message("indexes", "fix-proxy"),
        ),
    ],
    ids=["no credentials", "wrong credentials", "no access", "proxy"],
)
def test_refusal_names_host_and_setting_but_no_password(
    tmp_path: Path, index: ScriptedEngine, status: str, credentials: str, server: str, hint: str
) -> None:
    index.answers[PAGE] = answer(int(status[:3]), b"no")
    host = index.url.removeprefix("tcp://")
    problem = message("indexes", "status", server=server, host=host, status=status)
    assert refusal(tmp_path, PIP_INDEX_URL=address(index, credentials)) == (problem, hint)


@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_other_answers_are_no_refusal(tmp_path: Path, index: ScriptedEngine, status: int) -> None:
    index.answers[PAGE] = answer(status, b"").replace(b"\r\n", b"\r\nLocation: http://127.0.0.1:1/\r\n", 1)
    assert refusal(tmp_path, UV_INDEX=f"corp={address(index)}") is None
    assert len(index.requests) == 1, "the credentials follow no redirect"


def test_credentials_of_netrc_and_of_variables_are_used(tmp_path: Path, index: ScriptedEngine) -> None:
    index.answers[PAGE] = answer(401, b"")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password from-netrc\n")
    found = refusal(tmp_path, PIP_EXTRA_INDEX_URL=address(index))
    assert found is not None
    where = f"PIP_EXTRA_INDEX_URL or {tmp_path / '.netrc'}"
    assert found[1] == message("indexes", "fix-credentials", where=where)
    refusal(tmp_path, UV_INDEX=f"a={address(index)}", UV_INDEX_A_USERNAME="me", UV_INDEX_A_PASSWORD="é")
    assert [request.headers["authorization"] for request in index.asked(PAGE)] == [
        "Basic bWU6ZnJvbS1uZXRyYw==",
        "Basic bWU6w6k=",
    ]


def test_unreachable_index_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = refusal(tmp_path, PIP_INDEX_URL=f"http://127.0.0.1:{port}/simple")
    assert found is not None
    assert " · ".join(found) == message(
        "indexes", "no-answer", host=f"127.0.0.1:{port}", error="Connection refused", where="PIP_INDEX_URL"
    )


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_proxy_is_named_if_it_does_not_answer(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        proxy = f"127.0.0.1:{free.getsockname()[1]}"
    found = refusal(tmp_path, PIP_INDEX_URL="https://index.invalid/simple", **{name: f"http://me:s3cret@{proxy}"})
    assert found is not None
    assert " · ".join(found) == message(
        "indexes",
        "no-proxy",
        host="index.invalid",
        proxy=proxy,
        error="Connection refused",
        where=name.upper(),
    )


def test_another_machine_is_not_to_be_started(tmp_path: Path) -> None:
    found = refusal(tmp_path, PIP_INDEX_URL="http://index.invalid/simple")
    assert found is not None
    reason = re.search(r"\(([^)]*)\)$", found[0])
    assert reason is not None
    assert " · ".join(found) == message(
        "indexes", "no-network", host="index.invalid", error=reason[1], where="PIP_INDEX_URL"
    )


def test_an_index_that_is_no_url(tmp_path: Path) -> None:
    """Installers take it for a folder; of several they use the others."""
    found = refusal(tmp_path, PIP_INDEX_URL="index.example/simple")
    assert found is not None
    path = Path.cwd() / "index.example/simple"
    assert " · ".join(found) == message("indexes", "no-folder", path=path, where="PIP_INDEX_URL")
    assert refusal(tmp_path, PIP_INDEX_URL="index.example/simple", PIP_EXTRA_INDEX_URL=f"file://{tmp_path}") is None


def test_untrusted_certificate_is_reported(tmp_path: Path) -> None:
    with scripted_engine(tls=True) as server:
        server.answers[PAGE] = answer(200, b"")
        url = address(server).replace("http:", "https:")
        found = refusal(tmp_path, PIP_INDEX_URL=url)
        assert found is not None
        assert "is not trusted" in found[0]
        assert found[1] == message("indexes", "not-trusted")
        assert refusal(tmp_path, PIP_INDEX_URL=url, SSL_CERT_FILE=str(TLS / "ca.pem")) is None


def test_requests_use_the_proxy_as_installers_do(tmp_path: Path, index: ScriptedEngine) -> None:
    proxy = index.url.replace("tcp://", "http://")
    refusal(tmp_path, PIP_INDEX_URL="http://index.invalid/simple", http_proxy=proxy)
    assert [request.path for request in index.requests] == ["http://index.invalid/simple/pytest/"]
    found = refusal(tmp_path, PIP_INDEX_URL="http://index.invalid/simple", http_proxy=proxy, NO_PROXY="index.invalid")
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
def test_log_about_packages_is_recognized(log: str, expected: bool) -> None:
    assert is_about_packages(log) is expected
