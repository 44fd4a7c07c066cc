"""Keep the logins of package indexes on the host: a build requests its packages from a gateway, which adds them.

In the container, a gateway is an address of its loopback (``tunnel.py``). It only reads, by GET and HEAD, and from one
server alone. Redirects and links to other servers are left to the installer, which follows them without a login.
"""

from __future__ import annotations

import http.client
import http.server
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import cache, partial
from typing import Any, cast
from urllib.parse import urlsplit

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes import uv_settings
from pytest_pyimages.indexes.credentials import read_client_certificate
from pytest_pyimages.indexes.locations import Index, read_host, read_port, strip_userinfo
from pytest_pyimages.indexes.network import HostNetwork
from pytest_pyimages.indexes.opener import find_proxy, make_authorization, make_opener
from pytest_pyimages.indexes.servers import choose_loopback
from pytest_pyimages.indexes.tunnel import PIECE, Connection

SECONDS = 60.0  # without an answer
MOST_BYTES = 1 << 27  # of a page with links; one with all projects of PyPI has 40 MB
PORT = 8080
_PAGES = ("text/html", "application/vnd.pypi.simple.", "application/json")
_REQUEST_HEADERS = ("Accept", "Cache-Control", "If-Modified-Since", "If-None-Match", "If-Range", "Range", "User-Agent")
# RFC 9110, 7.6.1: what is about one connection; and what is about the host's own dealings with the server.
_OWN_HEADERS = frozenset(
    "connection content-length keep-alive proxy-authenticate set-cookie strict-transport-security trailer"
    " transfer-encoding upgrade".split()
)


class Gateway(Immutable):
    """One server with one login."""

    origin: str  # "https://packages.example"
    address: tuple[str, int]
    authorization: str = field(repr=False)
    make_opener: Callable[[], urllib.request.OpenerDirector] = field(repr=False, compare=False)
    addresses: Mapping[str, str] = field(repr=False, compare=False)  # of all gateways' origins

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    def serve(self, connection: Connection) -> None:
        _Handler(connection, self)

    def rewrite(self, text: bytes) -> bytes:
        """Return a page, or the target of a redirect, with this host's gateways instead of their servers."""
        for origin, url in {**self.addresses, self.origin: self.url}.items():
            scheme, _, host = origin.partition("://")
            pattern = rf"\b{scheme}://(?:[^\s/@\"'<>]+@)?{re.escape(host)}(?::{read_port(origin)})?(?=[/?#\s\"'<>]|$)"
            text = re.sub(pattern.encode(), url.encode(), text, flags=re.IGNORECASE)
        return text


class Gateways(Immutable):
    """The gateways of a build."""

    urls: Mapping[str, str] = field(default_factory=dict, repr=False)  # in the container, by URL in the settings
    servers: tuple[Gateway, ...] = ()
    names: frozenset[str] = frozenset()  # indexes whose logins in variables the build needs all the same

    def name_servers(self, text: str) -> str:
        """Return a text of a build with the servers instead of their gateways."""
        for gateway in self.servers:
            text = text.replace(gateway.url, gateway.origin)
        return text


def make_gateways(network: HostNetwork) -> Gateways:
    """Return gateways to all indexes that need a login or a client certificate.

    Those that uv's tables in the project's files name for some packages are left out: uv reads their addresses there.
    """
    sources = network.sources
    tables = [table for table in sources.indexes if table.get("name") not in sources.others]
    names = {str(table.get("name", "")) for table in tables}
    own = {str(table.get("url", "")) for table in tables}
    has_certificate = bool(read_client_certificate(network.settings.environ, network.settings.get_pip("client-cert")))
    urls: dict[str, str] = {}
    gateways: dict[tuple[str, str], Gateway] = {}
    addresses: dict[str, str] = {}
    for name, index in _list_indexes(network):
        url = index.url
        authorization = make_authorization(network, index)
        is_private = bool(authorization) or (has_certificate and url.lower().startswith("https://"))
        proxy = find_proxy(network, url)
        if not url.lower().startswith(("http://", "https://")) or not is_private or url in own:
            continue
        if "://" in proxy and not proxy.lower().startswith("http"):  # urllib has no other proxies
            names.add(name)
            continue
        origin = read_origin(url)
        # A server that redirects to HTTPS gets the login there as well, as from pip.
        secured = [origin.replace("http:", "https:", 1)] if origin == f"http://{read_host(url)}" else []
        for served in (origin, *secured):
            if (served, authorization) not in gateways:
                number = sum(known == served for known, _ in gateways)
                gateway = gateways[served, authorization] = Gateway(
                    origin=served,
                    address=(choose_loopback(f"{served} {number}"), PORT),
                    authorization=authorization,
                    make_opener=cache(partial(make_opener, network, served)),  # not before a request
                    addresses=addresses,
                )
                addresses.setdefault(served, gateway.url)
        rest = urlsplit(strip_userinfo(url))._replace(scheme="", netloc="").geturl()
        urls[url] = urls[index.address] = gateways[origin, authorization].url + rest
    return Gateways(urls=urls, servers=tuple(gateways.values()), names=frozenset(names))


