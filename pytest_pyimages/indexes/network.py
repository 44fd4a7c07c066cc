"""Collect how this host reaches package indexes, for the installers in a build and for nothing else.

pip's settings are read as pip reads them, uv's as uv does. A setting of one tool also holds for the other: uv installs
where it can, pip on old Pythons, and both must find the same packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_pyimages.indexes.credentials import find_netrc, find_passwords, read_logins, read_netrc, select_logins
from pytest_pyimages.indexes.host_settings import NO_PROXY, HostSettings, read_host_settings
from pytest_pyimages.indexes.locations import Index, is_local_host, read_host, read_hosts_file
from pytest_pyimages.indexes.package_sources import PackageSources
from pytest_pyimages.indexes.redaction import Redaction
from pytest_pyimages.indexes.uv_settings import CREDENTIAL_VARIABLE, list_strings

_REFERENCE = re.compile(r"\$\{([A-Z0-9_]+)\}")  # pip, "Requirements File Format": using environment variables
# An installer takes these from the image.
_IMAGE_VARIABLES = frozenset({"HOME", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH", "PYTHONHOME", "PYTHONPATH", "TMPDIR"})
_URL = re.compile(r"[a-z+]+://[^\s'\";,]+")
_SECRET_LENGTH = 8  # characters
_SECRET_NAME = re.compile("PASS|TOKEN|SECRET|KEY|AUTH|CRED", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNetwork:
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

    @property
    def local_urls(self) -> tuple[str, ...]:
        """The URLs of indexes, proxies and requirements that only this machine can reach."""
        names = read_hosts_file()
        return tuple(url for url in self._urls if is_local_host(read_host(url), names))

    @property
    def logins(self) -> str:
        """The text of the netrc file, without the entries of machines that neither indexes nor requirements name."""
        return select_logins(read_netrc(self.netrc), set(map(read_host, self._urls)))

    @property
    def _urls(self) -> tuple[str, ...]:
        """The URLs of all servers, those of the requirements included."""
        urls = (*self._list_urls(), *(url for text in self.texts for url in _URL.findall(text)))
        return tuple(dict.fromkeys(url for url in urls if not url.lower().startswith("file:") and read_host(url)))

    def _list_urls(self) -> Iterator[str]:
        """Yield the URLs of all servers, with the known credentials."""
        yield from (index.address for index in self.indexes)
        for locations in (self.settings.for_pip, self.settings.for_uv):
            yield from (link for link in locations.links if "://" in link)
        yield from (text for text in list_strings(self.settings.uv) if "://" in text)
        yield from (text for text in self.sources.list_strings() if "://" in text)
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
    texts = (*texts, *sources.list_strings())
    sources = sources.expand_variables(environ)
    return HostNetwork(
        settings=read_host_settings(environ, home, sources),
        netrc=find_netrc(environ, home),
        folder=Path.cwd() if folder is None else folder,
        texts=texts,
        secrets=tuple(environ[name] for name in variables if _is_secret(name, environ[name])),
        sources=sources,
    )


def _is_secret(name: str, value: str) -> bool:
    """Return whether a variable may be a secret; words like "true" are not."""
    return len(value) >= _SECRET_LENGTH or bool(_SECRET_NAME.search(name))
