"""Turn exceptions of docker-py and the layers below it into EngineError, in one line."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError  # another class before Python 3.11
from contextlib import contextmanager

from pytest_pyimages.engines.endpoint import NAME_ONE
from pytest_pyimages.errors import ConfigurationError, ConnectionLostError, EngineError, ImageNotFound, NoAnswerError
from pytest_pyimages.text import flatten

NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError, RecursionError, struct.error)
# By module, those of docker-py and of the layers below it; all of requests' are OSErrors.
_OTHERS = {"docker.errors": ("DockerException",), "urllib3.exceptions": ("HTTPError", "HTTPWarning")}
_TIMEOUTS = {"requests.exceptions": ("Timeout",), "urllib3.exceptions": ("TimeoutError",)}
_REFUSALS = {"urllib3.exceptions": ("NewConnectionError",)}
_OWN_NUMBERS = (ssl.SSLError, socket.gaierror)
_NO_IMAGE = ("no such image", "image not known")  # Docker's and Podman's messages


class ResponseError(OSError):
    """An error response; has the attributes of docker-py's APIError."""

    def __init__(self, status_code: int, explanation: str) -> None:
        super().__init__(f"HTTP {status_code}: {explanation}")
        self.status_code = status_code
        self.explanation = explanation


def list_client_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """Return the exceptions of clients: docker-py's own, those of the layers below, and of unexpected responses.

    :param others: further ones to return.
    """
    return (http.client.HTTPException, OSError, *NOT_UNDERSTOOD, *_find_classes(_OTHERS), *others)


def _find_classes(names: Mapping[str, Iterable[str]]) -> list[type[Exception]]:
    """Return classes by the names of modules; a module that another thread still imports has raised none of them."""
    found = (getattr(sys.modules.get(name), each, None) for name, classes in names.items() for each in classes)
    return [each for each in found if each is not None]


def get_status(error: BaseException) -> int:
    """Return the HTTP status of an error response of either client; 0 for any other error."""
    return int(getattr(error, "status_code", None) or 0) if isinstance(error, OSError) else 0


def get_explanation(error: BaseException) -> str:
    """Return the engine's message in an error response of either client; empty for any other error."""
    return str(getattr(error, "explanation", "") or "")


def is_busy(error: BaseException) -> bool:
    """Return whether the engine removes something already (409), or it is in use for a moment (403, 409, 500: moby)."""
    return get_status(error) in (403, 409, 500)


def is_used_by_container(error: BaseException) -> bool:
    """Return whether an image cannot be removed because of a container, which may itself be being removed."""
    return get_status(error) == 409 and "container" in get_explanation(error)


@contextmanager
def ignore_statuses(*statuses: int) -> Iterator[None]:
    """Ignore error responses with these HTTP statuses."""
    try:
        yield
    except OSError as error:
        if get_status(error) not in statuses:
            raise


def convert_error(error: BaseException) -> EngineError:
    """Convert an exception of the client to EngineError, or ImageNotFound if an image does not exist."""
    if isinstance(error, EngineError):
        return error
    status = get_status(error)
    if status:
        text = flatten(get_explanation(error)) or f"the engine answered HTTP {status} without a reason"
        if status == 404 and any(words in text.lower() for words in _NO_IMAGE):
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
    timeouts: tuple[type[BaseException], ...] = (TimeoutError, FutureTimeoutError, *_find_classes(_TIMEOUTS))
    refusals = tuple(_find_classes(_REFUSALS))
    return any(isinstance(found, timeouts) and not isinstance(found, refusals) for found in iter_causes(error))


def make_connection_error(url: str, error: BaseException) -> ConfigurationError:
    """Return the error for an address at which no engine answers, with a hint."""
    chain = list(iter_causes(error))
    if _errno(chain, errno.EACCES, errno.EPERM):
        return ConfigurationError(
            f"--py-images: no permission for {url}",
            'add yourself to the group that owns it ("docker"), or use a rootless engine',
        )
    why, hint = _explain(url, error, chain)
    return make_no_engine_error(url, why, hint)


def _explain(url: str, error: BaseException, chain: list[BaseException]) -> tuple[str, str]:
    start = f"start Docker or Podman, or {NAME_ONE}"
    status = _http_status(chain)
    if status:
        words = next((get_explanation(found) for found in chain if get_status(found)), "")
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


def make_no_engine_error(url: str, why: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"--py-images: no container engine answers at {url} ({why})", hint)


def _errno(chain: list[BaseException], *numbers: int) -> bool:
    """Return whether one is an OSError with one of these numbers; TLS and name resolution use numbers of their own."""
    errors = [found for found in chain if isinstance(found, OSError) and not isinstance(found, _OWN_NUMBERS)]
    return any(found.errno in numbers for found in errors)


def _http_status(chain: list[BaseException]) -> int:
    """Return the status of an HTTP error response; 0 without one."""
    errors = [found for found in chain if isinstance(found, OSError)]
    responses = (getattr(found, "response", None) for found in errors)  # of requests' exceptions
    statuses = (*map(get_status, errors), *(getattr(response, "status_code", 0) for response in responses))
    return next(filter(None, statuses), 0)


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
