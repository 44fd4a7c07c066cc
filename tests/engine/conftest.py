"""A real engine. Without one these tests fail: what they prove cannot be had in another way."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import pytest
from _pytest.runner import runtestprotocol

from pytest_pyimages.containers.bytecode import BYTECODE_KIND
from pytest_pyimages.containers.leases import identify_host, make_state_directory, remove_leftovers
from pytest_pyimages.containers.source_copy import COPY_KIND
from pytest_pyimages.engines.base import ContainerSpec, Leftover
from pytest_pyimages.engines.docker import DockerEngine, connect
from pytest_pyimages.engines.labels import CREATED_LABEL, HOST_LABEL, KIND_LABEL, LABEL, SESSION_LABEL
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.option_table import OPTION_TABLE
from tests.support.jobs import Job, remove_images
from tools.standins.remote import ensure_remote_engine
from tools.standins.state import state_home

from .containers import IMAGE, Create, Derive, Volume

LEAK_SECONDS = 10.0
REMOTE_TAG = "3.14-slim"  # the only image of the engine that does not see this host's files
STATE_HOME = state_home(os.environ, Path.home())  # before a fixture changes the environment
# As uv, pip and apt report EAI_AGAIN (getaddrinfo(3)), and a session what they have reported.
NO_ANSWER = re.compile(
    "failed to lookup address information: Try again|Temporary failure in name resolution|Temporary failure resolving"
    r"|cannot be reached from the container \("
)


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerEngine]:
    try:
        connected = connect()
    except ConfigurationError as error:
        pytest.fail(f"{error}; or run the tests by tox, which provides an engine", pytrace=False)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Label and lock folder of these tests' own, so that other sessions on the same engine are not taken for leaks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TOX_ENV_DIR", raising=False)  # there pytest keeps one cache for all of its runs
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield identify_host(make_state_directory())


KEPT_KINDS = (BYTECODE_KIND, COPY_KIND)  # of volumes that stay for later sessions; on a busy machine there are more
STAYING_KINDS = (*KEPT_KINDS, "cache")


def list_left(engine: DockerEngine, host: str) -> list[Leftover]:
    """Return what these tests have on an engine, on which another process of pytest-xdist may have tests, too."""
    return [entry for entry in engine.leftovers(LABEL) if entry.labels.get(HOST_LABEL) == host]


def wait_until_removed(engine: DockerEngine, host: str) -> None:
    """Wait until nothing is left but volumes for later sessions: sessions leave the last removals to the engine."""
    deadline = time.monotonic() + 60
    while left := [entry for entry in list_left(engine, host) if entry.labels.get(KIND_LABEL) not in STAYING_KINDS]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.fixture(scope="session")
def remote(engine: DockerEngine, host: str) -> Iterator[DockerEngine]:
    """Return an engine that does not see this host's files; it is started once, and stays for later sessions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYIMAGES_TEST_HOME", str(STATE_HOME))
        connected = connect(ensure_remote_engine(engine.info.endpoint, [REMOTE_TAG]))
    yield connected
    remove_images(connected)
    left = list_left(connected, host)
    for entry in left:
        if entry.labels.get(KIND_LABEL) in KEPT_KINDS:
            connected.remove_volume(entry.id)
    left = list_left(connected, host)
    connected.close()
    assert [entry for entry in left if entry.labels.get(KIND_LABEL) != "cache"] == []


@pytest.fixture(scope="session", autouse=True)
def _output_of_sessions() -> Iterator[None]:
    """Let pytest capture what sessions print: it is shown below a failure, and tells whether the network failed."""
    run = subprocess.run

    def show(*outputs: str | bytes | None) -> None:
        for output in outputs:
            sys.stdout.write(output.decode(errors="replace") if isinstance(output, bytes) else output or "")

    def run_and_show(*args: Any, **options: Any) -> Any:
        try:
            done = run(*args, **options)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            show(error.stdout, error.stderr)
            raise
        show(done.stdout, done.stderr)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "run", run_and_show)
        yield


