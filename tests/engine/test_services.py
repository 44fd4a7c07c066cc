"""Real servers beside the suites: Debian's redis and PostgreSQL, and one that is written in Python."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import HOST_LABEL, KIND_LABEL, LABEL
from tests.support.jobs import Job

BOTH = "3.12-slim,3.14-slim"
SERVERS = f"pyimages-test-servers:{uuid4().hex[:12]}"  # with pytest-xdist, several processes make and remove theirs
CLUSTER = "/var/lib/postgresql/15/main"
POSTGRES = f"/usr/lib/postgresql/15/bin/postgres -D {CLUSTER} -c config_file=/etc/postgresql/15/main/postgresql.conf"
REAL = f"""
[[tool.pyimages.services]]
name = "cache"
image = "{SERVERS}"
command = ["redis-server", "--protected-mode", "no"]
ports = [6379]
[[tool.pyimages.services]]
name = "db"
image = "{SERVERS}"
command = ["su", "postgres", "-c", "{POSTGRES}"]
ready = "su postgres -c 'pg_isready -q'"
"""
CLIENT = """
import socket, struct

def ask(host, port, request):
    with socket.create_connection((host, port), timeout=10) as peer:
        peer.sendall(request)
        return peer.recv(100)

def test_each_suite_has_its_own_cache():
    assert ask("cache", 6379, b"INCR suites\\r\\n") == b":1\\r\\n"
    assert ask("localhost", 6379, b"INCR suites\\r\\n") == b":2\\r\\n"

def test_the_database_answers():
    ssl_request = struct.pack("!II", 8, 80877103)
    assert ask("db", 5432, ssl_request) in (b"S", b"N")
"""
PYTHON_SERVER = """
[[tool.pyimages.services]]
name = "web"
image = "python:3.14-slim"
command = ["python", "-c", "{program}"]
ports = [8000]
timeout = 20
"""

TWINS = """
[[tool.pyimages.services]]
name = "first"
image = "python:3.14-slim"
command = ["python", "-c", "{program}"]
env = {{ NAME = "first" }}
ports = [8000]
[[tool.pyimages.services]]
name = "second"
image = "python:3.14-slim"
command = ["python", "-c", "{program}"]
env = {{ NAME = "second" }}
ports = [8000]
"""
TWIN_PROGRAM = (
    "import os, socket; server = socket.create_server(('', 8000))\\n"
    "while True: peer, _ = server.accept(); peer.sendall(os.environ['NAME'].encode()); peer.close()"
)
TWIN_CLIENT = """
import socket
import pytest

@pytest.mark.parametrize("host", ["first", "second", "localhost"])
def test_each_is_reached(host):
    with socket.create_connection((host, 8000), timeout=10) as peer:
        assert peer.recv(10).decode() == host.replace("localhost", "first")
"""


@pytest.fixture(scope="module")
def servers(engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An image with both servers, which the plugin itself makes."""
    job = Job(tmp_path_factory.mktemp("servers"))
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images_apt = redis-server postgresql\n")
    (job.folder / "requirements.txt").write_text(job.unique_requirement)
    job.write(test_it="def test_it(): pass")
    done = job.run("--collect-only", images="3.12")
    assert done.returncode == 0, done.stdout + done.stderr
    ((reference, _),) = engine.images(f"{LABEL}.root={job.root}")
    subprocess.run(["docker", "tag", reference, SERVERS], check=True, timeout=60)
    yield
    subprocess.run(["docker", "rmi", SERVERS], check=True, timeout=60, capture_output=True)


def services_of(engine: DockerEngine, host: str) -> list[str]:
    found = engine.leftovers(f"{KIND_LABEL}=service")
    return [entry.name for entry in found if entry.labels.get(HOST_LABEL) == host]


@pytest.mark.usefixtures("servers")
def test_servers_of_debian(job: Job) -> None:
    """In the suite's network namespace, by name and as localhost; each image has its own."""
    (job.folder / "pyproject.toml").write_text(REAL)
    job.write(test_it=CLIENT)
    done = job.run(images=BOTH)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"services: cache ({SERVERS}), db ({SERVERS})" in done.stdout
    shell = [sys.executable, "-m", "pytest_pyimages.cli", "run", "3.14-slim", "--", "python", "-m", "pytest", "-q"]
    by_hand = subprocess.run(shell, cwd=job.folder, capture_output=True, text=True, timeout=120)
    assert "2 passed" in by_hand.stdout, by_hand.stdout + by_hand.stderr


def test_two_servers_on_one_port(job: Job) -> None:
    """The later one has its own network namespace; the fixture of all tests looks for networks."""
    (job.folder / "pyproject.toml").write_text(TWINS.format(program=TWIN_PROGRAM))
    job.write(test_it=TWIN_CLIENT)
    done = job.run(images=BOTH)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "services first and second both listen on port 8000: localhost:8000 is first" in done.stdout


def test_a_server_that_ends(job: Job) -> None:
    """The image has a problem with the server's last line, and its tests are not run."""
    (job.folder / "pyproject.toml").write_text(PYTHON_SERVER.format(program="raise SystemExit('no configuration')"))
    job.write(test_it="def test_it(): pass")
    done = job.run(images="3.14-slim")
    assert done.returncode == 1
    assert job.images["3.14-slim"]["problem"] == "service web ended with status 1: no configuration"


def test_a_check_that_hangs(job: Job) -> None:
    """It ends with the time that the server has to be ready in."""
    server = PYTHON_SERVER.format(program="import time; time.sleep(600)").replace("timeout = 20", "timeout = 2")
    (job.folder / "pyproject.toml").write_text(f'{server}ready = "sleep 600"\n')
    job.write(test_it="def test_it(): pass")
    done = job.run(images="3.14-slim")
    assert done.returncode == 1
    assert job.images["3.14-slim"]["problem"] == "service web was not ready after 2 s"


def test_interrupted_while_a_server_starts(job: Job, engine: DockerEngine, host: str) -> None:
    """Nothing is left; the fixture of all tests looks for containers."""
    (job.folder / "pyproject.toml").write_text(PYTHON_SERVER.format(program="import time; time.sleep(600)"))
    job.write(test_it="def test_it(): pass")
    with job.start(images="3.14-slim") as process:
        deadline = time.monotonic() + 60
        while not services_of(engine, host) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert services_of(engine, host)
        process.send_signal(2)
        assert process.wait(timeout=30) == 2
