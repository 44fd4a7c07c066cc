"""A container's life on the real engine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.engines.base import STDERR, STDOUT, Mount
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.frames import PIECE
from pytest_pyimages.engines.labels import HOST_LABEL
from pytest_pyimages.errors import EngineError, ImageNotFound

from .containers import IMAGE, Create, outcome

# A container's life


def test_both_channels_and_the_exit_status_come_back(engine: DockerEngine, create: Create) -> None:
    container = create("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert outcome(engine, container) == (b"out\n", b"err\n", 7)
    state = engine.inspect(container)
    assert (state.running, state.exit_code, state.oom_killed, state.error) == (False, 7, False, "")


def test_input_reaches_the_container(engine: DockerEngine, create: Create) -> None:
    container = create("import sys; print(sys.stdin.readline()[::-1])")
    assert outcome(engine, container, b"hello\n") == (b"\nolleh\n", b"", 0)


def test_a_megabyte_is_echoed_both_ways_at_once(engine: DockerEngine, create: Create) -> None:
    container = create("import sys, shutil; print(len(sys.stdin.buffer.read(1 << 20)))")
    assert outcome(engine, container, b"x" * (1 << 20)) == (b"1048576\n", b"", 0)


def test_input_ends_with_the_connection(engine: DockerEngine, create: Create) -> None:
    container = create("import sys; print('ready', flush=True); sys.stdin.read(); sys.exit(3)")
    stream = engine.attach(container)
    engine.start(container)
    assert next(iter(stream.frames())) == (STDOUT, b"ready\n")
    stream.close()
    assert engine.wait(container) == 3


def test_fifty_megabytes_arrive_in_pieces(engine: DockerEngine, create: Create) -> None:
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


@pytest.mark.parametrize("size", [1000, 8 << 20])
def test_output_of_a_container_that_reads_nothing(engine: DockerEngine, create: Create, size: int) -> None:
    container = create("import os; os.close(0); os.write(2, b'no'); os._exit(9)")
    with contextlib.closing(engine.attach(container)) as stream:
        engine.start(container)
        with contextlib.suppress(EngineError):
            stream.send(b"x" * size)
        assert list(stream.frames()) == [(STDERR, b"no")]
    assert engine.wait(container) == 9


def test_killed_container_has_ended(engine: DockerEngine, create: Create) -> None:
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


def test_remove_running_and_removed_containers(engine: DockerEngine, create: Create) -> None:
    container = create("import time; time.sleep(600)")
    engine.start(container)
    began = time.monotonic()
    engine.remove_container(container)
    assert time.monotonic() - began < 8
    engine.remove_container(container)
    with pytest.raises(EngineError, match=r"(?i)no such container"):
        engine.inspect(container)


LEAVING = """
import os, signal, sys
from pytest_pyimages.containers.layers import mount_layer
from pytest_pyimages.containers.leases import Lease
from pytest_pyimages.engines import ContainerSpec, connect

engine, lease = connect(), Lease()
with mount_layer(engine, lease, sys.argv[1], "/src", upper_target="/upper") as mounts:
    spec = ContainerSpec(
        name=lease.new_name(), image=sys.argv[2], command=("python", "-c", sys.argv[3]), labels=lease.labels("run"),
        mounts=mounts,
    )
    container = engine.create_container(spec)
    stream = engine.attach(container)
    engine.start(container)
    print(*(data.decode() for _, data in stream.frames()), end="")
    found = {entry.kind for entry in engine.leftovers("org.pytest-pyimages.session=" + lease.session)}
    print(*sorted(found), flush=True)
    engine.remove_container(container, wait=False)
os.kill(os.getpid(), signal.SIGKILL)
"""
WRITING = """
from pathlib import Path
Path("/src/new").write_text("above")
print(Path("/src/old").read_text(), Path("/upper/new").read_text())
try:
    Path("/upper/other").touch()
except OSError as error:
    print(error.strerror)
"""


def test_docker_ends_a_removal_whose_process_is_killed(engine: DockerEngine, host: str, tmp_path: Path) -> None:
    """Nothing is left once it has the request: the volumes of the container's mounts are removed with it."""
    (tmp_path / "old").write_text("below")
    done = subprocess.run(
        [sys.executable, "-c", LEAVING, str(tmp_path), IMAGE, WRITING], stdout=subprocess.PIPE, text=True, check=False
    )
    printed = "below above\nRead-only file system\ncontainer volume\n"
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, printed)
    deadline = time.monotonic() + 10
    while (left := engine.leftovers(f"{HOST_LABEL}={host}")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == ()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


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


def test_a_container_is_confined(engine: DockerEngine, create: Create, raw: Any) -> None:
    code = (
        "import os; status = open('/proc/self/status').read()\n"
        "print('NoNewPrivs:\\t1' in status, os.getpid(), os.getcwd(), os.statvfs('/dev/shm').f_blocks > 16_000)\n"
        "print(sorted(os.environ), os.environ['K'])"
    )
    container = create(code, environment={"K": "a=b c"}, working_dir="/tmp")  # noqa: S108 - inside
    out, err, status = outcome(engine, container)
    first, second = out.decode().splitlines()
    assert (first, err, status) == ("True 1 /tmp True", b"", 0)
    image = engine.find_image(IMAGE)
    assert image is not None
    assert second == f"{sorted({*image.environment, 'HOME', 'HOSTNAME', 'K', 'PATH'} | odd(second))} a=b c"
    config = raw.inspect_container(container)["HostConfig"]
    assert (config["PidsLimit"], config["LogConfig"]["Type"], config["Privileged"]) == (4096, "none", False)
    assert (config["AutoRemove"], config["PortBindings"] or {}, config["Binds"] or []) == (False, {}, [])


def odd(environment: str) -> set[str]:
    """Return what Python itself adds where the locale is C (PEP 538)."""
    return {"LC_CTYPE"} if "LC_CTYPE" in environment else set()


def test_no_network(engine: DockerEngine, create: Create) -> None:
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


def test_missing_image(engine: DockerEngine, create: Create) -> None:
    assert engine.find_image("python:no-such-tag") is None
    with pytest.raises(ImageNotFound, match="no-such-tag"):
        create(image="python:no-such-tag")


def test_missing_folder(create: Create) -> None:
    with pytest.raises(EngineError, match="/no/such/folder"):
        create(mounts=(Mount(kind="bind", source="/no/such/folder", target="/x"),))


def test_missing_program(engine: DockerEngine, create: Create) -> None:
    container = create(command=("no-such-program",))
    with pytest.raises(EngineError, match="no-such-program") as caught:
        engine.start(container)
    assert str(caught.value).isprintable()


def test_unreachable_registry(engine: DockerEngine) -> None:
    with pytest.raises(EngineError, match="the registry cannot be reached"):
        list(engine.pull("127.0.0.1:1/no/such:image"))
