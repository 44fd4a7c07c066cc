"""Find and connect to an engine; errors are one line with a hint."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests.exceptions
import urllib3.exceptions
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from pytest_pyimages.engines import endpoint
from pytest_pyimages.engines.docker import connect
from pytest_pyimages.engines.endpoint import find_endpoint
from pytest_pyimages.engines.faults import make_connection_error
from pytest_pyimages.errors import ConfigurationError, EngineError
from tests.support.golden import message
from tests.support.scripted_engine import TLS, VERSION, Request, ScriptedEngine, answer, scripted_engine


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    with scripted_engine(tmp_path) as scripted:
        yield scripted


def refusal(url: str = "", timeout: float = 5.0) -> str:
    """Return what is said instead of connecting; it has to be one line, in the end with what to do."""
    with pytest.raises(ConfigurationError) as caught:
        connect(url, timeout=timeout)
    said = str(caught.value)
    assert said.startswith("--py-images: ")
    assert said.isprintable()
    assert caught.value.hint
    return said


def write_context(config: Path, name: str, content: object) -> Path:
    """Store a context as the docker command does; return its folder for certificates."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = config / "contexts" / "meta" / digest
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return config / "contexts" / "tls" / digest / "docker"


# Nothing there


def test_missing_socket_is_named(tmp_path: Path) -> None:
    said = refusal(f"unix://{tmp_path}/none.sock")
    assert f"no container engine answers at unix://{tmp_path}/none.sock (the socket does not exist)" in said
    assert "start Docker or Podman, or name one with --py-images-engine or DOCKER_HOST" in said


def test_socket_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "the socket does not exist" in refusal(f"unix://{tmp_path}/file/none.sock")


def test_socket_without_listener(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(tmp_path / "dead.sock"))
    assert "(connection refused)" in refusal(f"unix://{tmp_path}/dead.sock")


def test_port_without_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert f"tcp://127.0.0.1:{port} (connection refused)" in refusal(f"tcp://127.0.0.1:{port}")


def test_unresolvable_name() -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    refused = urllib3.exceptions.NameResolutionError("engine.invalid", HTTPConnection("engine.invalid"), unknown)
    refused.__cause__ = unknown
    retried = urllib3.exceptions.MaxRetryError(HTTPConnectionPool("engine.invalid"), "/version", refused)
    error = make_connection_error("tcp://engine.invalid:2375", requests.exceptions.ConnectionError(retried))
    assert "tcp://engine.invalid:2375 (the name cannot be resolved)" in error.message


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="no permission is denied to root; see the next test")
def test_a_socket_without_permission(engine: ScriptedEngine) -> None:
    Path(engine.url.removeprefix("unix://")).chmod(0)
    assert f"no permission for {engine.url}" in refusal(engine.url)


def test_a_denied_permission_names_the_group() -> None:
    denied = PermissionError(13, "Permission denied")
    wrapped = requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", denied))
    error = make_connection_error("unix:///var/run/docker.sock", wrapped)
    assert error.message == "--py-images: no permission for unix:///var/run/docker.sock"
    assert '"docker"' in error.hint


# Something there that does not answer as an engine does


def never(_: Request, peer: socket.socket) -> None:
    peer.recv(1)


def trickle(_: Request, peer: socket.socket) -> None:
    for byte in answer(200, VERSION):
        peer.sendall(bytes([byte]))
        time.sleep(0.05)