@pytest.fixture(autouse=True)
def _turn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let a test that changes what all builds share run alone, and the others side by side."""
    folder = tmp_path_factory.getbasetemp().parent  # with pytest-xdist that of all its workers
    is_exclusive = request.node.get_closest_marker("exclusive") is not None
    with (folder / "gate.lock").open("w") as gate, (folder / "engine.lock").open("w") as lock:
        fcntl.flock(gate, fcntl.LOCK_EX)  # so that one that waits to be alone is not overtaken for ever
        fcntl.flock(lock, fcntl.LOCK_EX if is_exclusive else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@pytest.fixture(autouse=True)
def _nothing_is_left(_turn: None, engine: DockerEngine, host: str) -> Iterator[None]:
    before = {entry.id for entry in engine.leftovers(LABEL)}

    def leaked() -> list[Leftover]:
        # A volume for later sessions is no leak, nor is what belongs to another host's session.
        return [
            entry
            for entry in engine.leftovers(LABEL)
            if entry.id not in before
            and entry.labels.get(KIND_LABEL) not in STAYING_KINDS
            and entry.labels.get(HOST_LABEL, host) == host
        ]

    yield
    deadline = time.monotonic() + LEAK_SECONDS  # a process that was killed leaves its removals to the engine
    left = leaked()
    while left and time.monotonic() < deadline:
        time.sleep(0.2)
        left = leaked()
    kept = [entry for entry in list_left(engine, host) if entry.labels.get(KIND_LABEL) in KEPT_KINDS]
    remove_leftovers(engine, [*left, *kept])  # one test's leak is not the next one's
    found = [f"{entry.kind} {entry.name}{' (running)' if entry.is_running else ''}" for entry in left]
    assert not found


@pytest.fixture(scope="module", autouse=True)
def _images_are_removed(engine: DockerEngine, host: str) -> Iterator[None]:
    """Environment images and copies of sources are kept for the next run of a project; these projects have none."""
    yield
    remove_images(engine)
    for entry in list_left(engine, host):
        if entry.labels.get(KIND_LABEL) in KEPT_KINDS:
            engine.remove_volume(entry.name)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", *(option.environment for option in OPTION_TABLE)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def job(tmp_path: Path, host: str) -> Job:
    """Return a job in an empty folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Job(folder)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test again, once, if a name server or an index did not answer a build: that is no fault of the code."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    failed = [report for report in reports if report.failed]
    texts = [text for report in failed for text in (report.longreprtext, *(text for _, text in report.sections))]
    if any(map(NO_ANSWER.search, texts)):
        sys.stderr.write(f"{item.nodeid} is run again: a name server or an index did not answer\n")
        item._initrequest()  # type: ignore[attr-defined] # of functions; pytest's plugin for reruns does the same
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def name() -> str:
    return f"pyimages-test-{uuid4().hex[:12]}"


@pytest.fixture
def labels(host: str) -> Mapping[str, str]:
    return {
        LABEL: "1",
        SESSION_LABEL: uuid4().hex[:12],
        HOST_LABEL: host,
        KIND_LABEL: "test",
        CREATED_LABEL: str(int(time.time())),
    }


@pytest.fixture
def made() -> Iterator[contextlib.ExitStack]:
    """Return where to say how to remove what was made; it is removed in the opposite order."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def create(engine: DockerEngine, labels: Mapping[str, str], made: contextlib.ExitStack) -> Create:
    """Return what creates a container of some Python code."""

    def create(code: str = "", *arguments: str, image: str = IMAGE, **spec: Any) -> str:
        command = spec.pop("command", ("python", "-c", code, *arguments))
        container = engine.create_container(
            ContainerSpec(name=name(), image=image, command=command, labels=labels, **spec)
        )
        made.callback(engine.remove_container, container)
        return container

    return create


@pytest.fixture
def volume(engine: DockerEngine, labels: Mapping[str, str], made: contextlib.ExitStack) -> Volume:
    """Return what creates a volume, and gives its name and folder."""

    def volume(**options: str) -> tuple[str, str]:
        fresh = name()
        made.callback(engine.remove_volume, fresh)
        return fresh, engine.create_volume(fresh, labels=labels, options=options)

    return volume


@pytest.fixture
def raw(engine: DockerEngine) -> Iterator[Any]:
    """Return docker-py's own client, to look at what the protocol does not show."""
    client = docker.APIClient(base_url=engine.info.endpoint, version=engine.info.api_version)
    yield client
    client.close()


@pytest.fixture
def derive(engine: DockerEngine, raw: Any) -> Iterator[Derive]:
    """Return what builds an image from instructions on a base image, and gives its reference; it is removed later."""
    references = []

    def derive(*instructions: str, base: str = IMAGE) -> str:
        references.append(f"{name()}:1")
        dockerfile = io.BytesIO("\n".join((f"FROM {base}", *instructions)).encode())
        records = list(
            raw.build(fileobj=dockerfile, tag=references[-1], decode=True, rm=True, forcerm=True, network_mode="none")
        )
        assert not [record for record in records if "error" in record], records
        return references[-1]

    yield derive
    remove_images(engine)
    for reference in references:
        engine.remove_image(reference)
