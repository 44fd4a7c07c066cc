"""Open the URLs of package indexes as this host's installers would: with its proxies and certificates."""

from __future__ import annotations

import base64
import ssl
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pytest_pyimages.indexes import uv_settings
from pytest_pyimages.indexes.credentials import find_login, read_authorities
from pytest_pyimages.indexes.host_settings import NO_PROXY
from pytest_pyimages.indexes.locations import Index, read_host, read_host_and_port, read_userinfo
from pytest_pyimages.indexes.network import HostNetwork


def find_proxy(network: HostNetwork, url: str) -> str:
    """Return the URL of the proxy for another URL; empty if none is used."""
    proxies = {name.lower().removesuffix("_proxy"): value for name, value in network.settings.proxies.items()}
    proxy = proxies.get(urlsplit(url).scheme.lower()) or proxies.get("all", "")
    bypass = urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined] # as urllib's own openers do
        read_host_and_port(url), {"no": proxies.get(NO_PROXY.removesuffix("_proxy"), "")}
    )
    return "" if bypass else proxy


def make_opener(network: HostNetwork, url: str) -> urllib.request.OpenerDirector:
    """Return an opener for URLs of the same server; it follows no redirect."""
    settings = network.settings
    context = ssl.create_default_context(cadata=read_authorities(settings.environ, settings.get_pip("cert")) or None)
    certificate = settings.get_pip("client-cert") or settings.environ.get("SSL_CLIENT_CERT", "")
    if certificate and Path(certificate).is_file():
        context.load_cert_chain(certificate)
    if _is_trusted(network, url):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    proxy = find_proxy(network, url)
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({urlsplit(url).scheme.lower(): proxy} if proxy else {}),
        urllib.request.HTTPSHandler(context=context),
        _NoRedirects,
    )


def make_authorization(network: HostNetwork, index: Index) -> str:
    """Return the header's value with the login for an index (RFC 7617); empty if the host has none."""
    user, password = map(unquote, read_userinfo(index.address))
    if not user and not password:
        user, password = find_login(network.netrc, read_host(index.url))
    sent = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return f"Basic {sent}" if user or password else ""


def _is_trusted(network: HostNetwork, url: str) -> bool:
    """Return whether the user has disabled the verification of a server's certificate."""
    settings = network.settings
    hosts = [
        *settings.get_pip("trusted-host").split(),
        *settings.environ.get("UV_INSECURE_HOST", "").split(),
        *uv_settings.list_texts(settings.uv.get("allow-insecure-host")),
    ]
    bare = {host.partition("://")[2] or host for host in hosts}
    return not bare.isdisjoint((read_host(url), read_host_and_port(url)))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: an index that redirects does not refuse, and the credentials are for it alone."""

    def redirect_request(self, *_: object) -> None:
        return None
