"""The Engine protocol, on the engine that there is."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import pytest

from pytest_pyimages.engines.base import STDERR, STDOUT, ContainerSpec, Mount
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.frames import PIECE
from pytest_pyimages.engines.labels import CREATED, HOST, KIND, LABEL, SESSION
from pytest_pyimages.errors import EngineError, ImageNotFound

IMAGE = "python:3.14-slim"
Create = Callable[..., str]


def name() -> str:
    return f"pyimages-test-{uuid4().hex[:12]}"


@pytest.fixture
def labels(host: str) -> Mapping[str, str]:
    return {LABEL: "1", SESSION: uuid4().hex[:12], HOST: host, KIND: "test", CREATED: str(int(time.time()))}


@pytest.fixture
def create(engine: DockerEngine, labels: Mapping[str, str]) -> Iterator[Create]:
    """Return what creates a container of some Python code, and removes it in the end."""
    with contextlib.ExitStack() as stack:

        def create(code: str = "", *arguments: str, image: str = IMAGE, **spec: Any) -> str:
            command = spec.pop("command", ("python", "-c", code, *arguments))
            container = engine.create_container(
                ContainerSpec(name=name(), image=image, command=command, labels=labels, **spec)
            )
            stack.callback(engine.remove_container, container)
            return container

        yield create


@pytest.fixture
def volume(engine: DockerEngine, labels: Mapping[str, str]) -> Iterator[Callable[..., tuple[str, str]]]:
    """Return what creates a volume, its name and folder, and removes it in the end."""
    with contextlib.ExitStack() as stack:

        def volume(**options: str) -> tuple[str, str]:
            made = name()
            stack.callback(engine.remove_volume, made)
            return made, engine.create_volume(made, labels=labels, options=options)

        yield volume


@pytest.fixture
def raw(engine: DockerEngine) -> Iterator[docker.APIClient]:
    """Return docker-py's own client, to look at what the protocol does not show."""
    client = docker.APIClient(base_url=engine.info.endpoint, version=engine.info.api_version)
    yield client
    client.close()


def outcome(engine: DockerEngine, container: str, stdin: bytes = b"") -> tuple[bytes, bytes, int]:
    """Run a container to its end; return what it wrote to each channel, and its exit status."""
    channels = {STDOUT: b"", STDERR: b""}
    with contextlib.closing(engine.attach(container)) as stream:
        engine.start(container)
        if stdin:
            stream.send(stdin)
        for channel, payload in stream.frames():
            channels[channel] += payload
    return channels[STDOUT], channels[STDERR], engine.wait(container)


# A container's life