def read_origin(url: str) -> str:
    """Return scheme, host and port of a URL; a port that is its scheme's own is left out."""
    scheme, host, port = url.partition("://")[0].lower(), read_host(url), read_port(url)
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" + (f":{port}" if port != read_port(f"{scheme}://{host}") else "")


def _list_indexes(network: HostNetwork) -> Iterator[tuple[str, Index]]:
    """Yield all indexes and pages with links of the host's settings, with the names that they have in uv.toml."""
    settings = network.settings
    for table in (settings.uv, settings.uv.get("pip", {})):
        for entry in uv_settings.list_tables(table.get("index")):
            name = str(entry.get("name", ""))
            yield name, uv_settings.make_index(settings.environ, name, str(entry.get("url", "")), "")
    yield from (("", index) for index in network.indexes)
    links = (*settings.for_pip.links, *settings.for_uv.links)
    yield from (("", Index(url=link, origin="")) for link in links)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Passes the requests of one connection on."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: Connection, gateway: Gateway) -> None:
        self._gateway = gateway
        super().__init__(cast("Any", connection), ("", 0), cast("Any", None))

    def do_GET(self) -> None:
        if not self.path.startswith("/"):
            self.send_error(400)
            return
        request = urllib.request.Request(self._gateway.origin + self.path, method=self.command)  # noqa: S310 - HTTP
        for name in _REQUEST_HEADERS:
            if self.headers[name]:
                request.add_header(name, self.headers[name])
        if self._gateway.authorization:
            request.add_header("Authorization", self._gateway.authorization)
        try:
            response = self._gateway.make_opener().open(request, timeout=SECONDS)
        except urllib.error.HTTPError as error:
            response = error
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.send_error(502, explain=str(getattr(error, "reason", error)))
            return
        try:
            with response:
                self._answer(response, has_body=self.command != "HEAD" and response.status not in (204, 304))
        except http.client.HTTPException:  # the server has broken off
            self.close_connection = True

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def _answer(self, response: Any, *, has_body: bool) -> None:
        """Pass a response on; if the server breaks off, so does this."""
        headers = response.headers
        length = headers["Content-Length"]
        page = None
        if has_body and headers.get_content_type().startswith(_PAGES) and not headers["Content-Encoding"]:
            page = response.read(MOST_BYTES)
            if len(page) == MOST_BYTES or str(len(page)) != (length or str(len(page))):
                self.send_error(502, explain="the page is incomplete or too large")
                return
            page = self._gateway.rewrite(page)
            length = str(len(page))
        self.send_response_only(response.status, response.reason)
        for name, value in headers.items():
            if name.lower() not in _OWN_HEADERS:
                text = self._gateway.rewrite(value.encode("latin-1", "replace")).decode("latin-1")
                self.send_header(name, text if name.lower() == "location" else value)
        if length is not None:
            self.send_header("Content-Length", length)
        elif has_body:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while has_body and (data := page or response.read(PIECE)):
            self.wfile.write(data if length is not None else b"%x\r\n%b\r\n" % (len(data), data))
            page = None
        if has_body and length is None:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Print nothing; the installer reports what fails."""
