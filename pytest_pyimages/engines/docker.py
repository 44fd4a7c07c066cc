"""An engine that speaks the Docker Engine API, Podman's service included, through docker-py's low-level client.

Imported late and in a thread: docker-py alone takes some 0.2 s.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import docker.errors
from docker.api import APIClient
from docker.utils import parse_repository_tag

from pytest_pyimages.engines import builds, pulls
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
)
from pytest_pyimages.engines.client import new_client, probe, request
from pytest_pyimages.engines.endpoint import Endpoint, find_endpoint
from pytest_pyimages.engines.faults import is_timeout, wrapped
from pytest_pyimages.engines.images import image_info
from pytest_pyimages.errors import ConfigurationError, EngineError
from pytest_pyimages.text import one_line

PROBE_SECONDS = 4.0  # a run without an engine is to end within five, the start of the process included
CALL_SECONDS = 300.0  # docker-py's 60 are too few for a busy disk (docker-py#2266)
REMOVAL_CALL_SECONDS = 60.0
PIDS_LIMIT = 4096
SHM_BYTES = 256 * 1024**2
REMOVAL_SECONDS = 10.0
VOLUME_REMOVAL_SECONDS = 3.0


def connect(endpoint: str = "", *, timeout: float = PROBE_SECONDS) -> DockerEngine:
    """Return the engine that answers.

    :param endpoint: its address; empty for DOCKER_HOST, the docker command's context, or the first socket there is.
    :param timeout: seconds in which it must answer.
    :raises ConfigurationError: one line with what is wrong and what to do.
    """
    found = find_endpoint(endpoint, os.environ)
    info, version = probe(found, timeout)
    return DockerEngine(found, info, version)


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
    def _client(self) -> APIClient:
        client: APIClient | None = getattr(self._local, "client", None)
        if client is None:
            try:
                client = self._local.client = new_client(self._endpoint, self._version, CALL_SECONDS)
            except ConfigurationError as error:  # it could be used when the session began
                raise EngineError(error.message, error.hint) from error
            with self._lock:
                self._clients.append(client)
        return client

    @property
    def _api(self) -> Any:
        """The same, for the calls that docker-py's type stubs leave untyped."""
        return self._client

    @wrapped
    def processors(self) -> int:
        try:
            return int(self._api.info().get("NCPU") or 0)
        except docker.errors.APIError as error:
            if error.status_code not in (403, 404):  # those of a proxy that lets only some requests through
                raise
            return 0

    @wrapped
    def find_image(self, reference: str) -> ImageInfo | None:
        try:
            return image_info(self._api.inspect_image(reference))
        except docker.errors.NotFound:
            return None

    def pull(self, reference: str) -> Iterator[PullProgress]:
        """See the protocol. What breaks off, or ends without the image, is tried once more: the layers are kept."""
        for last in (False, True):
            try:
                yield from pulls.pull(self._client, reference)
                if self.find_image(reference) is not None:
                    return
            except pulls.PullCutError:
                if last:
                    raise
        raise EngineError(f"the pull of {reference} ended without an error and without the image", "try again")

    @wrapped
    def create_container(self, spec: ContainerSpec) -> str:
        return str(self._api.create_container_from_config(_configuration(spec), spec.name)["Id"])

    @wrapped
    def attach(self, container: str, *, terminal: bool = False) -> AttachedStream:
        return AttachedStream(self._client, container, terminal=terminal)

    @wrapped
    def start(self, container: str) -> None:
        self._api.start(container)

    @wrapped
    def resize(self, container: str, *, columns: int, rows: int) -> None:
        with _ignored(404, 409, 500):  # it ended a moment ago; Engine 20.10 says 500
            self._api.resize(container, height=rows, width=columns)

    @wrapped
    def wait(self, container: str) -> int:
        answer = self._api.wait(container)
        failure = answer.get("Error") or {}
        if failure.get("Message"):
            raise EngineError(f"the engine cannot tell how the container ended: {one_line(failure['Message'])}")
        return int(answer["StatusCode"])

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
        self._removed(f"/containers/{container}", {"force": True, "v": True}, REMOVAL_SECONDS)

    @wrapped
    def remove_volume(self, name: str) -> None:
        self._removed(f"/volumes/{name}", {}, VOLUME_REMOVAL_SECONDS)

    def _removed(self, path: str, parameters: Mapping[str, bool], seconds: float) -> None:
        """Remove until it is gone: 409 is under way elsewhere, 409 and 500 are still in use for a moment (moby)."""
        deadline = time.monotonic() + seconds
        timed_out = False
        while True:
            try:
                with _ignored(404):
                    request(self._client, "DELETE", path, params=parameters, timeout=REMOVAL_CALL_SECONDS)
            except docker.errors.APIError as error:
                if error.status_code not in (409, 500) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            except OSError as error:  # requests' exceptions are
                if timed_out or not is_timeout(error):
                    raise
                timed_out = True
            else:
                return

    @wrapped
    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        if not self._api.put_archive(container, path, _readable(tar)):
            raise EngineError(f"the engine did not take the files for {path}")

    @wrapped
    def commit(self, container: str, *, reference: str, labels: Mapping[str, str]) -> str:
        """See the protocol. The engine adds the container's own variables: secrets must not be among them."""
        repository, tag = parse_repository_tag(reference)
        made = self._api.inspect_container(container)
        base = self._api.inspect_image(made["Image"])["Config"] or {}
        # The engine fills what is missing here from the container, which was made to install, not to be one.
        masked = dict.fromkeys(made["Config"].get("Labels") or {}, "")
        configuration = {
            **base,
            "Cmd": base.get("Cmd") or [],
            "Entrypoint": base.get("Entrypoint") or [],
            "WorkingDir": base.get("WorkingDir") or "/",
            "User": base.get("User") or ("0" if made["Config"].get("User") else ""),
            "Env": base.get("Env") or [],
            "Labels": {**masked, **(base.get("Labels") or {}), **labels},
            "Healthcheck": base.get("Healthcheck") or {"Test": ["NONE"]},
        }
        answer = request(
            self._client,
            "POST",
            "/commit",
            params={"container": container, "repo": repository, "tag": tag},
            json=configuration,
            timeout=(CALL_SECONDS, None),
        )
        return str(answer.json()["Id"])

    def build(self, context: BuildContext, *, reference: str, labels: Mapping[str, str]) -> Iterator[str]:
        yield from builds.build(self._client, context, reference=reference, labels=labels)
        if self.find_image(reference) is None:
            raise EngineError(f"the build of {reference} ended without an error and without the image", "try again")

    @wrapped
    def remove_image(self, reference: str, *, parents: bool = True) -> None:
        with _ignored(404):
            self._api.remove_image(reference, noprune=not parents)

    @wrapped
    def create_volume(self, name: str, *, labels: Mapping[str, str], options: Mapping[str, str]) -> str:
        made = self._api.create_volume(name, driver="local", driver_opts=dict(options) or None, labels=dict(labels))
        return str(made["Mountpoint"])

    @wrapped
    def volume_size(self, name: str) -> int:
        volumes = self._api.df().get("Volumes") or ()
        sizes = [(entry.get("UsageData") or {}).get("Size") for entry in volumes if entry["Name"] == name]
        return max(int(sizes[0] or 0), 0) if sizes else 0  # -1: the engine does not know

    @wrapped
    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        filters = {"label": label}
        found = []
        for entry in self._api.containers(all=True, filters=filters):
            names = entry.get("Names") or [entry["Id"]]  # one that is being removed has none
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

    @wrapped
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
            clients, self._clients = self._clients, []
            self._local = threading.local()
        for client in clients:
            client.close()


