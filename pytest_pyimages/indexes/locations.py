"""Where packages come from: addresses of indexes and proxies, with credentials or without, and folders of this host."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

HOSTS_FILE = Path("/etc/hosts")
# RFC 3986, 3.2: the authority; a password may hold an "@" that nobody encoded.
_AUTHORITY = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?:(?P<userinfo>[^/?#\s]*)@)?(?P<host>\[[^\]/]*\]|[^/?#:\s]*)(?P<port>:\d+)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A package index as it is set on this host."""

    url: str  # as written, credentials included
    origin: str  # where it is set, for people: a variable, or a file
    name: str = ""  # uv's, for credentials in variables of their own
    user: str = ""  # beside those in the URL
    password: str = ""

    @property
    def address(self) -> str:
        """The URL with all credentials that are known, percent-encoded."""
        if not self.password and not self.user:
            return self.url
        found = _AUTHORITY.match(self.url)
        if found is None or found["userinfo"]:
            return self.url
        userinfo = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"{found['scheme']}{userinfo}@{self.url[found.start('host') :]}"


def userinfo(url: str) -> tuple[str, str]:
    """Return name and password of a URL as they are written; empty where there are none."""
    found = _AUTHORITY.match(url)
    user, _, password = ((found and found["userinfo"]) or "").partition(":")
    return user, password


def credentials(url: str) -> tuple[str, str]:
    """Return name and password of a URL, decoded; empty where there are none."""
    user, password = userinfo(url)
    return unquote(user), unquote(password)


def without_credentials(url: str) -> str:
    """Return a URL without name and password, and without its query, which may be a token."""
    found = _AUTHORITY.match(url)
    if found is None:
        return url
    return found["scheme"] + re.split(r"[?#]", url[found.start("host") :])[0]


def host_of(url: str) -> str:
    """Return the host of a URL, without brackets and port; empty for what has none."""
    found = _AUTHORITY.match(url)
    return found["host"].strip("[]").lower().rstrip(".") if found else ""


def host_and_port(url: str) -> str:
    """Return what to call an index by: its host, with the port if it is not the usual one."""
    found = _AUTHORITY.match(url)
    return found["host"] + (found["port"] or "") if found else url


def is_of_this_machine(host: str, hosts: Collection[str]) -> bool:
    """Whether only this machine knows the way to a host: loopback (RFC 6890, RFC 6761), or in its hosts file."""
    if host == "localhost" or host.endswith(".localhost") or host in hosts:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hosts_file_names(path: Path = HOSTS_FILE) -> frozenset[str]:
    """Return all names in the hosts file, in lower case: a container has a file of its own."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    entries = (line.partition("#")[0].split() for line in text.splitlines())
    return frozenset(name.lower() for entry in entries for name in entry[1:])


def local_path(location: str, folder: Path) -> Path | None:
    """Return the file or folder of this host that a location means; None for what is elsewhere.

    :param folder: what a relative path is relative to.
    """
    if location.lower().startswith("file:"):
        parts = urlsplit(location)
        return Path(unquote(parts.path)) if parts.netloc in ("", "localhost") else None
    if "://" in location:
        return None
    return Path(os.path.normpath(folder / Path(location).expanduser()))
