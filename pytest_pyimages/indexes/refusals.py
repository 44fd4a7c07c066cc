"""Find out after a failed install step which package index refuses access.

Installers skip such an index and report a missing package; old ones do not mention the refusal at all.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pytest_pyimages.indexes.credentials import find_login, read_authorities
from pytest_pyimages.indexes.locations import Index, read_host, read_host_and_port, read_userinfo, strip_credentials
from pytest_pyimages.indexes.network import HostNetwork

TIMEOUT = 5.0  # seconds per index
PROJECT = "pytest"  # every index has it, or reports that it has not
# What uv and pip print if a package is missing or cannot be downloaded.
_ABOUT_PACKAGES = re.compile(
    r"No solution found|could not be queried|[Ff]ailed to (fetch|download)|error sending request|Request failed"
    r"|No matching distribution|Could not (find a version|fetch|install packages)|HTTP error|Max retries|SSLError"
)


def is_about_packages(log: str) -> bool:
    """Return whether an install step may have failed because of an index."""
    return bool(_ABOUT_PACKAGES.search(log))


def find_refusals(network: HostNetwork) -> Iterator[tuple[str, str]]:
    """Request a page from each index in the host's settings; yield problem and hint for each that refuses."""
    for index in network.indexes:
        if index.url.lower().startswith(("http://", "https://")):
            refusal = _request_page(network, index)
            if refusal is not None:
                yield refusal


def _request_page(network: HostNetwork, index: Index) -> tuple[str, str] | None:
    host = read_host_and_port(index.url)
    user, password = map(unquote, read_userinfo(index.address))
    if not user and not password:
        user, password = find_login(network.netrc, read_host(index.url))
    request = urllib.request.Request(f"{strip_credentials(index.url).rstrip('/')}/{PROJECT}/")  # noqa: S310 - HTTP
    if user or password:
        sent = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {sent}")
    try:
        with _make_opener(network, index).open(request, timeout=TIMEOUT):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return _explain_status(network, index, error.code, has_credentials=bool(user or password))
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        problem = f"the certificate of the package index {host} is not trusted ({reason.verify_message})"
        return problem, "name the file with its certificate authority in SSL_CERT_FILE"
    cause = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return f"the package index {host} cannot be reached ({cause})", f"start it, or fix {index.origin}"


def _explain_status(
    network: HostNetwork, index: Index, status: int, *, has_credentials: bool
) -> tuple[str, str] | None:
    if status not in (401, 403, 407):
        return None
    server = "proxy to the package index" if status == 407 else "package index"
    problem = f"the {server} {read_host_and_port(index.url)} answers {status} ({http.client.responses[status]})"
    where = f"{index.origin} or {network.netrc or '~/.netrc'}"
    if status == 407:
        return problem, "fix the name and password in the proxy's variable"
    if not has_credentials:
        return problem, f"add a name and password for it to {where}"
    if status == 401:
        return problem, f"fix its name and password in {where}"
    return problem, f"request read access, or use another name and password in {where}"


def _make_opener(network: HostNetwork, index: Index) -> urllib.request.OpenerDirector:
    settings = network.settings
    proxies = {name.lower().removesuffix("_proxy"): value for name, value in settings.proxies.items()}
    scheme = urlsplit(index.url).scheme.lower()
    proxy = proxies.get(scheme) or proxies.get("all", "")
    bypass = urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined] # as urllib's own openers do
        read_host_and_port(index.url), {"no": proxies.get("no", "")}
    )
    context = ssl.create_default_context(cadata=read_authorities(settings.environ, settings.get_pip("cert")) or None)
    certificate = settings.get_pip("client-cert") or settings.environ.get("SSL_CLIENT_CERT", "")
    if certificate and Path(certificate).is_file():
        context.load_cert_chain(certificate)
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({scheme: proxy} if proxy and not bypass else {}),
        urllib.request.HTTPSHandler(context=context),
        _NoRedirects,
    )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: an index that redirects does not refuse, and the credentials are for it alone."""

    def redirect_request(self, *_: object) -> None:
        return None
