"""Pull and push images: read the engine's streams of records, which contain errors too."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, Literal, cast

import docker.auth
import docker.errors
from docker import credentials
from docker.api import APIClient
from docker.utils import parse_repository_tag

from pytest_pyimages.engines.base import PullProgress
from pytest_pyimages.engines.docker_py import request
from pytest_pyimages.engines.faults import convert_error, list_client_errors
from pytest_pyimages.engines.limits import iter_records
from pytest_pyimages.errors import EngineError, ImageNotFound, RegistryUnreachableError
from pytest_pyimages.text import flatten

_UNREACHABLE = ("the registry's name cannot be resolved", "the registry cannot be reached")
_OTHERS = "set a mirror with --py-images-registry, or use local images with --py-images-pull=never"
_CAUSES = (
    (
        ("toomanyrequests", "too many requests", "rate limit"),
        'the registry answered "too many requests" (429)',
        f"log in, {_OTHERS}",
    ),
    (("proxyconnect",), "the engine's proxy cannot be reached", "fix the proxy in the engine's settings"),
    (("no such host", "name resolution", "server misbehaving"), _UNREACHABLE[0], _OTHERS),
    (
        (
            "connection refused",
            "i/o timeout",
            "handshake timeout",
            "client.timeout",
            "no route",
            "network is unreachable",
        ),
        _UNREACHABLE[1],
        _OTHERS,
    ),
    (("x509",), "the engine does not trust the registry's certificate", "add the registry's CA to the engine"),
    (
        ("no space left", "disk quota"),
        "the engine's disk is full",
        "free some space, for example with `docker image prune`",
    ),
    (
        ("unauthorized", "authentication required", "no basic auth", "forbidden"),
        "the registry refused the credentials",
        f"log in with `docker login`, {_OTHERS}",
    ),
    (
        ("no matching manifest", "no match for platform"),
        "the image does not exist for this platform",
        "use another tag",
    ),
    (
        ("cannot be used on this platform", "operating system is not supported"),
        "the image is for another operating system",
        "use another tag",
    ),
)
# While the engine downloads other images, it may report nothing about this one for as long.
SILENT_SECONDS = 1800.0
HELPER_SECONDS = 60.0  # that a credential helper may take: it may ask its user something
_LOGIN = "X-Registry-Auth"
_MISSING = ("manifest unknown", "not found", "does not exist", "name unknown")
Action = Literal["pull", "push"]


class PullCutError(EngineError):
    """The stream was cut; worth a retry."""


def pull(client: APIClient, reference: str, platform: str = "") -> Iterator[PullProgress]:
    """Pull an image; yield the progress, whose end does not mean success.

    :param platform: empty for the engine's own.

    :raises EngineError: PullCutError if the response is cut, ImageNotFound if the registry does not have the image.
    """
    header = yield from _log_in(client, reference, "pull")
    repository, tag = parse_repository_tag(reference)
    parameters = {"fromImage": repository, "tag": tag or "latest", **({"platform": platform} if platform else {})}
    records = _records(client, "/images/create", parameters, header, action="pull", reference=reference)
    yield from _follow(records, "pull")


def push(client: APIClient, reference: str) -> Iterator[PullProgress]:
    """Push an image (Engine API, "ImagePush"); yield the progress. It has been pushed once the iterator ends.

    :raises EngineError: if the registry refuses it, or the response is cut.
    """
    header = yield from _log_in(client, reference, "push")
    repository, tag = parse_repository_tag(reference)
    header = header or {_LOGIN: docker.auth.encode_header({})}  # engines require one
    parameters = {"tag": tag or "latest"}
    path = f"/images/{repository}/push"
    yield from _follow(_records(client, path, parameters, header, action="push", reference=reference), "push")


def _log_in(client: APIClient, reference: str, action: Action) -> Generator[PullProgress, None, dict[str, str | bytes]]:
    """Yield remarks on a slow credential helper; return the header with the Docker CLI's credentials."""
    helper = _find_helper(client, reference)
    if helper is not None:
        yield PullProgress(done=0, total=0, remark=f"waiting for {helper.program}")
    header = _credentials(client, reference)
    if helper is not None and helper.is_late:
        late = f"{helper.program} did not answer in {HELPER_SECONDS:g} s"
        remark = f"{late}; {reference} is {action}ed without credentials"
        yield PullProgress(done=0, total=0, remark=remark, is_problem=True)
    return header


def _follow(records: Iterable[Mapping[str, Any]], action: Action) -> Iterator[PullProgress]:
    """Yield the progress in a stream of records.

    :raises EngineError: for a record of an error.
    """
    layers: dict[str, tuple[int, int]] = {}
    for record in records:
        detail = record.get("errorDetail") or {}
        text = record.get("error") or (detail.get("message") if isinstance(detail, dict) else detail)
        if text or detail:
            raise classify_pull_error(str(text or detail), action=action)
        if _add_progress(record, layers):
            yield PullProgress(
                done=sum(done for done, _ in layers.values()), total=sum(total for _, total in layers.values())
            )


