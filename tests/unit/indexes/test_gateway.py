"""A gateway adds the host's login to the requests of a build, for one server and to read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pytest_pyimages.indexes.gateway import Gateway, make_gateways
from pytest_pyimages.indexes.package_sources import PackageSources
from pytest_pyimages.indexes.tunnel import Connection
from tests.support.hosts import A, B, make_access, network
from tests.support.scripted_engine import TLS, ScriptedEngine, answer, chunked, scripted_engine

LOGIN = "Basic bWU6czNjcmV0"


@pytest.fixture
def index() -> Iterator[ScriptedEngine]:
    """A server on loopback with scripted answers."""
    with scripted_engine() as server:
        yield server


def origin(server: ScriptedEngine) -> str:
    return server.url.replace("tcp://", "http://")


def make_gateway(tmp_path: Path, url: str, **environ: str) -> Gateway:
    (found,) = make_gateways(
        network(tmp_path, {"PIP_INDEX_URL": url.replace("://", "://me:s3cret@"), **environ})
    ).servers
    return found


def request(gateway: Gateway, *lines: str) -> tuple[int, Mapping[str, str], bytes]:
    """Send a request; return status, headers with lower-case names, and everything after them."""
    sent: list[bytes] = []
    connection = Connection(1, sent.append)
    connection.put("\r\n".join([*lines, "Host: gateway", "", ""]).encode("latin-1"))
    connection.put(b"")
    gateway.serve(connection)
    head, _, body = b"".join(data.partition(b"\n")[2] for data in sent).partition(b"\r\n\r\n")
    first, *headers = head.decode("latin-1").split("\r\n")
    found = {name.lower(): value for name, _, value in (line.partition(": ") for line in headers)}
    return int(first.split()[1]), found, body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_login_is_added(tmp_path: Path, index: ScriptedEngine, method: str) -> None:
    index.answers[f"{method} /files/x.whl"] = answer(200, b"data" if method == "GET" else b"", "application/zip")
    lines = ("Range: bytes=0-3", "Authorization: Basic b3RoZXI=", "Cookie: a=b", "X-Forwarded-For: me")
    status, headers, body = request(
        make_gateway(tmp_path, origin(index)), f"{method} /files/x.whl?a=b HTTP/1.1", *lines
    )
    assert (status, body) == (200, b"data" if method == "GET" else b"")
    assert headers["content-type"] == "application/zip"
    (seen,) = index.requests
    assert (seen.query, seen.headers["authorization"], seen.headers["range"]) == ("a=b", LOGIN, "bytes=0-3")
    assert not {"cookie", "x-forwarded-for"} & seen.headers.keys()
    assert seen.headers["host"] == origin(index).removeprefix("http://")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("POST /simple/ HTTP/1.1", 501),
        ("PUT /files/x.whl HTTP/1.1", 501),
        ("DELETE /files/x.whl HTTP/1.1", 501),
        ("CONNECT other.example:443 HTTP/1.1", 501),
        ("GET http://other.example/ HTTP/1.1", 400),
        ("GET @other.example/ HTTP/1.1", 400),
        ("GET :80@other.example/ HTTP/1.1", 400),
    ],
)
def test_what_a_gateway_refuses(tmp_path: Path, index: ScriptedEngine, line: str, status: int) -> None:
    assert request(make_gateway(tmp_path, origin(index)), line)[0] == status
    assert index.requests == []


@pytest.mark.parametrize(
    "line", ["GET /\x00 HTTP/1.1", "GET /\xe9 HTTP/1.1", "GET /%0d%0aX:y HTTP/1.1", "GET //x HTTP/1.1"]
)
def test_odd_paths_stay_paths(tmp_path: Path, index: ScriptedEngine, line: str) -> None:
    assert request(make_gateway(tmp_path, origin(index)), line)[0] in (400, 404, 502)
    assert all(seen.path.startswith("/") and "x" not in seen.headers for seen in index.requests)


def test_links_of_pages(tmp_path: Path, index: ScriptedEngine) -> None:
    """Those to the same server lead to its gateway, others are left as they are."""
    here = origin(index)
    links = [f"{here}/files/x.whl#sha256=0", f"{here.replace('127', 'me@127')}/y", f"{here}1/x", "../x", f"{B}/x.whl"]
    gateway = make_gateway(tmp_path, here)
    expected = [f"{gateway.url}/files/x.whl#sha256=0", f"{gateway.url}/y", *links[2:]]
    for kind in ("text/html; charset=utf-8", "application/vnd.pypi.simple.v1+json", "application/json"):
        index.answers["GET /simple/x/"] = answer(200, "".join(f'"{link}"' for link in links).encode(), kind)
        status, headers, body = request(gateway, "GET /simple/x/ HTTP/1.1")
        assert (status, re.findall('"(.*?)"', body.decode())) == (200, expected)
        assert headers["content-length"] == str(len(body))
    index.answers["GET /x.whl"] = answer(200, f'"{here}/"'.encode(), "application/octet-stream")
    assert request(gateway, "GET /x.whl HTTP/1.1")[2] == f'"{here}/"'.encode()


@pytest.mark.parametrize("target", ["/files/x.whl", "https://storage.example/x?signature=1", "HERE/files/x.whl"])
def test_redirects_are_for_the_installer(tmp_path: Path, index: ScriptedEngine, target: str) -> None:
    gateway = make_gateway(tmp_path, origin(index))
    location = target.replace("HERE", origin(index))
    index.answers["GET /x"] = answer(302, b"").replace(b"\r\n", f"\r\nLocation: {location}\r\n".encode(), 1)
    status, headers, _ = request(gateway, "GET /x HTTP/1.1")
    assert (status, headers["location"]) == (302, target.replace("HERE", gateway.url))
    assert len(index.requests) == 1


@pytest.mark.parametrize(
    ("said", "is_complete"),
    [
        (chunked(b"one", b"two"), True),
        (chunked(b"one", end=False), False),
        (answer(200, b"abc", "application/zip")[:-1], False),
        (answer(200, b"abc", "text/html")[:-1], False),
    ],
    ids=["chunks", "cut in chunks", "cut", "cut page"],
)
def test_an_answer_is_complete_or_visibly_not(
    tmp_path: Path, index: ScriptedEngine, said: bytes, is_complete: bool
) -> None:
    index.answers["GET /x"] = said.replace(b"application/json", b"application/zip")
    status, headers, body = request(make_gateway(tmp_path, origin(index)), "GET /x HTTP/1.1")
    if headers.get("transfer-encoding") == "chunked":
        assert body.endswith(b"0\r\n\r\n") is is_complete
        assert (b"two" in body) is is_complete
    else:
        assert (status, len(body)) in ((200, 2), (502, int(headers["content-length"])))


def test_server_that_does_not_answer(tmp_path: Path, index: ScriptedEngine) -> None:
    index.answers["GET /x"] = b""
    status, _, body = request(make_gateway(tmp_path, origin(index)), "GET /x HTTP/1.1")
    assert status == 502
    assert b"s3cret" not in body


def test_certificates_are_verified_unless_the_user_trusts_the_host(tmp_path: Path) -> None:
    with scripted_engine(tls=True) as server:
        server.answers["GET /x"] = answer(200, b"")
        url = server.url.replace("tcp://", "https://")
        for environ, expected in (
            ({}, 502),
            ({"PIP_CERT": str(TLS / "ca.pem")}, 200),
            ({"PIP_TRUSTED_HOST": "127.0.0.1"}, 200),
            ({"UV_INSECURE_HOST": url}, 200),
            ({"PIP_TRUSTED_HOST": "127.0.0.2"}, 502),
        ):
            assert request(make_gateway(tmp_path, url, **environ), "GET /x HTTP/1.1")[0] == expected, environ


def test_two_logins_of_one_server(tmp_path: Path) -> None:
    """Their addresses are the same in each build: installers cache what comes from them."""
    environ = {
        "PIP_INDEX_URL": "https://me:s3cret@a.example:443/1/simple?x=y",
        "UV_INDEX": "b=https://you:pw@A.example/2",
    }
    first, second = make_gateways(network(tmp_path, environ)).servers
    assert first.address != second.address
    assert first.origin == second.origin == "https://a.example"
    assert [found.address for found in make_gateways(network(tmp_path, environ)).servers] == [
        first.address,
        second.address,
    ]
    access = make_access(tmp_path, environ)
    urls = {access.environment["UV_INDEX"], *access.environment["PIP_EXTRA_INDEX_URL"].split()}
    gateways = {found.authorization: found.url for found in access.gateways.servers}
    assert urls == {f"b={gateways['Basic eW91OnB3']}/2", f"{gateways['Basic eW91OnB3']}/2"}
    assert access.environment["PIP_INDEX_URL"] == f"{gateways[LOGIN]}/1/simple?x=y"
    assert access.clean(f"not found: {gateways[LOGIN]}/1/simple") == "not found: https://a.example/1/simple"


def test_redirect_to_https(tmp_path: Path) -> None:
    """It keeps the login, on the ports of the schemes."""
    environ = {"PIP_INDEX_URL": "http://me:s3cret@a.example/simple", "UV_INDEX": "b=http://me:s3cret@b.example:8080/"}
    found = {gateway.origin: gateway for gateway in make_gateways(network(tmp_path, environ)).servers}
    assert found.keys() == {"http://a.example", "https://a.example", "http://b.example:8080"}
    assert {gateway.authorization for gateway in found.values()} == {LOGIN}
    assert found["http://a.example"].rewrite(b"https://a.example/simple").decode() == (
        f"{found['https://a.example'].url}/simple"
    )


def test_what_has_no_gateway(tmp_path: Path) -> None:
    """Indexes without a login; what no HTTP proxy leads to; and what uv reads in the project's own files."""
    assert make_gateways(network(tmp_path, {"PIP_INDEX_URL": A})).servers == ()
    private = {"PIP_INDEX_URL": A.replace("://", "://me:s3cret@")}
    assert make_gateways(network(tmp_path, {**private, "ALL_PROXY": "socks5://proxy"})).servers == ()
    sources = PackageSources(
        requirements=("x",), tables={"x": ({"index": "corp"},)}, indexes=({"name": "corp", "url": A},)
    )
    login = {"UV_INDEX_CORP_USERNAME": "me", "UV_INDEX_CORP_PASSWORD": "s3cret", "UV_INDEX_OTHER_PASSWORD": "0ther"}
    access = make_access(
        tmp_path, {**login, "PIP_EXTRA_INDEX_URL": f"{A} {private['PIP_INDEX_URL']}2"}, sources=sources
    )
    assert [gateway.origin for gateway in access.gateways.servers] == ["https://a.example"]
    assert {name: access.environment.get(name) for name in login} == {**login, "UV_INDEX_OTHER_PASSWORD": None}


