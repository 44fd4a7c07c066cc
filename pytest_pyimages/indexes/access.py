"""Give an install step what it needs to reach the host's package indexes: settings, credentials, folders, network."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path

from pytest_pyimages.engines import Mount
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes.container_settings import make_pip_environment, make_uv_environment, make_uv_toml
from pytest_pyimages.indexes.credentials import read_authorities, read_client_certificate
from pytest_pyimages.indexes.gateway import Gateways, make_gateways
from pytest_pyimages.indexes.host_settings import PROXIES
from pytest_pyimages.indexes.network import HostNetwork
from pytest_pyimages.indexes.places import MEMORY, Places
from pytest_pyimages.indexes.redaction import Redaction
from pytest_pyimages.indexes.servers import Forward, find_forwards
from pytest_pyimages.indexes.tunnel import Server

BUNDLE_VARIABLES = (
    *("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"),  # the build of a distribution may download, too
)
CLIENT_VARIABLES = ("PIP_CLIENT_CERT", "SSL_CLIENT_CERT")
NETRC, CLIENT_CERTIFICATE = "home/.netrc", "client.pem"
WITNESSES = 8  # names in a folder; seen in the container, they prove that it is the host's folder
# How a build reaches the indexes, not what it finds there.
_TRANSPORT = re.compile(
    r"PIP_(TRUSTED_HOST|RETRIES|PROXY)|UV_INSECURE_HOST|UV_CONCURRENT_DOWNLOADS|.*(TIMEOUT|RETRIES)"
)
_USERINFO = re.compile(r"://[^\s/?#\"'<>]+@")


class IndexAccess(Immutable):
    """Access of one install step to the host's indexes.

    It contains credentials: it travels on standard input, stays in memory, and its repr does not show them.
    """

    environment: Mapping[str, str] = field(repr=False)
    files: Mapping[str, str] = field(repr=False)  # text by path below the memory folder
    mounts: tuple[Mount, ...]
    folders: tuple[tuple[str, tuple[str, ...]], ...]  # the mounts' targets, and some names in each
    forwards: tuple[Forward, ...]  # to servers that only this machine reaches
    gateways: Gateways
    direct: IndexAccess | None = field(default=None, repr=False)  # the same without gateways; None if there are none
    uv_features: tuple[str, ...]  # what the project's sources need that pip cannot do
    redaction: Redaction = field(repr=False)
    indexes: tuple[str, ...]  # their names for messages
    notes: tuple[str, ...]  # what is not available in the container, and why
    open_variables: frozenset[str]  # that are needed to reach any server: proxies

    @property
    def is_private(self) -> bool:
        """Whether it contains what only the installation needs: credentials, or servers of this machine."""
        public = self.without_credentials()
        return bool(self.servers) or (public.environment, public.files) != (self.environment, self.files)

    @property
    def servers(self) -> tuple[Server, ...]:
        """What connections of the build lead to."""
        return (*self.forwards, *self.gateways.servers)

    def without_credentials(self) -> IndexAccess:
        """Return the access for system packages and set-up commands: the same indexes, with nothing that is private."""
        if self.direct is not None:
            return self.direct.without_credentials()
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
            forwards=(),
        )

    def clean(self, text: str) -> str:
        """Return a text of the build without secrets, and with the names of servers that it knows as addresses."""
        return self.redaction.redact(self.gateways.name_servers(text))

    @property
    def hosts(self) -> Mapping[str, str]:
        """The addresses in the container of those servers whose names it cannot resolve."""
        names = {server.host: server.address[0] for server in self.forwards}
        return {name: address for name, address in names.items() if name not in (address, "localhost")}


def describe_choices(network: HostNetwork, *, can_mount: bool) -> str:
    """Return the settings of this host that decide which packages a build finds, as JSON without credentials.

    Builds of one recipe by hosts with equal choices install the same, apart from what is published meanwhile. Proxies,
    certificates, timeouts and logins are not part of it.

    :param can_mount: whether the engine can mount the host's folders.
    """
    nowhere = Path(os.devnull)  # so that the files of all folders are read
    places = Places(folder=network.folder, root=nowhere, can_mount=can_mount, urls={})
    environment = {
        **make_pip_environment(network.settings, places),
        **make_uv_environment(network.settings, places, names=()),
    }
    table = make_uv_toml(network.settings, places).splitlines()
    choices = {
        "environment": {name: value for name, value in environment.items() if not _TRANSPORT.fullmatch(name)},
        "uv": [line for line in table if not line.startswith('"allow-insecure-host"')],
        "files": places.files,
        "folders": [
            (mount.target, sorted(path.name for path in Path(mount.source).iterdir())) for mount in places.mounts
        ],
    }
    return network.redaction.redact(_USERINFO.sub("://", json.dumps(choices, sort_keys=True)))


def prepare_access(network: HostNetwork, *, root: Path, can_mount: bool) -> IndexAccess:
    """Prepare the access of an install step to the host's indexes.

    :param root: the host's folder that has the same path in the container.
    :param can_mount: whether the engine can mount the host's folders.
    """
    gateways = make_gateways(network)
    direct = _prepare(network, root, Gateways(), can_mount=can_mount)
    if not gateways.servers:
        return direct
    return replace(_prepare(network, root, gateways, can_mount=can_mount), direct=direct)


def _prepare(network: HostNetwork, root: Path, gateways: Gateways, *, can_mount: bool) -> IndexAccess:
    places = Places(folder=network.folder, root=root, can_mount=can_mount, urls=gateways.urls)
    settings = network.settings
    environment = {
        **network.referenced,
        **settings.proxies,
        **make_pip_environment(settings, places),
        **make_uv_environment(settings, places, gateways.names if gateways.servers else None),
    }
    if gateways.servers:
        _let_pass(environment, tuple(server.address[0] for server in gateways.servers))
    for names, path, text in (
        (("UV_CONFIG_FILE",), "uv.toml", make_uv_toml(settings, places)),
        (("NETRC",), NETRC, network.select_logins(gateways.urls)),  # in the home folder of a build
        (BUNDLE_VARIABLES, "ca.pem", read_authorities(settings.environ, settings.get_pip("cert"))),
        (
            CLIENT_VARIABLES,
            CLIENT_CERTIFICATE,
            read_client_certificate(settings.environ, settings.get_pip("client-cert"))
            if network.requests_https(gateways.urls)
            else "",
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
        forwards=find_forwards(network.list_local_urls(gateways.urls)),
        gateways=gateways,
        uv_features=network.sources.list_uv_features(settings.environ),
        redaction=network.redaction,
        indexes=network.list_index_names(),
        notes=tuple(dict.fromkeys(notes)),
        open_variables=frozenset(settings.proxies),
    )


def _let_pass(environment: dict[str, str], addresses: tuple[str, ...]) -> None:
    """Have installers request gateways without a proxy, and cache the answers as those of other indexes.

    :param environment: of a build; it is changed.
    """
    environment.pop("PIP_PROXY", None)  # pip would use it for all servers; the proxies' variables have it as well
    if any(name.lower() in PROXIES for name in environment):
        known = environment.get("no_proxy") or environment.get("NO_PROXY", "")
        environment |= dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(filter(None, (known, *addresses))))
    # pip caches HTTP of such hosts only.
    environment["PIP_TRUSTED_HOST"] = " ".join(filter(None, (environment.get("PIP_TRUSTED_HOST"), *addresses)))


def _list_names(folder: Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        return tuple(sorted(entry.name for entry in entries)[:WITNESSES])
