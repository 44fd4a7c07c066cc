"""The way to an engine: its client, and the one request that tells whether it is there and what it speaks."""

from __future__ import annotations

import os
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
from docker.utils import parse_host
from docker.utils.config import load_general_config
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from pytest_pyimages.engines.base import EngineInfo
from pytest_pyimages.engines.endpoint import Endpoint, invalid_address
from pytest_pyimages.engines.faults import CLIENT_ERRORS, connection_error, no_engine
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.text import one_line

FLOOR = (1, 41)  # Engine 20.10, Podman 4
CEILING = (1, 47)  # what the calls were written against
KEEPALIVE_SECONDS = 30  # the docker command's; routers forget silent connections (docker/cli#415)


class _KeepAlive(HTTPAdapter):
    """Keeps silent TCP connections alive: an attached suite may say nothing for an hour."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:  # noqa: FBT001, FBT002 - requests' signature
        options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        if hasattr(socket, "TCP_KEEPIDLE"):
            options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS))
        super().init_poolmanager(connections, maxsize, block, socket_options=options, **kwargs)


def new_client(endpoint: Endpoint, version: str, timeout: float) -> APIClient:
    """Return a client; nothing is asked yet.

    :param timeout: seconds that the engine may be silent, where a call says nothing else.
    :raises ConfigurationError: for an address, certificates or a configuration file that cannot be used.
    """
    url = endpoint.url
    try:
        parse_host(url)
    except (docker.errors.DockerException, ValueError) as error:
        raise invalid_address(url, "engine", one_line(error)) from error
    try:
        client = APIClient(
            base_url=url,
            version=version,
            timeout=timeout,  # type: ignore[arg-type] # seconds; requests takes fractions
            tls=_tls(endpoint),
            use_ssh_client=url.startswith("ssh://"),  # paramiko rejects unknown hosts and reads standard input
        )
        client.headers.update(load_general_config().get("HttpHeaders") or {})  # as the docker command sends them
    except docker.errors.DockerException as error:
        if url.startswith(("ssh://", "npipe://")):
            raise no_engine(url, one_line(error), 'see docker-py\'s extras, as in pip install "docker[ssh]"') from error
        raise _unusable_configuration(error) from error
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        raise _unusable_configuration(error) from error
    client.trust_env = False  # proxies, netrc and REQUESTS_CA_BUNDLE are for the public network (docker-py#2433)
    if url.startswith(("tcp://", "http://", "https://")):
        client.mount("http://", _KeepAlive())
        client.mount("https://", _KeepAlive())
    return client


def request(client: APIClient, method: str, path: str, **options: Any) -> requests.Response:
    """Return the engine's answer where docker-py's own method has no way to say what is needed.

    :raises docker.errors.APIError: for an answer that is an error.
    """
    response = client.request(method, f"{client.base_url}/v{client.api_version}{path}", **options)
    try:
        response.raise_for_status()
    except requests.exceptions.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)
    return response


def probe(endpoint: Endpoint, timeout: float) -> tuple[EngineInfo, str]:
    """Return which engine answers within so many seconds, and the version of the API to speak with it.

    :raises ConfigurationError: one line with what is wrong and what to do.
    """
    client = new_client(endpoint, _text(FLOOR), timeout)
    answer: Future[Any] = Future()

    def ask() -> None:
        try:
            _knock(endpoint.url, timeout)
            answer.set_result(client.version(api_version=False))
        except BaseException as error:  # noqa: BLE001 - handed to who waits for it
            answer.set_exception(error)
        finally:
            client.close()

    # In a thread, since neither a name's resolution nor an answer that trickles in ends by requests' own time-out.
    Thread(target=ask, name="pyimages-probe", daemon=True).start()
    try:
        said = answer.result(timeout)
        return _info(endpoint.url, said), _negotiated(endpoint.url, said)
    except (FutureTimeoutError, *CLIENT_ERRORS) as error:
        raise connection_error(endpoint.url, error) from error


def _knock(url: str, timeout: float) -> None:
    """Raise OSError for a unix socket that cannot be connected: docker-py would leave an open file behind."""
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
            knocking.settimeout(timeout)
            knocking.connect("/" + str(parse_host(url)).removeprefix("http+unix://").lstrip("/"))


def _tls(endpoint: Endpoint) -> TLSConfig | bool:
    folder = endpoint.certificates
    if folder is None:
        return False
    certificate, key, authority = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
    for present, absent in ((certificate, key), (key, certificate)):
        if present.is_file() and not absent.is_file():
            raise ConfigurationError(
                f"--py-images: {present} is there and {absent.name} beside it is not", f"{endpoint.url} wants both"
            )
    return TLSConfig(
        client_cert=(str(certificate), str(key)) if certificate.is_file() else None,
        ca_cert=str(authority) if authority.is_file() else None,
        verify=endpoint.verify,
    )


def _unusable_configuration(error: Exception) -> ConfigurationError:
    folder = os.environ.get("DOCKER_CONFIG") or "~/.docker"
    return ConfigurationError(
        f"--py-images: docker's configuration in {folder} cannot be used ({one_line(error)})", "mend its config.json"
    )


def _info(url: str, answer: Mapping[str, Any]) -> EngineInfo:
    if str(answer.get("Os", "linux")).lower() == "windows":
        raise ConfigurationError(f"--py-images: the engine at {url} runs Windows containers", "switch it to Linux ones")
    names = [str(part.get("Name", "")).lower() for part in answer.get("Components") or ()]
    return EngineInfo(
        name="podman" if any("podman" in name for name in names) else "docker",
        version=one_line(answer["Version"]),
        api_version=_text(_number(answer["ApiVersion"])),
        endpoint=url,
    )


def _negotiated(url: str, answer: Mapping[str, Any]) -> str:
    highest, lowest = _number(answer["ApiVersion"]), _number(answer.get("MinAPIVersion") or "1.0")
    if highest < FLOOR:
        raise ConfigurationError(
            f"--py-images: the engine at {url} speaks API {_text(highest)}, at least {_text(FLOOR)} is needed",
            "upgrade it to Engine 20.10 or Podman 4, or newer",
        )
    if lowest > CEILING:
        raise ConfigurationError(
            f"--py-images: the engine at {url} wants API {_text(lowest)} or newer, this plugin speaks {_text(CEILING)}",
            "upgrade pytest-pyimages",
        )
    return _text(min(highest, CEILING))


def _number(text: object) -> tuple[int, int]:
    major, _, minor = str(text).partition(".")
    return int(major), int(minor)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
