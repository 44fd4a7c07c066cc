"""Turn exceptions of docker-py and the layers below it into EngineError, in one line."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import struct
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError  # another class before Python 3.11

import docker.errors
import requests.exceptions
import urllib3.exceptions

from pytest_pyimages.engines.endpoint import NAME_ONE
from pytest_pyimages.errors import ConfigurationError, ConnectionLostError, EngineError, ImageNotFound, NoAnswerError
from pytest_pyimages.text import flatten

# Everything that docker-py raises: its own, those of the layers below it, and those of unexpected responses.
NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError, RecursionError, struct.error)
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
_NO_IMAGE = ("no such image", "image not known")  # Docker's and Podman's messages


def engine_error(error: BaseException) -> EngineError:
    """Convert an exception of the client to EngineError, or ImageNotFound if an image does not exist."""
    if isinstance(error, EngineError):
        return error
    if isinstance(error, docker.errors.APIError):
        text = flatten(error.explanation or "") or f"the engine answered HTTP {error.status_code} without a reason"
        if isinstance(error, docker.errors.NotFound) and any(words in text.lower() for words in _NO_IMAGE):
            return ImageNotFound(text)
        return EngineError(text)
    chain = list(iter_causes(error))
    status = _http_status(chain)
    if status:
        text = f"the engine answered HTTP {status} without a reason"
    elif is_timeout(error):
        return NoAnswerError("the engine did not answer in time")
    elif _is_connection(chain):
        return ConnectionLostError(f"the connection to the engine was lost: {_reason(chain)}")
    else:
        text = f"unexpected response of the engine ({type(error).__name__}: {flatten(error)})"
    return EngineError(text)


def iter_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all exceptions in it: causes, contexts, reasons and arguments."""
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
    """Return whether the engine did not answer in time; urllib3 also derives refused connections from its timeout."""
    return any(
        isinstance(found, _TIMEOUTS) and not isinstance(found, urllib3.exceptions.NewConnectionError)
        for found in iter_causes(error)
    )


def connection_error(url: str, error: BaseException) -> ConfigurationError:
    """Return the error for an address at which no engine answers, with a hint."""
    chain = list(iter_causes(error))
    if _errno(chain, errno.EACCES, errno.EPERM):
        return ConfigurationError(
            f"--py-images: no permission for {url}",
            'add yourself to the group that owns it ("docker"), or use a rootless engine',
        )
    why, hint = _explain(url, error, chain)
    return no_engine(url, why, hint)


def _explain(url: str, error: BaseException, chain: list[BaseException]) -> tuple[str, str]:
    start = f"start Docker or Podman, or {NAME_ONE}"
    status = _http_status(chain)
    if status:
        words = next((found.explanation for found in chain if isinstance(found, docker.errors.APIError)), "")
        why, hint = f"HTTP {status}{words and ': '}{flatten(words)[:120]}", NAME_ONE
    elif _errno(chain, errno.ENOENT, errno.ENOTDIR):
        why, hint = "the socket does not exist", start
        if url.startswith("ssh://"):
            why, hint = "ssh is not installed", "install an OpenSSH client"
    elif any(isinstance(found, ssl.SSLError) for found in chain):
        why, hint = f"TLS: {_reason(chain)}", f"check DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or {NAME_ONE}"
    elif is_timeout(error):
        why, hint = "no answer in time", start
    elif _is_connection(chain):
        why, hint = _reason(chain), start
        if url.startswith("ssh://"):  # ssh prints the reason on stderr
            why, hint = f"ssh: {why}", "check that `ssh` connects and that `docker version` works there"
    else:
        why, hint = "not a container engine", NAME_ONE
    return why, hint


def no_engine(url: str, why: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"--py-images: no container engine answers at {url} ({why})", hint)


def _errno(chain: list[BaseException], *numbers: int) -> bool:
    """Return whether one is an OSError with one of these numbers; TLS and name resolution use numbers of their own."""
    errors = [found for found in chain if isinstance(found, OSError) and not isinstance(found, _OWN_NUMBERS)]
    return any(found.errno in numbers for found in errors)


def _http_status(chain: list[BaseException]) -> int:
    """Return the status of an HTTP error response; 0 without one."""
    responses = [found.response for found in chain if isinstance(found, requests.exceptions.HTTPError)]
    return next((response.status_code for response in responses if response is not None), 0)


def _is_connection(chain: list[BaseException]) -> bool:
    """Return whether the connection failed, as opposed to an unexpected response."""
    if any(isinstance(found, http.client.BadStatusLine) and not isinstance(found, OSError) for found in chain):
        return False
    return not any(isinstance(found, NOT_UNDERSTOOD) for found in chain)


def _reason(chain: list[BaseException]) -> str:
    """Return why the connection failed: the operating system's message, else that of the innermost layer."""
    for found in chain:
        if isinstance(found, socket.gaierror):
            return "the name cannot be resolved"
        if isinstance(found, ssl.SSLCertVerificationError):
            return flatten(f"certificate verify failed: {found.verify_message}")
        if isinstance(found, OSError) and found.strerror:
            return flatten(found.strerror[:1].lower() + found.strerror[1:])
    return flatten(chain[-1]) or type(chain[-1]).__name__
