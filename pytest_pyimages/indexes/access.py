"""What an install step gets of this host: settings, credentials and certificates, folders, perhaps its network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_pyimages.engines import Mount
from pytest_pyimages.indexes.certificates import authorities, client_certificate
from pytest_pyimages.indexes.netrc import netrc_text
from pytest_pyimages.indexes.network import HostNetwork
from pytest_pyimages.indexes.places import Places
from pytest_pyimages.indexes.redaction import Redaction
from pytest_pyimages.indexes.tool_settings import pip_environment, uv_environment, uv_table
from pytest_pyimages.indexes.uv_settings import toml_text

BUNDLE_VARIABLES = (
    *("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"),  # what the build of a distribution may have to fetch
)
CLIENT_VARIABLES = ("PIP_CLIENT_CERT", "SSL_CLIENT_CERT")
NAMES = 8  # of a folder that prove, inside, that it is really there
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """It holds credentials: it travels on standard input, lives in memory, and does not show itself."""

    environment: Mapping[str, str] = field(repr=False)
    files: Mapping[str, str] = field(repr=False)  # text by path below the memory folder
    mounts: tuple[Mount, ...]
    folders: tuple[tuple[str, tuple[str, ...]], ...]  # what is mounted, and some names in it
    machine: tuple[str, ...]  # this machine's identity if the build is to share its network; else nothing
    redaction: Redaction = field(repr=False)
    notes: tuple[str, ...]  # what cannot be had inside, and why


def way_in(network: HostNetwork, *, root: Path, mounted: bool, elsewhere: bool) -> WayIn:
    """Return what a build gets of this host.

    :param root: the folder of this host that stands inside at its own path.
    :param mounted: whether the engine sees this host's folders.
    :param elsewhere: whether the engine is known not to be on this machine.
    """
    places = Places(folder=network.folder, root=root, mounted=mounted)
    settings = network.settings
    environment = {
        **network.referenced,
        **settings.proxies,
        **pip_environment(settings, places),
        **uv_environment(settings, places),
    }
    table = uv_table(settings, places)
    if table:
        environment["UV_CONFIG_FILE"] = places.write("uv.toml", toml_text(table))
    netrc = netrc_text(network.netrc)
    if netrc:
        environment["NETRC"] = places.write("home/.netrc", netrc)  # in the home folder of a build
    bundle = authorities(settings.environ, settings.of_pip("cert"))
    if bundle:
        environment |= dict.fromkeys(BUNDLE_VARIABLES, places.write("ca.pem", bundle))
    client = client_certificate(settings.environ, settings.of_pip("client-cert"))
    if client:
        environment |= dict.fromkeys(CLIENT_VARIABLES, places.write("client.pem", client))
    hosts = network.of_this_machine
    machine = () if elsewhere or not hosts else machine_identity()
    notes = [*settings.notes, *places.left_out]
    if hosts and not machine:
        notes.append(
            f"builds do not reach {' and '.join(hosts)} as this machine does: the engine is elsewhere, or has no"
            " network of this machine to give"
        )
    return WayIn(
        environment=environment,
        files=places.files,
        mounts=places.mounts,
        folders=tuple((mount.target, _names(Path(mount.source))) for mount in places.mounts),
        machine=machine,
        redaction=network.redaction,
        notes=tuple(dict.fromkeys(notes)),
    )


def machine_identity() -> tuple[str, ...]:
    """Return what tells this boot of this machine, and this process's network in it, from all others (proc(5)).

    Nothing where there is no way to tell.
    """
    try:
        return _BOOT.read_text(encoding="ascii").strip(), str(_NETWORK.readlink())
    except OSError:
        return ()


def _names(folder: Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        return tuple(sorted(entry.name for entry in entries)[:NAMES])
