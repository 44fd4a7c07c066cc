"""How this host reaches package indexes, for the installers inside a build and for nothing else.

pip reads its own settings and uv its own, as outside. What only one of them is told holds for the other, too: uv does
the work where it can and pip on old Pythons, and both are to find the same packages.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_pyimages.indexes import uv_settings
from pytest_pyimages.indexes.host_settings import NO_PROXY, HostSettings, host_settings
from pytest_pyimages.indexes.locations import (
    Index,
    host_of,
    hosts_file_names,
    is_of_this_machine,
    local_path,
    without_credentials,
)
from pytest_pyimages.indexes.netrc import logins, netrc_path, netrc_text, passwords
from pytest_pyimages.indexes.redaction import Redaction
from pytest_pyimages.indexes.tool_settings import CONTENT_OPTIONS, FILE_OPTIONS
from pytest_pyimages.indexes.uv_settings import CREDENTIAL_VARIABLE

ARCHIVES = (".whl", ".zip", ".gz", ".bz2", ".xz", ".tgz")
_REFERENCE = re.compile(r"\$\{([A-Z0-9_]+)\}")  # pip, "Requirements File Format": using environment variables
# What an installer needs of these it gets from the image.
_INSIDE_OTHERWISE = frozenset({"HOME", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH", "PYTHONHOME", "PYTHONPATH", "TMPDIR"})
_URL = re.compile(r"[a-z+]+://[^\s'\";,]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNetwork:
    """This host's way to the package indexes.

    May hold credentials, so it does not show itself.
    """

    settings: HostSettings
    netrc: Path | None
    folder: Path  # what relative paths are relative to
    texts: tuple[str, ...] = field(repr=False)  # what is installed: it may name hosts and variables, too
    secrets: tuple[str, ...] = field(repr=False)  # whatever else must not be shown

    @property
    def indexes(self) -> tuple[Index, ...]:
        """All indexes of either tool, each one once."""
        found = (*self.settings.for_uv.indexes, *self.settings.for_pip.indexes)
        return tuple({index.address: index for index in found}.values())

    @property
    def redaction(self) -> Redaction:
        """What hides all credentials that this host's settings hold."""
        environ = self.settings.environ
        names = {name.rpartition("_")[0] for name in environ if CREDENTIAL_VARIABLE.fullmatch(name)}
        pairs = [(environ.get(f"{name}_USERNAME", ""), environ.get(f"{name}_PASSWORD", "")) for name in names]
        return Redaction.of(
            urls=self._urls(),
            pairs=(*pairs, *logins(self.netrc)),
            values=(*passwords(netrc_text(self.netrc)), *self.referenced.values(), *self.secrets),
        )

    @property
    def referenced(self) -> Mapping[str, str]:
        """The variables of this host that the requirements refer to: installers put them in, and some are secrets."""
        names = {name for text in self.texts for name in _REFERENCE.findall(text)} - _INSIDE_OTHERWISE
        return {name: self.settings.environ[name] for name in sorted(names) if self.settings.environ.get(name)}

    @property
    def of_this_machine(self) -> tuple[str, ...]:
        """The hosts among indexes and proxies that can be reached from this machine alone."""
        names = hosts_file_names()
        urls = (*self._urls(), *(url for text in self.texts for url in _URL.findall(text)))
        hosts = (host_of(url) for url in urls if not url.lower().startswith("file:"))
        return tuple(dict.fromkeys(host for host in hosts if host and is_of_this_machine(host, names)))

    @property
    def content(self) -> tuple[tuple[str, str], ...]:
        """What of this decides which distributions are installed, free of secrets; nothing where nothing is set.

        Not how they are reached: proxies, certificates, credentials, time-outs.
        """
        found = {name: json.dumps(value, sort_keys=True) for name, value in self._content() if value}
        return tuple(sorted(found.items()))

    def _urls(self) -> Iterator[str]:
        """Yield all addresses of servers, with the credentials that are known."""
        yield from (index.address for index in self.indexes)
        for locations in (self.settings.for_pip, self.settings.for_uv):
            yield from (link for link in locations.links if "://" in link)
        yield from (text for text in _strings(self.settings.uv) if "://" in text)
        for name, value in self.settings.proxies.items():
            if name.lower() != NO_PROXY:
                yield value if "://" in value else f"http://{value}"

    def _content(self) -> Iterator[tuple[str, Any]]:
        settings, hide = self.settings, self.redaction.redacted
        for tool, locations in (("pip", settings.for_pip), ("uv", settings.for_uv)):
            yield f"{tool}: index", [hide(without_credentials(index.url)) for index in locations.indexes]
            yield f"{tool}: default index", locations.default is not None
            yield f"{tool}: links", [self._links(location) for location in locations.links]
            yield f"{tool}: no index", locations.no_index
        yield from ((f"pip: {name}", settings.of_pip(name)) for name in CONTENT_OPTIONS)
        yield from ((name, settings.environ.get(name, "")) for name in uv_settings.CONTENT_VARIABLES)
        for key in sorted(uv_settings.CONTENT_KEYS):
            yield f"uv.toml: {key}", hide(str(uv_settings.says(settings.uv, key) or ""))
        names = {f"pip: {name}": settings.of_pip(name) for name in FILE_OPTIONS}
        names |= {name: settings.environ.get(name, "") for name in uv_settings.FILE_VARIABLES}
        for name, value in names.items():
            yield name, [self._file(location) for location in value.split()]

    def _links(self, location: str) -> object:
        """Return what a folder of packages holds, wherever it is; of anything else the address."""
        path = local_path(location, self.folder)
        if path is None or not path.is_dir():
            return self.redaction.redacted(without_credentials(location))
        with os.scandir(path) as entries:
            return sorted([entry.name, entry.stat().st_size] for entry in entries if entry.name.endswith(ARCHIVES))

    def _file(self, location: str) -> str:
        path = local_path(location, self.folder)
        if path is None:
            return self.redaction.redacted(without_credentials(location))
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            return "absent"


def host_network(
    environ: Mapping[str, str],
    *,
    home: Path | None = None,
    folder: Path | None = None,
    texts: Iterable[str] = (),
    secrets: Iterable[str] = (),
) -> HostNetwork:
    """Return this host's way to the package indexes.

    :param home: the user's home folder; without it, this process's.
    :param folder: what relative paths are relative to; without it, the working folder.
    :param texts: what is to be installed, and what the files that it names say.
    :param secrets: whatever else must not be shown.
    """
    home = Path.home() if home is None else home
    return HostNetwork(
        settings=host_settings(environ, home),
        netrc=netrc_path(environ, home),
        folder=Path.cwd() if folder is None else folder,
        texts=tuple(texts),
        secrets=tuple(secrets),
    )


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
