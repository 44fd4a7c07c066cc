"""The package indexes that a file for others may name: without credentials and this machine's folders."""

from __future__ import annotations

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes.locations import Index, is_local_host, read_host, read_hosts_file, strip_credentials
from pytest_pyimages.indexes.network import HostNetwork


class PublicIndexes(Immutable):
    """Options of ``pip install``."""

    options: tuple[str, ...]
    private: bool  # whether an index needs a login, which is not among them
    left_out: tuple[str, ...]  # locations that only this machine can reach, without credentials


def list_public_indexes(network: HostNetwork) -> PublicIndexes:
    """Return the indexes of the host's settings and of the project's own files."""
    locations = network.settings.for_pip
    further = [index.url for index in locations.further]
    further += [str(table["url"]) for table in network.sources.indexes if table.get("url")]
    default = locations.default
    named = [
        *((("--index-url", default.url),) if default else ()),
        *(("--extra-index-url", url) for url in further),
        *(("--find-links", link) for link in locations.links),
    ]
    options, left_out, private = [], [], False
    hosts = read_hosts_file()
    logins = [index.address for index in (*network.indexes, *([default] if default else []))]
    for option, url in dict.fromkeys(named):
        bare = strip_credentials(url)
        if "://" not in url or url.startswith("file:") or is_local_host(read_host(url), hosts):
            left_out.append(bare)
        elif network.redaction.redact(bare) != bare:  # a part of its path may be a token
            left_out.append(network.redaction.redact(bare))
        else:
            options.append(f"{option}={bare}")
            needed = Index(url=url, origin="").address != bare or f"{read_host(url)}" in network.select_logins()
            private = private or needed or any(strip_credentials(login) == bare != login for login in logins)
    return PublicIndexes(
        options=tuple(options),
        private=private,
        left_out=tuple(dict.fromkeys(left_out)),
    )
