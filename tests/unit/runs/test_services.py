"""The services of one image: their files, checks and errors, and that all of them are removed."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from pytest_pyimages.containers import Lease
from pytest_pyimages.engines.base import ContainerState, ImageInfo, ServiceSpec
from pytest_pyimages.errors import BuildError, EngineError
from pytest_pyimages.project import Service
from pytest_pyimages.project.settings.services import ServiceFile
from pytest_pyimages.runs import services
from pytest_pyimages.runs.services import ServiceError, Services
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message
from tests.support.project_tree import write_tree

IMAGE = FakeEngine._image("sha256:postgres")


class Engine(FakeEngine):
    """Its containers start, run and check as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.uploads: list[bytes] = []
        self.states: list[bool] = []  # whether a service runs at the next looks; then it does
        self.start_error: EngineError | None = None
        self.check_errors: list[EngineError] = []
        self.removal_errors: list[EngineError] = []
        self.limits: list[float] = []  # in seconds, of checks

    def remove_container(self, container: str, *, wait: bool = True) -> None:
        super().remove_container(container, wait=wait)
        if self.removal_errors:
            raise self.removal_errors.pop(0)

    def upload(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        self.uploads.append(b"".join(tar))

    def start(self, container: str) -> None:
        if self.start_error is not None:
            raise self.start_error

    def inspect(self, container: str) -> ContainerState:
        is_running = self.states.pop(0) if self.states else True
        return ContainerState(running=is_running, exit_code=0 if is_running else 3, oom_killed=False, error="")

    def execute(self, container: str, command: Sequence[str], *, seconds: float) -> tuple[int, bytes]:
        self.limits.append(seconds)
        if self.check_errors:
            raise self.check_errors.pop(0)
        return super().execute(container, command, seconds=seconds)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Return an engine that has nothing left at the end."""
    monkeypatch.setattr(services, "POLL_SECONDS", 0.001)
    engine = Engine()
    yield engine
    assert (engine.services, engine.networks) == ({}, {})


Start = Callable[..., Services]


@pytest.fixture
def make(engine: Engine, tmp_path: Path) -> Iterator[Start]:
    with Lease(tmp_path) as lease:
        yield lambda *services, image=IMAGE, is_closing=lambda: False: Services(
            engine, lease, services, lambda reference: image, is_closing
        )


def ignore(text: str) -> None:
    """Take the text that says what is being waited for."""


def test_files_are_readable_whoever_the_server_runs_as(engine: Engine, make: Start, tmp_path: Path) -> None:
    write_tree(tmp_path, {"sql/tables.sql": "create table a;", "my.cnf": "[mysqld]"})
    (tmp_path / "my.cnf").chmod(0o600)
    files = (
        ServiceFile(source=tmp_path / "sql", target="/docker-entrypoint-initdb.d"),
        ServiceFile(source=tmp_path / "my.cnf", target="/etc/my.cnf"),
    )
    with make(Service(name="db", image="postgres:17", files=files)) as started:
        started.wait(ignore)
    (upload,) = engine.uploads
    with tarfile.open(fileobj=io.BytesIO(upload)) as tar:
        members = {member.name: member for member in tar}
        content = tar.extractfile("docker-entrypoint-initdb.d/tables.sql")
        assert content is not None
        assert content.read() == b"create table a;"
    assert set(members) == {"docker-entrypoint-initdb.d", "docker-entrypoint-initdb.d/tables.sql", "etc/my.cnf"}
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members.values()} == {(0, 0, "", "")}
    assert members["etc/my.cnf"].mode == 0o644


def test_a_service_that_the_engine_does_not_start(engine: Engine, make: Start) -> None:
    engine.start_error = EngineError("port is already allocated", "stop the other server")
    with make(Service(name="db", image="postgres:17")) as started, pytest.raises(ServiceError) as error:
        started.wait(ignore)
    assert str(error.value) == message("services", "not-started")


def test_an_image_that_cannot_be_pulled(engine: Engine, tmp_path: Path) -> None:
    def resolve(reference: str) -> ImageInfo:
        raise BuildError("no such image: mysql:8")

    with (
        Lease(tmp_path) as lease,
        Services(engine, lease, [Service(name="mysql", image="mysql:8")], resolve) as started,
        pytest.raises(ServiceError) as error,
    ):
        started.wait(ignore)
    assert str(error.value) == message("services", "no-image")


@pytest.mark.parametrize("slow", ["pull", "create"])
def test_what_is_slow_to_start_does_not_keep_the_session(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    """A large image may be pulled for minutes after Ctrl-C; what is created later is removed then."""
    monkeypatch.setattr(services, "LEAVE_SECONDS", 0.1)
    go_on, has_begun = threading.Event(), threading.Event()

    def wait() -> None:
        has_begun.set()
        go_on.wait(60)

    def resolve(_: str) -> ImageInfo:
        if slow == "pull":
            wait()
        return IMAGE

    def create(spec: ServiceSpec) -> str:
        if slow == "create":
            wait()
        return create_service(spec)

    create_service = engine.create_service
    monkeypatch.setattr(engine, "create_service", create)
    with Lease(tmp_path) as lease:
        started = Services(engine, lease, [Service(name="db", image="postgres:17")], resolve)
        with started:
            started.start()
            assert has_begun.wait(60)
        go_on.set()
        started._thread.join(60)
    assert [call for call in engine.calls if call.startswith("create service")] == (
        [] if slow == "pull" else [f"create service {IMAGE.id}"]
    )


def test_nothing_is_started_once_the_session_ends(engine: Engine, make: Start) -> None:
    """Also between two services; what is there already is removed."""
    with make(Service(name="db", image="postgres:17"), is_closing=lambda: True) as started:
        started.wait(ignore)
    assert not [call for call in engine.calls if call.startswith("create")]
    two = [Service(name=name, image="postgres:17") for name in ("a", "b")]
    with make(*two, is_closing=lambda: bool(engine.services)) as started:
        started.wait(ignore)
        assert [spec.image for spec in engine.services.values()] == [IMAGE.id]


def test_the_image_s_health_check_decides(engine: Engine, make: Start) -> None:
    engine._checks = [(1, b""), (0, b"")]
    waits: list[str] = []
    image = IMAGE._replace(health_check=("CMD", "pg_isready", "-q"))
    with make(Service(name="db", image="postgres:17"), image=image) as started:
        started.wait(waits.append)
    assert [call for call in engine.calls if call.startswith("execute")] == 2 * ["execute pg_isready -q"]
    assert waits[-1] == "waiting for db"


def test_a_service_ends_while_it_is_checked(engine: Engine, make: Start) -> None:
    engine.states = [True, False]
    engine.check_errors = [EngineError("the container is not running")]
    with (
        make(Service(name="db", image="postgres:17", ready="true")) as started,
        pytest.raises(ServiceError, match=r"^service db ended with status 3: no space$"),
    ):
        started.wait(ignore)


@pytest.mark.parametrize(
    ("timeout", "limit"),
    [pytest.param(600, 30, id="long"), pytest.param(9, 9, id="short"), pytest.param(0.1, 1, id="least")],
)
def test_a_check_has_a_time_limit(engine: Engine, make: Start, timeout: float, limit: float) -> None:
    """One that hangs must not let the session wait for ever."""
    engine.check_errors = [EngineError("the command did not end")]
    with make(Service(name="db", image="postgres:17", ready="true", timeout=timeout)) as started:
        started.wait(ignore)
    assert engine.limits[0] == pytest.approx(limit, abs=2)
    assert len(engine.limits) == 2


@pytest.mark.parametrize("ports", [(), (5432,)], ids=["together", "with a network"])
def test_one_service_that_is_not_removed_does_not_keep_the_others(
    engine: Engine, make: Start, ports: tuple[int, ...]
) -> None:
    """The fixture looks for services and networks."""
    engine.removal_errors = [EngineError("device or resource busy")]
    engine._checks = [(0, b"0: 00000000:1538 00000000:0000 0A")]
    started = make(*(Service(name=name, image="postgres:17", ports=ports, ready="true") for name in ("a", "b")))
    started.wait(ignore)
    assert len(engine.services) == 2
    assert len(engine.networks) == len(ports)
    with pytest.raises(EngineError, match="busy"):
        started.__exit__(None, None, None)


def test_services_that_ended_during_the_tests_are_named(engine: Engine, make: Start) -> None:
    with make(Service(name="db", image="postgres:17")) as started:
        started.wait(ignore)
        assert list(started.describe_ended()) == []
        engine.states = [False]
        assert list(started.describe_ended()) == ["service db ended with status 3 while the tests ran: no space"]


def test_without_services_nothing_is_waited_for(make: Start) -> None:
    with make() as started:
        started.wait(ignore)
        assert (started.network, started.document) == ("", [])
