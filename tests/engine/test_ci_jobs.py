"""The plugin in a container: a CI job with its host's engine, one with an engine in Docker, and a devcontainer."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import pytest_pyimages
from pytest_pyimages.containers.source_copy import COPY_KIND
from pytest_pyimages.engines.base import Leftover
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import HOST_LABEL, KIND_LABEL, LABEL
from tests.support.jobs import Job, listing
from tools.standins.remote import copy_images

from .conftest import KEPT_KINDS, LEAK_SECONDS
from .containers import IMAGE

TAG = "3.14-slim"
SOCKET = "/run/docker.sock"  # to which /var/run/docker.sock leads; Docker 29.5 could upload no plugin (moby#52653)
ENGINE_SECONDS = 60.0
PACKAGE = Path(pytest_pyimages.__file__).parent
COPIED = "source: copy (the engine does not see this host's files), 3 files"
CHECKOUT = "/builds/group/shop"  # as GitLab's
FILES = {
    "pytest.ini": "[pytest]\n",
    "lib.py": "x = 1\n",
    "test_it.py": "import lib\ndef test_it(): assert lib.x == 1\n",
}
CERTIFICATES = "/etc/ssl/of-the-host.pem"
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
IDENTIFY = """
from pytest_pyimages.containers.leases import identify_host, make_state_directory
print(identify_host(make_state_directory()))
"""
# What `--privileged` allows, as far as dockerd needs it: an engine without all capabilities cannot give all of them.
# The engine is this machine's, since nothing else has one.
RUN_ENGINE = """
mount -o remount,bind,rw /proc/sys
mount -o remount,bind,rw /sys
exec dockerd --host tcp://0.0.0.0:2375 --tls=false --log-level warn
"""
ENGINE_FOLDERS = ("/usr:/usr:ro", "/etc/alternatives:/etc/alternatives:ro", "/sys/fs/cgroup:/sys/fs/cgroup")


def find_distributions(root: str) -> list[importlib.metadata.Distribution]:
    """Return an installed distribution and all that it requires."""
    found: dict[str, importlib.metadata.Distribution] = {}
    names = [root]
    while names:
        requirement = Requirement(names.pop())
        if requirement.name not in found and (not requirement.marker or requirement.marker.evaluate({"extra": ""})):
            found[requirement.name] = importlib.metadata.distribution(requirement.name)
            names += found[requirement.name].requires or ()
    return list(found.values())


def pack_plugin() -> bytes:
    """Return an archive of the plugin and all that it requires, as they are installed here: any Python can use them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(PACKAGE, PACKAGE.name)  # wherever an editable installation has it
        for distribution in find_distributions("pytest-pyimages"):
            for file in distribution.files or ():
                if file.parts[0] not in {"..", PACKAGE.name} and not file.name.startswith("_editable"):
                    archive.add(str(distribution.locate_file(file)), str(file))
    return packed.getvalue()


