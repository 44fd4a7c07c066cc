"""An engine without containers: the real worker, in a local process, with the real wire."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_pyimages.containers.source_programs import read_program
from pytest_pyimages.engines.base import (
    NO_OPTIONS,
    STDERR,
    STDOUT,
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
from pytest_pyimages.engines.labels import KIND_LABEL
from pytest_pyimages.errors import EngineError, ImageNotFound
from pytest_pyimages.inside import worker
from pytest_pyimages.runs.run import WORKER

MEASURED = ("COVERAGE_PROCESS_CONFIG",)  # what coverage.py's patch "subprocess" sets
UNMEASURED = "FAKE_ENGINE_UNMEASURED"  # for suites that measure themselves: one process has one trace function
INSIDE = Path(worker.__file__).parents[1]
# Of the package, by their text: the worker writes them to folders where coverage.py does not look for them.
PLUGINS = {read_program(name): INSIDE / f"{name}.py" for name in ("selecting", "sharding", "smoke", "tracebacks")}
# /proc/net/tcp with a server on port 5432.
LISTENING = b"  sl  local_address rem_address   st\n   0: 00000000:1538 00000000:0000 0A 00000000:00000000\n"
KNOWN = tuple(f"python:3.{minor}{variant}" for minor in range(10, 16) for variant in ("", "-slim"))
Installer = Callable[[ContainerSpec, Mapping[str, object]], Mapping[str, object]]


def installs(spec: ContainerSpec, job: Mapping[str, object]) -> Mapping[str, object]:
    """Pretend that everything was installed, by the Python that runs these tests."""
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "executable": sys.executable,
        "extendable": True,
    }


def name_source(text: str) -> str:
    """Return a program that runs a plugin under the name of its file in the package; of other files, the text."""
    if text not in PLUGINS:
        return text
    path = str(PLUGINS[text])
    return f"with open({path!r}) as file:\n    exec(compile(file.read(), {path!r}, 'exec'))\n"


class FakeStream:
    """Two pipes and a process; the build's container answers without one."""

    def __init__(self, container: FakeContainer) -> None:
        self._container = container
        self._sent = bytearray()
        self._answer = threading.Event()
        self._closed = False
        self._has_job = False

    def frames(self) -> Iterator[tuple[int, bytes]]:
        process = self._container.process
        if process is None:
            self._answer.wait(10)
            answered: list[tuple[int, bytes]] = []
            sent = bytes(self._sent)
            install = threading.Thread(target=lambda: answered.extend(self._container.answer(sent)), daemon=True)
            install.start()
            while install.is_alive() and not self._container.killed:
                install.join(0.02)
            yield from () if self._container.killed else answered
            return
        assert process.stdout is not None
        assert process.stderr is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, STDOUT)
            selector.register(process.stderr, selectors.EVENT_READ, STDERR)
            while selector.get_map():
                for key, _ in selector.select():
                    data = os.read(key.fd, 65536)
                    if data:
                        yield key.data, data
                    else:
                        selector.unregister(key.fileobj)

    def send(self, data: bytes) -> None:
        process = self._container.process
        if process is None:
            self._sent += data
            self._answer.set()
            return
        assert process.stdin is not None
        if not self._has_job and data != b"stop\n":  # a session that ends before its job was sent
            self._has_job, data = True, self._container.adapt_job(data)
        try:
            process.stdin.write(data)
            process.stdin.flush()
        except (OSError, ValueError) as error:
            raise EngineError(f"stdin of the container is gone: {error}") from error

    def close(self) -> None:
        self._closed = True
        self._answer.set()


