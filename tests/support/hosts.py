"""Hosts with settings of package indexes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from pytest_pyimages.indexes.access import IndexAccess, prepare_access
from pytest_pyimages.indexes.network import HostNetwork, read_network
from pytest_pyimages.indexes.package_sources import PackageSources

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

A, B, C = "https://a.example/simple", "https://b.example/simple", "https://c.example/simple"


def network(
    tmp_path: Path,
    environ: Mapping[str, str] = {},
    files: Mapping[str, str] = {},
    texts: tuple[str, ...] = (),
    sources: PackageSources | None = None,
) -> HostNetwork:
    """Return the network of a host with these variables and files ("etc_pip", "netrc" and so on)."""
    places = {
        "etc_pip": "etc/pip.conf",
        "xdg_pip": "xdg/pip/pip.conf",
        "legacy_pip": "home/.pip/pip.conf",
        "user_pip": "home/.config/pip/pip.conf",
        "site_pip": "venv/pip.conf",
        "named_pip": "named.conf",
        "user_uv": "home/.config/uv/uv.toml",
        "etc_uv": "etc/uv.toml",
        "xdg_uv": "xdg/uv/uv.toml",
        "named_uv": "named.toml",
        "netrc": "home/.netrc",
    }
    for name, text in files.items():
        path = tmp_path / places[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    own = {"XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "VIRTUAL_ENV": str(tmp_path / "venv")}
    return read_network({**own, **environ}, home=tmp_path / "home", folder=tmp_path, texts=texts, sources=sources)


def make_access(
    tmp_path: Path,
    environ: Mapping[str, str] = {},
    files: Mapping[str, str] = {},
    *,
    can_mount: bool = True,
    sources: PackageSources | None = None,
) -> IndexAccess:
    found = network(tmp_path, environ, files, sources=sources)
    return prepare_access(found, root=tmp_path / "project", can_mount=can_mount)


def uv_toml(access: IndexAccess) -> dict[str, object]:
    return tomllib.loads(access.files.get("uv.toml", ""))


def pip_conf(**settings: str) -> str:
    return "[global]\n" + "".join(f"{name.replace('_', '-')} = {value}\n" for name, value in settings.items())
