"""Responses of an engine to each call: a result or EngineError."""

from __future__ import annotations

import base64
import json
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Literal
from urllib.parse import parse_qs

import pytest

from pytest_pyimages.engines import calls, docker, pulls
from pytest_pyimages.engines.base import (
    STDOUT,
    AnonymousVolume,
    ContainerSpec,
    Mount,
    Privileges,
    PullProgress,
    ServiceSpec,
)
from pytest_pyimages.engines.body import make_service_body
from pytest_pyimages.engines.client import choose_overlay_options
from pytest_pyimages.engines.docker import DockerEngine, connect
from pytest_pyimages.engines.faults import is_timeout, list_client_errors
from pytest_pyimages.engines.pulls import classify_pull_error
from pytest_pyimages.errors import (
    ConnectionLostError,
    EngineError,
    ImageNotFound,
    NoAnswerError,
    RegistryUnreachableError,
)
from tests.support.processes import count_descriptors
from tests.support.scripted_engine import (
    Request,
    ScriptedEngine,
    answer,
    chunked,
    frame,
    read_request,
    scripted_engine,
)

IMAGE = {"Id": "sha256:1", "Os": "linux", "Architecture": "amd64"}
PULL, FOUND = "POST /images/create", "GET /images/python:3.12/json"
CUT = b'{"status": "Downlo'
SPEC = ContainerSpec(name="x", image="sha256:1", command=("true",), labels={})
UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


@pytest.fixture(autouse=True)
def _image_is_found(scripted: ScriptedEngine) -> None:
    scripted.answers[FOUND] = answer(200, IMAGE)


# Any call


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(answer(500, {"message": "no \x1b[31mspace\nleft"}), "no [31mspace left", id="escapes"),
        pytest.param(answer(500, {"cause": "?"}), "the engine answered HTTP 500 without a reason", id="no message"),
        pytest.param(answer(500, []), "the engine answered HTTP 500 without a reason", id="no object"),
        pytest.param(answer(500, "text"), "the engine answered HTTP 500 without a reason", id="text"),
        pytest.param(answer(500, b""), "the engine answered HTTP 500 without a reason", id="empty"),
        pytest.param(answer(409, {"message": 'The name "/x" is in use'}), 'The name "/x" is in use', id="conflict"),
        pytest.param(answer(201, {}), "unexpected response of the engine (KeyError: 'Id')", id="no id"),
        pytest.param(answer(201, []), "unexpected response of the engine (TypeError", id="list"),
        pytest.param(answer(201, b"{"), "unexpected response of the engine (JSONDecodeError", id="no JSON"),
        pytest.param(b"", "connection to the engine was lost: Remote end closed", id="closed"),
        pytest.param(answer(201, {"Id": "1"})[:-3], "connection to the engine was lost", id="cut"),
        pytest.param(b"garbage\r\n\r\n", "unexpected response", id="garbage"),
    ],
)
def test_every_failure_is_one_line(scripted: ScriptedEngine, engine: DockerEngine, said: bytes, expected: str) -> None:
    scripted.answers["POST /containers/create"] = said
    with pytest.raises(EngineError) as caught:
        engine.create_container(ContainerSpec(name="x", image="sha256:1", command=("true",), labels={}))
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()
    assert type(caught.value) is (ConnectionLostError if "was lost" in expected else EngineError)


@pytest.mark.parametrize("words", ["No such image: sha256:1", "1: image not known"], ids=["docker", "podman"])
def test_removed_image_is_image_not_found(scripted: ScriptedEngine, engine: DockerEngine, words: str) -> None:
    scripted.answers["POST /containers/create"] = answer(404, {"message": words})
    with pytest.raises(ImageNotFound):
        engine.create_container(ContainerSpec(name="x", image="sha256:1", command=("true",), labels={}))


def test_stopped_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with scripted_engine() as scripted:
        engine = connect(scripted.url)
    with pytest.raises(EngineError, match="lost: connection refused"):
        engine.start("x")
    engine.close()