def kill_session(leader: int) -> None:
    """Kill all processes of a POSIX session, as a container's processes end with its first one."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError):  # ended meanwhile
            if os.getsid(int(folder.name)) == leader:
                os.kill(int(folder.name), signal.SIGKILL)


class FakeContainer:
    """A process in a POSIX session of its own.

    :param environment: what the image would set; FAKE_IMAGE is the reference of the base image.
    :param copies_source: whether the suite has a copy of the source, in the folder that FAKE_TREE names, whose changes
        are reported. The suite itself runs in the host's tree.
    """

    def __init__(
        self,
        spec: ContainerSpec,
        installer: Installer,
        environment: Mapping[str, str],
        *,
        copies_source: bool,
        sees_host: bool,
    ) -> None:
        self.spec = spec
        self._copies_source = copies_source
        self._sees_host = sees_host
        self.process: subprocess.Popen[bytes] | None = None
        self.killed = False
        self.cache: tempfile.TemporaryDirectory[str] | None = None
        self._installer = installer
        self._environment = environment

    def start(self) -> None:
        if self.spec.command[1:] != (WORKER,):
            return
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        # A container is known by a folder of its image, which this one lacks.
        environment["PYIMAGES_INSIDE"] = "1"
        is_suite = self.spec.labels[KIND_LABEL] == "run"
        if not is_suite or UNMEASURED not in os.environ:
            environment |= {name: os.environ[name] for name in MEASURED if name in os.environ}
        environment |= {**self.spec.environment, **self._environment}
        self.cache = tempfile.TemporaryDirectory(prefix="fake-container-")
        # Each container has files of its own: TOX_ENV_DIR is pytest's default folder for its cache.
        environment |= dict.fromkeys(("TOX_ENV_DIR", "TMPDIR"), self.cache.name)
        if is_suite:  # so has each its own tree, and what is measured lies there
            environment["COVERAGE_FILE"] = f"{self.cache.name}/.coverage"
        self.process = subprocess.Popen(
            [self.spec.command[0], str(Path(worker.__file__).with_name("__main__.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        threading.Thread(target=self._reap, args=(self.process,), daemon=True).start()

    @staticmethod
    def _reap(process: subprocess.Popen[bytes]) -> None:
        process.wait()
        kill_session(process.pid)

    def answer(self, sent: bytes) -> Iterator[tuple[int, bytes]]:
        if self.spec.command[-1] == read_program("distributions"):
            command = [sys.executable, str(INSIDE / "distributions.py")]
            found = json.loads(subprocess.run(command, input=sent, stdout=subprocess.PIPE, check=True).stdout)
            installed = ("pytest",) if self._environment["FAKE_IMAGE"] != self.spec.image else ()
            found["distributions"] = [entry for entry in found["distributions"] if entry[0] in installed]
            yield STDOUT, json.dumps(found).encode()
            return
        if self.spec.labels[KIND_LABEL] == "source":  # a probe
            yield STDOUT, json.dumps({"seen": self._sees_host, "problem": ""}).encode() + b"\n"
            return
        job = json.loads(sent.partition(b"\n")[2])
        result = dict(self._installer(self.spec, job))
        yield STDERR, str(result.pop("log", "")).encode()
        yield STDOUT, json.dumps(result).encode() + b"\n"

    def adapt_job(self, data: bytes) -> bytes:
        """Let the worker look for changes in the copy of the source, or nowhere; let its plugins be measured."""
        line, end, rest = data.partition(b"\n")
        job = json.loads(line)
        if set(MEASURED) & set(os.environ):
            for plugin in filter(None, map(job.get, ("selection", "shard", "smoke", "tracebacks"))):
                plugin["files"] = {name: name_source(file) for name, file in plugin["files"].items()}
        if job["changes"] is not None and self._copies_source:
            assert self.cache is not None
            tree = Path(self.cache.name) / "tree"
            ignore = shutil.ignore_patterns(*job["changes"]["skip"])
            shutil.copytree(job["changes"]["root"], tree, symlinks=True, ignore=ignore)
            job["changes"] |= {"root": str(tree), "upper": None}
            job["environment"]["FAKE_TREE"] = str(tree)
        else:
            job["changes"] = None
        return json.dumps(job).encode() + end + rest

    def end(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            kill_session(self.process.pid)
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):  # it ended before it had read all
                        pipe.close()
        if self.cache is not None:
            self.cache.cleanup()


class FakeEngine:
    """Implements the Engine protocol; everything it still has at the end of a session is a leak.

    :param known: references that it has without pulling.
    :param pulls: what a pull of other references, or from other repositories, does: an error to raise, or None to
        succeed.
    :param pushes: errors of pushes, by repository.
    :param registry: folder of the images that were pushed, which other engines can pull.
    :param environment: what all images set.
    :param processors: how many it says that it has.
    :param copies_source: see FakeContainer.
    :param sees_host: what probes report; suites run in the host's tree nevertheless.
    :param checks: status and output of the commands in services, in their order; the last one stays.
    :param ended_services: images of services that end with status 1 at once.
    :param meeting: so many of the first suites wait for each other when they start; fewer at once are an error.
    """

    def __init__(
        self,
        *,
        known: Iterable[str] = KNOWN,
        pulls: Mapping[str, EngineError | None] | None = None,
        pushes: Mapping[str, EngineError] | None = None,
        registry: str = "",
        installer: Installer = installs,
        found: Iterable[Leftover] = (),
        environment: Mapping[str, str] | None = None,
        processors: int = 4,
        copies_source: bool = False,
        sees_host: bool = True,
        meeting: int = 0,
        checks: Sequence[tuple[int, bytes]] = (),
        ended_services: Iterable[str] = (),
    ) -> None:
        self.most_at_once = 0  # containers that had been started and not removed
        self.info = EngineInfo(name="fake", version="1.0", api_version="1.41", endpoint="fake://engine")
        self.images_by_reference = {name: self._image(f"sha256:{name}") for name in known}
        self.containers: dict[str, FakeContainer] = {}
        self.services: dict[str, ServiceSpec] = {}
        self._ended_services = {f"sha256:{image}" for image in ended_services}
        self._checks = list(checks or [(0, LISTENING)])
        self.volumes: dict[str, Mapping[str, str]] = {}
        self.networks: dict[str, Mapping[str, str]] = {}
        self.found = list(found)
        self.calls: list[str] = []
        self._pulls = dict(pulls or {})
        self._pushes = dict(pushes or {})
        self._registry = Path(registry) if registry else None
        self._installer = installer
        self._environment = dict(environment or {})
        self._copies_source = copies_source
        self._sees_host = sees_host
        self._bases: dict[str, str] = {}
        self._lock = threading.Lock()
        self._count = 0
        self._processors = processors
        self._running: set[str] = set()
        self._to_meet = meeting
        self._meeting = threading.Barrier(meeting or 1, timeout=60)

    @staticmethod
    def _image(identifier: str, labels: Mapping[str, str] | None = None, parent: ImageInfo | None = None) -> ImageInfo:
        """Return an image with one layer, of one megabyte, on top of another. Those of Python tell their version."""
        version = re.search(r"python:(3\.\d+)", identifier)
        layers = (*(parent.layers if parent else ()), identifier)
        return ImageInfo(
            id=identifier,
            digests=(),
            platform="linux/amd64",
            environment={"PYTHON_VERSION": f"{version[1]}.0"} if version else {},
            labels=labels or {},
            size=len(layers) * 10**6,
            created=time.time(),
            layers=layers,
            parent=parent.id if parent else "",
        )

    def _by_id(self, identifier: str) -> ImageInfo | None:
        return next((image for image in self.images_by_reference.values() if image.id == identifier), None)

    def _call(self, text: str) -> None:
        with self._lock:
            self.calls.append(text)

    def processors(self) -> int:
        self._call("processors")
        return self._processors

    def data_folder(self) -> str:
        return ""

    def overlay_options(self) -> str:
        return ""

    def find_image(self, reference: str) -> ImageInfo | None:
        self._call(f"find {reference}")
        return self.images_by_reference.get(reference) or self._by_id(reference)

    def pull(self, reference: str, *, platform: str = "") -> Iterator[PullProgress]:
        self._call(f"pull {reference}")
        repository, file = reference.rpartition(":")[0], self._find_file(reference)
        missing = ImageNotFound(f"manifest for {reference} not found")
        if file is not None and file.exists():
            fields: dict[str, Any] = json.loads(file.read_text())
            base = fields.pop("base")
            image = ImageInfo(**fields)._replace(layers=tuple(fields["layers"]), digests=(), tags=())
            self._put(reference, image, f"{repository}@sha256:{'0' * 64}")
            self._bases[image.id] = base
            return
        error = self._pulls.get(reference, self._pulls.get(repository, missing))
        if error is not None:
            raise error
        yield PullProgress(done=1, total=1)
        self.images_by_reference[reference] = self._image(f"sha256:{reference}")

    def tag(self, image: str, reference: str) -> None:
        self._call(f"tag {image} {reference}")
        found = self.find_image(image)
        assert found is not None
        self._put(reference, found)

    def _put(self, reference: str, image: ImageInfo, *digests: str) -> None:
        """Give an image a name, and perhaps the digests of registries that have it."""
        named = image._replace(tags=(*image.tags, reference), digests=(*image.digests, *digests))
        names = {name for name, other in self.images_by_reference.items() if other.id == image.id}
        self.images_by_reference |= dict.fromkeys((*names, reference), named)

    def _find_file(self, reference: str) -> Path | None:
        """Return the file of an image in the registry."""
        return None if self._registry is None else self._registry / reference.replace("/", "_")

    def push(self, reference: str) -> Iterator[PullProgress]:
        self._call(f"push {reference}")
        error = self._pushes.get(reference.rpartition(":")[0])
        if error is not None:
            raise error
        yield PullProgress(done=1, total=1)
        image, file = self.images_by_reference[reference], self._find_file(reference)
        if file is not None:
            file.write_text(json.dumps({**image._asdict(), "base": self._bases[image.id]}))
        self._put(reference, image, f"{reference.rpartition(':')[0]}@sha256:{'0' * 64}")

    def find_remote_digest(self, reference: str) -> str:
        self._call(f"digest {reference}")
        raise ImageNotFound(f"manifest for {reference} not found")

    def create_container(self, spec: ContainerSpec) -> str:
        with self._lock:
            self._count += 1
            identifier = f"container{self._count}"
            self.calls.append(f"create {spec.image}")
            if spec.options != NO_OPTIONS:
                self.calls.append(f"memory {spec.options.memory >> 20} MiB, network {spec.options.network}")
            environment = {"FAKE_IMAGE": self._bases.get(spec.image, spec.image), **self._environment}
            self.containers[identifier] = FakeContainer(
                spec, self._installer, environment, copies_source=self._copies_source, sees_host=self._sees_host
            )
        return identifier

    def create_service(self, spec: ServiceSpec) -> str:
        aliases = f" as {', '.join(spec.aliases)}" if spec.aliases else ""
        self._call(f"create service {spec.image}{aliases}")
        with self._lock:
            self._count += 1
            identifier = f"service{self._count}"
            self.services[identifier] = spec
        return identifier

    def execute(self, container: str, command: Sequence[str], *, seconds: float) -> tuple[int, bytes]:
        self._call(f"execute {' '.join(command)}")
        with self._lock:
            return self._checks.pop(0) if len(self._checks) > 1 else self._checks[0]

    def open_command(
        self, container: str, command: Sequence[str], *, environment: Mapping[str, str], terminal: bool
    ) -> Execution:
        raise EngineError("only real engines run commands with input")

    def resize_command(self, execution: str, *, columns: int, rows: int) -> None:
        raise EngineError("only real engines run commands with input")

    def command_status(self, execution: str) -> int:
        raise EngineError("only real engines run commands with input")

    def read_log(self, container: str, *, lines: int) -> str:
        return "starting\n\x1b[31mno space\x1b[0m\n"

    def attach(self, container: str, *, terminal: bool = False, silence: float | None = None) -> FakeStream:
        return FakeStream(self.containers[container])

    def start(self, container: str) -> None:
        if container in self.services:
            return
        with self._lock:
            self.calls.append("start")
            self._running.add(container)
            self.most_at_once = max(self.most_at_once, len(self._running))
            is_suite = self.containers[container].spec.command[1:] == (WORKER,)
            meets = is_suite and self._to_meet > 0
            self._to_meet -= meets
        if meets:
            try:
                self._meeting.wait()
            except threading.BrokenBarrierError:
                raise EngineError("fewer suites were started at once") from None
        self.containers[container].start()

    def resize(self, container: str, *, columns: int, rows: int) -> None:
        self._call(f"resize {columns}x{rows}")

    def wait(self, container: str) -> int:
        process = self.containers[container].process
        if process is None:
            return 137 if self.containers[container].killed else 0
        code = process.wait()
        return 128 - code if code < 0 else code

    def inspect(self, container: str) -> ContainerState:
        if container in self.services:
            has_ended = self.services[container].image in self._ended_services
            return ContainerState(running=not has_ended, exit_code=int(has_ended), oom_killed=False, error="")
        return ContainerState(running=False, exit_code=self.wait(container), oom_killed=False, error="")

    def kill(self, container: str) -> None:
        found = self.containers.get(container)
        if found is not None:
            found.killed = True
            if found.process is not None and found.process.poll() is None:
                found.process.kill()

    def remove_container(self, container: str, *, wait: bool = True) -> None:
        self.services.pop(container, None)
        found = self.containers.pop(container, None)
        if found is not None:
            found.killed = True
            found.end()
            with self._lock:
                self._running.discard(container)

    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        self._call(f"upload {sum(len(piece) for piece in tar)}")

    def commit(self, container: str, *, reference: str, labels: Mapping[str, str]) -> str:
        self._call("commit")
        start = self.containers[container].spec.image
        identifier = f"sha256:{reference}"
        identifier += "-again" * (self._by_id(identifier) is not None)
        self._bases[identifier] = self._bases.get(start, start.removeprefix("sha256:"))
        self.images_by_reference[reference] = self._image(identifier, labels, self._by_id(start))
        return identifier

    def build(self, context: BuildContext, *, reference: str, labels: Mapping[str, str]) -> Iterator[str]:
        self._call(f"build {context.arguments['PYTHON_IMAGE']}")
        yield "Step 1/1 : FROM"
        base = context.arguments["PYTHON_IMAGE"]
        self._bases[f"sha256:{reference}"] = base
        self.images_by_reference[reference] = self._image(
            f"sha256:{reference}", labels, self.images_by_reference.get(base)
        )

    def remove_image(self, reference: str, *, parents: bool = True) -> None:
        self._call(f"remove {reference}")
        self.images_by_reference.pop(reference, None)

    def create_network(self, name: str, *, labels: Mapping[str, str], is_internal: bool) -> None:
        self._call(f"create network{' without access' if is_internal else ''}")
        with self._lock:
            self.networks[name] = labels

    def remove_network(self, name: str) -> None:
        if any(spec.network == name for spec in self.services.values()):
            raise EngineError(f"network {name} has active endpoints")
        self.networks.pop(name, None)

    def create_volume(self, name: str, *, labels: Mapping[str, str], options: Mapping[str, str]) -> str:
        with self._lock:
            self.volumes[name] = labels
        return f"/volumes/{name}"

    def remove_volume(self, name: str) -> None:
        with self._lock:
            self.volumes.pop(name, None)

    def volume_sizes(self) -> Mapping[str, int]:
        return dict.fromkeys(self.volumes, 10**9)

    def leftovers(self, label: str) -> tuple[Leftover, ...]:
        kept = [
            Leftover(kind="volume", id=name, name=name, labels=labels)
            for name, labels in self.volumes.items()
            if labels.get(KIND_LABEL) in ("cache", "bytecode")
        ]
        name, equals, value = label.partition("=")
        return tuple(entry for entry in [*self.found, *kept] if not equals or entry.labels.get(name) == value)

    def images(self, label: str) -> tuple[tuple[str, ImageInfo], ...]:
        name, equals, value = label.partition("=")
        return tuple(
            (reference, image)
            for reference, image in self.images_by_reference.items()
            if name in image.labels and (not equals or image.labels[name] == value)
        )

    def close(self) -> None:
        self._call("close")
