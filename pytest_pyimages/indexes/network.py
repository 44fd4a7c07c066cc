"""Collect how this host reaches package indexes, for the installers in a build and for nothing else.

pip's settings are read as pip reads them, uv's as uv does. A setting of one tool also holds for the other: uv installs
where it can, pip on old Pythons, and both must find the same packages.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes.credentials import find_netrc, find_passwords, read_logins, read_netrc, select_logins
from pytest_pyimages.indexes.host_settings import NO_PROXY, HostSettings, read_host_settings
from pytest_pyimages.indexes.locations import PYPI, Index, is_local_host, read_host, read_hosts_file, strip_credentials
from pytest_pyimages.indexes.package_sources import PackageSources
from pytest_pyimages.indexes.redaction import Redaction
from pytest_pyimages.indexes.uv_settings import CREDENTIAL_VARIABLE, list_strings

_REFERENCE = re.compile(r"\$\{([A-Z0-9_]+)\}")  # pip, "Requirements File Format": using environment variables
# An installer takes these from the image.
_IMAGE_VARIABLES = frozenset({"HOME", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH", "PYTHONHOME", "PYTHONPATH", "TMPDIR"})
_URL = re.compile(r"[a-z+]+://[^\s'\";,]+")
_SECRET_LENGTH = 8  # characters
_SECRET_NAME = re.compile("PASS|TOKEN|SECRET|KEY|AUTH|CRED", re.IGNORECASE)


class HostNetwork(Immutable):
    """How this host reaches the package indexes. It may contain credentials, so the repr does not show them."""

    settings: HostSettings
    netrc: Path | None
    folder: Path  # base of relative paths
    texts: tuple[str, ...] = field(repr=False)  # requirements: they may name hosts and variables, too
    secrets: tuple[str, ...] = field(repr=False)  # further values to hide
    sources: PackageSources  # the project's own

    @property
    def indexes(self) -> tuple[Index, ...]:
        """All indexes of either tool, without duplicates."""
        found = (*self.settings.for_uv.indexes, *self.settings.for_pip.indexes)
        return tuple({index.address: index for index in found}.values())

    def list_index_names(self) -> tuple[str, ...]:
        """Return host and path of each index that can be requested, the public one's included, without credentials."""
        settings = (self.settings.for_uv, self.settings.for_pip)
        uses_default = any(locations.default is None and not locations.no_index for locations in settings)
        urls = [index.url for index in self.indexes if index.url.lower().startswith(("http://", "https://"))]
        names = (strip_credentials(url).partition("://")[2].rstrip("/") for url in (*urls, *[PYPI] * uses_default))
        return tuple(dict.fromkeys(map(self.redaction.redact, names)))

    @property
    def redaction(self) -> Redaction:
        """Hides all credentials in the host's settings."""
        environ = self.settings.environ
        names = {name.rpartition("_")[0] for name in environ if CREDENTIAL_VARIABLE.fullmatch(name)}
        pairs = [(environ.get(f"{name}_USERNAME", ""), environ.get(f"{name}_PASSWORD", "")) for name in names]
        return Redaction.create(
            urls=self._list_urls(),
            pairs=(*pairs, *read_logins(self.netrc)),
            values=(*find_passwords(read_netrc(self.netrc)), *self.referenced.values(), *self.secrets),
        )

    @property
    def referenced(self) -> Mapping[str, str]:
        """The host's variables that the requirements refer to; installers expand them, and some are secrets."""
        names = {name for text in self.texts for name in _REFERENCE.findall(text)} - _IMAGE_VARIABLES
        return {name: self.settings.environ[name] for name in sorted(names) if self.settings.environ.get(name)}

    def list_local_urls(self, without: Collection[str] = ()) -> tuple[str, ...]:
        """Return the URLs of indexes, proxies and requirements that only this machine can reach.

        :param without: indexes that a build does not request itself.
        """
        names = read_hosts_file()
        return tuple(url for url in self._list_all_urls(without) if is_local_host(read_host(url), names))

    def requests_https(self, without: Collection[str] = ()) -> bool:
        """Return whether a build itself requests anything by HTTPS, such as packages of the public index."""
        defaults = (self.settings.for_pip.default, self.settings.for_uv.default)
        urls = (url.lower() for url in self._list_all_urls(without))
        return None in defaults or any("https://" in url for url in urls)

    def select_logins(self, without: Collection[str] = ()) -> str:
        """Return the netrc file's text, without the entries of machines that neither indexes nor requirements name.

        :param without: indexes that a build does not request itself.
        """
        return select_logins(read_netrc(self.netrc), set(map(read_host, self._list_all_urls(without))))

    def _list_all_urls(self, without: Collection[str]) -> tuple[str, ...]:
        """Return the URLs of all servers, those of the requirements included."""
        urls = (*self._list_urls(without), *(url for text in self.texts for url in _URL.findall(text)))
        return tuple(dict.fromkeys(url for url in urls if not url.lower().startswith("file:") and read_host(url)))

    def _list_urls(self, without: Collection[str] = ()) -> Iterator[str]:
        """Yield the URLs of all servers, with the known credentials."""
        yield from (index.address for index in self.indexes if index.url not in without)
        for locations in (self.settings.for_pip, self.settings.for_uv):
            yield from (link for link in locations.links if "://" in link and link not in without)
        texts = (*list_strings(self.settings.uv), *self.sources.list_strings())
        yield from (text for text in texts if "://" in text and text not in without)
        for name, value in self.settings.proxies.items():
            if name.lower() != NO_PROXY:
                yield value if "://" in value else f"http://{value}"


def read_network(  # noqa: PLR0913 - each has another source
    environ: Mapping[str, str],
    *,
    home: Path | None = None,
    folder: Path | None = None,
    texts: Iterable[str] = (),
    variables: Iterable[str] = (),
    sources: PackageSources | None = None,
) -> HostNetwork:
    """Read how this host reaches the package indexes.

    :param home: the user's home folder; by default, this process's.
    :param folder: base of relative paths; by default, the working folder.
    :param texts: requirements, and the contents of requirements files.
    :param variables: names of the host's variables that the project passes to builds; some are secrets.
    :param sources: where the project's own files say that packages come from.
    """
    home = Path.home() if home is None else home
    sources = sources or PackageSources()
    named = {name for text in sources.list_strings() for name in _REFERENCE.findall(text)}
    texts = (*texts, *list_strings(list(sources.tables.values())))
    sources = sources.expand_variables(environ)
    return HostNetwork(
        settings=read_host_settings(environ, home, sources),
        netrc=find_netrc(environ, home),
        folder=Path.cwd() if folder is None else folder,
        texts=texts,
        secrets=tuple(
            environ[name] for name in (*variables, *named) if name in environ and _is_secret(name, environ[name])
        ),
        sources=sources,
    )


def _is_secret(name: str, value: str) -> bool:
    """Return whether a variable may be a secret; words like "true" are not."""
    return len(value) >= _SECRET_LENGTH or bool(_SECRET_NAME.search(name))
