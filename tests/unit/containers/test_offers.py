"""Containers that a watch gives to other sessions: which ones, and what becomes of them when either side ends."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from pytest_pyimages.containers import offers
from pytest_pyimages.containers.ahead import Waiting, Wanted
from pytest_pyimages.containers.bytecode import BytecodeLayer
from pytest_pyimages.containers.leases import Lease, find_offers_folder, has_offers
from pytest_pyimages.containers.offers import GREETING, LEASED, PACKET, OfferedContainers, offer_containers
from pytest_pyimages.containers.process import ContainerProcess
from pytest_pyimages.containers.source import Source
from pytest_pyimages.containers.waiting import WaitingContainers
from pytest_pyimages.engines.attached import AttachedStream
from pytest_pyimages.engines.base import STDOUT, ContainerOptions, ContainerSpec, EngineInfo, Leftover
from pytest_pyimages.engines.labels import HOST_LABEL, SESSION_LABEL
from tests.support.scripted_engine import frame
from tests.unit.containers.test_process import RecordingEngine

SPEC = ContainerSpec(name="", image="sha256:1", command=("python",), labels={}, environment={"LANG": "C"})
STARTED = ["volume", "volume", "create", "attach", "start"]
REMOVED = ["remove", *["remove volume"] * 2]
LEFT = ["leave", *["remove volume"] * 2]  # by who has taken it
BYTECODE = BytecodeLayer("volume", "/folder")


class AttachingEngine(RecordingEngine):
    """Gives each container a connection, whose other end is its program's."""

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(self.info, name="docker")
        self.programs: list[socket.socket] = []

    def close_programs(self) -> None:
        for program in self.programs:
            program.close()

    def attach(self, container: str, *, terminal: bool = False, silence: float | None = None) -> AttachedStream:  # type: ignore[override]
        self.record("attach")
        ours, program = socket.socketpair()
        self.programs.append(program)
        return AttachedStream((ours.makefile("rb"), ours.close), silence=silence)


