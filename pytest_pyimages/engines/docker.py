"""The engine of Docker and of Podman's service, with docker-py's low-level client.

Imported late and in a thread: docker-py alone takes some 0.2 s.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import docker.errors
from docker.api import APIClient

from pytest_pyimages.engines import builds, commits, pulls, services
from pytest_pyimages.engines.attached import AttachedStream
from pytest_pyimages.engines.base import (
    BuildContext,
    ContainerSpec,
    ContainerState,
    EngineInfo,
    ImageInfo,
    Leftover,
    Mount,
    PullProgress,
    ServiceSpec,
)
from pytest_pyimages.engines.client import new_client, probe, request
from pytest_pyimages.engines.endpoint import Endpoint, find_endpoint
from pytest_pyimages.engines.faults import is_timeout, raises_engine_error
from pytest_pyimages.engines.images import parse_image
from pytest_pyimages.errors import ConfigurationError, EngineError
from pytest_pyimages.text import flatten

PROBE_SECONDS = 4.0  # a run without an engine should end within 5, including the start of the process
CALL_SECONDS = 300.0  # docker-py's 60 are too few for a busy disk (docker-py#2266)
REMOVAL_CALL_SECONDS = 60.0
PIDS_LIMIT = 4096
# Of Docker's default capabilities (docs.docker.com, "Runtime privilege and Linux capabilities"). The others stay:
# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID and NET_BIND_SERVICE are what root is used for; NET_RAW is
# a file capability of ping, which could not be started; without AUDIT_WRITE, PAM fails in su, sudo and sshd; sshd and
# other servers isolate themselves by SYS_CHROOT; SETPCAP can only give privileges up.
DROPPED_CAPABILITIES = (
    "MKNOD",  # device files: the engine's list of devices decides what they open; FIFOs and sockets need no privilege
    "SETFCAP",  # programs with capabilities, in volumes that the engine's host sees as well
)
REMOVAL_SECONDS = 10.0
VOLUME_REMOVAL_SECONDS = 3.0
NAMES = 3  # that are tried for a container


def connect(endpoint: str = "", *, timeout: float = PROBE_SECONDS) -> DockerEngine:
    """Connect to an engine.

    :param endpoint: its address; empty for DOCKER_HOST, the Docker CLI's context, or the first existing socket.
    :param timeout: seconds.
    :raises ConfigurationError: if no usable engine answers in time.
    """
    found = find_endpoint(endpoint, os.environ)
    info, version = probe(found, timeout)
    return DockerEngine(found, info, version)


class DockerEngine:
    """Implements the Engine protocol with a client per thread: docker-py's clients are not thread-safe."""

    def __init__(self, endpoint: Endpoint, info: EngineInfo, version: str) -> None:
        self.info = info
        self._endpoint = endpoint
        self._version = version
        self._local = threading.local()
        self._clients: set[APIClient] = set()
        self._overlay_options: str | None = None
        self._lock = threading.RLock()  # the end of a thread's values may come while it is held

    @property
    def _client(self) -> APIClient:
        client: APIClient | None = getattr(self._local, "client", None)
        if client is None:
            try:
                client = new_client(self._endpoint, self._version, CALL_SECONDS)
            except ConfigurationError as error:  # it was valid when the session began
                raise EngineError(error.message, error.hint) from error
            with self._lock:
                self._clients.add(client)
            self._local.client, self._local.owner = client, _Owner(self._close_client, client)
        return client

    def _close_client(self, client: APIClient) -> None:
        with self._lock:
            self._clients.discard(client)
        client.close()

    @property
    def _api(self) -> Any:
        """The client without types, for calls that the type stubs lack."""
        return self._client

    @raises_engine_error
    def processors(self) -> int:
        try:
            return int(self._api.info().get("NCPU") or 0)
        except docker.errors.APIError as error:
            if error.status_code not in (403, 404):  # from a proxy that allows only some requests
                raise
            return 0

    @raises_engine_error
    def overlay_options(self) -> str:
        with self._lock:
            if self._overlay_options is None:
                self._overlay_options = choose_overlay_options(self._api.info())
        return self._overlay_options

    @raises_engine_error
    def find_image(self, reference: str) -> ImageInfo | None:
        try:
            return parse_image(self._api.inspect_image(reference))
        except docker.errors.NotFound:
            return None
        except docker.errors.APIError as error:
            if "64-byte hexadecimal" not in str(error.explanation):  # Podman takes an unknown id for a name
                raise
            return None

    def pull(self, reference: str) -> Iterator[PullProgress]:
        """Pull an image; retry once if the response is cut or the image is missing, since layers are kept."""
        for last in (False, True):
            try:
                yield from pulls.pull(self._client, reference)
                if self.find_image(reference) is not None:
                    return
            except pulls.PullCutError:
                if last:
                    raise
        raise EngineError(f"pulling {reference} reported no error but the image does not exist", "try again")

    def create_container(self, spec: ContainerSpec) -> str:
        return self._create(spec.name, _create_body(spec))

    def create_service(self, spec: ServiceSpec) -> str:
        return self._create(spec.name, services.make_service_body(spec))

    @raises_engine_error
    def _create(self, free_name: str, body: Mapping[str, Any]) -> str:
        for attempt in range(NAMES):
            # An earlier request that seemed to be lost may have taken the name.
            name = f"{free_name}-{attempt}" if attempt else free_name
            try:
                return str(self._api.create_container_from_config(body, name)["Id"])
            except docker.errors.APIError as error:
                if error.status_code != 409 or attempt == NAMES - 1:
                    raise
        raise AssertionError("unreachable")

    @raises_engine_error
    def execute(self, container: str, command: Sequence[str]) -> tuple[int, bytes]:
        return services.execute(self._api, container, command)

    @raises_engine_error
    def read_log(self, container: str, *, lines: int) -> str:
        output: bytes = self._api.logs(container, tail=lines)
        return output.decode("utf-8", "replace")

    @raises_engine_error
    def attach(self, container: str, *, terminal: bool = False) -> AttachedStream:
        return AttachedStream(self._client, container, terminal=terminal)

    @raises_engine_error
    def start(self, container: str) -> None:
        self._api.start(container)

    @raises_engine_error
    def resize(self, container: str, *, columns: int, rows: int) -> None:
        with _ignore(404, 409, 500):  # it has just ended; Engine 20.10 answers 500
            self._api.resize(container, height=rows, width=columns)

    @raises_engine_error
    def wait(self, container: str) -> int:
        answer = self._api.wait(container)
        failure = answer.get("Error") or {}
        if failure.get("Message"):
            raise EngineError(f"waiting for the container failed: {flatten(failure['Message'])}")
        return int(answer["StatusCode"])

    @raises_engine_error
    def inspect(self, container: str) -> ContainerState:
        state = self._api.inspect_container(container)["State"]
        return ContainerState(
            running=bool(state["Running"]),
            exit_code=int(state["ExitCode"]),
            oom_killed=bool(state.get("OOMKilled")),
            error=flatten(state.get("Error") or ""),
        )

    @raises_engine_error
    def kill(self, container: str) -> None:
        with _ignore(404, 409):  # removed, or not running
            self._api.kill(container)

    @raises_engine_error
    def remove_container(self, container: str) -> None:
        self._remove(f"/containers/{container}", {"force": True, "v": True}, REMOVAL_SECONDS)

    @raises_engine_error
    def remove_volume(self, name: str) -> None:
        self._remove(f"/volumes/{name}", {}, VOLUME_REMOVAL_SECONDS)

    def _remove(self, path: str, parameters: Mapping[str, bool], seconds: float) -> None:
        """Remove and retry: 409 means being removed, 409 and 500 also still in use for a moment (moby)."""
        deadline = time.monotonic() + seconds
        timed_out = False
        while True:
            try:
                with _ignore(404):
                    request(self._client, "DELETE", path, params=parameters, timeout=REMOVAL_CALL_SECONDS)
            except docker.errors.APIError as error:
                if error.status_code not in (409, 500) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            except OSError as error:  # the base class of requests' exceptions
                if timed_out or not is_timeout(error):
                    raise
                timed_out = True
            else:
                return

    @raises_engine_error
    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        if not self._api.put_archive(container, path, _iter_pieces(tar)):
            raise EngineError(f"uploading files to {path} failed")

    @raises_engine_error
    def commit(self, container: str, *, reference: str, labels: Mapping[str, str]) -> str:
        """Commit a container. The engine adds the container's variables, which must not contain secrets."""
        return commits.commit(self._client, container, reference=reference, labels=labels, timeout=(CALL_SECONDS, None))

    def build(self, context: BuildContext, *, reference: str, labels: Mapping[str, str]) -> Iterator[str]:
        yield from builds.build(self._client, context, reference=reference, labels=labels)
        if self.find_image(reference) is None:
            raise EngineError(f"building {reference} reported no error but the image does not exist", "try again")

    @raises_engine_error
    def remove_image(self, reference: str, *, parents: bool = True) -> None:
        with _ignore(404):
            self._api.remove_image(reference, noprune=not parents)

    @raises_engine_error
    def create_volume(self, name: str, *, labels: Mapping[str, str], options: Mapping[str, str]) -> str:
        try:
            made = self._api.create_volume(name, driver="local", driver_opts=dict(options) or None, labels=dict(labels))
        except docker.errors.APIError as error:
            # Podman creates a volume that two sessions ask for at once for one of them only.
            if "already exists" not in str(error.explanation):
                raise
            made = self._api.inspect_volume(name)
        return str(made["Mountpoint"])

    @raises_engine_error
    def volume_size(self, name: str) -> int:
        volumes = self._api.df().get("Volumes") or ()
        sizes = [(entry.get("UsageData") or {}).get("Size") for entry in volumes if entry["Name"] == name]
        return max(int(sizes[0] or 0), 0) if sizes else 0  # -1: unknown

    @raises_engine_error
    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        filters = {"label": label}
        found = []
        for entry in self._api.containers(all=True, filters=filters):
            names = entry.get("Names") or [entry["Id"]]  # a container that is being removed has none
            labels = entry.get("Labels") or {}
            name, image = names[0].lstrip("/"), str(entry.get("ImageID") or "")
            runs = entry.get("State") == "running"
            found.append(
                Leftover(kind="container", id=entry["Id"], name=name, labels=labels, image=image, is_running=runs)
            )
        for entry in self._api.volumes(filters=filters).get("Volumes") or ():
            name = entry["Name"]
            found.append(Leftover(kind="volume", id=name, name=name, labels=entry.get("Labels") or {}))
        return tuple(found)

    @raises_engine_error
    def images(self, label: str) -> tuple[tuple[str, ImageInfo], ...]:
        found = []
        for entry in self._api.images(filters={"label": label}):
            references = [tag for tag in entry.get("RepoTags") or () if not tag.startswith("<none>")]
            image = self.find_image(entry["Id"]) if references else None
            if image is not None:
                found += [(reference, image) for reference in references]
        return tuple(found)

    def close(self) -> None:
        with self._lock:
            clients, self._clients = self._clients, set()
            self._local = threading.local()
        for client in clients:
            client.close()


