"""Makes stand-ins: runs the steps in a container and commits it."""

from __future__ import annotations

import contextlib
import os
import secrets
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING

from docker.errors import APIError, DockerException, ImageNotFound
from requests.exceptions import RequestException

from tools.standins.apt import compiler_steps, copied_steps, package_steps
from tools.standins.bases import make_bases
from tools.standins.musl import ROOT_ARCHIVE, musl_steps
from tools.standins.plan import Plan
from tools.standins.state import StandinError, last_lines, say
from tools.standins.tree import pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from docker import DockerClient
    from docker.models.containers import Container

    from tools.standins.plan import Base
    from tools.standins.state import State

LABEL = "org.pytest-pyimages.standin"
RECIPE_LABEL = "org.pytest-pyimages.standin.recipe"
CONTAINER_PREFIX = "pyimages-standin-build-"
STEP_SECONDS = 600
MUSL_SECONDS = 3600


def has_image(client: DockerClient, reference: str) -> bool:
    """Tell whether the engine has an image of that name."""
    try:
        client.images.get(reference)
    except ImageNotFound:
        return False
    return True


def build(client: DockerClient, plans: Sequence[Plan], state: State) -> None:
    """Make the stand-ins: first the base systems that are missing, then those of different bases side by side.

    :raises StandinError: a step failed; the text has the last lines of it.
    """
    # What a killed run has left. Those that run are another's.
    _remove_containers(client, {"name": CONTAINER_PREFIX, "status": ["created", "exited"]})
    by_base: dict[Base, list[Plan]] = {}
    for plan in plans:
        by_base.setdefault(plan.base, []).append(plan)
    missing = tuple(base for base in by_base if not has_image(client, base.reference(slim=True)))
    for base, archive in make_bases(missing, state):
        _import(client, base.reference(slim=True), str(archive), [f"LABEL {LABEL}=1"])
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        running = [pool.submit(_make_all, client, group, state) for group in by_base.values()]
        try:
            for one in running:
                one.result()
        except BaseException:
            # Without their containers the other threads end at once, and with them the pool.
            _remove_containers(client, {"name": _own_prefix()})
            raise


def _own_prefix() -> str:
    return f"{CONTAINER_PREFIX}{os.getpid()}-"


def _remove_containers(client: DockerClient, filters: Mapping[str, str | list[str]]) -> None:
    for container in client.containers.list(all=True, filters=dict(filters), ignore_removed=True):
        # The thread that made it may be removing it too.
        with contextlib.suppress(APIError):
            container.remove(force=True, v=True)


def _import(client: DockerClient, reference: str, source: str | IO[bytes], changes: Sequence[str]) -> None:
    """Turn a tar of a root, or its path, into an image."""
    repository, tag = reference.split(":")
    client.api.import_image(src=source, repository=repository, tag=tag, changes=changes)
    # The engine's answer is a stream, in which an error looks like success.
    if not has_image(client, reference):
        message = f"the engine did not take the root of {reference} · is its disk full?"
        raise StandinError(message)


def _make_all(client: DockerClient, plans: Sequence[Plan], state: State) -> None:
    """Make stand-ins on one base system, one after the other."""
    for plan in plans:
        _make_one(client, plan, state)


def _make_one(client: DockerClient, plan: Plan, state: State) -> None:
    """Make one stand-in, or find that an image is there which needs but another name."""
    try:
        if not _rename(client, plan):
            _make(client, plan, state)
    except (DockerException, RequestException) as error:
        message = f"making {plan.reference} failed: {error}"
        raise StandinError(message) from error


def _rename(client: DockerClient, plan: Plan) -> bool:
    """Give a stand-in that was made in the same way the name asked for; False if there is none."""
    # Images that were built on a stand-in have its labels, but not its name.
    for image in client.images.list(name=plan.repository, filters={"label": f"{RECIPE_LABEL}={plan.recipe}"}):
        environment = dict(line.split("=", 1) for line in image.attrs["Config"]["Env"])
        _demand(plan, environment[_version_variable(plan)])
        image.tag(plan.reference)
        return True
    return False