def pack(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mtime = len(text.encode()), time.time()
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


class Container:
    """A container in which the plugin is installed, and which reaches package indexes as this machine does."""

    def __init__(self, raw: Any, identifier: str) -> None:
        self._raw, self._id = raw, identifier
        self._environment = {key: value for key in PROXY_VARIABLES if (value := os.environ.get(key))}
        self.write("/", {f"{CHECKOUT}/{path}": text for path, text in FILES.items()})
        if path := next(filter(None, map(os.environ.get, CERTIFICATE_VARIABLES)), None):
            self.write("/", {CERTIFICATES: Path(path).read_text("utf-8")})
            self._environment |= dict.fromkeys(CERTIFICATE_VARIABLES, CERTIFICATES)
        index = (
            os.environ.get("PIP_INDEX_URL")
            or subprocess.run(
                (sys.executable, "-m", "pip", "config", "get", "global.index-url"), capture_output=True, text=True
            ).stdout.strip()
        )
        if index:
            self._environment["PIP_INDEX_URL"] = index
        _, site = self.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        raw.put_archive(identifier, site.strip(), pack_plugin())

    def write(self, folder: str, files: Mapping[str, str]) -> None:
        self._raw.put_archive(self._id, folder, pack(files))

    def run(self, *words: str, folder: str = CHECKOUT) -> tuple[int, str]:
        """Return a program's exit status and its output."""
        started = self._raw.exec_create(self._id, list(words), workdir=folder, environment=self._environment)["Id"]
        output: bytes = self._raw.exec_start(started)
        status: int = self._raw.exec_inspect(started)["ExitCode"]
        return status, output.decode()

    def test(self, *words: str, folder: str = CHECKOUT) -> tuple[int, str]:
        return self.run("python", "-m", "pytest", f"--py-images={TAG}", *words, folder=folder)


CreateContainer = Callable[..., Container]


@pytest.fixture
def create_container(raw: Any, made: contextlib.ExitStack, labels: Mapping[str, str]) -> CreateContainer:
    """Return what starts a container with the plugin."""

    def create(*binds: str, **host: Any) -> Container:
        return Container(raw, start(raw, made, labels, "sleep 900", binds=list(binds), **host))

    return create


def start(raw: Any, made: contextlib.ExitStack, labels: Mapping[str, str], script: str, **host: Any) -> str:
    own = {key: host.pop(key, None) for key in ("environment", "volumes")}
    host_config = raw.create_host_config(**host)
    if "cap_add" in host:
        host_config |= {"MaskedPaths": [], "ReadonlyPaths": []}
    command = ["sh", "-c", script]
    identifier: str = raw.create_container(IMAGE, command, labels=dict(labels), host_config=host_config, **own)["Id"]
    made.callback(raw.remove_container, identifier, force=True, v=True)
    raw.start(identifier)
    return identifier


@pytest.fixture
def socket(engine: DockerEngine) -> str:
    """Return the mount of the engine's socket where programs look for it."""
    return f"{engine.info.endpoint.removeprefix('unix://')}:{SOCKET}"


def find_left(engine: DockerEngine, container: Container) -> list[Leftover]:
    """Return what sessions in a container have left on an engine, which may still be removing their containers."""
    _, identity = container.run("python", "-c", IDENTIFY)
    assert len(identity.strip()) == 16, identity
    deadline = time.monotonic() + LEAK_SECONDS
    while True:
        left = [entry for entry in engine.leftovers(LABEL) if entry.labels.get(HOST_LABEL) == identity.strip()]
        if all(entry.labels[KIND_LABEL] in KEPT_KINDS for entry in left) or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


@pytest.mark.battery
def test_with_the_engine_of_its_host(create_container: CreateContainer, socket: str, engine: DockerEngine) -> None:
    """The engine sees other files than the job; the next run sends what has changed."""
    job = create_container(socket)
    status, output = job.test()
    assert (status, COPIED in output, "1 passed" in output) == (0, True, True), output
    job.write(CHECKOUT, {"lib.py": "x = 2\n"})
    status, output = job.test()
    assert (status, COPIED in output, "1 failed" in output) == (1, True, True), output
    left = find_left(engine, job)
    for entry in left:
        engine.remove_volume(entry.name)
    assert COPY_KIND in {entry.labels[KIND_LABEL] for entry in left} <= set(KEPT_KINDS)


def test_with_its_checkout_at_the_path_of_the_host(
    create_container: CreateContainer, socket: str, engine: DockerEngine, job: Job
) -> None:
    """As a devcontainer, or a job of GitLab whose /builds is the host's: no copy, and nothing is written."""
    for name, text in FILES.items():
        (job.folder / name).write_text(text)
    before = listing(job.folder)
    container = create_container(socket, f"{job.folder}:{job.folder}")
    status, output = container.test("-p", "no:cacheprovider", folder=str(job.folder))
    assert (status, "source: overlay" in output, "1 passed" in output) == (0, True, True), output
    assert listing(job.folder) == before
    assert find_left(engine, container) == []


def test_with_an_engine_in_docker(
    create_container: CreateContainer, engine: DockerEngine, raw: Any, made: contextlib.ExitStack, labels: Any
) -> None:
    """By tcp, and before it answers."""
    service = start(
        raw,
        made,
        labels,
        RUN_ENGINE,
        volumes=["/var/lib/docker"],
        binds=list(ENGINE_FOLDERS),
        cap_add=["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        device_cgroup_rules=["a *:* rwm"],
    )
    (network,) = raw.inspect_container(service)["NetworkSettings"]["Networks"].values()
    url = f"tcp://{network['IPAddress']}:2375"
    job = create_container(
        extra_hosts={"docker": network["IPAddress"]}, environment={"DOCKER_HOST": "tcp://docker:2375"}
    )
    deadline = time.monotonic() + ENGINE_SECONDS
    while job.run("python", "-c", "import docker; docker.from_env().ping()")[0]:
        assert time.monotonic() < deadline, raw.logs(service, tail=20).decode()
        time.sleep(0.2)
    copy_images(engine.info.endpoint, url, [TAG])
    status, output = job.test()
    assert (status, COPIED in output, "1 passed" in output) == (0, True, True), output
    assert "at tcp://docker:2375" in output
    job.write(CHECKOUT, {"lib.py": "x = 2\n"})
    status, output = job.test("-q")
    assert (status, "1 failed" in output) == (1, True), output
