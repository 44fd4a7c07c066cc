"""The Engine protocol and its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from pytest_pyimages.immutable import Immutable

STDOUT: Literal[1] = 1
STDERR: Literal[2] = 2
# "engine": those of `docker run`; "build": without gaining more by setuid programs (no-new-privileges); "reduced": also
# without the capabilities that no suite needs.
Privileges = Literal["reduced", "build", "engine"]


class EngineInfo(Immutable):
    """The connected engine."""

    name: str  # "docker", "podman"
    version: str
    api_version: str
    endpoint: str  # address, such as unix:///var/run/docker.sock
    platform: str = ""  # of its own programs: "linux/amd64"; empty if unknown
    is_own: bool = False  # started for this session, and stopped after it
    context: str = ""  # name of the Docker context that --py-images-engine has; empty if it has an address, or nothing

    @property
    def address(self) -> str:
        """The value of --py-images-engine that selects it."""
        return self.context or self.endpoint

    def __str__(self) -> str:
        context = f" (context {self.context})" if self.context else ""
        return f"{self.name} {self.version} at {self.endpoint}{context}{' (started for this session)' * self.is_own}"


class ImageInfo(NamedTuple):
    """An image in the engine's storage."""

    id: str
    digests: tuple[str, ...]  # repository digests, "python@sha256:…"; empty for images that were never pulled
    platform: str  # "linux/amd64"
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    size: int  # bytes
    user: str = ""  # the user that its containers run as; empty for root
    created: float = 0.0  # POSIX timestamp; 0 if unknown
    tags: tuple[str, ...] = ()  # references with a tag
    volumes: tuple[str, ...] = ()  # folders that each container gets as a volume
    layers: tuple[str, ...] = ()  # digests of the layers' contents, the lowest first
    parent: str = ""  # id of the image it was made from; empty if the engine does not record it
    ports: tuple[int, ...] = ()  # TCP ports that it exposes
    health_check: tuple[str, ...] = ()  # the words of its HEALTHCHECK: ("CMD-SHELL", "pg_isready"); empty for none


class AnonymousVolume(NamedTuple):
    """A volume that the engine creates with a container, and removes with it."""

    options: Mapping[str, str]  # of the ``local`` driver
    labels: Mapping[str, str]


class Mount(NamedTuple):
    """A volume, a folder of the engine's host, or memory, mounted at ``target`` in the container."""

    kind: Literal["volume", "bind", "tmpfs"]
    target: str
    source: str = ""  # volume name or host folder; empty for tmpfs and anonymous volumes
    read_only: bool = False
    anonymous: AnonymousVolume | None = None  # Docker only: Podman ignores it


# What ContainerCreate of the Engine API takes, beside the fields that are set otherwise: in HostConfig, and outside.
HOST_FIELDS = tuple(
    """
    BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeight BlkioWeightDevice CapAdd
    CapDrop CgroupParent CgroupnsMode CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpuShares CpusetCpus
    CpusetMems Dns DnsOptions DnsSearch GroupAdd IpcMode KernelMemoryTCP Links MemoryReservation MemorySwap
    MemorySwappiness OomKillDisable OomScoreAdj PidMode PidsLimit ReadonlyRootfs Runtime SecurityOpt StorageOpt Sysctls
    Tmpfs UTSMode Ulimits UsernsMode
    """.split()
)
CONTAINER_FIELDS = ("Domainname", "Hostname", "MacAddress", "Shell", "StopSignal", "StopTimeout")


class ContainerOptions(Immutable):
    """What a container of tests may use; empty values for the engine's defaults."""

    memory: int = 0  # bytes
    cpus: float = 0.0
    shm_size: int = 0  # bytes
    network: str = ""  # "none", "host" or a name
    add_host: tuple[str, ...] = ()  # "NAME:ADDRESS"
    mount: tuple[Mount, ...] = ()
    device: tuple[tuple[str, str, str], ...] = ()  # path on the host, path in the container, access
    gpus: str = ""  # "all", a number or "device=0,1"
    socket: bool = False  # the engine's own, and with it control over the engine
    container: Mapping[str, Any] = field(default_factory=dict)  # of HOST_FIELDS and CONTAINER_FIELDS