class Watch:
    """A project, whose containers a watch offers."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.source = Source(folder / "source")
        (self.source.root / "tests").mkdir(parents=True)
        (self.source.root / "tests" / "test_it.py").touch()
        self.engine = AttachingEngine()
        self.waiting = WaitingContainers()
        wanted = Wanted(SPEC, self.source.root, (), (), "/upper")
        self.lease = self.waiting.start(lambda: self.engine, [wanted])
        stack.callback(self.engine.close_programs)
        stack.callback(self.waiting.close)
        self.offers = stack.enter_context(contextlib.ExitStack())
        self.offers.enter_context(offer_containers(self.waiting, self.lease))

    def take(self, engine: RecordingEngine | None = None, **changes: object) -> Waiting | None:
        """Take a container as another process would."""
        spec = replace(SPEC, name="of the session", labels={"its": "label"}, **changes)  # type: ignore[arg-type]
        return self.take_from(OfferedContainers(), engine=engine, spec=spec)

    def take_from(
        self,
        offered: OfferedContainers,
        upper: str = "/upper",
        bytecode: BytecodeLayer | None = None,
        *,
        engine: RecordingEngine | None = None,
        spec: ContainerSpec = SPEC,
    ) -> Waiting | None:
        self.source.ahead = offered
        return self.source.take_ahead(engine or self.engine, spec, upper, bytecode)

    @contextlib.contextmanager
    def conversation(self) -> Iterator[socket.socket]:
        (path,) = find_offers_folder().iterdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(10)
            with offers._shorten(path.parent) as folder:
                connection.connect(f"{folder}/{path.name}")
            assert connection.recv(PACKET) == GREETING
            yield connection

    def request(self) -> bytes:
        thread = self.waiting._threads[-1]
        thread.started.result()
        keys = map(offers._make_key, (thread.wanted, thread.info, thread.bytecode))
        return json.dumps(offers._Request(*keys)._asdict()).encode()

    def wait_for_container(self, number: int) -> None:
        """Wait until so many have been started."""
        released = threading.Event()
        while self.engine.lifecycle.count("start") < number:
            released.wait(0.01)
        self.request()

    def wait_for(self, lifecycle: list[str]) -> None:
        """Wait until this has happened on the engine, in this order for each container."""
        released = threading.Event()
        for _ in range(500):
            if sorted(self.engine.lifecycle) == sorted(lifecycle):
                return
            released.wait(0.01)
        assert self.engine.lifecycle == lifecycle  # in any order


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    # Longer than the path of a socket may be.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ("cache" * 20)))
    assert not has_offers()
    with contextlib.ExitStack() as stack:
        yield Watch(tmp_path, stack)
    assert not has_offers()


def test_another_session_owns_what_it_takes(watch: Watch) -> None:
    process = ContainerProcess(watch.engine, Lease(), watch.source, upper="/upper")
    assert has_offers()
    watch.source.ahead = OfferedContainers()
    with process.create(SPEC, may_be_ahead=True) as container, process.start(container) as stream:
        watch.wait_for([*STARTED, *STARTED])  # another one in its place
        watch.offers.close()
        watch.waiting.close()
        watch.wait_for([*STARTED, *STARTED, *REMOVED])  # of that one
        stream.send(b"job")
        assert watch.engine.programs[0].recv(9) == b"job"
        watch.engine.programs[0].sendall(frame(1, b"result"))
        watch.engine.programs[0].close()
        assert list(stream.frames()) == [(STDOUT, b"result")]
        assert process.upper == "/upper"
        assert [witness.path for witness in process.witness] == [str(watch.source.root / "tests" / "test_it.py")]
    assert watch.engine.lifecycle[-len(LEFT) :] == LEFT


def test_a_container_without_a_host_ends(watch: Watch) -> None:
    """Its program reads the end of its input."""
    waiting = watch.take()
    assert waiting is not None
    watch.engine.programs[0].settimeout(0.2)
    with pytest.raises(TimeoutError):
        watch.engine.programs[0].recv(9)
    waiting.stream.close()
    watch.engine.programs[0].settimeout(10)
    assert watch.engine.programs[0].recv(9) == b""
    waiting.remove()


def test_nobody_sweeps_what_was_taken_from_a_watch_that_has_ended(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = watch.take()
    assert waiting is not None
    watch.offers.close()
    watch.waiting.close()
    found = Leftover("container", "1", "name", {SESSION_LABEL: watch.lease.session, HOST_LABEL: watch.lease.host})
    monkeypatch.setattr(watch.engine, "leftovers", lambda _: (found,))
    assert Lease().find_abandoned(watch.engine) == ()
    waiting.remove()
    assert Lease().find_abandoned(watch.engine) == (found,)


def test_each_container_is_taken_once(watch: Watch) -> None:
    offered = OfferedContainers()
    first = watch.take_from(offered)
    assert first is not None
    watch.wait_for([*STARTED, *STARTED])
    # One that was of no use must not be followed by endless others.
    assert watch.take_from(offered) is None
    second = watch.take()
    assert second is not None
    for each in (first, second):
        each.remove()
    watch.wait_for([*STARTED * 3, *LEFT * 2])


@pytest.mark.parametrize(
    "change",
    [{"image": "sha256:2"}, {"environment": {"LANG": "de"}}, {"command": ("python3",)}, {"privileges": "engine"}],
    ids=str,
)
def test_another_configuration_is_not_given(watch: Watch, change: dict[str, object]) -> None:
    assert watch.take(None, **change) is None
    watch.wait_for(STARTED)


def test_a_container_of_another_engine_is_not_given(watch: Watch) -> None:
    other = AttachingEngine()
    other.info = replace(other.info, endpoint="unix:///other")
    assert watch.take(other) is None
    watch.wait_for(STARTED)
    waiting = watch.take()  # it is still there
    assert waiting is not None
    waiting.remove()


def test_a_container_with_other_bytecode_is_not_given(watch: Watch) -> None:
    assert watch.take_from(OfferedContainers(), "/upper", BYTECODE) is None
    watch.wait_for([*STARTED, *STARTED, *REMOVED])


def test_a_container_that_shows_replaced_folders_is_not_given(watch: Watch) -> None:
    watch.request()
    (watch.source.root / "tests").rename(watch.source.root / "old")
    (watch.source.root / "tests").mkdir()
    assert watch.take() is None
    watch.wait_for([*STARTED, *STARTED, *REMOVED])
    waiting = watch.take()  # the one in its place was made of these
    assert waiting is not None
    waiting.remove()


def end_after_request(connection: socket.socket) -> None:
    connection.recv(PACKET)


def speak_otherwise(connection: socket.socket) -> None:
    connection.recv(PACKET)
    connection.send(b"mine")
    assert connection.recv(PACKET) == b""


@pytest.mark.parametrize("end", [end_after_request, speak_otherwise], ids=lambda each: each.__name__)
def test_a_session_that_ends_early_has_taken_nothing(watch: Watch, end: Callable[[socket.socket], None]) -> None:
    with watch.conversation() as connection:
        connection.send(watch.request())
        end(connection)
    watch.wait_for([*STARTED, *STARTED, *REMOVED])
    waiting = watch.take()
    assert waiting is not None
    waiting.remove()


@pytest.mark.parametrize(
    "request_",
    [b"{", b"[]", b"{}", b"7", b'{"wanted": 1, "on": null}', b"\xff" * 999, b"[" * 50_000],
    ids=lambda text: str(text[:9]),
)
def test_who_asks_otherwise_gets_no_answer(watch: Watch, request_: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with watch.conversation() as connection:
        connection.send(request_)
        assert connection.recv(PACKET) == b""
    waiting = watch.take()
    assert waiting is not None
    waiting.remove()
    assert capfd.readouterr() == ("", "")


def test_a_watch_that_ends_gives_nothing_away(watch: Watch) -> None:
    with watch.conversation() as connection:
        connection.send(watch.request())
        data, descriptors, _, _ = socket.recv_fds(connection, PACKET, 1)
        with socket.socket(fileno=descriptors[0]):
            assert json.loads(data)[1] == "container"
            watch.waiting.close()
            connection.send(LEASED)
            assert connection.recv(PACKET) == b""
    watch.wait_for([*STARTED, *REMOVED])


@pytest.mark.parametrize("says", [b"", b"{", b'["a", "b"]', b'["session", "container", [], ""]'], ids=str)
def test_a_session_starts_its_own_container_if_a_watch_fails(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, says: bytes
) -> None:
    """Whatever it says, with the descriptor or without it, and if it ends before it has forgotten the container."""
    watch.offers.close()
    folder = find_offers_folder()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        monkeypatch.chdir(folder)
        listener.bind("1.socket")
        listener.listen()

        def answer() -> None:
            connection = listener.accept()[0]
            with connection, socket.socket() as attached:
                connection.send(GREETING)
                connection.recv(PACKET)
                if says:
                    socket.send_fds(connection, [says], [attached.fileno()])

        thread = threading.Thread(target=answer)
        thread.start()
        assert watch.take() is None
        thread.join()
    assert [*(folder.parent / "sessions").iterdir()] == [folder.parent / "sessions" / f"{watch.lease.session}.lock"]
    assert watch.take() is None
    assert not has_offers(), "a socket that nobody listens to is removed"


@pytest.mark.parametrize("is_late", [False, True])
def test_a_container_has_one_owner_when_time_is_up(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, *, is_late: bool
) -> None:
    """The watch confirms after the session's timeout, just before it gives up or after that."""
    shut_down = socket.socket.shutdown
    sent: list[bool] = []

    def confirm() -> None:
        try:
            watched.send(offers.TRANSFERRED)
        except OSError:
            sent.append(False)
        else:
            sent.append(True)

    def shutdown(connection: socket.socket, how: int) -> None:
        if not is_late:
            confirm()
        shut_down(connection, how)
        if is_late:
            confirm()

    watched, session = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with watched, session:
        session.settimeout(0.1)
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "shutdown", shutdown)
            received = offers._receive_last(session)
    assert sent == [not is_late]
    assert received == (b"" if is_late else offers.TRANSFERRED)