@contextlib.contextmanager
def _ignored(*statuses: int) -> Iterator[None]:
    """Take these answers of the engine for success."""
    try:
        yield
    except docker.errors.APIError as error:
        if error.status_code not in statuses:
            raise


def _configuration(spec: ContainerSpec) -> dict[str, Any]:
    """Return the body of the request that creates a container (Engine API, "ContainerCreate")."""
    return {
        "Image": spec.image,
        # All of it, and no command: a commit hands the container's command on where the image has none.
        "Entrypoint": list(spec.command),
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "WorkingDir": spec.working_dir,
        "User": spec.user,
        "Labels": dict(spec.labels),
        "OpenStdin": True,
        "StdinOnce": True,  # the worker's stdin ends when this side dies, and so does the worker
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": spec.terminal,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "Mounts": [_mount(mount) for mount in spec.mounts],
            "LogConfig": {"Type": "none", "Config": {}},
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": PIDS_LIMIT,
            "ShmSize": SHM_BYTES,
            "Init": False,  # whatever the engine's default: the worker is its own
            **({"NetworkMode": spec.network} if spec.network else {}),
        },
    }


def _mount(mount: Mount) -> dict[str, Any]:
    source = {"Source": mount.source} if mount.source else {}
    return {"Type": mount.kind, "Target": mount.target, "ReadOnly": mount.read_only, **source}


def _readable(tar: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces; what goes wrong in reading them here is not the connection's fault."""
    try:
        yield from tar
    except OSError as error:
        raise EngineError(f"the files to upload cannot be read: {one_line(error)}") from error
