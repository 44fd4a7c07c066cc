"""Create docker-py clients, and send requests with them. Importing docker-py takes some 0.1 s of processor time."""

from __future__ import annotations

import os
import socket
from typing import Any

import docker.errors
import requests
from docker.api import APIClient
from docker.tls import TLSConfig
from docker.transport import UnixHTTPAdapter
from docker.utils import parse_host
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pytest_pyimages.engines.endpoint import Endpoint, make_address_error, make_configuration_error, read_headers
from pytest_pyimages.engines.faults import make_no_engine_error
from pytest_pyimages.engines.limits import make_response_hook
from pytest_pyimages.engines.ssh import SshAdapter
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.text import flatten

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


def new_client(endpoint: Endpoint, version: str, timeout: float, limit: int) -> APIClient:
    """Create a client without connecting.

    :param timeout: default timeout of calls in seconds.
    :param limit: of the size of a response, in bytes.
    :raises ConfigurationError: for an invalid address, certificates or configuration file.
    """
    url = endpoint.url
    try:
        parse_host(url)
    except (docker.errors.DockerException, ValueError) as error:
        raise make_address_error(url, "engine", flatten(error)) from error
    try:
        client = APIClient(
            base_url="unix:///ssh" if url.startswith("ssh://") else url,  # its adapter is replaced
            version=version,
            timeout=timeout,  # type: ignore[arg-type] # seconds; requests takes fractions
            tls=_tls(endpoint),
        )
        client.headers.update(read_headers(os.environ))
    except docker.errors.DockerException as error:
        if url.startswith("npipe://"):
            raise make_no_engine_error(url, flatten(error), "install pywin32") from error
        raise make_configuration_error(error) from error
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        raise make_configuration_error(error) from error
    client.hooks["response"].append(make_response_hook(limit))
    client.trust_env = False  # proxies, netrc and REQUESTS_CA_BUNDLE are for the public network (docker-py#2433)
    if url.startswith("ssh://"):
        client.mount("http+docker://", SshAdapter(url, timeout))
    if url.startswith("unix://"):
        # docker-py keeps a connection for each of the last 25 URLs that were requested, regardless of num_pools.
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
    version = "" if path == "/version" else f"/v{client.api_version}"  # of the API, whose lowest one is not known yet
    response = client.request(method, f"{client.base_url}{version}{path}", **options)
    try:
        response.raise_for_status()
    except requests.exceptions.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)
    return response


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
