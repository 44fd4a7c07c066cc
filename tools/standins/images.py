"""Official ``python:<tag>`` images for the tests: there already, pulled, or stand-ins made on this machine."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from tools.standins.builds import STEP_SECONDS, build, has_image
from tools.standins.plan import REPOSITORY, machine_base, make_reference, plan_for, pyenv_versions
from tools.standins.state import StandinError, default_state, locked, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docker import DockerClient

    from tools.standins.plan import Plan
    from tools.standins.state import State

REGISTRY_SECONDS = 6
LOCK_SECONDS = 1800
# Any tag does: what is asked is whether a registry answers.
QUESTION = f"{REPOSITORY}:3.12-slim"


def ensure_images(docker_host: str, tags: Sequence[str], state: State | None = None) -> None:
    """Have an image ``python:<tag>``, or ``<tag>`` if it names a repository, at the engine for every tag.

    What is missing is pulled; where no registry answers, a stand-in is made under the same name.

    :raises StandinError: an image cannot be had; the text names its tag and what was tried.
    """
    try:
        with contextlib.closing(_connect(docker_host, STEP_SECONDS)) as client:
            if _missing(client, tags):
                state = state or default_state()
                with locked(state.home / "images.lock", LOCK_SECONDS):
                    _provide(docker_host, client, _missing(client, tags), state)
    except (DockerException, RequestException) as error:
        message = f"the engine at {docker_host} cannot be used: {error}"
        raise StandinError(message) from error


def _provide(docker_host: str, client: DockerClient, tags: Sequence[str], state: State) -> None:
    """Pull what can be pulled and make stand-ins for the rest. The caller holds the lock."""
    if tags:
        rest, why = _pull(docker_host, client, tags)
        if rest:
            build(client, _plans(rest, why), state)


def _connect(docker_host: str, seconds: int) -> DockerClient:
    return docker.from_env(environment={**os.environ, "DOCKER_HOST": docker_host}, timeout=seconds)


def _missing(client: DockerClient, tags: Sequence[str]) -> tuple[str, ...]:
    """Return the tags, each once, that the engine has no image for."""
    return tuple(tag for tag in dict.fromkeys(tags) if not has_image(client, make_reference(tag)))


@functools.cache
def registry_refusal(docker_host: str) -> str | None:
    """Return why the engine can pull nothing, or None; asked once in a process."""
    with contextlib.closing(_connect(docker_host, REGISTRY_SECONDS)) as client:
        try:
            client.api.inspect_distribution(QUESTION)  # type: ignore[no-untyped-call] # the stubs lack it
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
        say(f"pulling {make_reference(tag)}")
        refusal = _pull_one(client, tag)
        if refusal is not None:
            say(f"{make_reference(tag)} cannot be pulled: {refusal}")
            rest.append(tag)
            why = refusal
    return tuple(rest), why or ""


def _pull_one(client: DockerClient, tag: str) -> str | None:
    """Pull one image and return what went wrong, or None.

    :raises StandinError: the registry has no such image: a stand-in would hide a wrong name.
    """
    reference = make_reference(tag)
    try:
        for record in client.api.pull(reference, stream=True, decode=True):
            if "error" in record:
                return str(record["error"])
    except (NotFound, ImageNotFound) as error:
        message = f"the registry has no image {reference} ({error.explanation})"
        raise StandinError(message) from error
    except (DockerException, RequestException) as error:
        return str(error)
    # A stream that is cut off ends without an error too.
    return None if has_image(client, reference) else "the engine ended the pull without an image"


def _plans(tags: Sequence[str], why: str) -> tuple[Plan, ...]:
    """Return how to make stand-ins on this machine.

    :param why: why the images cannot be pulled.
    """
    pyenv = pyenv_versions(os.environ, Path.home())
    os_release = Path("/etc/os-release")
    machine = machine_base(os_release.read_text() if os_release.exists() else "")
    try:
        return tuple(plan_for(tag, pyenv=pyenv, machine=machine) for tag in tags)
    except StandinError as error:
        message = f"{error} (pulling: {why})"
        raise StandinError(message) from None
