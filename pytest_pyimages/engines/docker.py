"""The engine of Docker and of Podman's service.

Pulls, pushes, builds and commits use docker-py's low-level client, which is imported for the first of them.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any
from urllib.parse import quote

from pytest_pyimages.engines import faults
from pytest_pyimages.engines.attached import AttachedStream
from pytest_pyimages.engines.base import (
    BuildContext,
    ContainerSpec,
    ContainerState,
    EngineInfo,
    Execution,
    ImageInfo,
    Leftover,
    PullProgress,
    ServiceSpec,
)
from pytest_pyimages.engines.body import (
    iter_pieces,
    make_attended_command_body,
    make_body,
    make_command_body,
    make_service_body,
)
from pytest_pyimages.engines.calls import Calls, engine_call
from pytest_pyimages.engines.client import Client, choose_overlay_options, probe, return_once_sent
from pytest_pyimages.engines.descriptions import parse_image, parse_state, parse_volume_sizes
from pytest_pyimages.engines.endpoint import Endpoint, find_endpoint
from pytest_pyimages.engines.frames import read_frames
from pytest_pyimages.engines.labels import filter_by_label, find_leftovers
from pytest_pyimages.engines.podman import PodmanService, find_podman
from pytest_pyimages.errors import ConfigurationError, EngineError
from pytest_pyimages.text import flatten

PROBE_SECONDS = 4.0  # a run without an engine should end within 5, including the start of the process
CALL_SECONDS = 300.0  # docker-py's 60 are too few for a busy disk (docker-py#2266)
INFO_SECONDS = 30.0
COMMIT_SECONDS = CALL_SECONDS, 3600.0  # to connect, and to store an image
REMOVAL_SECONDS = 10.0
VOLUME_REMOVAL_SECONDS = 3.0
IMAGE_REMOVAL_SECONDS = 3.0
IMAGE_REMOVAL_CALL_SECONDS = CALL_SECONDS / 2  # a removal that takes longer is waited for by a second request
STATUS_SECONDS = 10.0  # after the end of its output, within which a command ends
NAMES = 3  # that are tried for a container


def connect(endpoint: str = "", *, timeout: float = PROBE_SECONDS) -> DockerEngine:
    """Connect to an engine.

    :param endpoint: its address; empty for DOCKER_HOST, the Docker CLI's context, or the first existing socket.
    :param timeout: seconds.
    :raises ConfigurationError: if no usable engine answers in time.
    """
    found = find_endpoint(endpoint, os.environ)
    program = find_podman(os.environ) if found.is_missing else ""
    with contextlib.ExitStack() as owned:
        if not program:
            return DockerEngine(found, *probe(found, timeout), owned)
        service = PodmanService(program, os.environ)
        owned.callback(service.stop)
        found = Endpoint(url=service.url, context=found.context)
        info, version = probe(found, timeout)
        service.share_with_group()
        return DockerEngine(found, replace(info, is_own=True), version, owned.pop_all())


def _make_image_path(reference: str) -> str:
    return f"/images/{quote(reference, safe='/:')}"


class DockerEngine:
    """Implements the Engine protocol."""

    def __init__(self, endpoint: Endpoint, info: EngineInfo, version: str, owned: contextlib.ExitStack) -> None:
        self.info = info
        self._owned = owned  # closed with this object
        self._endpoint = endpoint
        self._version = version
        self.calls = Calls(self._create_client)
        self._description: Mapping[str, Any] | None = None
        self._description_lock = Lock()

    def _create_client(self) -> Client:
        try:
            return Client(self._endpoint, self._version, CALL_SECONDS)
        except ConfigurationError as error:  # it was valid when the session began
            raise EngineError(error.message, error.hint) from error

    @property
    def _client(self) -> Client:
        return self.calls.current

    @engine_call
    def processors(self) -> int:
        description: Mapping[str, Any] = {}
        with faults.ignore_statuses(403, 404):  # from a proxy that allows only some requests
            description = self._describe()
        return int(description.get("NCPU") or 0)

    @engine_call
    def data_folder(self) -> str:
        return str(self._describe().get("DockerRootDir") or "")

    @engine_call
    def overlay_options(self) -> str:
        return choose_overlay_options(self._describe())

    def _describe(self) -> Mapping[str, Any]:
        """Return the engine's description of itself (Engine API, "SystemInfo"), which is requested once."""
        with self._description_lock:
            if self._description is None:
                self._description = dict(self._client.read("GET", "/info", timeout=INFO_SECONDS))
            return self._description

    @engine_call
    def find_image(self, reference: str) -> ImageInfo | None:
        try:
            return parse_image(self._client.read("GET", f"{_make_image_path(reference)}/json"))
        except OSError as error:
            # Podman takes an unknown id for a name.
            if faults.get_status(error) != 404 and "64-byte hexadecimal" not in faults.get_explanation(error):
                raise
            return None

    def pull(self, reference: str, *, platform: str = "") -> Iterator[PullProgress]:
        """Pull an image; retry once if the response is cut or the image is missing, since layers are kept."""
        from pytest_pyimages.engines import pulls

        for last in (False, True):
            try:
                with self.calls.lend() as client:
                    yield from pulls.pull(client.docker, reference, platform)
                if self.find_image(reference) is not None:
                    return
            except pulls.PullCutError:
                if last:
                    raise
        raise EngineError(f"pulling {reference} reported no error but the image does not exist", "try again")

    def find_remote_digest(self, reference: str) -> str:
        from pytest_pyimages.engines import pulls

        with self.calls.lend() as client:
            return pulls.find_remote_digest(client.docker, reference)

    @engine_call
    def tag(self, image: str, reference: str) -> None:
        repository, _, tag = reference.rpartition(":")
        self._client.request("POST", f"{_make_image_path(image)}/tag", params={"repo": repository, "tag": tag})

    def push(self, reference: str) -> Iterator[PullProgress]:
        from pytest_pyimages.engines import pulls

        with self.calls.lend() as client:
            yield from pulls.push(client.docker, reference)

    def create_container(self, spec: ContainerSpec) -> str:
        return self._create(spec.name, make_body(spec))

    def create_service(self, spec: ServiceSpec) -> str:
        return self._create(spec.name, make_service_body(spec))

    @engine_call
    def _create(self, free_name: str, body: Mapping[str, Any]) -> str:
        for attempt in range(NAMES):
            # An earlier request that seemed to be lost may have taken the name.
            name = f"{free_name}-{attempt}" if attempt else free_name
            try:
                return str(self._client.read("POST", "/containers/create", params={"name": name}, body=body)["Id"])
            except OSError as error:
                if faults.get_status(error) != 409 or attempt == NAMES - 1:
                    raise
        raise AssertionError("unreachable")

    @engine_call
    def execute(self, container: str, command: Sequence[str], *, seconds: float) -> tuple[int, bytes]:
        deadline, output = time.monotonic() + seconds, b""
        execution = self._begin_command(container, make_command_body(command), silence=seconds)
        with contextlib.closing(execution.stream) as stream:
            for _, data in stream.frames():
                output += data
                if time.monotonic() > deadline:
                    raise EngineError(f"the command did not end within {seconds:g} s")
        return self.command_status(execution.id), output

    @engine_call
    def open_command(
        self, container: str, command: Sequence[str], *, environment: Mapping[str, str], terminal: bool
    ) -> Execution:
        return self._begin_command(container, make_attended_command_body(command, environment, terminal=terminal))

    def _begin_command(self, container: str, body: Mapping[str, Any], *, silence: float | None = None) -> Execution:
        execution = self._client.read("POST", f"/containers/{container}/exec", body=body)["Id"]
        terminal = body["Tty"]
        upgraded = self._client.upgrade(f"/exec/{execution}/start", body={"Detach": False, "Tty": terminal})
        return Execution(execution, AttachedStream(upgraded, terminal=terminal, silence=silence))

    @engine_call
    def resize_command(self, execution: str, *, columns: int, rows: int) -> None:
        with faults.ignore_statuses(404, 409, 500):  # as for containers
            self._client.request("POST", f"/exec/{execution}/resize", params={"h": rows, "w": columns})

    @engine_call
    def command_status(self, execution: str) -> int:
        deadline = time.monotonic() + STATUS_SECONDS
        while (state := self._client.read("GET", f"/exec/{execution}/json"))["Running"]:
            if time.monotonic() > deadline:
                raise EngineError("the engine does not report the end of the command")
            time.sleep(0.01)
        return int(state["ExitCode"])

    @engine_call
    def read_log(self, container: str, *, lines: int) -> str:
        params = {"stdout": 1, "stderr": 1, "tail": lines}
        log = io.BytesIO(self._client.request("GET", f"/containers/{container}/logs", params=params))
        return b"".join(data for _, data in read_frames(log.read)).decode("utf-8", "replace")

    @engine_call
    def attach(self, container: str, *, terminal: bool = False, silence: float | None = None) -> AttachedStream:
        parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        upgraded = self._client.upgrade(f"/containers/{container}/attach", parameters)
        return AttachedStream(upgraded, terminal=terminal, silence=silence, on_silence=self.calls.silence.set)

    @engine_call
    def start(self, container: str) -> None:
        self._client.request("POST", f"/containers/{container}/start")

    @engine_call
    def resize(self, container: str, *, columns: int, rows: int) -> None:
        with faults.ignore_statuses(404, 409, 500):  # it has just ended; Engine 20.10 answers 500
            self._client.request("POST", f"/containers/{container}/resize", params={"h": rows, "w": columns})

    @engine_call
    def wait(self, container: str) -> int:
        answer = self._client.read("POST", f"/containers/{container}/wait")
        failure = answer.get("Error") or {}
        if failure.get("Message"):
            raise EngineError(f"waiting for the container failed: {flatten(failure['Message'])}")
        return int(answer["StatusCode"])

    @engine_call
    def inspect(self, container: str) -> ContainerState:
        return parse_state(self._client.read("GET", f"/containers/{container}/json"))

    @engine_call
    def kill(self, container: str) -> None:
        with faults.ignore_statuses(404, 409):  # removed, or not running
            self._client.request("POST", f"/containers/{container}/kill")

    def remove_container(self, container: str, *, wait: bool = True) -> None:
        """Remove it. Docker goes on with a removal even if the connection is closed (moby, daemon/delete.go)."""
        if wait or self.info.name != "docker":
            self._remove_container(container)
        else:
            return_once_sent(lambda sent: self._remove_container(container, sent))

    @engine_call
    def _remove_container(self, container: str, sent: Callable[[], object] = lambda: None) -> None:
        self._client.remove(f"/containers/{container}", REMOVAL_SECONDS, {"force": True, "v": True}, sent=sent)

    @engine_call
    def create_network(self, name: str, *, labels: Mapping[str, str], is_internal: bool) -> None:
        body = {"Name": name, "Driver": "bridge", "Internal": is_internal, "Labels": dict(labels)}
        self._client.request("POST", "/networks/create", body=body)

    @engine_call
    def remove_network(self, name: str) -> None:
        self._client.remove(f"/networks/{name}", REMOVAL_SECONDS)

    @engine_call
    def remove_volume(self, name: str) -> None:
        self._client.remove(f"/volumes/{name}", VOLUME_REMOVAL_SECONDS)

    @engine_call
    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        self._client.put(f"/containers/{container}/archive", {"path": path}, iter_pieces(tar))

    @engine_call
    def commit(self, container: str, *, reference: str, labels: Mapping[str, str]) -> str:
        """Commit a container. The engine adds the container's variables, which must not contain secrets."""
        from pytest_pyimages.engines import commits

        return commits.commit(
            self._client.docker, container, reference=reference, labels=labels, timeout=COMMIT_SECONDS
        )

    def build(self, context: BuildContext, *, reference: str, labels: Mapping[str, str]) -> Iterator[str]:
        from pytest_pyimages.engines import builds

        with self.calls.lend() as client:
            yield from builds.build(client.docker, context, reference=reference, labels=labels)
        if self.find_image(reference) is None:
            raise EngineError(f"building {reference} reported no error but the image does not exist", "try again")

    @engine_call
    def remove_image(self, reference: str, *, parents: bool = True) -> None:
        self._client.remove(
            _make_image_path(reference),
            IMAGE_REMOVAL_SECONDS,
            {"noprune": not parents},
            is_temporary=faults.is_used_by_container,
            timeout=IMAGE_REMOVAL_CALL_SECONDS,
        )

    @engine_call
    def create_volume(self, name: str, *, labels: Mapping[str, str], options: Mapping[str, str]) -> str:
        try:
            body = {"Name": name, "Driver": "local", "DriverOpts": dict(options), "Labels": dict(labels)}
            made = self._client.read("POST", "/volumes/create", body=body)
        except OSError as error:
            # Podman creates a volume that two sessions ask for at once for one of them only.
            if "already exists" not in faults.get_explanation(error):
                raise
            made = self._client.read("GET", f"/volumes/{name}")
        return str(made["Mountpoint"])

    @engine_call
    def volume_sizes(self) -> Mapping[str, int]:
        return parse_volume_sizes(self._client.read("GET", "/system/df"))

    @engine_call
    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        return tuple(find_leftovers(self._client, label))

    @engine_call
    def images(self, label: str) -> tuple[tuple[str, ImageInfo], ...]:
        found = []
        for entry in self._client.read("GET", "/images/json", params=filter_by_label(label)):
            references = [tag for tag in entry.get("RepoTags") or () if not tag.startswith("<none>")]
            image = self.find_image(entry["Id"]) if references else None
            if image is not None:
                found += [(reference, image) for reference in references]
        return tuple(found)

    def close(self) -> None:
        self.calls.close()
        self._owned.close()