NO_OPTIONS = ContainerOptions()


class ContainerSpec(Immutable):
    """The configuration of a new container."""

    name: str
    image: str  # image id, or a reference in the engine's storage
    command: tuple[str, ...]  # replaces the image's entrypoint and command
    labels: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    mounts: tuple[Mount, ...] = ()
    user: str = ""  # empty for the image's own
    network: str = ""  # empty for that of the options
    options: ContainerOptions = NO_OPTIONS
    terminal: bool = False  # allocate a TTY; then standard output and error are one stream
    privileges: Privileges = "build"


class ServiceSpec(Immutable):
    """The configuration of a container that runs a server of its image, without input."""

    name: str
    image: str  # image id, or a reference in the engine's storage
    command: tuple[str, ...]  # empty for the image's own
    labels: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    network: str = ""  # "container:ID" for the network namespace of another; empty for one of its own
    aliases: tuple[str, ...] = ()  # its host names in a network of ``create_network``
    hosts: Mapping[str, str] = field(default_factory=dict)  # addresses by host name, with a network of its own
    tmpfs: tuple[str, ...] = ()  # absolute paths


class ContainerState(NamedTuple):
    """The state of a container."""

    running: bool
    exit_code: int
    oom_killed: bool  # unreliable: moby#15621
    error: str  # the engine's message, or empty
    address: str = ""  # IP, in the first network of its own; empty without one


class Leftover(NamedTuple):
    """A container, network or volume with a label of ours."""

    kind: Literal["container", "network", "volume"]
    id: str
    name: str
    labels: Mapping[str, str]
    image: str = ""  # id of a container's image
    is_running: bool = False


class PullProgress(NamedTuple):
    """Progress of a pull or a push, summed over the layers seen so far."""

    done: int  # bytes
    total: int  # bytes known so far
    remark: str = ""  # instead of the numbers
    is_problem: bool = False  # the remark is worth a note at the end

    def __str__(self) -> str:
        if self.remark:
            return self.remark
        unit, size = ("GB", 1e9) if self.total >= 1e9 else ("MB", 1e6)
        return f"{self.done / size:.1f}/{self.total / size:.1f} {unit}"


class BuildContext(NamedTuple):
    """The input of a build from a Dockerfile."""

    dockerfile: str  # the text
    folder: Path
    files: tuple[str, ...]  # files that can be copied, relative to the folder
    arguments: Mapping[str, str]
    platform: str = ""  # of the image that it is built on; empty for the engine's own


