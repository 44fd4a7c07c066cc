"""The services of one image's suite: start them beside it, wait until they are ready, remove them."""

from __future__ import annotations

import io
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType

from pytest_pyimages.containers import Lease
from pytest_pyimages.engines import NO_OPTIONS, Engine, ImageInfo, ServiceSpec
from pytest_pyimages.errors import BuildError, EngineError, PyimagesError
from pytest_pyimages.project import Service
from pytest_pyimages.text import flatten

POLL_SECONDS = 0.1
CHECK_SECONDS = 30.0  # that a check may take, as Docker's HEALTHCHECK by default
LEAVE_SECONDS = 5.0  # that the end of the context waits for the start of services
LAST_CHECK_SECONDS = 1.0  # that it may take at least
LOG_LINES = 20
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # SGR: ECMA-48, 8.3.117
_IN_USE = re.compile(r"address (is )?already in use|EADDRINUSE", re.IGNORECASE)
_LISTENS = "0A"  # the state TCP_LISTEN in /proc/net/tcp: proc(5), and net/tcp_states.h of the kernel
_SOCKETS = ("cat", "/proc/net/tcp", "/proc/net/tcp6")


class ServiceError(BuildError):
    """A service did not start or was not ready in time; the tests of its image are not run."""


@dataclass(slots=True)
class _Running:
    service: Service
    image: ImageInfo
    container: str
    began: float = field(default_factory=time.monotonic)