def test_a_container_is_created_with_the_safe_defaults(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["POST /containers/create"] = answer(201, {"Id": "abc"})
    mounts = (
        Mount(kind="bind", source="/a:b,c", target="/x:y", read_only=True),
        Mount(kind="tmpfs", target="/run/t"),
    )
    spec = ContainerSpec(
        name="n",
        image="i",
        command=("a", "b"),
        labels={"l": "1"},
        environment={"K": "v=w"},
        mounts=mounts,
        network="none",
    )
    assert engine.create_container(spec) == "abc"
    request = scripted.asked("POST /containers/create")[0]
    body = json.loads(request.body)
    assert request.query == "name=n"
    assert (body["Entrypoint"], body["Cmd"], body["Env"]) == (["a", "b"], [], ["K=v=w"])
    assert (body["OpenStdin"], body["StdinOnce"], body["Tty"]) == (True, True, False)
    assert body["HostConfig"] == {
        "Mounts": [
            {"Type": "bind", "Source": "/a:b,c", "Target": "/x:y", "ReadOnly": True},
            {"Type": "tmpfs", "Target": "/run/t", "ReadOnly": False},
        ],
        "LogConfig": {"Type": "none", "Config": {}},
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": 4096,
        "Init": False,
        "NetworkMode": "none",
    }


@pytest.mark.parametrize(
    ("privileges", "expected"),
    [
        ("build", {"SecurityOpt": ["no-new-privileges"]}),
        ("reduced", {"SecurityOpt": ["no-new-privileges"], "CapDrop": ["MKNOD", "SETFCAP"]}),
        ("engine", {}),
    ],
)
def test_privileges(
    scripted: ScriptedEngine, engine: DockerEngine, privileges: Privileges, expected: dict[str, list[str]]
) -> None:
    scripted.answers["POST /containers/create"] = answer(201, {"Id": "abc"})
    engine.create_container(ContainerSpec(name="n", image="i", command=(), labels={}, privileges=privileges))
    host = json.loads(scripted.asked("POST /containers/create")[0].body)["HostConfig"]
    assert {name: host[name] for name in ("SecurityOpt", "CapDrop", "CapAdd", "Privileged") if name in host} == expected


def test_volumes_are_not_filled_from_the_image(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    """An image could otherwise provide what builds believe to find in an empty volume."""
    scripted.answers["POST /containers/create"] = answer(201, {"Id": "abc"})
    mount = Mount(kind="volume", source="v", target="/v", read_only=True)
    engine.create_container(ContainerSpec(name="n", image="i", command=(), labels={}, mounts=(mount,)))
    (sent,) = json.loads(scripted.asked("POST /containers/create")[0].body)["HostConfig"]["Mounts"]
    assert sent["VolumeOptions"] == {"NoCopy": True}


def test_anonymous_volume_has_options_and_labels(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["POST /containers/create"] = answer(201, {"Id": "abc"})
    mount = Mount(kind="volume", target="/v", anonymous=AnonymousVolume({"type": "overlay"}, {"l": "1"}))
    engine.create_container(ContainerSpec(name="n", image="i", command=(), labels={}, mounts=(mount,)))
    (sent,) = json.loads(scripted.asked("POST /containers/create")[0].body)["HostConfig"]["Mounts"]
    assert "Source" not in sent
    driver = {"Name": "local", "Options": {"type": "overlay"}}
    assert sent["VolumeOptions"] == {"NoCopy": True, "Labels": {"l": "1"}, "DriverConfig": driver}


def test_service_has_host_names_in_its_network() -> None:
    spec = ServiceSpec(name="x", image="i", command=(), labels={}, network="net", aliases=("db", "cache"))
    body = make_service_body(spec)
    assert body["HostConfig"]["NetworkMode"] == "net"
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"net": {"Aliases": ["db", "cache"]}}}
    assert "NetworkingConfig" not in make_service_body(replace(spec, aliases=()))


@pytest.mark.parametrize("status", [204, 404, 409])
def test_kill_of_an_ended_container(scripted: ScriptedEngine, engine: DockerEngine, status: int) -> None:
    scripted.answers["POST /containers/x/kill"] = answer(status, b"" if status == 204 else {"message": "not running"})
    engine.kill("x")
    assert len(scripted.asked("POST /containers/x/kill")) == 1


def test_failed_wait(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["POST /containers/x/wait"] = answer(200, {"StatusCode": 0, "Error": {"Message": "lost\nit"}})
    with pytest.raises(EngineError, match="lost it"):
        engine.wait("x")


def test_leftovers_without_names_and_labels_are_found(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["GET /containers/json"] = answer(200, [{"Id": "a", "Names": None, "Labels": None}])
    scripted.answers["GET /volumes"] = answer(200, {"Volumes": None})
    scripted.answers["GET /networks"] = answer(200, [{"Name": "n", "Id": "0123", "Labels": None}])
    found = [(entry.kind, entry.id, entry.name) for entry in engine.leftovers("l")]
    assert found == [("container", "a", "a"), ("network", "n", "n")]
    assert parse_qs(scripted.asked("GET /containers/json")[0].query)["filters"] == ['{"label": ["l"]}']


def test_images_without_a_tag_are_left_out(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    listed = [{"Id": "1", "RepoTags": ["<none>:<none>"]}, {"Id": "2", "RepoTags": None}]
    listed += [{"Id": "python:3.12", "RepoTags": ["a:1", "a:2"]}, {"Id": "gone", "RepoTags": ["b:1"]}]
    scripted.answers["GET /images/json"] = answer(200, listed)
    assert [reference for reference, _ in engine.images("l")] == ["a:1", "a:2"]


USED = (
    'conflict: unable to remove repository reference "x:1" (must force) - container 1 is using its referenced image 2'
)


def test_an_image_whose_last_container_is_being_removed(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["DELETE /images/x:1"] = [answer(409, {"message": USED}), answer(200, [{"Untagged": "x:1"}])]
    engine.remove_image("x:1")
    assert [request.query for request in scripted.asked("DELETE /images/x:1")] == ["noprune=False"] * 2


def test_an_image_that_others_are_based_on(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    text = "conflict: unable to delete x:1 (cannot be forced) - image has dependent child images"
    scripted.answers["DELETE /images/x:1"] = answer(409, {"message": text})
    with pytest.raises(EngineError, match="dependent child images"):
        engine.remove_image("x:1", parents=False)
    assert [request.query for request in scripted.asked("DELETE /images/x:1")] == ["noprune=True"]


def test_an_image_that_is_gone(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["DELETE /images/x:1"] = answer(404, {"message": "No such image: x:1"})
    engine.remove_image("x:1")


# Services


def test_the_log_of_a_service(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    log = frame(1, b"ready\n") + frame(2, b"\xffno space\n")
    scripted.answers["GET /containers/x/logs"] = answer(200, log, "application/vnd.docker.multiplexed-stream")
    assert engine.read_log("x", lines=20) == "ready\n\ufffdno space\n"
    (request,) = scripted.asked("GET /containers/x/logs")
    assert parse_qs(request.query) == {"stdout": ["1"], "stderr": ["1"], "tail": ["20"]}


@pytest.mark.parametrize("is_internal", [True, False])
def test_a_network(scripted: ScriptedEngine, engine: DockerEngine, is_internal: bool) -> None:
    scripted.answers["POST /networks/create"] = answer(201, {"Id": "1"})
    engine.create_network("x", labels={"l": "1"}, is_internal=is_internal)
    body = json.loads(scripted.asked("POST /networks/create")[0].body)
    assert body == {"Name": "x", "Driver": "bridge", "Internal": is_internal, "Labels": {"l": "1"}}


# Uploads


def test_refused_upload(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["PUT /containers/x/archive"] = answer(403, {"message": "container rootfs is marked read-only"})
    with pytest.raises(EngineError, match="read-only"):
        engine.upload("x", "/", [b"tar", b"more"])
    assert scripted.requests[-1].body == b"3\r\ntar\r\n4\r\nmore\r\n0\r\n\r\n"


def test_upload_refused_before_its_end(
    scripted: ScriptedEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(peer: socket.socket) -> None:
        peer.recv(1)
        peer.sendall(answer(404, {"message": "no such container"}))
        peer.shutdown(socket.SHUT_RD)

    monkeypatch.setattr(scripted, "handle", refuse)
    with pytest.raises(EngineError, match=r"^no such container$"):
        engine.upload("x", "/", (b"x" * 100_000 for _ in range(1000)))


def test_unreadable_upload(engine: DockerEngine) -> None:
    def tar() -> Iterator[bytes]:
        yield b"tar"
        raise PermissionError(13, "Permission denied", "/home/secret")

    with pytest.raises(EngineError, match=r"^the files to upload cannot be read: .*Permission denied: '/home/secret'$"):
        engine.upload("x", "/", tar())


# Commands in a running container


def test_a_command_as_the_user_of_the_container(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["POST /containers/x/exec"] = answer(201, {"Id": "e"})
    scripted.answers["POST /exec/e/start"] = UPGRADED + frame(1, b"out") + frame(2, b"err")
    scripted.answers["GET /exec/e/json"] = answer(200, {"Running": False, "ExitCode": 3})
    assert engine.execute("x", ["pg_isready"], seconds=60) == (3, b"outerr")
    body = json.loads(scripted.asked("POST /containers/x/exec")[0].body)
    assert body == {"Cmd": ["pg_isready"], "AttachStdout": True, "AttachStderr": True, "Tty": False}


def test_a_command_whose_output_is_cut(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["POST /containers/x/exec"] = answer(201, {"Id": "e"})
    scripted.answers["POST /exec/e/start"] = UPGRADED + frame(1, b"out")[:-1]
    with pytest.raises(EngineError, match="was cut"):
        engine.execute("x", ["true"], seconds=60)


@pytest.mark.parametrize("output", [b"", frame(1, b"waiting\n")], ids=["silent", "chatty"])
def test_a_command_that_does_not_end(scripted: ScriptedEngine, engine: DockerEngine, output: bytes) -> None:
    def go_on(_: Request, peer: socket.socket) -> None:
        peer.sendall(UPGRADED)
        with suppress(OSError):  # the stream is closed
            for _times in range(600):
                peer.sendall(output)
                time.sleep(0.1)

    scripted.answers["POST /containers/x/exec"] = answer(201, {"Id": "e"})
    scripted.answers["POST /exec/e/start"] = go_on
    began = time.monotonic()
    with pytest.raises(EngineError):
        engine.execute("x", ["nc", "db", "5432"], seconds=0.5)
    assert time.monotonic() - began < 30


def test_a_command_with_a_terminal(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["POST /containers/x/exec"] = answer(201, {"Id": "e"})
    scripted.answers["POST /exec/e/start"] = UPGRADED + b"# "
    states = iter([{"Running": True, "ExitCode": None}, {"Running": False, "ExitCode": 3}])
    scripted.answers["GET /exec/e/json"] = lambda _, peer: peer.sendall(answer(200, next(states)))
    execution = engine.open_command("x", ["sh", "-i"], environment={"TERM": "vt100"}, terminal=True)
    with closing(execution.stream) as stream:
        assert list(stream.frames()) == [(STDOUT, b"# ")]
    engine.resize_command(execution.id, columns=80, rows=24)  # which it does not have any more
    assert engine.command_status(execution.id) == 3
    assert json.loads(scripted.asked("POST /containers/x/exec")[0].body) == {
        "Cmd": ["sh", "-i"],
        "Env": ["TERM=vt100"],
        "User": "0",
        "WorkingDir": "/",
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": True,
    }
    assert json.loads(scripted.asked("POST /exec/e/start")[0].body) == {"Detach": False, "Tty": True}


def test_a_command_whose_end_is_not_reported(
    scripted: ScriptedEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "STATUS_SECONDS", 0.1)
    scripted.answers["GET /exec/e/json"] = answer(200, {"Running": True, "ExitCode": None})
    with pytest.raises(EngineError, match=r"^the engine does not report the end of the command$"):
        engine.command_status("e")


def test_a_command_in_a_container_that_has_ended(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["POST /containers/x/exec"] = answer(409, {"message": "Container x is not running"})
    with pytest.raises(EngineError, match="is not running"):
        engine.open_command("x", ["true"], environment={}, terminal=False)


# Pulls


def test_pull_progress_is_summed(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers[PULL] = chunked(
        {"status": "Pulling from library/python", "id": "3.12"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 10, "total": 100}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 5, "total": 50}},
        {"status": "Waiting", "id": "c", "progressDetail": {}},
        {"status": "Download complete", "id": "a", "progressDetail": {}},
        {"status": "Digest: sha256:1"},
        {"status": "Status: Downloaded newer image for python:3.12"},
    )
    progress = list(engine.pull("python:3.12"))
    assert progress[0] == PullProgress(done=10, total=100)
    assert progress[-1] == PullProgress(done=105, total=150)
    assert parse_qs(scripted.asked(PULL)[0].query) == {"fromImage": ["python"], "tag": ["3.12"]}


LIMITED = "toomanyrequests: You have reached your unauthenticated pull rate limit."


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(chunked({"errorDetail": {"message": LIMITED}}), '"too many requests" (429)', id="record"),
        pytest.param(chunked({"error": LIMITED}), '"too many requests" (429)', id="old record"),
        pytest.param(answer(500, {"message": LIMITED}), '"too many requests" (429)', id="500"),
        pytest.param(answer(429, {"message": "slow down"}), '"too many requests" (429): slow down', id="429"),
        pytest.param(chunked({"errorDetail": {}, "error": ""}, {"errorDetail": "odd"}), "odd", id="text for detail"),
        pytest.param(chunked({"errorDetail": {"code": 5}}), "the pull failed: {'code': 5}", id="no message"),
        pytest.param(chunked({"errorDetail": {"message": "no space left on device"}}), "disk is full", id="disk"),
        pytest.param(chunked(CUT), "was cut", id="half a record"),
        pytest.param(chunked(b"[1]"), "is invalid", id="list"),
        pytest.param(chunked({"status": "x"}, end=False), "was cut", id="cut stream"),
        pytest.param(b"", "connection to the engine was lost", id="no answer"),
    ],
)
def test_failed_pull(scripted: ScriptedEngine, engine: DockerEngine, said: bytes, expected: str) -> None:
    scripted.answers[PULL] = said
    with pytest.raises(EngineError) as caught:
        list(engine.pull("python:3.12"))
    assert expected in str(caught.value)
    assert not isinstance(caught.value, ImageNotFound)
    assert not scripted.asked(FOUND)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Get https://r/v2/: dial tcp: lookup r on 10.0.0.1:53: no such host", "name cannot be resolved"),
        ("lookup r: Temporary failure in name resolution", "name cannot be resolved"),
        ("Get https://r/v2/: proxyconnect tcp: dial tcp: lookup proxy: no such host", "the engine's proxy"),
        ("Get https://r/v2/: dial tcp 10.0.0.1:443: connect: connection refused", "cannot be reached"),
        ("net/http: TLS handshake timeout", "cannot be reached"),
        ("x509: certificate signed by unknown authority", "does not trust"),
        ("Head https://r/v2/x: unauthorized: incorrect username or password", "refused the credentials"),
        ("unexpected status from HEAD request to https://r: 403 Forbidden", "refused the credentials"),
        ("no matching manifest for linux/s390x in the manifest list entries", "for this platform"),
        ("no match for platform in manifest: not found", "for this platform"),
        ("something\nnew", "the pull failed: something new"),
    ],
)
def test_causes_of_failed_pulls(text: str, expected: str) -> None:
    error = classify_pull_error(text)
    assert expected in error.message
    is_unreachable = expected in ("name cannot be resolved", "cannot be reached")
    assert type(error) is (RegistryUnreachableError if is_unreachable else EngineError)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("manifest for python:3.99 not found: manifest unknown: manifest unknown", 404),
        ("manifest for python@sha256:4294290403 not found: manifest unknown", 404),
        ("pull access denied for x, repository does not exist or may require 'docker login'", 404),
        ("failed to resolve reference: docker.io/library/python:3.99: not found", None),
        ("name unknown: repository not known", None),
        ("initializing source docker://python:3.99: reading manifest", 404),
    ],
)
def test_pull_of_a_missing_image(text: str, status: int | None) -> None:
    assert isinstance(classify_pull_error(text, status), ImageNotFound)


@pytest.mark.parametrize(
    "first",
    [chunked({"status": "x"}, end=False), chunked(CUT), chunked({"status": "Pull complete"})],
    ids=["cut stream", "half a record", "without the image"],
)
def test_cut_pull_is_retried(scripted: ScriptedEngine, engine: DockerEngine, first: bytes) -> None:
    def appears(_: Request, peer: socket.socket) -> None:
        peer.sendall(answer(200, IMAGE) if len(scripted.asked(PULL)) > 1 else answer(404, {"message": "No such image"}))

    scripted.answers[PULL] = [first, chunked({"status": "Downloaded"})]
    scripted.answers[FOUND] = appears
    list(engine.pull("python:3.12"))
    assert len(scripted.asked(PULL)) == 2


def test_pull_without_result(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers[PULL] = chunked({"status": "Status: Downloaded newer image for python:3.12"})
    scripted.answers[FOUND] = answer(404, {"message": "No such image: python:3.12"})
    with pytest.raises(EngineError, match="no error but the image does not exist"):
        list(engine.pull("python:3.12"))


def test_abandoned_pull_is_cancelled(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    gone = threading.Event()

    def endless(_: Request, peer: socket.socket) -> None:
        record = {"status": "Downloading", "id": "a", "progressDetail": {"current": 1, "total": 9}}
        peer.sendall(chunked(record, end=False))
        if not peer.recv(1):
            gone.set()

    scripted.answers[PULL] = endless
    pull = engine.pull("python:3.12")
    assert next(pull) == PullProgress(done=1, total=9)
    pull.close()  # type: ignore[attr-defined] # it is a generator
    assert gone.wait(60)


def test_credentials_of_the_docker_cli_are_used(scripted: ScriptedEngine, engine: DockerEngine, tmp_path: Path) -> None:
    secret = base64.b64encode(b"me:password").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.example": {"auth": secret}}}))
    scripted.answers[PULL] = chunked({"status": "x"})
    scripted.answers["GET /images/registry.example/python:3/json"] = answer(200, IMAGE)
    list(engine.pull("registry.example/python:3"))
    sent = json.loads(base64.urlsafe_b64decode(scripted.asked(PULL)[0].headers["x-registry-auth"]))
    assert (sent["username"], sent["password"]) == ("me", "password")


@pytest.mark.parametrize("action", ["ignore", "error"])
def test_a_broken_credential_helper_does_not_stop_a_public_image(
    scripted: ScriptedEngine, engine: DockerEngine, tmp_path: Path, action: Literal["ignore", "error"]
) -> None:
    warnings.simplefilter(action)  # docker-py warns
    (tmp_path / "config.json").write_text('{"credsStore": "of-a-desktop-that-is-not-there"}')
    scripted.answers[PULL] = chunked({"status": "x"})
    list(engine.pull("python:3.12"))
    assert base64.urlsafe_b64decode(scripted.asked(PULL)[0].headers["x-registry-auth"]) == b"{}"


# Pushes

PUSH = "POST /images/registry.example/team/tests/push"
PUSHED = "registry.example/team/tests:1"


def test_push_is_authorized_and_its_progress_is_summed(
    scripted: ScriptedEngine, engine: DockerEngine, tmp_path: Path
) -> None:
    secret = base64.b64encode(b"me:password").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.example": {"auth": secret}}}))
    scripted.answers[PUSH] = chunked(
        {"status": "Pushing", "id": "a", "progressDetail": {"current": 10, "total": 100}},
        {"status": "Layer already exists", "id": "b", "progressDetail": {}},
        {"status": "Pushed", "id": "a", "progressDetail": {}},
    )
    assert list(engine.push(PUSHED)) == [PullProgress(done=10, total=100), PullProgress(done=100, total=100)]
    (request,) = scripted.asked(PUSH)
    assert parse_qs(request.query) == {"tag": ["1"]}
    sent = json.loads(base64.urlsafe_b64decode(request.headers["x-registry-auth"]))
    assert (sent["username"], sent["password"]) == ("me", "password")


def test_push_without_credentials_has_the_header_that_engines_require(
    scripted: ScriptedEngine, engine: DockerEngine
) -> None:
    scripted.answers[PUSH] = chunked({"status": "Pushed", "id": "a"})
    list(engine.push(PUSHED))
    assert base64.urlsafe_b64decode(scripted.asked(PUSH)[0].headers["x-registry-auth"]) == b"{}"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(chunked({"errorDetail": {"message": "denied: no"}}), "the push failed: denied: no", id="record"),
        pytest.param(answer(500, {"message": "no basic auth credentials"}), "refused the credentials", id="500"),
        pytest.param(chunked({"status": "x"}, end=False), f"pushing {PUSHED} was cut", id="cut stream"),
        pytest.param(answer(404, {"message": "does not exist locally"}), "does not exist locally", id="404"),
        pytest.param(answer(500, {"message": "denied: no"}), "the push failed: denied: no", id="other status"),
    ],
)
def test_failed_push(scripted: ScriptedEngine, engine: DockerEngine, said: bytes, expected: str) -> None:
    scripted.answers[PUSH] = said
    with pytest.raises(EngineError, match=expected):
        list(engine.push(PUSHED))


def test_image_gets_a_name(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers["POST /images/sha256:1/tag"] = answer(201, {})
    engine.tag("sha256:1", "localhost:5000/team/tests:1")
    (request,) = scripted.asked("POST /images/sha256:1/tag")
    query = parse_qs(request.query)
    assert (query["repo"], query["tag"]) == (["localhost:5000/team/tests"], ["1"])


# Processors


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(answer(200, {"NCPU": 6}), 6, id="6"),
        pytest.param(answer(200, {}), 0, id="not said"),
        pytest.param(answer(403, {"message": "no"}), 0, id="refused by a proxy"),
    ],
)
def test_processors_of_the_engine(engine: DockerEngine, scripted: ScriptedEngine, said: bytes, expected: int) -> None:
    scripted.answers["GET /info"] = said
    assert engine.processors() == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(200, {"DockerRootDir": "/data"}), "/data"),
        (answer(200, {}), ""),
        (answer(200, {"DockerRootDir": None}), ""),
    ],
)
def test_folder_of_the_engine_s_data(
    engine: DockerEngine, scripted: ScriptedEngine, said: bytes, expected: str
) -> None:
    scripted.answers["GET /info"] = said
    assert engine.data_folder() == expected


def test_unknown_processors(engine: DockerEngine, scripted: ScriptedEngine) -> None:
    scripted.answers["GET /info"] = answer(500, {"message": "out of order"})
    with pytest.raises(EngineError, match="out of order"):
        engine.processors()


@pytest.mark.parametrize(
    ("info", "options"),
    [
        ({"KernelVersion": "6.8.0-31-generic", "SecurityOptions": ["name=seccomp"]}, ",redirect_dir=on,metacopy=on"),
        ({"KernelVersion": "4.19.0", "SecurityOptions": None}, ",redirect_dir=on,metacopy=on"),
        ({"KernelVersion": "4.18.0-553.el8"}, ""),
        ({"KernelVersion": "6.8.0", "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, ""),
        ({}, ""),
    ],
)
def test_folders_can_be_renamed_where_the_kernel_allows_it(info: dict[str, object], options: str) -> None:
    assert choose_overlay_options(info) == options


def never_answering(_: Request, peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.recv(1)


def test_silent_pull_is_tried_twice(
    scripted: ScriptedEngine, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "SILENT_SECONDS", 0.3)
    scripted.answers[PULL] = never_answering
    with pytest.raises(EngineError, match="did not answer in time"):
        list(engine.pull("python:3.12"))
    assert len(scripted.asked(PULL)) == 2


# An engine that hangs


@pytest.mark.parametrize(
    ("call", "what"),
    [
        ("POST /containers/x/start", lambda engine: engine.start("x")),
        ("POST /containers/x/wait", lambda engine: engine.wait("x")),
        ("POST /containers/create", lambda engine: engine.create_container(SPEC)),
    ],
    ids=["start", "wait", "create"],
)
def test_calls_end_at_once_while_the_engine_hangs(
    scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, call: str, what: Callable[[DockerEngine], object]
) -> None:
    monkeypatch.setattr(docker, "CALL_SECONDS", 0.5)
    monkeypatch.setattr(calls, "PING_SECONDS", 0.2)
    scripted.answers |= {call: never_answering, "GET /_ping": never_answering}
    with closing(connect(scripted.url)) as engine:
        for _ in range(2):
            with pytest.raises(NoAnswerError, match="did not answer in time"):
                what(engine)
        assert len(scripted.asked(call)) == 1  # the second time it was only asked whether it answers
        scripted.answers |= {"GET /_ping": answer(200, b"OK", "text/plain")}
        engine.find_image("python:3.12")  # it answers again


# Connections


def test_threads_share_connections(scripted: ScriptedEngine, engine: DockerEngine) -> None:
    scripted.answers[FOUND] = answer(200, IMAGE)
    engine.find_image("python:3.12")
    before = count_descriptors()
    release, asked = threading.Event(), threading.Barrier(41)
    gate = threading.Semaphore(2)

    def limited() -> None:
        with gate:
            engine.find_image("python:3.12")
        asked.wait(60)
        release.wait(60)

    threads = [threading.Thread(target=limited) for _ in range(40)]
    for thread in threads:
        thread.start()
    asked.wait(60)
    try:
        assert count_descriptors() <= before + 4
    finally:
        release.set()
        for thread in threads:
            thread.join()


def keep_open(said: bytes) -> bytes:
    return said.replace(b"Connection: close\r\n", b"")


def test_closing_waits_for_no_answer(scripted: ScriptedEngine) -> None:
    """Engines send the headers of a wait at once, and the body when the container has ended."""
    asked, ended = threading.Event(), threading.Event()

    def begin_answer(_: Request, peer: socket.socket) -> None:
        peer.sendall(keep_open(answer(200, {"StatusCode": 0}))[:-1])
        asked.set()
        ended.wait(20)

    def wait() -> None:
        with pytest.raises(ConnectionLostError):
            engine.wait("x")

    scripted.answers["POST /containers/x/wait"] = begin_answer
    engine = connect(scripted.url)
    waiting, closing = (threading.Thread(target=each, daemon=True) for each in (wait, engine.close))
    waiting.start()
    assert asked.wait(20)
    time.sleep(0.2)  # until the headers are read
    closing.start()
    closing.join(5)
    is_closed = not closing.is_alive()
    ended.set()
    waiting.join(20)
    assert is_closed


@pytest.mark.parametrize("ends", ["before", "during"])
def test_a_connection_that_the_engine_has_closed(scripted: ScriptedEngine, ends: str) -> None:
    """Only what may be sent twice is sent again, if the engine has begun to read it."""
    connections = []

    def serve_twice(request: Request, peer: socket.socket) -> None:
        connections.append(request.method)
        peer.sendall(keep_open(answer(200, IMAGE)))
        if ends == "during" and read_request(peer) is not None:
            peer.shutdown(socket.SHUT_RDWR)

    scripted.answers |= {FOUND: serve_twice, "POST /containers/x/start": answer(204, b"")}
    with closing(connect(scripted.url)) as engine:
        for _ in range(3):
            assert engine.find_image("python:3.12") is not None
        assert connections == ["GET"] * 3
        if ends == "during":
            with pytest.raises(ConnectionLostError):
                engine.start("x")
        else:
            time.sleep(0.2)  # until the end has arrived
            engine.start("x")


def test_a_module_that_another_thread_imports_has_raised_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("docker.errors", "requests.exceptions", "urllib3.exceptions"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))  # as at the beginning of an import
    assert OSError in list_client_errors()
    assert is_timeout(TimeoutError())
