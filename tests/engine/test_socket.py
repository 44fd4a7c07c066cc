"""Suites that control the engine, as those with Testcontainers do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.jobs import Job, counts

SUITE = '''
import contextlib, http.client, json, os, socket, time
SERVER = """
import os, socket
peer, _ = socket.create_server(("", 8000)).accept()
peer.sendall(os.listdir("/lent")[0].encode())
"""

class EngineConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].partition("://")[2])

def ask(method, path, body=None):
    connection = EngineConnection("engine")
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status < 300, text
    return json.loads(text) if text else None

def test_the_suite_lists_its_own_container():
    assert os.getuid() == 1000
    assert any(entry["Id"].startswith(socket.gethostname()) for entry in ask("GET", "/containers/json"))

def test_the_suite_reaches_the_port_of_a_container_that_it_starts():
    path = os.environ["TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE"]  # Testcontainers mounts it in a container of its own
    body = {
        "Image": "python:3.14-slim",
        "Cmd": ["python", "-c", SERVER],
        "ExposedPorts": {"8000/tcp": {}},
        "HostConfig": {"PublishAllPorts": True, "Binds": [path + ":/lent/engine.sock"]},
    }
    container = ask("POST", "/containers/create", body)["Id"]
    try:
        ask("POST", f"/containers/{container}/start")
        ports = ask("GET", f"/containers/{container}/json")["NetworkSettings"]["Ports"]
        address = os.environ["TESTCONTAINERS_HOST_OVERRIDE"], int(ports["8000/tcp"][0]["HostPort"])
        deadline, received = time.monotonic() + 30, b""
        while not received and time.monotonic() < deadline:  # Docker's proxy accepts before the server listens
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(address, timeout=10) as peer:
                received = peer.recv(100)
        assert received == b"engine.sock"
    finally:
        ask("DELETE", f"/containers/{container}?force=1&v=1")
'''


@pytest.mark.battery
def test_suites_and_commands_find_the_socket(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also as a user of the image that is not root; without the option there is no socket."""
    job.write(test_it=SUITE)
    done = job.run("--py-images-socket", "--py-images-user=1000", "-k", "own_container", images="3.14-slim")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "socket: tests control the engine and its machine" in done.stdout
    job.write(test_it="import os\ndef test_it(): assert not os.path.exists('/var/run/docker.sock')")
    assert job.run(images="3.14-slim").returncode == 0
    assert counts(job.images["3.14-slim"], "passed") == (1,)
    monkeypatch.setenv("PY_IMAGES_SOCKET", "1")
    program = ("test", "-S", "/var/run/docker.sock")
    command = (sys.executable, "-m", "pytest_pyimages.cli", "run", "3.14-slim", "--", *program)
    ran = subprocess.run(command, cwd=job.folder, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr


def test_suite_reaches_ports_of_its_containers(job: Job) -> None:
    """Not with every kind of engine: the machine's packet filter decides."""
    job.write(test_it=SUITE)
    done = job.run("--py-images-socket", "--py-images-user=1000", "-k", "port", images="3.14-slim")
    assert done.returncode == 0, done.stdout + done.stderr
