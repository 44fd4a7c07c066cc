"""Give an install step what it needs to reach the host's package indexes: settings, credentials, folders, network."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_pyimages.engines import Mount
from pytest_pyimages.indexes.container_settings import make_pip_environment, make_uv_environment, make_uv_toml
from pytest_pyimages.indexes.credentials import read_authorities, read_client_certificate
from pytest_pyimages.indexes.network import HostNetwork
from pytest_pyimages.indexes.places import MEMORY, Places
from pytest_pyimages.indexes.redaction import Redaction
from pytest_pyimages.indexes.servers import Forward, find_forwards

BUNDLE_VARIABLES = (
    *("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"),  # the build of a distribution may download, too
)
CLIENT_VARIABLES = ("PIP_CLIENT_CERT", "SSL_CLIENT_CERT")
NETRC, CLIENT_CERTIFICATE = "home/.netrc", "client.pem"
WITNESSES = 8  # names in a folder; seen in the container, they prove that it is the host's folder
_USERINFO = re.compile(r"://[^\s/?#\"'<>]+@")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAccess:
    """Access of one install step to the host's indexes.

    It contains credentials: it travels on standard input, stays in memory, and its repr does not show them.
    """

    environment: Mapping[str, str] = field(repr=False)
    files: Mapping[str, str] = field(repr=False)  # text by path below the memory folder
    mounts: tuple[Mount, ...]
    folders: tuple[tuple[str, tuple[str, ...]], ...]  # the mounts' targets, and some names in each
    servers: tuple[Forward, ...]  # that only this machine reaches
    uv_features: tuple[str, ...]  # what the project's sources need that pip cannot do
    redaction: Redaction = field(repr=False)
    notes: tuple[str, ...]  # what is not available in the container, and why
    open_variables: frozenset[str]  # that are needed to reach any server: proxies

    @property
    def is_private(self) -> bool:
        """Whether it contains what only the installation needs: credentials, or servers of this machine."""
        public = self.without_credentials()
        return bool(self.servers) or (public.environment, public.files) != (self.environment, self.files)

    def without_credentials(self) -> IndexAccess:
        """Return the access for system packages and set-up commands: the same indexes, with nothing that is private."""
        files = {path: _USERINFO.sub("://", text) for path, text in self.files.items()}
        dropped = {
            path
            for path, text in files.items()
            if path in (NETRC, CLIENT_CERTIFICATE) or self.redaction.redact(text) != text
        }
        environment = {}
        for name, value in self.environment.items():
            bare = value if name in self.open_variables else _USERINFO.sub("://", value)
            is_secret = name not in self.open_variables and self.redaction.redact(bare) != bare
            if not is_secret and not any(value == f"{MEMORY}/{path}" for path in dropped):
                environment[name] = bare
        return replace(
            self,
            environment=environment,
            files={path: text for path, text in files.items() if path not in dropped},
            servers=(),
        )

    @property
    def hosts(self) -> Mapping[str, str]:
        """The addresses in the container of those servers whose names it cannot resolve."""
        names = {server.host: server.address[0] for server in self.servers}
        return {name: address for name, address in names.items() if name not in (address, "localhost")}


def prepare_access(network: HostNetwork, *, root: Path, can_mount: bool) -> IndexAccess:
    """Prepare the access of an install step to the host's indexes.

    :param root: the host's folder that has the same path in the container.
    :param can_mount: whether the engine can mount the host's folders.
    """
    places = Places(folder=network.folder, root=root, can_mount=can_mount)
    settings = network.settings
    environment = {
        **network.referenced,
        **settings.proxies,
        **make_pip_environment(settings, places),
        **make_uv_environment(settings, places),
    }
    for names, path, text in (
        (("UV_CONFIG_FILE",), "uv.toml", make_uv_toml(settings, places)),
        (("NETRC",), NETRC, network.logins),  # in the home folder of a build
        (BUNDLE_VARIABLES, "ca.pem", read_authorities(settings.environ, settings.get_pip("cert"))),
        (
            CLIENT_VARIABLES,
            CLIENT_CERTIFICATE,
            read_client_certificate(settings.environ, settings.get_pip("client-cert")),
        ),
    ):
        if text:
            environment |= dict.fromkeys(names, places.write(path, text))
    network.sources.write_files(places, settings.environ)
    notes = (*settings.notes, *places.notes)
    return IndexAccess(
        environment=environment,
        files=places.files,
        mounts=places.mounts,
        folders=tuple((mount.target, _list_names(Path(mount.source))) for mount in places.mounts),
        servers=find_forwards(network.local_urls),
        uv_features=network.sources.list_uv_features(settings.environ),
        redaction=network.redaction,
        notes=tuple(dict.fromkeys(notes)),
        open_variables=frozenset(settings.proxies),
    )


def _list_names(folder: Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        return tuple(sorted(entry.name for entry in entries)[:WITNESSES])
