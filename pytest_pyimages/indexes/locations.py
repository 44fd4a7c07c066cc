"""Locations of packages and proxies: URLs with or without credentials, and folders of the host."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

HOSTS_FILE = Path("/etc/hosts")
PYPI = "https://pypi.org/simple"  # the installers' default
# RFC 3986, 3.2: the authority; a password may contain an "@" that was not encoded.
_AUTHORITY = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?:(?P<userinfo>[^/?#\s]*)@)?(?P<host>\[[^\]/]*\]|[^/?#:\s]*)(?P<port>:\d+)?"
)

_PORTS = {"http": 80, "https": 443, "git": 9418, "ssh": 22, **dict.fromkeys(("socks4", "socks5", "socks5h"), 1080)}


class Index(NamedTuple):
    """A package index that the host's settings name."""

    url: str  # as written, credentials included
    origin: str  # variable or file that names it, for messages
    user: str = ""  # beside those in the URL
    password: str = ""

    @property
    def address(self) -> str:
        """The URL with all known credentials, percent-encoded."""
        found = _AUTHORITY.match(self.url)
        if not (self.user or self.password) or found is None or found["userinfo"]:
            return self.url
        userinfo = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"{found['scheme']}{userinfo}@{self.url[found.start('host') :]}"


def read_userinfo(url: str) -> tuple[str, str]:
    """Return name and password of a URL as they are written; empty if there are none."""
    found = _AUTHORITY.match(url)
    user, _, password = ((found and found["userinfo"]) or "").partition(":")
    return user, password


def strip_userinfo(url: str) -> str:
    """Return a URL without name and password."""
    found = _AUTHORITY.match(url)
    return url if found is None else found["scheme"] + url[found.start("host") :]


def strip_credentials(url: str) -> str:
    """Return a URL without name, password and query (which may be a token)."""
    found = _AUTHORITY.match(url)
    if found is None:
        return url
    return found["scheme"] + re.split(r"[?#]", url[found.start("host") :])[0]


def read_host(url: str) -> str:
    """Return the host of a URL, without brackets and port; empty if there is none."""
    found = _AUTHORITY.match(url)
    return found["host"].strip("[]").lower().rstrip(".") if found else ""


def read_host_and_port(url: str) -> str:
    """Return host and port of a URL as they are written."""
    found = _AUTHORITY.match(url)
    return found["host"] + (found["port"] or "") if found else url


def read_port(url: str) -> int:
    """Return the port of a URL, or its scheme's; 0 if that is unknown."""
    found = _AUTHORITY.match(url)
    port = (found["port"] or "")[1:] if found else ""
    scheme = url.partition("://")[0].lower().rpartition("+")[2]  # "git+https"
    return int(port) if port and int(port) < 1 << 16 else _PORTS.get(scheme, 0)


def is_local_host(host: str, hosts: Collection[str]) -> bool:
    """Return whether only this machine can resolve a host: loopback (RFC 6890, RFC 6761), or in its hosts file."""
    if host == "localhost" or host.endswith(".localhost") or host in hosts:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_hosts_file(path: Path = HOSTS_FILE) -> frozenset[str]:
    """Return all names in the hosts file, in lower case; a container has its own hosts file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    entries = (line.partition("#")[0].split() for line in text.splitlines())
    return frozenset(name.lower() for entry in entries for name in entry[1:])


def find_local_path(location: str, folder: Path) -> Path | None:
    """Return the host's file or folder that a location names; None for any other URL.

    :param folder: base of relative paths.
    """
    if location.lower().startswith("file:"):
        parts = urlsplit(location)
        return Path(unquote(parts.path)) if parts.netloc in ("", "localhost") else None
    if "://" in location:
        return None
    return Path(os.path.normpath(folder / Path(location).expanduser()))
