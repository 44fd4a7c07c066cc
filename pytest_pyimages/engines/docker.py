"""An engine that speaks the Docker Engine API, Podman's service included, through docker-py's low-level client.

Imported late and in a thread: docker-py alone takes some 0.2 s.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import docker.errors
from docker.api import APIClient
from docker.tls import TLSConfig
from docker.utils import parse_repository_tag

from pytest_pyimages.engines import frames
from pytest_pyimages.engines.base import (
    ContainerSpec,
    ContainerState,
    EngineInfo,
    ImageInfo,
    Leftover,
    PullProgress,
)
from pytest_pyimages.engines.endpoint import Endpoint, find_endpoint
from pytest_pyimages.engines.faults import CLIENT_ERRORS, connection_error, engine_error, one_line, wrapped
from pytest_pyimages.errors import ConfigurationError, EngineError, ImageNotFound

FLOOR = (1, 41)  # Engine 20.10, Podman 4
CEILING = (1, 47)  # what the calls below were written against
CALL_SECONDS = 600
PIDS_LIMIT = 4096
SHM_BYTES = 256 * 1024**2
REMOVAL_SECONDS = 10.0


def connect(endpoint: str = "", *, timeout: float = 5.0) -> DockerEngine:
    """Return the engine that answers.

    :param endpoint: its address; empty for DOCKER_HOST, the docker command's context, or the first socket there is.
    :param timeout: seconds in which it must answer.
    :raises ConfigurationError: one line with what is wrong and what to do.
    """
    found = find_endpoint(endpoint, os.environ)
    try:
        client = _client(found, _version_text(FLOOR), timeout)
        answer = client.version(api_version=False)
        info = _info(found.url, answer)
        version = _negotiated(found.url, answer)
    except ConfigurationError:
        raise
    except CLIENT_ERRORS as error:
        raise connection_error(found.url, error) from error
    client.close()
    return DockerEngine(found, info, version)


def _client(endpoint: Endpoint, version: str, timeout: float) -> APIClient:
    tls: TLSConfig | bool = False
    if endpoint.certificates is not None:
        folder = endpoint.certificates
        tls = TLSConfig(
            client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")),
            ca_cert=str(folder / "ca.pem"),
            verify=endpoint.verify,
        )
    client = APIClient(
        base_url=endpoint.url, version=version, timeout=timeout, tls=tls, use_ssh_client=endpoint.url.startswith("ssh://")
    )
    client.trust_env = False  # proxies, netrc and REQUESTS_CA_BUNDLE are for the public network (docker-py#2433)
    return client


def _info(url: str, answer: Mapping[str, Any]) -> EngineInfo:
    names = [str(part.get("Name", "")).lower() for part in answer.get("Components") or ()]
    if str(answer.get("Os", "linux")).lower() == "windows":
        raise ConfigurationError(f"--py-images: the engine at {url} runs Windows containers", "switch it to Linux containers")
    name = "podman" if any("podman" in part for part in names) else "docker"
    return EngineInfo(name=name, version=str(answer["Version"]), api_version=str(answer["ApiVersion"]), endpoint=url)


def _negotiated(url: str, answer: Mapping[str, Any]) -> str:
    highest = _version(answer["ApiVersion"])
    lowest = _version(answer.get("MinAPIVersion") or "1.0")
    if highest < FLOOR:
        raise ConfigurationError(
            f"--py-images: the engine at {url} speaks API {answer['ApiVersion']}, at least {_version_text(FLOOR)} is needed",
            "upgrade it to Engine 20.10 or Podman 4, or newer",
        )
    if lowest > CEILING:
        raise ConfigurationError(
            f"--py-images: the engine at {url} wants API {answer['MinAPIVersion']} or newer, this version of pytest-pyimages"
            f" speaks {_version_text(CEILING)}",
            "upgrade pytest-pyimages",
        )
    return _version_text(min(highest, CEILING))


def _version(text: object) -> tuple[int, int]:
    major, _, minor = str(text).partition(".")
    return int(major), int(minor)


def _version_text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


class AttachedStream:
    """Both directions of one container, over the connection that the attach request was upgraded to."""

    def __init__(self, client: APIClient, container: str) -> None:
        url = client._url("/containers/{0}/attach", container)  # noqa: SLF001 - attach_socket loses early bytes
        self._response = client._post(  # noqa: SLF001
            url,
            headers={"Connection": "Upgrade", "Upgrade": "tcp"},
            params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1},
            stream=True,
        )
        client._raise_for_status(self._response)  # noqa: SLF001
        # The buffered reader below the response may hold bytes that came with its headers: read through it.
        self._reader = self._response.raw._fp.fp  # noqa: SLF001
        raw = getattr(self._reader, "raw", self._reader)
        self._socket: socket.socket = getattr(raw, "_sock", raw)
        self._socket.settimeout(None)
        if getattr(self._socket, "family", None) in (socket.AF_INET, socket.AF_INET6):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._closed = False

    def frames(self) -> Iterator[tuple[int, bytes]]:
        try:
            yield from frames.frames(self._read)
        except CLIENT_ERRORS as error:
            if not self._closed:
                raise engine_error(error) from error

    def _read(self, size: int) -> bytes:
        data: bytes = self._reader.read1(size)
        return data

    @wrapped
    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):  # the other side may have closed it
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, ValueError):
            self._response.close()


class DockerEngine:
    """Implements the Engine protocol with a client per thread (docker-py's clients are not safe to share)."""

    def __init__(self, endpoint: Endpoint, info: EngineInfo, version: str) -> None:
        self.info = info
        self._endpoint = endpoint
        self._version = version
        self._local = threading.local()
        self._clients: list[APIClient] = []
        self._lock = threading.Lock()

    @property
    def _api(self) -> APIClient:
        client: APIClient | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = _client(self._endpoint, self._version, CALL_SECONDS)
            with self._lock:
                self._clients.append(client)
        return client

    @wrapped
    def find_image(self, reference: str) -> ImageInfo | None:
        try:
            return _image(self._api.inspect_image(reference))
        except docker.errors.NotFound:
            return None

    def pull(self, reference: str) -> Iterator[PullProgress]:
        """See the protocol: errors arrive as records in the stream, and its end alone proves nothing."""
        repository, tag = parse_repository_tag(reference)
        layers: dict[str, tuple[int, int]] = {}
        try:
            for record in self._pull_records(repository, tag or "latest"):
                if "errorDetail" in record or "error" in record:
                    raise _pull_error(str(record.get("error") or record["errorDetail"].get("message")))
                detail = record.get("progressDetail") or {}
                if detail.get("total") and record.get("status") == "Downloading":
                    layers[record["id"]] = (int(detail.get("current", 0)), int(detail["total"]))
                    yield PullProgress(
                        done=sum(done for done, _ in layers.values()), total=sum(total for _, total in layers.values())
                    )
        except CLIENT_ERRORS as error:
            raise _pull_error(str(engine_error(error).message)) from error
        if self.find_image(reference) is None:
            raise EngineError(f"the pull of {reference} ended without an error and without the image")

    def _pull_records(self, repository: str, tag: str) -> Iterator[dict[str, Any]]:
        try:
            records = self._api.pull(repository, tag=tag, stream=True, decode=True)
        except docker.errors.APIError:
            raise
        except docker.errors.DockerException:
            # A broken credential helper must not stop a public image (docker-py#2482).
            records = self._api.pull(repository, tag=tag, stream=True, decode=True, auth_config={})
        yield from records

    @wrapped
    def create_container(self, spec: ContainerSpec) -> str:
        mounts = [
            {"Type": mount.kind, "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
            for mount in spec.mounts
        ]
        body = {
            "Image": spec.image,
            "Entrypoint": [spec.command[0]],
            "Cmd": list(spec.command[1:]),
            "Env": [f"{name}={value}" for name, value in spec.environment.items()],
            "WorkingDir": spec.working_dir,
            "User": spec.user,
            "Labels": dict(spec.labels),
            "OpenStdin": True,
            "StdinOnce": True,  # the worker's stdin ends when this side dies, and so does the worker
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": False,
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": {
                "Mounts": mounts,
                "LogConfig": {"Type": "none", "Config": {}},
                "SecurityOpt": ["no-new-privileges"],
                "PidsLimit": PIDS_LIMIT,
                "ShmSize": SHM_BYTES,
                **({"NetworkMode": spec.network} if spec.network else {}),
            },
        }
        created = self._api.create_container_from_config(body, spec.name)
        return str(created["Id"])

    @wrapped
    def attach(self, container: str) -> AttachedStream:
        return AttachedStream(self._api, container)

    @wrapped
    def start(self, container: str) -> None:
        self._api.start(container)

    @wrapped
    def wait(self, container: str) -> int:
        return int(self._api.wait(container)["StatusCode"])

    @wrapped
    def inspect(self, container: str) -> ContainerState:
        state = self._api.inspect_container(container)["State"]
        return ContainerState(
            running=bool(state["Running"]),
            exit_code=int(state["ExitCode"]),
            oom_killed=bool(state.get("OOMKilled")),
            error=one_line(state.get("Error") or ""),
        )

    @wrapped
    def kill(self, container: str) -> None:
        with _ignored(404, 409):  # gone, or not running
            self._api.kill(container)

    @wrapped
    def remove_container(self, container: str) -> None:
        self._retried(lambda: self._api.remove_container(container, force=True, v=True))

    @wrapped
    def remove_volume(self, name: str) -> None:
        self._retried(lambda: self._api.remove_volume(name))

    @staticmethod
    def _retried(remove: Callable[[], None]) -> None:
        """Remove; 404 is done, 409 is under way elsewhere or still in use for a moment (moby answers both so)."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        while True:
            try:
                remove()
            except docker.errors.APIError as error:
                status = error.response.status_code if error.response is not None else 0
                if status == 404:
                    return
                if status != 409 or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    @wrapped
    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        if not self._api.put_archive(container, path, iter(tar)):
            raise EngineError(f"the engine did not take the files for {path}")

    @wrapped
    def commit(self, container: str, *, reference: str, labels: Mapping[str, str]) -> str:
        repository, tag = parse_repository_tag(reference)
        found = self._api.inspect_container(container)
        base = self._api.inspect_image(found["Image"])["Config"]
        # The engine fills what is missing here from the container, which was made to install, not to be one.
        masked = dict.fromkeys(found["Config"].get("Labels") or {}, "")
        config = {
            "Cmd": base.get("Cmd") or [],
            "Entrypoint": base.get("Entrypoint") or [],
            "WorkingDir": base.get("WorkingDir") or "/",
            "User": base.get("User") or "",
            "Env": base.get("Env") or [],
            "Labels": {**masked, **(base.get("Labels") or {}), **labels},
            "Healthcheck": base.get("Healthcheck") or {"Test": ["NONE"]},
        }
        return str(self._api.commit(container, repository=repository, tag=tag, conf=config)["Id"])

    @wrapped
    def remove_image(self, reference: str) -> None:
        with _ignored(404):
            self._api.remove_image(reference)

    @wrapped
    def create_volume(self, name: str, *, labels: Mapping[str, str], options: Mapping[str, str]) -> str:
        made = self._api.create_volume(name, driver="local", driver_opts=dict(options) or None, labels=dict(labels))
        return str(made["Mountpoint"])

    @wrapped
    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        filters = {"label": label}
        found = [
            Leftover(kind="container", id=entry["Id"], name=entry["Names"][0].lstrip("/"), labels=entry["Labels"] or {})
            for entry in self._api.containers(all=True, filters=filters)
        ]
        for entry in self._api.volumes(filters=filters)["Volumes"] or ():
            found.append(Leftover(kind="volume", id=entry["Name"], name=entry["Name"], labels=entry["Labels"] or {}))
        return tuple(found)

    @wrapped
    def images(self, label: str) -> tuple[tuple[str, ImageInfo], ...]:
        found = []
        for entry in self._api.images(filters={"label": label}):
            image = self.find_image(entry["Id"])
            if image is not None:
                found += [(reference, image) for reference in entry.get("RepoTags") or ()]
        return tuple(found)

    def close(self) -> None:
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            client.close()


@contextlib.contextmanager
def _ignored(*statuses: int) -> Iterator[None]:
    """Take these answers of the engine for success."""
    try:
        yield
    except docker.errors.APIError as error:
        if error.response is None or error.response.status_code not in statuses:
            raise


def _image(answer: Mapping[str, Any]) -> ImageInfo:
    config = answer.get("Config") or {}
    pairs = [entry.partition("=") for entry in config.get("Env") or ()]
    return ImageInfo(
        id=str(answer["Id"]),
        digests=tuple(answer.get("RepoDigests") or ()),
        platform=f"{answer.get('Os', '')}/{answer.get('Architecture', '')}",
        environment={name: value for name, _, value in pairs},
        labels=config.get("Labels") or {},
        size=int(answer.get("Size") or 0),
        user=str(config.get("User") or ""),
    )


_PULL_ERRORS = (
    (("toomanyrequests", "too many requests", "429", "rate limit"), 'the registry says "too many requests" (429)'),
    (("no such host", "name resolution", "server misbehaving"), "the registry's name cannot be resolved"),
    (("connection refused", "i/o timeout", "no route", "network is unreachable", "tls handshake", "proxyconnect"), "the registry cannot be reached"),
    (("no space left",), "the engine's disk is full"),
    (("unauthorized", "authentication required", "no basic auth", "403", "forbidden"), "the registry refuses these credentials"),
    (("no matching manifest",), "the image does not exist for this platform"),
)
_MISSING = ("manifest unknown", "not found", "does not exist", "name unknown")


def _pull_error(text: str) -> EngineError:
    """Return why a pull failed: the same failure comes with several statuses and texts."""
    text, lowered = one_line(text), text.lower()
    for marks, meaning in _PULL_ERRORS:
        if any(mark in lowered for mark in marks):
            return EngineError(f"{meaning}: {text}", _PULL_HINT)
    if any(mark in lowered for mark in _MISSING):
        return ImageNotFound(text)
    return EngineError(f"the pull failed: {text}")


_PULL_HINT = "log in, name a mirror with --py-images-registry, or use images that the engine has"
