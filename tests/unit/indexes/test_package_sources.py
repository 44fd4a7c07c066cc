"""What the installers of a build get of a project's own sources of packages."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.indexes import host_settings, uv_settings
from pytest_pyimages.indexes.access import IndexAccess, prepare_access
from pytest_pyimages.indexes.network import read_network
from pytest_pyimages.indexes.package_sources import CONSTRAINTS, MANIFEST, PIP_CONSTRAINTS, PackageSources
from tests.support.hosts import A, B, C, uv_toml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(autouse=True)
def _ignore_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_settings, "SYSTEM_FILE", tmp_path / "etc" / "pip.conf")
    monkeypatch.setattr(uv_settings, "SYSTEM_FILE", tmp_path / "etc" / "uv.toml")


OURS = {"name": "ours", "url": A, "explicit": True}
SOURCES = PackageSources(
    requirements=("helper>=1 ; python_version >= '3'", "Remote_Lib"),
    tables={
        "helper": ({"path": "/src/my helper", "editable": True},),
        "remote-lib": ({"index": "ours"},),
        "forked": ({"git": "https://a.example/f", "tag": "v1", "subdirectory": "sub"},),
        "wheel": ({"url": "https://a.example/w.whl", "marker": "sys_platform == 'linux'"},),
    },
    indexes=(OURS,),
    settings={"index": [OURS], "constraint-dependencies": ["attrs<26"], "exclude-newer": "2026-01-01"},
    origin="/src/pyproject.toml",
)


def access(tmp_path: Path, sources: PackageSources = SOURCES, environ: Mapping[str, str] = {}) -> IndexAccess:
    own = {"XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "VIRTUAL_ENV": str(tmp_path / "venv")}
    network = read_network({**own, **environ}, home=tmp_path / "home", folder=tmp_path, sources=sources)
    return prepare_access(network, root=tmp_path, can_mount=True)


def manifest(found: IndexAccess) -> Any:
    return tomllib.loads(found.files[MANIFEST])


def test_uv_reads_sources_of_requirements_from_a_manifest(tmp_path: Path) -> None:
    document = manifest(access(tmp_path))
    assert document["project"]["dependencies"] == ["helper>=1 ; python_version >= '3'", "Remote_Lib"]
    assert document["tool"]["uv"]["sources"] == {name: list(map(dict, found)) for name, found in SOURCES.tables.items()}
    assert document["tool"]["uv"]["index"] == [OURS]


def test_what_has_an_address_is_never_taken_from_an_index(tmp_path: Path) -> None:
    """Not even if another distribution requires it. uv tells branches and revisions of git apart by the manifest."""
    files = access(tmp_path).files
    local = ["helper @ file:///src/my%20helper", "wheel @ https://a.example/w.whl ; sys_platform == 'linux'"]
    assert files[CONSTRAINTS].splitlines() == local
    git = "forked @ git+https://a.example/f@v1#subdirectory=sub"
    assert files[PIP_CONSTRAINTS].splitlines() == ["attrs<26", git, *local]


def test_pip_is_told_what_it_cannot_do(tmp_path: Path) -> None:
    assert access(tmp_path).uv_features == ("remote-lib from the index ours",)
    further = PackageSources(settings={"index": [{"name": "corp", "url": A}], "override-dependencies": ["attrs==1"]})
    expected = ("the index corp before all others", "the override attrs==1")
    assert access(tmp_path, further).uv_features == expected
    assert access(tmp_path, PackageSources(settings={"index": [{"url": A, "default": True}]})).uv_features == ()


@pytest.mark.parametrize("value", ["1", "true"])
def test_the_user_can_disable_sources_as_in_uv(tmp_path: Path, value: str) -> None:
    found = access(tmp_path, environ={"UV_NO_SOURCES": value})
    assert not {MANIFEST, CONSTRAINTS, PIP_CONSTRAINTS} & found.files.keys()
    assert found.uv_features == ()
    assert found.environment["UV_NO_SOURCES"] == value


def test_the_user_can_disable_the_source_of_one_package(tmp_path: Path) -> None:
    found = access(tmp_path, environ={"UV_NO_SOURCES_PACKAGE": "helper"})
    assert "helper" not in found.files[CONSTRAINTS]
    assert "wheel" in found.files[CONSTRAINTS]


def test_settings_of_the_project_override_files_and_yield_to_variables(tmp_path: Path) -> None:
    (tmp_path / "home/.config/uv").mkdir(parents=True)
    (tmp_path / "home/.config/uv/uv.toml").write_text(
        f'exclude-newer = "2020"\nresolution = "lowest"\nindex-url = "{B}"\n'
    )
    found = access(tmp_path, environ={"UV_EXCLUDE_NEWER": "2027-01-01"})
    assert uv_toml(found) == {
        "index": [OURS],
        "constraint-dependencies": ["attrs<26"],
        "exclude-newer": "2026-01-01",
        "resolution": "lowest",
        "index-url": B,
    }
    assert found.environment["UV_EXCLUDE_NEWER"] == "2027-01-01"


@pytest.mark.parametrize("environ", [{"UV_NO_CONFIG": "1"}, {"UV_CONFIG_FILE": "/dev/null"}])
def test_settings_of_projects_can_be_disabled_as_in_uv(tmp_path: Path, environ: Mapping[str, str]) -> None:
    assert "exclude-newer" not in uv_toml(access(tmp_path, environ=environ))
    further = PackageSources(settings={"index": [{"name": "corp", "url": A}], "override-dependencies": ["attrs==1"]})
    assert access(tmp_path, further, environ).uv_features == ()


@pytest.mark.parametrize(
    ("index", "default", "further", "compares"),
    [
        (OURS, B, [C], True),
        ({"name": "corp", "url": A}, B, [A, C], False),
        ({"name": "corp", "url": A, "default": True}, A, [C], True),
    ],
    ids=["explicit", "further", "default"],
)
def test_indexes_of_the_project_come_to_those_of_pip(
    tmp_path: Path, index: dict[str, object], default: str, further: list[str], *, compares: bool
) -> None:
    """A stranger's newer version in another index must not win over one in the project's index."""
    environ = {"PIP_INDEX_URL": B, "PIP_EXTRA_INDEX_URL": C}
    found = access(tmp_path, PackageSources(settings={"index": [index]}), environ)
    table = uv_toml(found)
    assert table["index"] == [index]
    assert (table["index-url"], table["extra-index-url"]) == (B, [C]), "a default of the project goes first"
    assert ("index-strategy" in table) is compares
    assert found.environment["PIP_INDEX_URL"] == default
    assert found.environment["PIP_EXTRA_INDEX_URL"].split() == further


def test_variables_in_addresses_are_expanded_and_stay_secret(tmp_path: Path) -> None:
    corp = {"name": "corp", "url": "https://me:${TOKEN}@corp.example/simple", "explicit": True}
    sources = PackageSources(
        requirements=("helper",), tables={"helper": ({"index": "corp"},)}, indexes=(corp,), settings={"index": [corp]}
    )
    found = access(tmp_path, sources, {"TOKEN": "s3cret"})
    expanded = "https://me:s3cret@corp.example/simple"
    assert manifest(found)["tool"]["uv"]["index"][0]["url"] == expanded
    assert found.redaction.redact(f"error: {expanded} and s3cret").count("s3cret") == 0
    assert "s3cret" not in repr(found) + repr(sources.expand_variables({"TOKEN": "s3cret"}))


def test_an_index_on_this_machine_is_reached(tmp_path: Path) -> None:
    local = {"name": "local", "url": "http://localhost:3141/simple", "explicit": True}
    found = access(tmp_path, PackageSources(settings={"index": [local]}))
    assert [server.address for server in found.servers] == [("127.0.0.1", 3141)]


def test_an_index_in_a_folder_outside_of_the_tree_is_mounted(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "wheels").mkdir(parents=True)
    flat = {"name": "flat", "url": str(tmp_path / "elsewhere" / "wheels"), "format": "flat"}
    sources = PackageSources(requirements=("a",), tables={"a": ({"index": "flat"},)}, indexes=(flat,))
    network = read_network({}, home=tmp_path / "home", folder=tmp_path, sources=sources)
    found = prepare_access(network, root=tmp_path / "src", can_mount=True)
    (mount,) = found.mounts
    assert manifest(found)["tool"]["uv"]["index"][0]["url"] == f"file://{mount.target}/wheels"