@pytest.mark.parametrize("handler", [never, trickle])
def test_timeout_is_kept(engine: ScriptedEngine, handler: Callable[[Request, socket.socket], None]) -> None:
    engine.answers["GET /version"] = handler
    began = time.monotonic()
    assert "(no answer in time)" in refusal(engine.url, timeout=0.3)
    assert time.monotonic() - began < 5  # the whole answer would take longer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(answer(502, b"<html>\nBad Gateway</html>", "text/html"), "HTTP 502: <html> Bad", id="proxy"),
        pytest.param(answer(500, {"message": "a\x1b[2Jb\nc"}), "HTTP 500: a [2Jb c", id="escapes"),
        pytest.param(answer(500, {"error": "no message"}), "HTTP 500", id="no message"),
        pytest.param(answer(500, ["no object"]), "HTTP 500", id="no object"),
        pytest.param(answer(400, b"HTTP request to an HTTPS server.\n", "text/plain"), "HTTPS server", id="tls"),
        pytest.param(answer(200, b"<html>hello</html>", "text/html"), message("engines", "not-an-engine"), id="html"),
        pytest.param(answer(200, [VERSION]), message("engines", "not-an-engine"), id="list"),
        pytest.param(answer(200, {"Version": "1"}), message("engines", "not-an-engine"), id="no version"),
        pytest.param(
            answer(200, VERSION | {"ApiVersion": "new"}), message("engines", "not-an-engine"), id="odd version"
        ),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", message("engines", "not-an-engine"), id="ssh"),
        pytest.param(b"", "Remote end closed", id="closed"),
        pytest.param(answer(200, VERSION)[:-20], "IncompleteRead", id="cut"),
        pytest.param(answer(200, VERSION | {"ApiVersion": "1.40"}), "API 1.40, but 1.41 or newer", id="old"),
        pytest.param(answer(200, VERSION | {"MinAPIVersion": "1.49"}), "requires API 1.49 or newer", id="new"),
        pytest.param(answer(200, VERSION | {"Os": "windows"}), "Windows containers", id="windows"),
    ],
)
def test_unsupported_engines(engine: ScriptedEngine, said: bytes, expected: str) -> None:
    engine.answers["GET /version"] = said
    text = refusal(engine.url)
    assert expected in text
    assert engine.url in text


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:2375", "/run/x.sock", "unix://", "tcp://", "fd://", "ftp://host:1", "ssh://host/path"),
        *("tcp://host", "tcp://host:99999", "tcp://host:x", "tcp://host:1?x=y", "tcp://a b:1", "tcp://\n:1"),
        "unix:///x\x1b[2J",
    ],
)
def test_invalid_addresses(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", url)
    assert "is not an engine address" in refusal()


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://me:s3cret@host:2375")
    said = refusal()
    assert "s3cret" not in said
    assert "password" in said


# What was found


@pytest.mark.parametrize(
    ("offered", "expected"), [("1.41", "1.41"), ("1.43", "1.43"), ("1.50", "1.47")], ids=["floor", "between", "ceiling"]
)
def test_version_is_negotiated_once(engine: ScriptedEngine, offered: str, expected: str) -> None:
    engine.answers["GET /version"] = answer(200, VERSION | {"ApiVersion": offered})
    engine.answers["GET /images/x/json"] = answer(200, {"Id": "sha256:1", "Os": "linux", "Architecture": "amd64"})
    docker = connect(engine.url)
    threads = [threading.Thread(target=docker.find_image, args=("x",)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    docker.close()
    assert len(engine.asked("GET /version")) == 1
    assert [request.path for request in engine.requests[1:]] == [f"/v{expected}/images/x/json"] * 12
    assert docker.info.api_version == offered


@pytest.mark.parametrize(
    ("version", "name"),
    [
        pytest.param(VERSION, "docker 28.2", id="docker"),
        pytest.param(
            VERSION | {"Components": [{"Name": "Podman Engine"}], "Version": "5.2\n"}, "podman 5.2", id="podman"
        ),
    ],
)
def test_engine_info(engine: ScriptedEngine, version: object, name: str) -> None:
    engine.answers["GET /version"] = answer(200, version)
    docker = connect(engine.url)
    assert str(docker.info) == f"{name} at {engine.url}"
    docker.close()


def test_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_engine() as engine:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("NO_PROXY", "")
        connect(engine.url).close()


# TLS


def test_tls_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_engine(tls=True) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.url)
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(TLS))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
        docker = connect()
        assert docker.info.endpoint == engine.url
        docker.close()


def test_untrusted_ca(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with scripted_engine(tls=True) as engine:
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
        said = refusal(engine.url)
    assert "TLS: " in said
    assert "certificate verify failed" in said.lower()


def test_certificate_without_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").touch()
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    assert "key.pem" in refusal("tcp://127.0.0.1:2376")


def test_missing_certificate_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "none"))
    assert "DOCKER_CERT_PATH" in refusal("tcp://127.0.0.1:2376")


# Which one


