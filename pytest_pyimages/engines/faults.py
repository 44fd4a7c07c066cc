"""What an engine's client can raise, in one line each."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

import docker.errors
import requests.exceptions
import urllib3.exceptions

from pytest_pyimages.engines.endpoint import NAME_ONE
from pytest_pyimages.errors import ConfigurationError, EngineError, ImageNotFound

P = ParamSpec("P")
R = TypeVar("R")

# Everything that docker-py lets out: its own, those of the layers below it, and those of answers it did not expect.
CLIENT_ERRORS = (
    docker.errors.DockerException,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    struct.error,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
)


def one_line(text: object) -> str:
    """Return somebody else's message on one line, without control characters, of bearable length."""
    cleaned = "".join(character if character.isprintable() else " " for character in str(text))
    words = " ".join(cleaned.split())
    return words if len(words) <= 500 else words[:497] + "..."


def engine_error(error: BaseException) -> EngineError:
    """Return what the client raised as an EngineError; ImageNotFound where the engine misses an image."""
    if isinstance(error, EngineError):
        return error
    if isinstance(error, docker.errors.APIError):
        text = one_line(error.explanation or error)
        missing = isinstance(error, docker.errors.NotFound) and ("no such image" in text.lower() or "manifest" in text.lower())
        return ImageNotFound(text) if missing or isinstance(error, docker.errors.ImageNotFound) else EngineError(text)
    return EngineError(f"the engine cannot be talked to: {one_line(error) or type(error).__name__}")


def wrapped(function: Callable[P, R]) -> Callable[P, R]:
    """Let nothing but EngineError out of a method."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except CLIENT_ERRORS as error:
            raise engine_error(error) from error

    return call


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and everything that is wrapped in it: causes, contexts and arguments."""
    waiting, seen = [error], set()
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [argument for argument in current.args if isinstance(argument, BaseException)]
        reason = getattr(current, "reason", None)
        waiting += [current.__cause__, current.__context__, *inner]
        waiting += [reason] if isinstance(reason, BaseException) else []


def connection_error(url: str, error: BaseException) -> ConfigurationError:
    """Return why no engine can be had at an address, and what to do about it."""
    chain = list(causes(error))
    for found in chain:
        if isinstance(found, OSError) and found.errno in (errno.EACCES, errno.EPERM):
            return ConfigurationError(
                f"--py-images: no permission for {url}",
                'add yourself to the group that owns it ("docker"), or use a rootless engine',
            )
    start = f"start Docker or Podman, or {NAME_ONE}"
    for found in chain:
        if isinstance(found, docker.errors.APIError):
            status = found.response.status_code if found.response is not None else "unknown"
            return _no_engine(url, f"what answers there says HTTP {status}: {one_line(found.explanation)[:120]}", NAME_ONE)
        if isinstance(found, OSError) and found.errno in (errno.ENOENT, errno.ENOTDIR):
            return _no_engine(url, "there is no such socket", start)
        if isinstance(found, OSError) and found.errno == errno.ECONNREFUSED:
            return _no_engine(url, "connection refused", start)
    # Only now: urllib3 calls a refused connection a kind of time-out as well.
    if any(isinstance(found, TimeoutError | requests.exceptions.Timeout | urllib3.exceptions.TimeoutError) for found in chain):
        return _no_engine(url, "no answer in time", start)
    return _no_engine(url, one_line(chain[-1]) or type(error).__name__, start)


def _no_engine(url: str, why: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"--py-images: no container engine answers at {url} ({why})", hint)
