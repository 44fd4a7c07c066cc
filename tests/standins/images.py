"""Official ``python:<tag>`` images for the tests: there already, pulled, or stand-ins made on this machine."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from filelock import FileLock, Timeout
from requests.exceptions import RequestException

from tests.standins import debian, tree
from tests.standins.plan import REPOSITORY, Plan, machine_base, plan_for, pyenv_versions
from tests.standins.state import StandinError, default_state, last_lines, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from docker import DockerClient
    from docker.models.containers import Container

    from tests.standins.plan import Base
    from tests.standins.state import State

LABEL = "org.pytest-pyimages.standin"
RECIPE_LABEL = "org.pytest-pyimages.standin.recipe"
REGISTRY_SECONDS = 6
PULL_SECONDS = 300
STEP_SECONDS = 600
LOCK_SECONDS = 1800


def ensure_images(docker_host: str, tags: Sequence[str], state: State | None = None) -> None:
    """Have an image ``python:<tag>`` at the engine for every tag.

    What is missing is pulled; where no registry answers, a stand-in is made under the same name.

    :raises StandinError: an image cannot be had; the text names its tag and what was tried.
    """
    with contextlib.closing(_connect(docker_host, STEP_SECONDS)) as client:
        if not _missing(client, tags):
            return
        state = state or default_state()
        try:
            with FileLock(state.home / "images.lock", timeout=LOCK_SECONDS):
                missing = _missing(client, tags)
                why = "no registry was asked"
                if missing:
                    missing, why = _pull(docker_host, client, missing)
                _make(client, missing, why, state)
        except Timeout:
            message = f"another process has been making images for {LOCK_SECONDS} s · see {state.home}"
            raise StandinError(message) from None


def _connect(docker_host: str, seconds: int) -> DockerClient:
    return docker.from_env(environment={**os.environ, "DOCKER_HOST": docker_host}, timeout=seconds)


def _missing(client: DockerClient, tags: Sequence[str]) -> tuple[str, ...]:
    """Return the tags, each once, that the engine has no image for."""
    return tuple(tag for tag in dict.fromkeys(tags) if not _has(client, f"{REPOSITORY}:{tag}"))


def _has(client: DockerClient, reference: str) -> bool:
    try:
        client.images.get(reference)
    except ImageNotFound:
        return False
    return True


@functools.cache
def registry_refusal(docker_host: str, tag: str = "3.12-slim") -> str | None:
    """Return why the engine can pull nothing, or None; asked once in a process."""
    with contextlib.closing(_connect(docker_host, REGISTRY_SECONDS)) as client:
        try:
            client.api.inspect_distribution(f"{REPOSITORY}:{tag}")
        except (NotFound, ImageNotFound):
            # Podman does not know the question: let the pull find out.
            return None
        except APIError as error:
            return str(error.explanation or error)
        except RequestException as error:
            return f"no answer in {REGISTRY_SECONDS} s ({type(error).__name__})"
    return None


def _pull(docker_host: str, client: DockerClient, tags: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Pull what can be pulled and return the rest, with the reason."""
    why = registry_refusal(docker_host)
    if why is not None:
        say(f"no image registry can be used: {why}")
        return tuple(tags), why
    rest = []
    for tag in tags:
        say(f"pulling {REPOSITORY}:{tag}")
        refusal = _pull_one(client, tag)
        if refusal is not None:
            say(f"{REPOSITORY}:{tag} cannot be pulled: {refusal}")
            rest.append(tag)
            why = refusal
    return tuple(rest), why or ""


def _pull_one(client: DockerClient, tag: str) -> str | None:
    """Pull one image and return what went wrong, or None.

    :raises StandinError: the registry has no such image: a stand-in would hide a wrong name.
    """
    try:
        for record in client.api.pull(REPOSITORY, tag=tag, stream=True, decode=True):
            if "error" in record:
                return str(record["error"])
    except (NotFound, ImageNotFound) as error:
        message = f"the registry has no image {REPOSITORY}:{tag} ({error.explanation})"
        raise StandinError(message) from error
    except (DockerException, RequestException) as error:
        return str(error)
    # A stream that is cut off ends without an error too.
    return None if _has(client, f"{REPOSITORY}:{tag}") else "the engine ended the pull without an image"


