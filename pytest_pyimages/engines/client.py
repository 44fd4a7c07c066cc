"""Requests to an engine: on a unix socket with the standard library alone, elsewhere with docker-py.

A run that has nothing to pull or to build needs no docker-py, whose import takes half as long as pytest's.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # another class before Python 3.11
from functools import cached_property
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlencode

from pytest_pyimages.engines.base import EngineInfo
from pytest_pyimages.engines.endpoint import NAME_ONE, Endpoint, read_headers
from pytest_pyimages.engines.faults import (
    get_status,
    ignore_statuses,
    is_busy,
    is_timeout,
    list_client_errors,
    make_connection_error,
    make_no_engine_error,
)
from pytest_pyimages.engines.limits import MAX_BODY, MAX_VERSION
from pytest_pyimages.engines.unix import UnixConnection
from pytest_pyimages.errors import ConfigurationError, EngineError
from pytest_pyimages.text import flatten

if TYPE_CHECKING:
    from docker.api import APIClient

FLOOR = (1, 41)  # Engine 20.10, Podman 4
CEILING = (1, 47)  # the newest API that the calls were tested with
REMOVAL_CALL_SECONDS = 60.0
RETRY_SECONDS = 0.1  # between two requests to remove something
_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}


class Client:
    """A connection to an engine, for one thread at a time. Raises the exceptions of ``faults.list_client_errors``."""

    def __init__(self, endpoint: Endpoint, version: str, timeout: float, limit: int = MAX_BODY) -> None:
        """Create a client without connecting.

        :param version: of the API.
        :param timeout: default timeout of calls in seconds.
        :param limit: of the size of a response, in bytes.
        :raises ConfigurationError: for an invalid address, certificates or configuration file.
        """
        self._endpoint = endpoint
        self._version = version
        self._timeout = timeout
        self._limit = limit
        self._unix: UnixConnection | None = None
        if endpoint.url.startswith("unix://"):
            self._headers = read_headers(os.environ)
            self._unix = self._open(endpoint.url)
        else:
            _ = self.docker

    def _open(self, url: str) -> UnixConnection:
        return UnixConnection("/" + url.removeprefix("unix://").lstrip("/"), self._limit)

    @cached_property
    def docker(self) -> APIClient:
        """The client of docker-py, for the calls that this class does not express.

        :raises EngineError: if docker-py refuses a configuration that the constructor has accepted.
        """
        from pytest_pyimages.engines.docker_py import new_client

        try:
            return new_client(self._endpoint, self._version, self._timeout, self._limit)
        except ConfigurationError as error:
            if self._unix is None:  # that is the constructor
                raise
            raise EngineError(error.message, error.hint) from error

    def request(  # noqa: PLR0913 - what a request consists of
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        body: object = None,
        timeout: float | None = None,
        sent: Callable[[], object] = lambda: None,
    ) -> bytes:
        """Send a request; return the body of the response.

        :param path: without the API's version.
        :param body: is sent as JSON, unless it is None.
        :param sent: called when the engine has the request; elsewhere than on a unix socket, with the response.
        """
        timeout = self._timeout if timeout is None else timeout
        if self._unix is None:
            from pytest_pyimages.engines.docker_py import request

            content = request(self.docker, method, path, params=params, json=body, timeout=timeout).content
            sent()
            return content
        target = self._make_target(path, params)
        return self._unix.read(self._unix.ask(method, target, body, self._headers, timeout, sent=sent))

    def put(self, path: str, params: Mapping[str, object], pieces: Iterator[bytes]) -> None:
        """Send a PUT request with a body in pieces."""
        if self._unix is None:
            from pytest_pyimages.engines.docker_py import request

            request(self.docker, "PUT", path, params=params, data=pieces, timeout=self._timeout)
        else:
            target = self._make_target(path, params)
            self._unix.read(self._unix.ask("PUT", target, pieces, self._headers, self._timeout))

    def _make_target(self, path: str, params: Mapping[str, object] | None) -> str:
        version = "" if path == "/version" else f"/v{self._version}"
        return f"{version}{path}" + (f"?{urlencode(params)}" if params else "")

    def read(self, method: str, path: str, **options: Any) -> Any:
        """Send a request; return the JSON value of the response."""
        return json.loads(self.request(method, path, **options))

    def remove(  # noqa: PLR0913 - a request, and when to send it again
        self,
        path: str,
        seconds: float,
        params: Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
        is_temporary: Callable[[BaseException], bool] = is_busy,
        sent: Callable[[], object] = lambda: None,
    ) -> None:
        """Remove something, unless it does not exist; send the request again for so many seconds, and after a timeout.

        :param timeout: of one request, in seconds; None for that of small things.
        :param is_temporary: whether an error response is one that a later request may not get.
        :param sent: see ``request``; may be called several times.
        """
        timeout = REMOVAL_CALL_SECONDS if timeout is None else timeout
        deadline = time.monotonic() + seconds
        has_timed_out = False
        while True:
            try:
                with ignore_statuses(404):
                    self.request("DELETE", path, params=params, timeout=timeout, sent=sent)
            except OSError as error:
                if is_temporary(error) and time.monotonic() <= deadline:
                    time.sleep(RETRY_SECONDS)
                elif not has_timed_out and not get_status(error) and is_timeout(error):
                    has_timed_out = True
                else:
                    raise
            else:
                return

    def upgrade(
        self, path: str, params: Mapping[str, object] | None = None, body: object = None
    ) -> tuple[BinaryIO, Callable[[], None]]:
        """Send a POST request that turns its connection into a stream; return its reader, and what closes it.

        :param body: is sent as JSON, unless it is None.
        """
        if self._unix is None:
            from pytest_pyimages.engines.docker_py import request

            options: dict[str, Any] = {"params": params, "json": body, "stream": True, "timeout": self._timeout}
            upgraded = request(self.docker, "POST", path, headers=_UPGRADE, **options)
            # Data received together with the headers is in http.client's buffered reader; docker-py's attach_socket
            # reads below it and loses that data (docker-py#1770).
            answer: Any = upgraded.raw._fp  # noqa: SLF001 - no public access to an upgraded connection
            return answer.fp, upgraded.close
        connection = self._open(self._endpoint.url)  # its own, as long as the stream is open
        target = self._make_target(path, params)
        response = connection.ask("POST", target, body, {**self._headers, **_UPGRADE}, self._timeout)

        def close() -> None:
            response.close()
            connection.close()

        return response.fp, close

    def close(self) -> None:
        if self._unix is not None:
            self._unix.close()
        if "docker" in self.__dict__:
            self.docker.close()


def return_once_sent(call: Callable[[Callable[[], object]], object]) -> None:
    """Make a call in a thread; return once its request is sent, without waiting for the response.

    :param call: gets the function to call at that moment. An error before it is raised here, a later one is not.
    """
    outcomes: SimpleQueue[BaseException | None] = SimpleQueue()

    def run() -> None:
        try:
            call(lambda: outcomes.put(None))
        except BaseException as error:  # noqa: BLE001 - raised below, or left to the next session
            outcomes.put(error)

    Thread(target=run, name="pyimages-remove", daemon=True).start()
    error = outcomes.get()
    if error is not None:
        raise error


def probe(endpoint: Endpoint, timeout: float) -> tuple[EngineInfo, str]:
    """Return the engine at an endpoint, and the API version to use.

    :param timeout: seconds.
    :raises ConfigurationError: if no usable engine answers in time.
    """
    client = Client(endpoint, _format_version(FLOOR), timeout, MAX_VERSION)
    answer: Future[Any] = Future()

    def get_version() -> None:
        try:
            answer.set_result(client.read("GET", "/version"))
        except BaseException as error:  # noqa: BLE001 - raised by answer.result()
            answer.set_exception(error)
        finally:
            client.close()

    # In a thread: a timeout of sockets limits neither name resolution nor a response that trickles in.
    Thread(target=get_version, name="pyimages-probe", daemon=True).start()
    try:
        version = answer.result(timeout)
        return _parse_info(endpoint, version), _negotiate(endpoint.url, version)
    except EngineError as error:
        raise make_no_engine_error(endpoint.url, error.message, NAME_ONE) from error
    except list_client_errors(FutureTimeoutError) as error:
        raise make_connection_error(endpoint.url, error) from error


def _parse_info(endpoint: Endpoint, answer: Mapping[str, Any]) -> EngineInfo:
    url = endpoint.url
    if str(answer.get("Os", "linux")).lower() == "windows":
        raise ConfigurationError(
            f"--py-images: the engine at {url} runs Windows containers", "switch it to Linux containers"
        )
    names = [str(part.get("Name", "")).lower() for part in answer.get("Components") or ()]
    return EngineInfo(
        name="podman" if any("podman" in name for name in names) else "docker",
        version=flatten(answer["Version"]),
        api_version=_format_version(_parse_version(answer["ApiVersion"])),
        endpoint=url,
        context=endpoint.context,
        platform=f"{answer['Os']}/{answer['Arch']}" if answer.get("Os") and answer.get("Arch") else "",
    )


def choose_overlay_options(info: Mapping[str, Any]) -> str:
    """Return the options for overlays whose lower layer's folders can be renamed (overlayfs, "redirect_dir").

    Without them rename(2) fails with EXDEV, and a new owner copies a file's content. Linux 4.19 has both; a rootless
    engine may not use them.

    :param info: the engine's description of itself (Engine API, "SystemInfo").
    """
    release = re.match(r"(\d+)\.(\d+)", str(info.get("KernelVersion") or ""))
    confined = any("rootless" in str(option) for option in info.get("SecurityOptions") or ())
    if release is None or confined or (int(release[1]), int(release[2])) < (4, 19):
        return ""
    return ",redirect_dir=on,metacopy=on"


def _negotiate(url: str, answer: Mapping[str, Any]) -> str:
    highest, lowest = _parse_version(answer["ApiVersion"]), _parse_version(answer.get("MinAPIVersion") or "1.0")
    if highest < FLOOR:
        supported, required = _format_version(highest), _format_version(FLOOR)
        raise ConfigurationError(
            f"--py-images: the engine at {url} supports API {supported}, but {required} or newer is required",
            "upgrade to Engine 20.10, Podman 4 or newer",
        )
    if lowest > CEILING:
        required, supported = _format_version(lowest), _format_version(CEILING)
        raise ConfigurationError(
            f"--py-images: the engine at {url} requires API {required} or newer, but this plugin supports {supported}",
            "upgrade pytest-pyimages",
        )
    return _format_version(min(highest, CEILING))


def _parse_version(text: object) -> tuple[int, int]:
    major, _, minor = str(text).partition(".")
    return int(major), int(minor)


def _format_version(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