def test_indexes_of_other_tools(tmp_path: Path) -> None:
    """Those of pdm, Poetry and Pipenv: uv knows them from its files in the container alone."""
    index = {"name": "corp", "url": "https://me:${TOKEN}@a.example/simple", "explicit": True}
    sources = PackageSources(
        requirements=("x",),
        tables={"x": ({"index": "corp"},)},
        indexes=(index,),
        settings={"index": [index]},
        others=frozenset({"corp"}),
    )
    access = make_access(tmp_path, {"TOKEN": "s3cret"}, sources=sources)
    (gateway,) = access.gateways.servers
    assert gateway.authorization == LOGIN
    assert f"{gateway.url}/simple" in access.files["sources/pyproject.toml"]
    assert f"{gateway.url}/simple" in access.files["uv.toml"]
    assert "s3cret" not in f"{access.environment} {access.files}"
    assert "s3cret" not in str(access.clean("s3cret"))


def test_proxies_do_not_get_in_between(tmp_path: Path) -> None:
    environ = {"PIP_INDEX_URL": A.replace("://", "://me:s3cret@"), "PIP_PROXY": "http://proxy:1", "no_proxy": "corp"}
    access = make_access(tmp_path, environ)
    (gateway,) = access.gateways.servers
    assert access.environment["no_proxy"] == access.environment["NO_PROXY"] == f"corp,{gateway.address[0]}"
    assert access.environment["https_proxy"] == "http://proxy:1"
    assert "PIP_PROXY" not in access.environment


@pytest.mark.parametrize(("default", "is_given"), [("", True), (A, False)])
def test_client_certificate_stays_on_the_host(tmp_path: Path, default: str, is_given: bool) -> None:
    """Unless a build requests something by HTTPS itself: the public index, if there is no other."""
    (tmp_path / "client.pem").write_text("-----BEGIN PRIVATE KEY-----")
    environ = {"PIP_CLIENT_CERT": str(tmp_path / "client.pem"), "PIP_INDEX_URL": default, "PIP_EXTRA_INDEX_URL": B}
    access = make_access(tmp_path, environ)
    assert len(access.gateways.servers) == (1 if is_given else 2)
    assert ("client.pem" in access.files) is is_given
    assert ("PIP_CLIENT_CERT" in access.environment) is is_given