def find_remote_digest(client: APIClient, reference: str) -> str:
    """Return the digest that a reference has in its registry (Engine API, "DistributionInspect"; Podman has none).

    :raises EngineError: ImageNotFound if the registry does not have the image.
    """
    try:
        headers = _credentials(client, reference)
        with contextlib.closing(request(client, "GET", f"/distribution/{reference}/json", headers=headers)) as response:
            return str(response.json()["Descriptor"]["digest"])
    except docker.errors.APIError as error:
        raise classify_pull_error(error.explanation or str(error), error.status_code) from error
    except list_client_errors() as error:
        raise convert_error(error) from error


def _add_progress(record: Mapping[str, Any], layers: dict[str, tuple[int, int]]) -> bool:
    """Record a layer's progress; return whether there is any."""
    layer, status, progress = str(record.get("id")), record.get("status"), record.get("progressDetail")
    if status in ("Downloading", "Pushing") and isinstance(progress, dict) and progress.get("total"):
        layers[layer] = int(progress.get("current") or 0), int(progress["total"])
    elif status in ("Download complete", "Pull complete", "Pushed") and layer in layers:
        layers[layer] = layers[layer][1], layers[layer][1]
    else:
        return False
    return True


def _records(  # noqa: PLR0913 - a request, and its name in messages
    client: APIClient,
    path: str,
    parameters: Mapping[str, str],
    header: Mapping[str, str | bytes],
    *,
    action: Action,
    reference: str,
) -> Iterator[Mapping[str, Any]]:
    """Yield the records of the response to a POST request."""
    response_name = f"the engine's response to {action}ing {reference}"
    try:
        response = request(
            client,
            "POST",
            path,
            params=parameters,
            headers=header,
            stream=True,
            timeout=(client.timeout, SILENT_SECONDS),
        )
    except docker.errors.APIError as error:
        text = error.explanation or str(error)
        raise classify_pull_error(text, error.status_code, action=action) from error
    except list_client_errors() as error:
        raise convert_error(error) from error
    with contextlib.closing(response):
        try:
            for record in iter_records(response):
                if not isinstance(record, dict):
                    raise PullCutError(f"{response_name} is invalid")
                yield record
        except list_client_errors() as error:
            why = convert_error(error).message
            raise PullCutError(f"{response_name} was cut: {why}") from error


class _CredentialHelper(credentials.Store):
    """A credential helper of the Docker CLI that is killed when it takes too long; docker-py waits for ever."""

    is_late = False

    def _execute(self, subcmd: str, data_input: bytes | None) -> bytes:
        if self.exe is None:
            raise credentials.StoreError(f"{self.program} is not installed")
        try:
            done = subprocess.run(  # noqa: S603 - the helper of docker's configuration
                [self.exe, subcmd], input=data_input, stdout=subprocess.PIPE, check=True, timeout=HELPER_SECONDS
            )
        except subprocess.CalledProcessError as error:
            raise credentials.errors.process_store_error(error, self.program) from error
        except subprocess.TimeoutExpired as error:
            self.is_late = True
            raise credentials.StoreError(f"{self.program} did not answer") from error
        return done.stdout


def _find_registry(reference: str) -> str:
    repository, _ = parse_repository_tag(reference)
    registry, _ = docker.auth.resolve_repository_name(repository)
    return str(registry)


def _find_helper(client: APIClient, reference: str) -> _CredentialHelper | None:
    """Let docker-py use a credential helper with a time limit; return it, or None if the registry has none."""
    try:
        configuration = cast("Any", client)._auth_configs  # noqa: SLF001 - what docker-py's own pull uses
        name = configuration.get_credential_store(_find_registry(reference))
        if name is None:
            return None
        helper = configuration._stores[name] = _CredentialHelper(name)  # noqa: SLF001 - no public way to limit it
    except list_client_errors(UserWarning):  # see below
        return None
    return helper


def _credentials(client: APIClient, reference: str) -> dict[str, str | bytes]:
    """Return the header with the Docker CLI's credentials."""
    try:
        header = docker.auth.get_config_header(client, _find_registry(reference))
    except list_client_errors(UserWarning):
        # A broken credential helper must not fail a public image (docker-py#2482); docker-py warns about it too.
        header = docker.auth.encode_header({})
    return {_LOGIN: header} if header else {}


def classify_pull_error(text: str, status: int | None = None, *, action: Action = "pull") -> EngineError:
    """Classify a failed pull or push: engines report the same failure with several statuses and messages.

    :param status: the HTTP status of the engine's response, if the failure came as one.
    """
    text = flatten(text)
    lowered = f"{text} {'toomanyrequests' if status == 429 else ''}".lower()
    for marks, meaning, hint in _CAUSES:
        if any(mark in lowered for mark in marks):
            kind = RegistryUnreachableError if meaning in _UNREACHABLE else EngineError
            return kind(f"{meaning}: {text}", hint)
    if status == 404 or any(mark in lowered for mark in _MISSING):
        return ImageNotFound(text)
    return EngineError(f"the {action} failed: {text}", _OTHERS)