class Services:
    """The services of one image, removed at the end of the context.

    They are started in a thread of their own. The first one owns the network namespace, in which the suite and
    the other services run, so that ``localhost:5432`` and ``db:5432`` are the same. A service on a port that an earlier
    one has gets a namespace of its own, and a private network joins the two.

    :param resolve: returns the image of a reference, pulled if needed.
    :param is_closing: whether the session ends, so that waiting makes no sense.
    """

    def __init__(
        self,
        engine: Engine,
        lease: Lease,
        services: Sequence[Service],
        resolve: Callable[[str], ImageInfo],
        is_closing: Callable[[], bool] = lambda: False,
    ) -> None:
        self._engine = engine
        self._lease = lease
        self._services = services
        self._resolve = resolve
        self._is_closing = is_closing
        self.options = NO_OPTIONS  # whose network and host names the first service gets for all
        self.notes: list[str] = []  # what to know of the services once they are ready
        self._running: list[_Running] = []
        self._private = ""  # the name of the network; empty where none is needed
        self._error: PyimagesError | None = None
        self._thread = threading.Thread(target=self._start, name="pyimages-services", daemon=True)
        self._is_left = False
        self._is_late = False  # whether the thread has not ended in time

    @property
    def network(self) -> str:
        """The network mode of a container that is to reach the services; empty for the engine's default."""
        owner = (each.container for each in self._running if each.service is self._services[0])
        return next((f"container:{container}" for container in owner), "")

    @property
    def document(self) -> list[dict[str, str]]:
        """The services as the report has them."""
        return [
            {"name": each.service.name, "image": each.service.image, "digest": (*each.image.digests, each.image.id)[0]}
            for each in sorted(self._running, key=lambda each: self._services.index(each.service))
        ]

    def __enter__(self) -> Services:
        return self

    def start(self) -> None:
        """Begin to start the services, unless that was done."""
        if self._services and self._thread.ident is None:
            self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_left = True
        if self._thread.ident is not None:
            self._thread.join(LEAVE_SECONDS)
            self._is_late = self._thread.is_alive()  # it may be pulling an image, after which it starts nothing
        self._remove_all()

    def _remove_all(self) -> None:
        with ExitStack() as stack:  # if one is not removed, the others are
            private, self._private = self._private, ""
            if private:
                stack.callback(self._engine.remove_network, private)
            while self._running:
                stack.callback(self._engine.remove_container, self._running.pop(0).container)

    def wait(self, report: Callable[[str], None]) -> None:
        """Wait until all services are ready.

        :param report: called with a text on the current wait.
        :raises ServiceError: if one does not start, ends, or is not ready in its time.
        :raises EngineError: if the engine fails.
        """
        if not self._services:
            return
        self.start()
        while self._thread.is_alive() and not self._is_closing():
            report("starting services")
            self._thread.join(POLL_SECONDS)
        if self._error is not None:
            raise self._error
        for running in self._running:
            while not self._is_closing() and not self._is_ready(running):
                report(f"waiting for {running.service.name}")
                time.sleep(POLL_SECONDS)

    def describe_ended(self) -> Iterator[str]:
        """Yield a line for each service that no longer runs, with the last line of its output."""
        for running in self._running:
            state = self._engine.inspect(running.container)
            if not state.running:
                yield self._make_error(running, f"ended with status {state.exit_code} while the tests ran").message

    def _start(self) -> None:
        try:
            images: dict[str, ImageInfo] = {}
            for service in self._services:
                if self._is_left or self._is_closing():
                    return
                images[service.name] = self._find_image(service)
            separate = self._find_separate(images)
            if separate:
                self._create_network()
            together = tuple(name for name in images if name not in separate)
            # The separate ones first: the owner of the suite's namespace gets their addresses, so that their names do
            # not depend on a DNS server of the engine, which Podman may lack.
            for service in sorted(self._services, key=lambda service: service.name in together):
                if self._is_left or self._is_closing():
                    return
                names = (service.name,) if service.name in separate else together
                self._start_one(service, images[service.name], names)
        except PyimagesError as error:
            self._error = error
        finally:
            if self._is_late:
                with suppress(EngineError):  # the next session removes it
                    self._remove_all()

    def _find_image(self, service: Service) -> ImageInfo:
        try:
            return self._resolve(service.image)
        except BuildError as error:
            raise ServiceError(f"service {service.name}: {error.message}", log=error.log) from error

    def _find_separate(self, images: Mapping[str, ImageInfo]) -> frozenset[str]:
        """Return the services that need a network namespace of their own, since another one has their port.

        :raises ServiceError: if the network of the options allows for no other.
        """
        owners: dict[int, str] = {}
        separate = set()
        for service in self._services:
            ports = service.ports or images[service.name].ports
            common = owners.keys() & set(ports)
            if not common:
                owners.update(dict.fromkeys(ports, service.name))
                continue
            other, port = owners[min(common)], min(common)
            if self.options.network not in ("", "none"):
                raise ServiceError(
                    f"services {other} and {service.name} both listen on port {port} of network {self.options.network}",
                    "let one of them listen on another port (command, env), and name it: ports = [...]",
                )
            separate.add(service.name)
            self.notes.append(
                f"services {other} and {service.name} both listen on port {port}: localhost:{port} is {other},"
                f" {service.name} is reached by its name"
            )
        return frozenset(separate)

    def _create_network(self) -> None:
        name = self._lease.new_name()
        self._private = name  # before: it may exist although the answer was lost
        is_internal = self.options.network == "none"
        self._engine.create_network(name, labels=self._lease.labels("service"), is_internal=is_internal)

    def _make_hosts(self, names: Sequence[str]) -> dict[str, str]:
        hosts = {name: address for name, _, address in (entry.partition(":") for entry in self.options.add_host)}
        found = {each.service.name: self._engine.inspect(each.container).address for each in self._running}
        hosts.update((name, address) for name, address in found.items() if address)
        return {**hosts, **dict.fromkeys(names, "127.0.0.1")}

    def _start_one(self, service: Service, image: ImageInfo, names: Sequence[str]) -> None:
        """Start a service.

        :param names: the services in its network namespace; the first of them owns it.
        """
        owns = service.name == names[0]
        container = self._engine.create_service(
            ServiceSpec(
                name=self._lease.new_name(),
                image=image.id,
                command=service.command,
                labels=self._lease.labels("service"),
                environment=service.environment(os.environ),
                network=self._private or self.options.network if owns else self.network,
                aliases=tuple(names) if owns and self._private else (),
                hosts=self._make_hosts(names) if owns else {},
                tmpfs=service.tmpfs,
            )
        )
        self._running.append(_Running(service, image, container))
        if service.files:
            self._engine.upload(container, "/", _archive(service))
        try:
            self._engine.start(container)
        except EngineError as error:
            raise ServiceError(f"service {service.name} did not start: {error.message}", error.hint) from error

    def _is_ready(self, running: _Running) -> bool:
        """Return whether a service is ready; raise ServiceError if it will not be."""
        state = self._engine.inspect(running.container)
        service = running.service
        if not state.running:
            raise self._make_error(running, f"ended with status {state.exit_code}")
        deadline = running.began + service.timeout
        left = max(deadline - time.monotonic(), LAST_CHECK_SECONDS)
        with suppress(EngineError):  # it has ended, or the check hangs: the next call reports that
            if self._answers(running, min(left, CHECK_SECONDS)):
                return True
        if time.monotonic() > deadline:
            raise self._make_error(running, f"was not ready after {service.timeout:g} s")
        return False

    def _answers(self, running: _Running, seconds: float) -> bool:
        """Check once whether a service is ready.

        :raises EngineError: if that takes longer than so many seconds.
        """
        check = running.image.health_check if not running.service.ports else ()
        if running.service.ready:
            check = ("CMD-SHELL", running.service.ready)
        if check:  # in the words of a HEALTHCHECK
            command = ("/bin/sh", "-c", *check[1:]) if check[0] == "CMD-SHELL" else check[1:]
            return self._engine.execute(running.container, command, seconds=seconds)[0] == 0
        ports = running.service.ports or running.image.ports
        return not ports or set(ports) <= self._read_listening_ports(running, seconds)

    def _read_listening_ports(self, running: _Running, seconds: float) -> set[int]:
        """Return the TCP ports that processes listen on in the network namespace."""
        _, output = self._engine.execute(running.container, _SOCKETS, seconds=seconds)
        rows = (line.split() for line in output.decode("ascii", "replace").splitlines())
        return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == _LISTENS}

    def _make_error(self, running: _Running, what: str) -> ServiceError:
        log = ""
        with suppress(EngineError):
            log = self._engine.read_log(running.container, lines=LOG_LINES)
        lines = [line for line in map(flatten, _COLOURS.sub("", log).splitlines()) if line]
        last = f": {lines[-1]}" if lines else ""
        hint = "name the ports of all services: ports = [...]" if _IN_USE.search(log) else ""
        return ServiceError(f"service {running.service.name} {what}{last}", hint, log="\n".join(lines))


def _archive(service: Service) -> Iterator[bytes]:
    """Yield a tar of the files that a service gets, with the owner root."""
    import tarfile

    def as_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mode |= 0o444  # the server may run as any user
        return info

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file in service.files:
            tar.add(file.source, file.target.lstrip("/"), filter=as_root)
    yield buffer.getvalue()


def format_services(services: Iterable[Service]) -> str:
    """Return the names and images of services for a line of the header: "db (postgres:17), redis:7"."""
    return ", ".join(
        service.image if service.image.startswith(f"{service.name}:") else f"{service.name} ({service.image})"
        for service in services
    )