@pytest.mark.parametrize("kind", [ContainerSpec, ContainerOptions, EngineInfo])
def test_a_request_depends_on_each_field(kind: type[ContainerSpec | ContainerOptions | EngineInfo]) -> None:
    assert [each.name for each in fields(kind) if not each.repr] == []


@contextlib.contextmanager
def other_watch(monkeypatch: pytest.MonkeyPatch, name: str = "0.socket") -> Iterator[socket.socket]:
    """Listen as a watch with a fault; it is asked first."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener, monkeypatch.context() as patch:
        patch.chdir(find_offers_folder())
        listener.bind(name)
        listener.listen(1)
        yield listener
    (find_offers_folder() / name).unlink(missing_ok=True)


def test_a_stopped_watch_delays_no_session(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel accepts connections for it, as many as its queue may have."""
    watch.request()
    with other_watch(monkeypatch):
        for number in range(3):
            watch.wait_for_container(number + 1)
            start = time.monotonic()
            waiting = watch.take()  # of the next watch
            assert time.monotonic() - start < offers.ANSWER_SECONDS
            assert waiting is not None
            waiting.remove()


def test_a_silent_watch_is_asked_once_in_a_session(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell may ask for two containers."""
    with other_watch(monkeypatch) as listener:
        offered = OfferedContainers()
        watch.request()
        assert watch.take_from(offered, "/another") is None
        waiting = watch.take_from(offered)
        assert waiting is not None
        waiting.remove()
        listener.accept()[0].close()
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_watch_of_another_version_is_not_asked(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.request()
    with other_watch(monkeypatch) as listener:
        received: list[bytes] = []

        def answer() -> None:
            with listener.accept()[0] as connection:
                connection.send(b"pyimages 0")
                received.append(connection.recv(PACKET))

        thread = threading.Thread(target=answer)
        thread.start()
        waiting = watch.take()
        assert waiting is not None
        waiting.remove()
        thread.join()
    assert received == [b""]


def test_a_container_that_starts_slowly_is_left_to_the_watch(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    released, start = threading.Event(), watch.engine.start

    def start_slowly(container: str) -> None:
        released.wait(60)
        start(container)

    watch.request()
    monkeypatch.setattr(watch.engine, "start", start_slowly)
    first = watch.take()
    assert first is not None
    assert watch.take() is None
    released.set()
    watch.wait_for_container(2)
    second = watch.take()
    assert second is not None
    for each in (first, second):
        each.remove()


def test_nothing_is_left_of_many_conversations(watch: Watch) -> None:
    """Neither open files nor threads, of the watch and of the sessions."""

    def count() -> tuple[int, int]:
        return len([*Path("/proc/self/fd").iterdir()]), threading.active_count()

    def converse() -> tuple[int, int]:
        request = watch.request()
        started = watch.engine.lifecycle.count("start")
        with watch.conversation() as connection:  # a session that ends early
            connection.send(request)
        watch.wait_for_container(started + 1)
        waiting = watch.take()
        assert waiting is not None
        waiting.remove()
        watch.wait_for_container(started + 2)
        for program in watch.engine.programs[:-1]:
            program.close()
        return count()

    converse()
    files, threads = zip(*(converse() for _ in range(30)), strict=True)
    assert min(files[20:]) <= min(files[:5])
    assert min(threads[20:]) <= min(threads[:5])


def test_sockets_of_killed_watches_are_swept(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also that of one that was killed before it listened; those of living watches stay."""
    folder = find_offers_folder()
    with Lease() as other, other_watch(monkeypatch, f"{other.session}.new"), other_watch(monkeypatch, "0.new"):
        (folder / "1.socket").touch()
        assert Lease().sweep(watch.engine) == ()
        names = {f"{other.session}.new", f"{watch.lease.session}.socket"}
        assert {path.name for path in folder.iterdir()} == names
        locks = {f"{lease.session}.lock" for lease in (other, watch.lease)}
        assert {path.name for path in (folder.parent / "sessions").iterdir()} == locks


def test_a_watch_that_cannot_accept_refuses_connections(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that has too many open files; it can still be ended."""
    watch.offers.close()

    def refuse(_: socket.socket) -> tuple[socket.socket, object]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "accept", refuse)
        watch.offers.enter_context(offer_containers(watch.waiting, watch.lease))
        deadline = time.monotonic() + 60
        while has_offers():
            assert watch.take() is None
            assert time.monotonic() < deadline
