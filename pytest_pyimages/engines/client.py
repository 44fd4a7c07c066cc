"""Create docker-py clients, and negotiate the API version with an engine."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # another class before Python 3.11
from threading import Thread
from typing import Any

import docker.errors
import requests
from docker.api import APIClient
from docker.tls import TLSConfig
from docker.transport import UnixHTTPAdapter
from docker.utils import parse_host
from docker.utils.config import load_general_config
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pytest_pyimages.engines.base import EngineInfo
from pytest_pyimages.engines.endpoint import NAME_ONE, Endpoint, invalid_address
from pytest_pyimages.engines.faults import CLIENT_ERRORS, connection_error, no_engine
from pytest_pyimages.engines.limits import MAX_BODY, MAX_VERSION, make_response_hook
from pytest_pyimages.engines.ssh import SshAdapter
from pytest_pyimages.errors import ConfigurationError, EngineError
from pytest_pyimages.text import flatten

FLOOR = (1, 41)  # Engine 20.10, Podman 4
CEILING = (1, 47)  # the newest API that the calls were tested with
KEEPALIVE_SECONDS = 30  # as the docker CLI; routers drop idle connections (docker/cli#415)


class _QuietPool(HTTPSConnectionPool):
    """Connects without urllib3's warning, which would be one of the suite's."""

    def _validate_conn(self, conn: Any) -> None:
        if conn.sock is None:
            conn.connect()


class _KeepAlive(HTTPAdapter):
    """Keeps idle TCP connections alive: tests may print nothing for an hour."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        """Create the adapter.

        :param is_quiet: the user does not want certificates verified, and need not be warned of it by urllib3.
        """
        self._is_quiet = is_quiet
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:  # noqa: FBT001, FBT002 - requests' signature
        options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        if hasattr(socket, "TCP_KEEPIDLE"):
            options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS))
        super().init_poolmanager(connections, maxsize, block, socket_options=options, **kwargs)
        if self._is_quiet:
            self.poolmanager.pool_classes_by_scheme = {"http": HTTPConnectionPool, "https": _QuietPool}


def new_client(endpoint: Endpoint, version: str, timeout: float, limit: int = MAX_BODY) -> APIClient:
    """Create a client without connecting.

    :param timeout: default timeout of calls in seconds.
    :param limit: of the size of a response, in bytes.
    :raises ConfigurationError: for an invalid address, certificates or configuration file.
    """
    url = endpoint.url
    try:
        parse_host(url)
    except (docker.errors.DockerException, ValueError) as error:
        raise invalid_address(url, "engine", flatten(error)) from error
    try:
        client = APIClient(
            base_url="unix:///ssh" if url.startswith("ssh://") else url,  # its adapter is replaced
            version=version,
            timeout=timeout,  # type: ignore[arg-type] # seconds; requests takes fractions
            tls=_tls(endpoint),
        )
        client.headers.update(load_general_config().get("HttpHeaders") or {})  # as the docker CLI does
    except docker.errors.DockerException as error:
        if url.startswith("npipe://"):
            raise no_engine(url, flatten(error), "install pywin32") from error
        raise _unusable_configuration(error) from error
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        raise _unusable_configuration(error) from error
    client.hooks["response"].append(make_response_hook(limit))
    client.trust_env = False  # proxies, netrc and REQUESTS_CA_BUNDLE are for the public network (docker-py#2433)
    if url.startswith("ssh://"):
        client.mount("http+docker://", SshAdapter(url, timeout))
    if url.startswith("unix://"):
        # docker-py keeps a connection for each of the last 25 URLs that were requested, whatever num_pools says.
        seconds: Any = timeout  # requests takes fractions
        client.mount("http+docker://", UnixHTTPAdapter(str(parse_host(url)), seconds, pool_connections=1))
    if url.startswith(("tcp://", "http://", "https://")):
        client.mount("http://", _KeepAlive())
        client.mount("https://", _KeepAlive(is_quiet=not endpoint.verify))
    return client


def request(client: APIClient, method: str, path: str, **options: Any) -> requests.Response:
    """Send a request that docker-py's own methods cannot express; return the response.

    :raises docker.errors.APIError: for an error response.
    """
    response = client.request(method, f"{client.base_url}/v{client.api_version}{path}", **options)
    try:
        response.raise_for_status()
    except requests.exceptions.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)
    return response


def probe(endpoint: Endpoint, timeout: float) -> tuple[EngineInfo, str]:
    """Return the engine at an endpoint, and the API version to use.

    :param timeout: seconds.
    :raises ConfigurationError: if no usable engine answers in time.
    """
    client = new_client(endpoint, _format_version(FLOOR), timeout, MAX_VERSION)
    answer: Future[Any] = Future()

    def get_version() -> None:
        try:
            _check_socket(endpoint.url, timeout)
            answer.set_result(client.version(api_version=False))
        except BaseException as error:  # noqa: BLE001 - raised by answer.result()
            answer.set_exception(error)
        finally:
            client.close()

    # In a thread: requests' timeout limits neither name resolution nor a response that trickles in.
    Thread(target=get_version, name="pyimages-probe", daemon=True).start()
    try:
        version = answer.result(timeout)
        return _parse_info(endpoint.url, version), _negotiate(endpoint.url, version)
    except EngineError as error:
        raise no_engine(endpoint.url, error.message, NAME_ONE) from error
    except (FutureTimeoutError, *CLIENT_ERRORS) as error:
        raise connection_error(endpoint.url, error) from error


def _check_socket(url: str, timeout: float) -> None:
    """Raise OSError if a unix socket cannot be connected: docker-py would leak an open file."""
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect("/" + str(parse_host(url)).removeprefix("http+unix://").lstrip("/"))


def _tls(endpoint: Endpoint) -> TLSConfig | bool:
    folder = endpoint.certificates
    if folder is None:
        return False
    certificate, key, authority = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
    for present, absent in ((certificate, key), (key, certificate)):
        if present.is_file() and not absent.is_file():
            raise ConfigurationError(
                f"--py-images: {present} exists but {absent.name} does not", f"{endpoint.url} needs both"
            )
    return TLSConfig(
        client_cert=(str(certificate), str(key)) if certificate.is_file() else None,
        ca_cert=str(authority) if authority.is_file() else None,
        verify=endpoint.verify,
    )


def _unusable_configuration(error: Exception) -> ConfigurationError:
    folder = os.environ.get("DOCKER_CONFIG") or "~/.docker"
    return ConfigurationError(
        f"--py-images: docker's configuration in {folder} cannot be used ({flatten(error)})",
        "fix its config.json",
    )


def _parse_info(url: str, answer: Mapping[str, Any]) -> EngineInfo:
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
