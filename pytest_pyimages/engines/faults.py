"""What an engine's client can raise, in one line each."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError  # another class before Python 3.11
from functools import wraps
from typing import ParamSpec, TypeVar

import docker.errors
import requests.exceptions
import urllib3.exceptions

from pytest_pyimages.engines.endpoint import NAME_ONE
from pytest_pyimages.errors import ConfigurationError, EngineError, ImageNotFound
from pytest_pyimages.text import one_line

P = ParamSpec("P")
R = TypeVar("R")

# Everything that docker-py lets out: its own, those of the layers below it, and those of answers it did not expect.
NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError, struct.error)
CLIENT_ERRORS = (
    docker.errors.DockerException,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    urllib3.exceptions.HTTPWarning,
    http.client.HTTPException,
    OSError,
    *NOT_UNDERSTOOD,
)
_TIMEOUTS = (TimeoutError, FutureTimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)
_OWN_NUMBERS = (ssl.SSLError, socket.gaierror)
_NO_IMAGE = ("no such image", "image not known")  # Docker's and Podman's words


def engine_error(error: BaseException) -> EngineError:
    """Return what the client raised as an EngineError; ImageNotFound where the engine misses an image."""
    if isinstance(error, EngineError):
        return error
    if isinstance(error, docker.errors.APIError):
        text = one_line(error.explanation or "") or f"the engine answered HTTP {error.status_code} without a reason"
        if isinstance(error, docker.errors.NotFound) and any(words in text.lower() for words in _NO_IMAGE):
            return ImageNotFound(text)
        return EngineError(text)
    chain = list(causes(error))
    status = _http_status(chain)
    if status:
        text = f"the engine answered HTTP {status} without a reason"
    elif is_timeout(error):
        text = "the engine did not answer in time"
    elif _is_connection(chain):
        text = f"the connection to the engine was lost: {_reason(chain)}"
    else:
        text = f"an answer of the engine was not understood ({type(error).__name__}: {one_line(error)})"
    return EngineError(text)


def wrapped(function: Callable[P, R]) -> Callable[P, R]:
    """Let nothing but EngineError out of a method."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except CLIENT_ERRORS as error:
            raise engine_error(error) from error

    return call


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything that is wrapped in it: causes, contexts, reasons and arguments."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]


def is_timeout(error: BaseException) -> bool:
    """Whether the engine was silent for too long; urllib3 calls a refused connection a kind of time-out as well."""
    return any(
        isinstance(found, _TIMEOUTS) and not isinstance(found, urllib3.exceptions.NewConnectionError)
        for found in causes(error)
    )


def connection_error(url: str, error: BaseException) -> ConfigurationError:
    """Return why no engine can be had at an address, and what to do about it."""
    chain = list(causes(error))
    if _errno(chain, errno.EACCES, errno.EPERM):
        return ConfigurationError(
            f"--py-images: no permission for {url}",
            'add yourself to the group that owns it ("docker"), or use a rootless engine',
        )
    why, hint = _refusal(url, error, chain)
    return no_engine(url, why, hint)


def _refusal(url: str, error: BaseException, chain: list[BaseException]) -> tuple[str, str]:
    start = f"start Docker or Podman, or {NAME_ONE}"
    status = _http_status(chain)
    if status:
        words = next((found.explanation for found in chain if isinstance(found, docker.errors.APIError)), "")
        why, hint = f"what answers there says HTTP {status}{words and ': '}{one_line(words)[:120]}", NAME_ONE
    elif _errno(chain, errno.ENOENT, errno.ENOTDIR):
        why, hint = "there is no such socket", start
        if url.startswith("ssh://"):
            why, hint = "there is no ssh command", "install OpenSSH's client"
    elif any(isinstance(found, ssl.SSLError) for found in chain):
        why, hint = f"TLS: {_reason(chain)}", f"check DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or {NAME_ONE}"
    elif is_timeout(error):
        why, hint = "no answer in time", start
    elif _is_connection(chain):
        why, hint = _reason(chain), start
        if url.startswith("ssh://"):  # it says why on standard error
            why, hint = f"ssh: {why}", "see whether `ssh` reaches it and `docker version` works there"
    else:
        why, hint = "what answers there is something else", NAME_ONE
    return why, hint


def no_engine(url: str, why: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"--py-images: no container engine answers at {url} ({why})", hint)


def _errno(chain: list[BaseException], *numbers: int) -> bool:
    """Whether one of them is an error of the operating system's: TLS and name resolution have numbers of their own."""
    errors = [found for found in chain if isinstance(found, OSError) and not isinstance(found, _OWN_NUMBERS)]
    return any(found.errno in numbers for found in errors)


def _http_status(chain: list[BaseException]) -> int:
    """Return the status of the answer that was an error; 0 if it was none, or there was no answer."""
    responses = [found.response for found in chain if isinstance(found, requests.exceptions.HTTPError)]
    return next((response.status_code for response in responses if response is not None), 0)


def _is_connection(chain: list[BaseException]) -> bool:
    """Whether the connection failed, rather than the understanding of what came over it."""
    if any(isinstance(found, http.client.BadStatusLine) and not isinstance(found, OSError) for found in chain):
        return False
    return not any(isinstance(found, NOT_UNDERSTOOD) for found in chain)


def _reason(chain: list[BaseException]) -> str:
    """Return why the connection failed, in the operating system's words or else in those of the innermost layer."""
    for found in chain:
        if isinstance(found, socket.gaierror):
            return "its name cannot be resolved"
        if isinstance(found, ssl.SSLCertVerificationError):
            return one_line(f"certificate verify failed: {found.verify_message}")
        if isinstance(found, OSError) and found.strerror:
            return one_line(found.strerror[:1].lower() + found.strerror[1:])
    return one_line(chain[-1]) or type(chain[-1]).__name__