def _make(client: DockerClient, plan: Plan, state: State) -> None:
    """Make one stand-in."""
    base = plan.base.reference(slim=plan.slim)
    if not has_image(client, base):
        _add_compiler(client, plan.base, state)
    say(f"making {plan.reference}: {plan.recipe}")
    package = musl_steps(plan.package) if plan.musl else package_steps(plan.package)
    steps = copied_steps(plan.minor) if plan.pyenv else package
    with _container(client, base, steps) as container:
        if plan.pyenv is not None:
            _unpack(container, plan.pyenv, plan.minor, state)
        _run(container, plan.reference, state, MUSL_SECONDS if plan.musl else STEP_SECONDS)
        version = container.logs(stderr=False).decode().split()[-1]
        _demand(plan, version)
        changes = [
            "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "ENV LANG=C.UTF-8",
            f"ENV {_version_variable(plan)}={version}",
            f'LABEL {LABEL}=1 {RECIPE_LABEL}="{plan.recipe}"',
            f'CMD ["{plan.repository}{plan.minor[0]}"]',
        ]
        if plan.musl:
            _import_root(client, container, plan.reference, changes, state)
        else:
            container.commit(*plan.reference.split(":"), pause=False, changes=changes)


def _version_variable(plan: Plan) -> str:
    """Return the variable in which the official images tell their version."""
    return f"{plan.repository.upper()}_VERSION"


def _import_root(
    client: DockerClient, container: Container, reference: str, changes: Sequence[str], state: State
) -> None:
    """Make an image of a root that was made in a container, with nothing of the container's own."""
    chunks, _ = container.get_archive(ROOT_ARCHIVE)
    with tempfile.TemporaryFile(dir=state.home) as file:
        file.writelines(chunks)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            root = archive.extractfile(archive.getmembers()[0])
            assert root is not None  # the one file asked for
            _import(client, reference, root, changes)


def _add_compiler(client: DockerClient, base: Base, state: State) -> None:
    """Make the base system of the full images."""
    say(f"adding a compiler to {base.distribution} {base.suite}")
    with _container(client, base.reference(slim=True), compiler_steps()) as container:
        _run(container, f"{base.suite} with a compiler", state)
        repository, tag = base.reference(slim=False).split(":")
        container.commit(repository, tag, pause=False, changes=['CMD ["bash"]'])


def _demand(plan: Plan, version: str) -> None:
    """Refuse a stand-in with another version than its tag says."""
    if plan.version and plan.version != version:
        message = f"no stand-in for {plan.reference}: {plan.recipe} gives {version}"
        raise StandinError(message)


@contextlib.contextmanager
def _container(client: DockerClient, image: str, steps: str) -> Iterator[Container]:
    """Give a container, not started, that will run a shell script; it is removed afterwards."""
    name = f"{_own_prefix()}{secrets.token_hex(4)}"
    # The machine's own network, so that a proxy on its loopback address can be reached.
    container = client.containers.create(image, command=["sh", "-c", steps], network_mode="host", name=name)
    try:
        yield container
    finally:
        with contextlib.suppress(APIError):
            container.remove(force=True, v=True)


def _unpack(container: Container, version: Path, minor: str, state: State) -> None:
    """Put a version of pyenv's at ``/usr/local``."""
    first, second = minor.split(".")
    with tempfile.TemporaryFile(dir=state.home) as file:
        pack(version, (int(first), int(second)), file)
        file.seek(0)
        container.put_archive("/usr/local", file)


def _run(container: Container, what: str, state: State, seconds: float = STEP_SECONDS) -> None:
    """Start a container and wait until its steps have succeeded.

    :param what: what is being made, for the error.
    """
    container.start()
    status = container.wait(timeout=seconds)["StatusCode"]
    printed = container.logs().decode(errors="replace")
    with state.log.open("a") as log:
        log.write(f"\n$ steps for {what}\n{printed}")
    if status != 0:
        message = f"making {what} failed (shell: {status}), see {state.log}{last_lines(printed)}"
        raise StandinError(message)
