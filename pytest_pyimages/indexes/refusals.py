"""Find out after a failed install step which package index refuses access.

Installers skip such an index and report a missing package; old ones do not mention the refusal at all.
"""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator

from pytest_pyimages.indexes.locations import (
    Index,
    find_local_path,
    is_local_host,
    read_host,
    read_host_and_port,
    read_hosts_file,
    strip_credentials,
)
from pytest_pyimages.indexes.network import HostNetwork
from pytest_pyimages.indexes.opener import find_proxy, make_authorization, make_opener

TIMEOUT = 5.0  # seconds per index
_WITHOUT_INDEX = "images that are built already (pyimages list) run without it"
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
        elif len(network.indexes) == 1:  # installers ignore one of several, with a warning
            path = find_local_path(index.url, network.folder)
            if path is not None and not path.exists():
                yield f"the package index {path} does not exist", f"fix {index.origin}: a folder, or an https:// URL"


def _request_page(network: HostNetwork, index: Index) -> tuple[str, str] | None:
    host = read_host_and_port(index.url)
    authorization = make_authorization(network, index)
    request = urllib.request.Request(f"{strip_credentials(index.url).rstrip('/')}/{PROJECT}/")  # noqa: S310 - HTTP
    if authorization:
        request.add_header("Authorization", authorization)
    try:
        with make_opener(network, index.url).open(request, timeout=TIMEOUT):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return _explain_status(network, index, error.code, has_credentials=bool(authorization))
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        problem = f"the certificate of the package index {host} is not trusted ({reason.verify_message})"
        return problem, "name the file with its certificate authority in SSL_CERT_FILE"
    cause = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return _explain_silence(network, index, cause)


def _explain_silence(network: HostNetwork, index: Index, cause: str) -> tuple[str, str]:
    """Return problem and hint for an index that does not answer: the proxy's, if one is in between.

    :param cause: the operating system's message.
    """
    host, proxy = read_host_and_port(index.url), find_proxy(network, index.url)
    if proxy:
        names = ", ".join(sorted({name.upper() for name, value in network.settings.proxies.items() if value == proxy}))
        problem = f"the package index {host} cannot be reached through the proxy {read_host_and_port(proxy)} ({cause})"
        return problem, f"fix or unset {names}; {_WITHOUT_INDEX}"
    problem = f"the package index {host} cannot be reached ({cause})"
    if is_local_host(read_host(index.url), read_hosts_file()):
        return problem, f"start it, or fix {index.origin}"
    return problem, f"check the network, name a proxy in HTTPS_PROXY, or fix {index.origin}; {_WITHOUT_INDEX}"


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