def _make(client: DockerClient, tags: Sequence[str], why: str, state: State) -> None:
    """Make stand-ins, the base systems first and side by side."""
    pyenv = pyenv_versions(os.environ, Path.home())
    os_release = Path("/etc/os-release")
    machine = machine_base(os_release.read_text() if os_release.exists() else "")
    try:
        plans = [plan_for(tag, pyenv=pyenv, machine=machine) for tag in tags]
    except StandinError as error:
        message = f"{error} (pull: {why})"
        raise StandinError(message) from None
    bases = dict.fromkeys(plan.base for plan in plans if not _has(client, plan.base.reference(slim=True)))
    for base, archive in debian.make_bases(tuple(bases), state) if bases else ():
        _import_base(client, base, archive)
    for plan in plans:
        _make_one(client, plan, state)


def _import_base(client: DockerClient, base: Base, archive: Path) -> None:
    """Turn a tar of a base system into an image."""
    repository, tag = base.reference(slim=True).split(":")
    client.api.import_image(src=str(archive), repository=repository, tag=tag, changes=_changes({LABEL: "1"}))
    if not _has(client, f"{repository}:{tag}"):
        message = f"the engine did not take the base system {base.suite} · is its disk full?"
        raise StandinError(message)


def _changes(labels: dict[str, str], *instructions: str) -> list[str]:
    """Return Dockerfile instructions for a new image."""
    return [*(f'LABEL {name}="{value}"' for name, value in labels.items()), *instructions]


def _make_one(client: DockerClient, plan: Plan, state: State) -> None:
    """Make one stand-in, or name one that was made in the same way."""
    twin = f"{REPOSITORY}:{plan.minor}{'-slim' if plan.slim else ''}"
    if _has(client, twin):
        image = client.images.get(twin)
        if image.labels.get(RECIPE_LABEL) == plan.recipe and image.attrs is not None:
            environment = dict(line.split("=", 1) for line in image.attrs["Config"]["Env"])
            _demand(plan, environment["PYTHON_VERSION"])
            image.tag(REPOSITORY, plan.tag)
            return
    base = plan.base.reference(slim=plan.slim)
    if not _has(client, base):
        say(f"adding a compiler to {plan.base.suite}")
        with _stepped(client, plan.base.reference(slim=True), debian.compiler_steps(), state) as container:
            repository, tag = base.split(":")
            container.commit(repository, tag, pause=False, changes=_changes({LABEL: "1"}, 'CMD ["bash"]'))
    say(f"making {plan.reference}: {plan.recipe}")
    steps = debian.copied_steps(plan.minor) if plan.pyenv else debian.package_steps(plan.minor)
    with _stepped(client, base, steps, state, plan) as container:
        version = container.logs(stderr=False).decode().split()[-1]
        _demand(plan, version)
        changes = _changes(
            {LABEL: "1", RECIPE_LABEL: plan.recipe},
            "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "ENV LANG=C.UTF-8",
            f"ENV PYTHON_VERSION={version}",
            f'CMD ["{"python2" if version.startswith("2.") else "python3"}"]',
        )
        container.commit(REPOSITORY, plan.tag, pause=False, changes=changes)


def _demand(plan: Plan, version: str) -> None:
    """Refuse a stand-in with another version than its tag says."""
    if plan.version and plan.version != version:
        message = f"no stand-in for {plan.reference}: {plan.recipe} has {version}"
        raise StandinError(message)


@contextlib.contextmanager
def _stepped(client: DockerClient, image: str, steps: str, state: State, plan: Plan | None = None) -> Iterator[Container]:
    """Give a container in which the steps have been run, and remove it afterwards.

    :param plan: its pyenv version is unpacked to ``/usr/local`` before.
    """
    # The machine's own network, so that a proxy on its loopback address can be reached.
    container = client.containers.create(image, command=["sh", "-c", steps], network_mode="host")
    try:
        if plan is not None and plan.pyenv is not None:
            major, minor = plan.minor.split(".")
            with tempfile.TemporaryFile(dir=state.home) as file:
                tree.pack(plan.pyenv, (int(major), int(minor)), file)
                file.seek(0)
                container.put_archive("/usr/local", file)
        container.start()
        status = container.wait(timeout=STEP_SECONDS)["StatusCode"]
        printed = container.logs().decode(errors="replace")
        with state.log.open("a") as log:
            log.write(f"\n$ steps in {image}\n{printed}")
        if status != 0:
            what = plan.reference if plan is not None else f"a compiler for {image}"
            message = f"making {what} failed (shell: {status}), see {state.log}{last_lines(printed)}"
            raise StandinError(message)
        yield container
    finally:
        container.remove(force=True, v=True)
