"""What the rest of the package asks of a container engine, and the values that pass between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

STDOUT: Literal[1] = 1
STDERR: Literal[2] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """Which engine answers, and where."""

    name: str  # "docker", "podman"
    version: str
    api_version: str
    endpoint: str  # as the user would write it: unix:///var/run/docker.sock

    def __str__(self) -> str:
        return f"{self.name} {self.version} at {self.endpoint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """An image that the engine has."""

    id: str
    digests: tuple[str, ...]  # repository digests, "python@sha256:…"; none for images that were never pulled
    platform: str  # "linux/amd64"
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    size: int  # bytes
    user: str = ""  # whom its containers run as; empty for root
    created: float = 0.0  # seconds since the epoch; 0 where the engine does not say
    tags: tuple[str, ...] = ()  # all references with a tag
    layers: tuple[str, ...] = ()  # digests of their contents, the lowest first
    parent: str = ""  # id of the image that it was made from, where the engine keeps that


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume, a folder of the engine's host, or memory, seen at ``target`` inside."""

    kind: Literal["volume", "bind", "tmpfs"]
    target: str
    source: str = ""  # volume name or host folder; empty for tmpfs
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """Everything that decides what a container is."""

    name: str
    image: str  # an image id, or a reference that the engine has
    command: tuple[str, ...]  # replaces the image's entry point and command
    labels: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    mounts: tuple[Mount, ...] = ()
    user: str = ""  # the image's own
    network: str = ""  # the engine's default
    terminal: bool = False  # whether standard input and output are a terminal; then they are one stream


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """What became of a container."""

    running: bool
    exit_code: int
    oom_killed: bool  # a hint only: see moby#15621
    error: str  # the engine's own words, or empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A container or volume that carries our labels."""

    kind: Literal["container", "volume"]
    id: str
    name: str
    labels: Mapping[str, str]
    image: str = ""  # id of a container's image
    is_running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """How far a pull has come, summed over the layers seen so far."""

    done: int  # bytes
    total: int  # bytes, as far as known

    def __str__(self) -> str:
        unit, size = ("GB", 1e9) if self.total >= 1e9 else ("MB", 1e6)
        return f"{self.done / size:.1f}/{self.total / size:.1f} {unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """What a build from a Dockerfile is given."""

    dockerfile: str  # its text
    folder: Path
    files: tuple[str, ...]  # below the folder: what it may copy
    arguments: Mapping[str, str]


class ContainerStream(Protocol):
    """Both directions of an attached container; attach before start, so that nothing is lost.

    One thread reads, another may send. The end of the frames proves nothing about the container.
    """

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield ``(STDOUT or STDERR, payload)``; raise EngineError where a frame is cut short."""

    def send(self, data: bytes) -> None:
        """Write to the container's standard input; raise EngineError if it is gone."""

    def close(self) -> None:
        """End both directions; a blocked ``frames`` returns. May be called twice and from any thread."""


class Engine(Protocol):
    """A container engine. Every method may be called from any thread.

    All of them raise EngineError (ImageNotFound where a named image is missing) and nothing else.
    """

    @property
    def info(self) -> EngineInfo: ...

    def processors(self) -> int:
        """Return how many processors its containers share; 0 where it does not say."""

    def find_image(self, reference: str) -> ImageInfo | None:
        """Return the image that the engine has under this reference or id; never asks a registry."""

    def pull(self, reference: str) -> Iterator[PullProgress]:
        """Fetch the image from its registry; the iterator's end means that it is there."""

    def create_container(self, spec: ContainerSpec) -> str:
        """Return the id of a new container with an open standard input, not yet started."""

    def attach(self, container: str, *, terminal: bool = False) -> ContainerStream:
        """Connect to a container; ``terminal`` as in its ContainerSpec. All that one prints is STDOUT."""

    def start(self, container: str) -> None: ...

    def resize(self, container: str, *, columns: int, rows: int) -> None:
        """Tell a running container how large its terminal is; one that has ended is no error."""

    def wait(self, container: str) -> int:
        """Return the exit status once the container has ended."""

    def inspect(self, container: str) -> ContainerState: ...

    def kill(self, container: str) -> None:
        """End the container now; one that has ended or is gone is no error."""

    def remove_container(self, container: str) -> None:
        """Remove the container, running or not, with its anonymous volumes; one that is gone is no error."""

    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        """Unpack a tar stream below ``path``, an existing folder of the (not necessarily started) container."""

    def commit(self, container: str, *, reference: str, labels: Mapping[str, str]) -> str:
        """Keep the container's file system as an image with the base image's own configuration; return its id."""

    def build(self, context: BuildContext, *, reference: str, labels: Mapping[str, str]) -> Iterator[str]:
        """Build an image from a Dockerfile and yield the lines of its log; the end means that it is there."""

    def remove_image(self, reference: str, *, parents: bool = True) -> None:
        """Remove the reference and, if it was the last one, the image; one that is gone is no error.

        :param parents: whether what it alone stood on goes as well, as far as it has no name.
        """

    def create_volume(self, name: str, *, labels: Mapping[str, str], options: Mapping[str, str]) -> str:
        """Create a volume of the ``local`` driver, or find it; return its folder on the engine's host."""

    def remove_volume(self, name: str) -> None:
        """Remove the volume; one that is gone is no error."""

    def volume_size(self, name: str) -> int:
        """Return what a volume takes on disk, in bytes; 0 where it is gone or the engine does not know."""

    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        """Return all containers (running or not) and volumes that carry the label."""

    def images(self, label: str) -> tuple[tuple[str, ImageInfo], ...]:
        """Return reference and image of everything tagged that carries the label."""

    def close(self) -> None: ...