def test_precedence_of_addresses(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": "unix:///host.sock", "DOCKER_CONTEXT": "unknown", "DOCKER_CONFIG": str(tmp_path)}
    assert find_endpoint("tcp://127.0.0.1:1", environ).url == "tcp://127.0.0.1:1"
    assert find_endpoint("", environ).url == "unix:///host.sock"


@pytest.mark.parametrize("by", ["variable", "file"])
def test_the_current_context_is_used(tmp_path: Path, by: str) -> None:
    docker = {"Host": "unix:///c.sock", "SkipTLSVerify": True}
    tls = write_context(tmp_path, "colima", {"Endpoints": {"docker": docker}})
    tls.mkdir(parents=True)
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    if by == "variable":
        environ["DOCKER_CONTEXT"] = "colima"
    else:
        (tmp_path / "config.json").write_text('{"currentContext": "colima"}')
    found = find_endpoint("", environ)
    assert (found.url, found.certificates, found.verify) == ("unix:///c.sock", tls, False)


def test_a_context_is_named(tmp_path: Path) -> None:
    write_context(tmp_path, "arm-1.lan", {"Endpoints": {"docker": {"Host": "ssh://build@arm"}}})
    environ = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": "unix:///host.sock", "DOCKER_CONTEXT": "unknown"}
    found = find_endpoint("arm-1.lan", environ)
    assert (found.url, found.context) == ("ssh://build@arm", "arm-1.lan")
    found = find_endpoint("default", environ)
    assert (found.url, found.context) == ("unix:///host.sock", "default")
    assert find_endpoint("default", {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "arm"}).url.endswith(".sock")


def test_a_named_context_is_shown(engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_context(tmp_path, "builder", {"Endpoints": {"docker": {"Host": engine.url}}})
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    engine.answers["GET /version"] = answer(200, VERSION)
    docker = connect("builder")
    assert (docker.info.address, docker.info.endpoint) == ("builder", engine.url)
    assert str(docker.info) == f"docker 28.2 at {engine.url} (context builder)"
    docker.close()


@pytest.mark.parametrize("name", ["nobody", "localhost"])
def test_an_unknown_context_is_named(name: str) -> None:
    assert f'docker context "{name}" does not exist' in refusal(name)


def test_unknown_context_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "nobody\x1b[2J")
    assert 'docker context "nobody [2J" does not exist' in refusal()


@pytest.mark.parametrize("content", ["{", "[]", '{"Endpoints": {}}', '{"Endpoints": {"docker": {}}}', "[" * 100_000])
def test_unreadable_context(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str) -> None:
    write_context(tmp_path / "config", "odd", content)
    monkeypatch.setenv("DOCKER_CONTEXT", "odd")
    assert 'docker context "odd" cannot be read' in refusal()


def test_context_with_invalid_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_context(tmp_path / "config", "odd", {"Endpoints": {"docker": {"Host": "nonsense"}}})
    monkeypatch.setenv("DOCKER_CONTEXT", "odd")
    assert 'docker context "odd": "nonsense" is not an engine address' in refusal()


@pytest.mark.parametrize("content", ["{", "[]", '"text"', '{"currentContext": 1}', "\xff"])
def test_broken_configuration_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text(content, encoding="latin-1")
    assert "config.json" in refusal()


@pytest.mark.parametrize("content", ['["not an object"]', '{"auths": {"x": 1}}', '{"HttpHeaders": 1}', "[" * 10**6])
def test_broken_configuration_with_explicit_address(engine: ScriptedEngine, tmp_path: Path, content: str) -> None:
    """It is harmless, or it is blamed: not the engine."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text(content)
    try:
        connect(engine.url).close()
    except ConfigurationError as error:
        assert re.match(r"--py-images: docker's configuration in .*config cannot be used", error.message)  # noqa: PT017


@pytest.mark.parametrize(
    "header", [("X-Token", "secret\n"), ("X-Token", "secret\u2026"), ("X Token", "secret"), ("", "secret")]
)
def test_a_header_that_cannot_be_sent_is_named_without_its_value(
    engine: ScriptedEngine, tmp_path: Path, header: tuple[str, str]
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text(json.dumps({"HttpHeaders": dict([header])}))
    said = refusal(engine.url)
    assert f"cannot be used (the header {header[0]!r} is invalid)" in said
    assert "secret" not in said


def test_configuration_that_breaks_later(engine: ScriptedEngine, tmp_path: Path) -> None:
    docker = connect(engine.url)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text('["not an object"]')
    with pytest.raises(EngineError, match="docker's configuration"):
        docker.find_image("x")


def test_configuration_that_only_some_calls_read(engine: ScriptedEngine, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text('{"auths": {"registry.test": {"auth": "!"}}}')
    engine.answers["GET /images/x/json"] = answer(404, {})
    with closing(connect(engine.url)) as docker:
        assert docker.find_image("x") is None
        for progress in (docker.pull("x"), docker.push("x:1")):
            with pytest.raises(EngineError, match="docker's configuration in"):
                list(progress)


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        pytest.param([], "default.sock", id="none"),
        pytest.param(["default.sock", "user/docker.sock"], "default.sock", id="default first"),
        pytest.param(["user/docker.sock", "user/podman/podman.sock"], "user/docker.sock", id="rootless docker"),
        pytest.param(["user/podman/podman.sock", "podman.sock"], "user/podman/podman.sock", id="rootless podman"),
        pytest.param(["podman.sock"], "podman.sock", id="podman"),
    ],
)
def test_first_existing_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, present: list[str], expected: str
) -> None:
    monkeypatch.setattr(endpoint, "DEFAULT_SOCKET", str(tmp_path / "default.sock"))
    monkeypatch.setattr(endpoint, "PODMAN_SOCKET", str(tmp_path / "podman.sock"))
    for name in present:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    environ = {"XDG_RUNTIME_DIR": str(tmp_path / "user"), "DOCKER_CONFIG": str(tmp_path)}
    assert find_endpoint("", environ).url == f"unix://{tmp_path / expected}"


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        pytest.param(".docker/run/docker.sock", (), id="Docker Desktop on macOS"),
        pytest.param(".docker/desktop/docker.sock", (), id="Docker Desktop on Linux"),
        pytest.param(".orbstack/run/docker.sock", (), id="OrbStack"),
        pytest.param(".rd/docker.sock", (), id="Rancher Desktop"),
        pytest.param(".colima/default/docker.sock", (), id="Colima"),
        pytest.param(".colima/work/docker.sock", (("COLIMA_PROFILE", "work"),), id="Colima's profile"),
        pytest.param(".config/colima/default/docker.sock", (), id="Colima's new folder"),
        pytest.param("c/default/docker.sock", (("COLIMA_HOME", "{home}/c"),), id="Colima elsewhere"),
        pytest.param(".local/share/containers/podman/machine/podman.sock", (), id="Podman machine"),
        pytest.param(".local/share/containers/podman/machine/qemu/podman.sock", (), id="Podman machine, by its kind"),
        pytest.param("data/containers/podman/machine/podman.sock", (("XDG_DATA_HOME", "{home}/data"),), id="its data"),
    ],
)
def test_sockets_of_desktop_engines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, variables: tuple[tuple[str, str], ...]
) -> None:
    """The one that is listened on is found, whatever others have left."""
    with tempfile.TemporaryDirectory() as home, socket.socket(socket.AF_UNIX) as listener:  # of a short name: unix(7)
        monkeypatch.setenv("HOME", home)
        monkeypatch.setattr(endpoint, "DEFAULT_SOCKET", str(tmp_path / "default.sock"))
        monkeypatch.setattr(endpoint, "PODMAN_SOCKET", str(tmp_path / "podman.sock"))
        (tmp_path / "default.sock").touch()
        path = Path(home) / name
        path.parent.mkdir(parents=True)
        listener.bind(str(path))
        environ = {"DOCKER_CONFIG": str(tmp_path), **{key: value.format(home=home) for key, value in variables}}
        assert find_endpoint("", environ).url == f"unix://{tmp_path}/default.sock"
        listener.listen()
        assert find_endpoint("", environ) == endpoint.Endpoint(url=f"unix://{path}")
        (tmp_path / "default.sock").unlink()
        assert find_endpoint("", environ).url == f"unix://{path}"


def test_no_socket_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(endpoint, "DEFAULT_SOCKET", str(tmp_path / "default.sock"))
    monkeypatch.setattr(endpoint, "PODMAN_SOCKET", str(tmp_path / "podman.sock"))
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert find_endpoint("", environ).is_missing
    assert not find_endpoint("unix:///x.sock", environ).is_missing
    monkeypatch.setattr(sys, "platform", "win32")
    assert find_endpoint("", environ) == endpoint.Endpoint(url="npipe:////./pipe/docker_engine")


def test_tls_without_verification_warns_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_TLS", "1")
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    with scripted_engine(tls=True) as scripted, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        connect(scripted.url).close()
    assert [str(each.message) for each in caught if "verif" in str(each.message)] == []