class ContainerStream(Protocol):
    """Both directions of an attached container; attach before start, so that nothing is lost.

    One thread reads, another may send. The end of the frames does not mean that the container has ended.
    """

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield ``(STDOUT or STDERR, payload)``.

        :raises EngineError: if the connection is cut in the middle of a frame.
        """

    def send(self, data: bytes) -> None:
        """Write to the container's standard input.

        :raises EngineError: if the container no longer reads.
        """

    def close(self) -> None:
        """Close both directions; a blocked ``frames`` returns. May be called repeatedly and from any thread."""


class Execution(NamedTuple):
    """A command that runs in a container beside its first process."""

    id: str
    stream: ContainerStream


class EngineSettings(Immutable):
    """The settings that choose an engine."""

    endpoint: str  #: a value of --py-images-engine; empty for DOCKER_HOST and the docker command's context
    rootdir: Path  #: pytest's


class Engine(Protocol):
    """A container engine. Every method may be called from any thread.

    All of them raise EngineError (ImageNotFound if a named image does not exist) and nothing else.
    """

    @property
    def info(self) -> EngineInfo: ...

    def processors(self) -> int:
        """Return the number of CPUs that its containers share; 0 if unknown."""

    def data_folder(self) -> str:
        """Return the folder on the engine's host that images and volumes are in; empty if unknown."""

    def overlay_options(self) -> str:
        """Return further mount options of overlays, after a comma: those that let folders be renamed."""

    def find_image(self, reference: str) -> ImageInfo | None:
        """Return the image with this reference or id, if the engine has it; registries are not contacted."""

    def pull(self, reference: str, *, platform: str = "") -> Iterator[PullProgress]:
        """Pull an image; once the iterator ends, the engine has it.

        :param platform: "linux/arm64"; empty for the engine's own.
        """

    def find_remote_digest(self, reference: str) -> str:
        """Return the digest that a reference has in its registry: "sha256:…".

        :raises ImageNotFound: if the registry does not have it.
        """

    def tag(self, image: str, reference: str) -> None:
        """Give an image one more reference, which no longer names another image then."""

    def push(self, reference: str) -> Iterator[PullProgress]:
        """Push the image that a reference names to the registry in it; once the iterator ends, the registry has it."""

    def create_container(self, spec: ContainerSpec) -> str:
        """Create a container with an open standard input, without starting it; return its id."""

    def create_service(self, spec: ServiceSpec) -> str:
        """Create the container of a service, without starting it; return its id."""

    def execute(self, container: str, command: Sequence[str], *, seconds: float) -> tuple[int, bytes]:
        """Run a command in a running container, for so many seconds at most; return its exit status and its output."""

    def open_command(
        self, container: str, command: Sequence[str], *, environment: Mapping[str, str], terminal: bool
    ) -> Execution:
        """Run a command in a running container, as root and with an open standard input.

        :param terminal: allocate a TTY; then all output is STDOUT.
        """

    def resize_command(self, execution: str, *, columns: int, rows: int) -> None:
        """Resize the terminal of a command; not an error if it has ended."""

    def command_status(self, execution: str) -> int:
        """Return the exit status of a command whose output has ended."""

    def read_log(self, container: str, *, lines: int) -> str:
        """Return the last lines that a service has printed."""

    def attach(self, container: str, *, terminal: bool = False, silence: float | None = None) -> ContainerStream:
        """Attach to a container.

        :param terminal: as in its ContainerSpec; then all output is STDOUT.
        :param silence: seconds without output after which reading it raises NoAnswerError; None for any time.
        """

    def start(self, container: str) -> None: ...

    def resize(self, container: str, *, columns: int, rows: int) -> None:
        """Resize the terminal of a container; not an error if it has ended."""

    def wait(self, container: str) -> int:
        """Wait until the container has ended; return its exit status."""

    def inspect(self, container: str) -> ContainerState: ...

    def kill(self, container: str) -> None:
        """Kill the container; not an error if it has ended or does not exist."""

    def remove_container(self, container: str, *, wait: bool = True) -> None:
        """Remove the container, running or not, with its anonymous volumes; not an error if it does not exist.

        :param wait: False to return once the engine goes on with that even if this process ends; see how-it-works.md.
        """

    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        """Extract a tar stream into ``path``, an existing folder of the container, which may not be started yet."""

    def commit(self, container: str, *, reference: str, labels: Mapping[str, str]) -> str:
        """Commit the container's file system as an image with its base image's configuration; return its id."""

    def build(self, context: BuildContext, *, reference: str, labels: Mapping[str, str]) -> Iterator[str]:
        """Build an image from a Dockerfile; yield the lines of the log. Once it ends, the engine has the image."""

    def remove_image(self, reference: str, *, parents: bool = True) -> None:
        """Remove the reference and, if it was the last one, the image; not an error if it does not exist.

        :param parents: also remove untagged parents that no other image uses.
        """

    def create_network(self, name: str, *, labels: Mapping[str, str], is_internal: bool) -> None:
        """Create a network in which containers find each other by their aliases.

        :param is_internal: whether nothing outside of it can be reached.
        """

    def remove_network(self, name: str) -> None:
        """Remove the network; not an error if it does not exist."""

    def create_volume(self, name: str, *, labels: Mapping[str, str], options: Mapping[str, str]) -> str:
        """Create a volume of the ``local`` driver unless it exists; return its folder on the engine's host."""

    def remove_volume(self, name: str) -> None:
        """Remove the volume; not an error if it does not exist."""

    def volume_sizes(self) -> Mapping[str, int]:
        """Return the sizes of all volumes on disk in bytes by name; 0 if one is unknown. May take some seconds."""

    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        """Return all containers, running or not, networks and volumes with the label."""

    def images(self, label: str) -> tuple[tuple[str, ImageInfo], ...]:
        """Return the reference and the image of every tagged image with the label."""

    def close(self) -> None: ...