class _Owner:
    """Closes a client when its thread ends, and with it the thread's own values: connections would pile up."""

    def __init__(self, close: Callable[[APIClient], None], client: APIClient) -> None:
        self._close, self._client = close, client

    def __del__(self) -> None:
        self._close(self._client)


@contextlib.contextmanager
def _ignore(*statuses: int) -> Iterator[None]:
    """Ignore error responses with these HTTP statuses."""
    try:
        yield
    except docker.errors.APIError as error:
        if error.status_code not in statuses:
            raise


def choose_overlay_options(info: Mapping[str, Any]) -> str:
    """Return the options for overlays whose lower layer's folders can be renamed (overlayfs, "redirect_dir").

    Without them rename(2) fails with EXDEV, and a new owner copies a file's content. Linux 4.19 has both; a rootless
    engine may not use them.

    :param info: the engine's description of itself (Engine API, "SystemInfo").
    """
    release = re.match(r"(\d+)\.(\d+)", str(info.get("KernelVersion") or ""))
    confined = any("rootless" in str(option) for option in info.get("SecurityOptions") or ())
    if release is None or confined or (int(release[1]), int(release[2])) < (4, 19):
        return ""
    return ",redirect_dir=on,metacopy=on"


def _create_body(spec: ContainerSpec) -> dict[str, Any]:
    """Return the request body that creates a container (Engine API, "ContainerCreate")."""
    return {
        "Image": spec.image,
        # The whole command: a commit would pass the container's Cmd on if the image has none.
        "Entrypoint": list(spec.command),
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "WorkingDir": spec.working_dir,
        "User": spec.user,
        "Labels": dict(spec.labels),
        "OpenStdin": True,
        "StdinOnce": True,  # the worker's stdin, and with it the worker, ends if this process dies
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": spec.terminal,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "Mounts": [_mount(mount) for mount in spec.mounts],
            "LogConfig": {"Type": "none", "Config": {}},
            **_describe_privileges(spec),
            "PidsLimit": PIDS_LIMIT,
            "Init": False,  # the worker is its own init
            **({"NetworkMode": spec.network} if spec.network else {}),
        },
    }


def _describe_privileges(spec: ContainerSpec) -> dict[str, Any]:
    if spec.privileges == "engine":
        return {}
    dropped = {"CapDrop": list(DROPPED_CAPABILITIES)} if spec.privileges == "reduced" else {}
    return {"SecurityOpt": ["no-new-privileges"], **dropped}


def _mount(mount: Mount) -> dict[str, Any]:
    options: dict[str, Any] = {"Source": mount.source} if mount.source else {}
    if mount.kind == "volume":  # an engine would copy what the image has at the target into an empty volume
        options["VolumeOptions"] = {"NoCopy": True}
    return {"Type": mount.kind, "Target": mount.target, "ReadOnly": mount.read_only, **options}


def _iter_pieces(tar: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces; an error in reading them is not reported as one of the connection."""
    try:
        yield from tar
    except OSError as error:
        raise EngineError(f"the files to upload cannot be read: {flatten(error)}") from error