def test_both_channels_and_the_exit_status_come_back(engine: DockerEngine, create: Create) -> None:
    container = create("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert outcome(engine, container) == (b"out\n", b"err\n", 7)
    state = engine.inspect(container)
    assert (state.running, state.exit_code, state.oom_killed, state.error) == (False, 7, False, "")


def test_what_is_sent_comes_in(engine: DockerEngine, create: Create) -> None:
    container = create("import sys; print(sys.stdin.readline()[::-1])")
    assert outcome(engine, container, b"hello\n") == (b"\nolleh\n", b"", 0)


def test_a_megabyte_is_echoed_both_ways_at_once(engine: DockerEngine, create: Create) -> None:
    container = create("import sys, shutil; print(len(sys.stdin.buffer.read(1 << 20)))")
    assert outcome(engine, container, b"x" * (1 << 20)) == (b"1048576\n", b"", 0)


def test_the_containers_input_ends_with_the_connection(engine: DockerEngine, create: Create) -> None:
    container = create("import sys; print('ready', flush=True); sys.stdin.read(); sys.exit(3)")
    stream = engine.attach(container)
    engine.start(container)
    assert next(iter(stream.frames())) == (STDOUT, b"ready\n")
    stream.close()
    assert engine.wait(container) == 3


def test_fifty_megabytes_come_whole_and_in_pieces(engine: DockerEngine, create: Create) -> None:
    container = create("import os, sys\nfor n in range(50): sys.stdout.buffer.write(bytes([n]) * (1 << 20))")
    expected, found, largest = hashlib.sha256(), hashlib.sha256(), 0
    for number in range(50):
        expected.update(bytes([number]) * (1 << 20))
    with contextlib.closing(engine.attach(container)) as stream:
        engine.start(container)
        for _, payload in stream.frames():
            found.update(payload)
            largest = max(largest, len(payload))
    assert engine.wait(container) == 0
    assert found.hexdigest() == expected.hexdigest()
    assert largest <= PIECE


def test_what_is_killed_has_ended(engine: DockerEngine, create: Create) -> None:
    container = create("import time; print('ready', flush=True); time.sleep(600)")
    with contextlib.closing(engine.attach(container)) as stream:
        engine.start(container)
        frames = stream.frames()
        assert next(frames) == (STDOUT, b"ready\n")
        assert engine.inspect(container).running
        engine.kill(container)
        assert list(frames) == []
    assert engine.wait(container) == 137
    engine.kill(container)
    engine.remove_container(container)
    engine.kill(container)


def test_a_running_container_is_removed_at_once_and_a_removed_one_is_no_error(
    engine: DockerEngine, create: Create
) -> None:
    container = create("import time; time.sleep(600)")
    engine.start(container)
    began = time.monotonic()
    engine.remove_container(container)
    assert time.monotonic() - began < 8
    engine.remove_container(container)
    with pytest.raises(EngineError, match="(?i)no such container"):
        engine.inspect(container)


def test_many_threads_remove_the_same_container(engine: DockerEngine, create: Create) -> None:
    container = create("import time; time.sleep(600)")
    engine.start(container)
    errors: list[Exception] = []

    def remove() -> None:
        try:
            engine.remove_container(container)
        except EngineError as error:
            errors.append(error)

    threads = [threading.Thread(target=remove) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_twelve_threads_talk_to_containers_of_their_own(engine: DockerEngine, create: Create) -> None:
    containers = [create("import sys; print(sys.stdin.readline())") for _ in range(12)]
    found: dict[str, tuple[bytes, bytes, int]] = {}

    def talk(container: str) -> None:
        found[container] = outcome(engine, container, f"{container}\n".encode())

    threads = [threading.Thread(target=talk, args=(container,)) for container in containers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {container: (f"{container}\n\n".encode(), b"", 0) for container in containers}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux shows them")
def test_a_closed_connection_leaves_no_open_file(engine: DockerEngine, create: Create) -> None:
    container = create("pass")
    engine.attach(container).close()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only their number
    for _ in range(10):
        engine.attach(container).close()
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


# What a container is


def test_a_container_is_confined(engine: DockerEngine, create: Create, raw: docker.APIClient) -> None:
    code = (
        "import os; status = open('/proc/self/status').read()\n"
        "print('NoNewPrivs:\\t1' in status, os.getpid(), os.getcwd(), os.statvfs('/dev/shm').f_blocks > 60_000)\n"
        "print(sorted(os.environ), os.environ['K'])"
    )
    container = create(code, environment={"K": "a=b c"}, working_dir="/tmp")  # noqa: S108 - inside
    out, err, status = outcome(engine, container)
    first, second = out.decode().splitlines()
    assert (first, err, status) == ("True 1 /tmp True", b"", 0)
    image = engine.find_image(IMAGE)
    assert image is not None
    assert second == f"{sorted({*image.environment, 'HOME', 'HOSTNAME', 'K', 'PATH'} | odd(second))} a=b c"
    config = raw.inspect_container(container)["HostConfig"]  # type: ignore[no-untyped-call] # nothing is typed there
    assert (config["PidsLimit"], config["LogConfig"]["Type"], config["Privileged"]) == (4096, "none", False)
    assert (config["AutoRemove"], config["PortBindings"] or {}, config["Binds"] or []) == (False, {}, [])


def odd(environment: str) -> set[str]:
    """Return what Python itself adds where the locale is C (PEP 538)."""
    return {"LC_CTYPE"} if "LC_CTYPE" in environment else set()


def test_there_is_no_network_where_none_is_asked_for(engine: DockerEngine, create: Create) -> None:
    container = create("import os; print(os.listdir('/sys/class/net'))", network="none")
    assert outcome(engine, container) == (b"['lo']\n", b"", 0)


def test_another_user(engine: DockerEngine, create: Create) -> None:
    assert outcome(engine, create("import os; print(os.getuid())", user="12345")) == (b"12345\n", b"", 0)


@pytest.mark.parametrize("odd", ["plain", "a:b", "a,b=c", "ü x"])
def test_a_folder_of_any_name_is_mounted(engine: DockerEngine, create: Create, tmp_path: Path, odd: str) -> None:
    folder = tmp_path / odd
    folder.mkdir()
    (folder / "file").write_text("inside")
    code = "import sys; path = sys.argv[1]; print(open(path + '/file').read()); open(path + '/new', 'w')"
    mount = Mount(kind="bind", source=str(folder), target=str(folder), read_only=True)
    out, err, status = outcome(engine, create(code, str(folder), mounts=(mount,)))
    assert (out, status) == (b"inside\n", 1)
    assert b"Read-only file system" in err


def test_memory_is_mounted(engine: DockerEngine, create: Create) -> None:
    code = "import os; print([line.split()[2] for line in open('/proc/mounts') if line.split()[1] == '/run/x'])"
    container = create(code, mounts=(Mount(kind="tmpfs", target="/run/x"),))
    assert outcome(engine, container) == (b"['tmpfs']\n", b"", 0)


# What goes wrong


def test_an_image_that_is_not_there(engine: DockerEngine, create: Create) -> None:
    assert engine.find_image("python:no-such-tag") is None
    with pytest.raises(ImageNotFound, match="no-such-tag"):
        create(image="python:no-such-tag")


def test_a_folder_that_is_not_there(create: Create) -> None:
    with pytest.raises(EngineError, match="/no/such/folder"):
        create(mounts=(Mount(kind="bind", source="/no/such/folder", target="/x"),))


def test_a_program_that_is_not_there(engine: DockerEngine, create: Create) -> None:
    container = create(command=("no-such-program",))
    with pytest.raises(EngineError, match="no-such-program") as caught:
        engine.start(container)
    assert str(caught.value).isprintable()


def test_a_registry_that_cannot_be_reached(engine: DockerEngine) -> None:
    with pytest.raises(EngineError, match="the registry cannot be reached"):
        list(engine.pull("127.0.0.1:1/no/such:image"))


# Images


def test_an_image_is_described(engine: DockerEngine) -> None:
    image = engine.find_image(IMAGE)
    assert image is not None
    assert image.id.startswith("sha256:")
    assert image.platform.startswith("linux/")
    assert image.size > 1_000_000
    assert "PATH" in image.environment
    assert engine.find_image(image.id) == image


CONFIGURED = ("Cmd", "Entrypoint", "WorkingDir", "User", "Env", "ExposedPorts", "Volumes", "OnBuild", "StopSignal")


def inspected(raw: docker.APIClient, image: str) -> dict[str, Any]:
    """Return the configuration of an image; what is empty is left out, as newer engines do."""
    config = raw.inspect_image(image)["Config"]  # type: ignore[no-untyped-call] # nothing is typed there
    return {key: config[key] for key in CONFIGURED if config.get(key)}


def test_a_committed_image_is_its_base_with_files_and_labels(
    engine: DockerEngine, create: Create, labels: Mapping[str, str], raw: docker.APIClient
) -> None:
    reference = f"pytest-pyimages/test:{labels[SESSION]}"
    code = "import sys; open('/kept', 'w').write(sys.stdin.readline())"
    container = create(code, working_dir="/tmp", user="0")  # noqa: S108 - inside
    assert outcome(engine, container, b"s3cret-canary\n")[2] == 0
    made = engine.commit(container, reference=reference, labels={LABEL: "1", f"{LABEL}.mine": "yes"})
    try:
        image, base = engine.find_image(reference), engine.find_image(IMAGE)
        assert image is not None
        assert base is not None
        assert image.id == made
        assert {key: value for key, value in image.labels.items() if value} == {
            **base.labels,
            LABEL: "1",
            f"{LABEL}.mine": "yes",
        }
        assert inspected(raw, made) == {"WorkingDir": "/", **inspected(raw, IMAGE), "User": "0"}
        assert "canary" not in str(raw.history(made)) + str(raw.inspect_image(made))  # type: ignore[no-untyped-call]
        assert (reference, image) in engine.images(f"{LABEL}.mine")
        assert outcome(engine, create("print(open('/kept').read())", image=made))[0] == b"s3cret-canary\n\n"
    finally:
        engine.remove_image(reference)
    assert engine.find_image(reference) is None
    engine.remove_image(reference)


def test_a_commit_hands_nothing_on_from_the_container_but_its_variables(
    engine: DockerEngine, create: Create, labels: Mapping[str, str], raw: docker.APIClient
) -> None:
    """The engine merges them whatever a commit says: so the contract is that no secret is among them."""
    reference, empty = f"pytest-pyimages/test:{labels[SESSION]}", f"pytest-pyimages/empty:{labels[SESSION]}"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("file"))
    raw.import_image_from_data(archive.getvalue(), repository=empty.split(":")[0], tag=empty.split(":")[1])
    try:
        container = create(command=("/secret", "canary"), image=empty, environment={"VISIBLE": "1"}, working_dir="/srv")
        made = engine.commit(container, reference=reference, labels={})
        config = inspected(raw, made)
        assert [entry for entry in config.pop("Env") if not entry.startswith("PATH=")] == ["VISIBLE=1"]
        assert config == {"WorkingDir": "/"}
        assert "canary" not in str(raw.history(made))
    finally:
        engine.remove_image(reference)
        engine.remove_container(container)
        engine.remove_image(empty)


# Files and volumes


def test_what_is_uploaded_is_there_from_the_start(engine: DockerEngine, create: Create) -> None:
    container = create("print(open('/srv/a:b/file').read())")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("a:b/file")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    data = archive.getvalue()
    engine.upload(container, "/srv", (data[at : at + 1000] for at in range(0, len(data), 1000)))
    assert outcome(engine, container) == (b"hello\n", b"", 0)


def test_an_upload_to_nowhere(engine: DockerEngine, create: Create) -> None:
    with pytest.raises(EngineError, match="/no/such/folder"):
        engine.upload(create(), "/no/such/folder", [b"\0" * 10240])
    with pytest.raises(EngineError, match="(?i)no such container"):
        engine.upload("no-such-container", "/", [b"\0" * 10240])


def test_a_volume_outlives_containers(
    engine: DockerEngine, create: Create, volume: Callable[..., tuple[str, str]], labels: Mapping[str, str]
) -> None:
    made, folder = volume()
    assert Path(folder).is_absolute()
    assert engine.create_volume(made, labels=labels, options={}) == folder
    mounts = (Mount(kind="volume", source=made, target="/data"),)
    assert outcome(engine, create("open('/data/x', 'w').write('kept')", mounts=mounts))[2] == 0
    reader = create("print(open('/data/x').read())", mounts=mounts)
    assert outcome(engine, reader) == (b"kept\n", b"", 0)
    with pytest.raises(EngineError, match="in use"):
        engine.remove_volume(made)
    engine.remove_container(reader)


def test_an_overlay_keeps_the_folder_below_as_it_is(
    engine: DockerEngine, create: Create, volume: Callable[..., tuple[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("below")
    (_, upper), (_, work) = volume(), volume()
    layers = f"lowerdir={tmp_path},upperdir={upper},workdir={work}"
    overlay, _ = volume(type="overlay", device="overlay", o=layers)
    code = "print(open('/src/file').read()); open('/src/file', 'w').write('above'); print(open('/src/file').read())"
    container = create(code, mounts=(Mount(kind="volume", source=overlay, target="/src"),))
    assert outcome(engine, container) == (b"below\nabove\n", b"", 0)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "below")]
    engine.remove_container(container)


def test_leftovers_are_found_by_their_label(
    engine: DockerEngine, create: Create, volume: Callable[..., tuple[str, str]], labels: Mapping[str, str]
) -> None:
    created, running, (made, _) = create("pass"), create("import time; time.sleep(600)"), volume()
    engine.start(running)
    ours = [entry for entry in engine.leftovers(LABEL) if entry.labels.get(SESSION) == labels[SESSION]]
    assert {(entry.kind, entry.id) for entry in ours} == {
        ("container", created),
        ("container", running),
        ("volume", made),
    }
    assert all(entry.labels == labels for entry in ours)
    assert all(entry.name.startswith("pyimages-test-") for entry in ours)
    assert engine.leftovers(f"{LABEL}.no-such-label") == ()
