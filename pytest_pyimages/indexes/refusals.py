"""Which package index refuses, asked once an install step has failed.

Installers pass such an index over and tell what they have not found; the older ones do not say that it refused at all.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pytest_pyimages.indexes.certificates import authorities
from pytest_pyimages.indexes.locations import Index, credentials, host_and_port, host_of, without_credentials
from pytest_pyimages.indexes.netrc import login
from pytest_pyimages.indexes.network import HostNetwork

SECONDS = 5.0
PROJECT = "pytest"  # what every index knows, or says that it does not know
# What uv and pip say when they miss a package, or cannot get it.
_ABOUT_PACKAGES = re.compile(
    r"No solution found|could not be queried|[Ff]ailed to (fetch|download)|error sending request|Request failed"
    r"|No matching distribution|Could not (find a version|fetch|install packages)|HTTP error|Max retries|SSLError"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFault:
    """What is wrong with an index, and what to do about it."""

    problem: str
    hint: str


def is_about_packages(log: str) -> bool:
    """Whether an install step may have failed for what an index did."""
    return bool(_ABOUT_PACKAGES.search(log))


def index_faults(network: HostNetwork, seconds: float = SECONDS) -> Iterator[IndexFault]:
    """Ask each index that is set on this host for a page, and yield what is wrong.

    :param seconds: how long each may take.
    """
    for index in network.indexes:
        if index.url.lower().startswith(("http://", "https://")):
            fault = _fault(network, index, seconds)
            if fault is not None:
                yield fault


def _fault(network: HostNetwork, index: Index, seconds: float) -> IndexFault | None:
    host = host_and_port(index.url)
    user, password = credentials(index.address)
    if not user and not password:
        user, password = login(network.netrc, host_of(index.url))
    request = urllib.request.Request(f"{without_credentials(index.url).rstrip('/')}/{PROJECT}/")  # noqa: S310 - HTTP
    if user or password:
        sent = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {sent}")
    try:
        with _opener(network, index).open(request, timeout=seconds):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return _refusal(network, index, error.code, knows_credentials=bool(user or password))
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return IndexFault(
            problem=f"the certificate of the package index {host} is not trusted ({reason.verify_message})",
            hint="name the file with its authority in SSL_CERT_FILE",
        )
    why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    hint = f"start it, or correct {index.origin}"
    return IndexFault(problem=f"the package index {host} cannot be reached ({why})", hint=hint)


def _refusal(network: HostNetwork, index: Index, status: int, *, knows_credentials: bool) -> IndexFault | None:
    if status not in (401, 403, 407):
        return None
    who = "proxy to the package index" if status == 407 else "package index"
    problem = f"the {who} {host_and_port(index.url)} answers {status} ({http.client.responses[status]})"
    where = f"{index.origin} or {network.netrc or '~/.netrc'}"
    if status == 407:
        hint = "correct the name and password in the proxy's variable"
    elif not knows_credentials:
        hint = f"give a name and a password for it, in {where}"
    elif status == 401:
        hint = f"correct its name and password, in {where}"
    else:
        hint = f"ask for leave to read it, or give another name and password, in {where}"
    return IndexFault(problem=problem, hint=hint)


def _opener(network: HostNetwork, index: Index) -> urllib.request.OpenerDirector:
    settings = network.settings
    proxies = {name.lower().removesuffix("_proxy"): value for name, value in settings.proxies.items()}
    scheme = urlsplit(index.url).scheme.lower()
    proxy = proxies.get(scheme) or proxies.get("all", "")
    around = urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined] # as urllib's own openers do
        host_and_port(index.url), {"no": proxies.get("no", "")}
    )
    context = ssl.create_default_context(cadata=authorities(settings.environ, settings.of_pip("cert")) or None)
    certificate = settings.of_pip("client-cert") or settings.environ.get("SSL_CLIENT_CERT", "")
    if certificate and Path(certificate).is_file():
        context.load_cert_chain(certificate)
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({scheme: proxy} if proxy and not around else {}),
        urllib.request.HTTPSHandler(context=context),
        _Stay,
    )


class _Stay(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: an index that sends elsewhere does not refuse, and the credentials are for itself alone."""

    def redirect_request(self, *_: object) -> None:
        return None
