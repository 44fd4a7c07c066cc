"""What a build gets of this host: settings, folders and network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_pyimages.indexes import host_settings, uv_settings
from pytest_pyimages.indexes.access import prepare_access
from pytest_pyimages.indexes.servers import choose_loopback
from tests.support.golden import message
from tests.support.hosts import A, B, make_access, network, uv_toml


@pytest.fixture(autouse=True)
def _ignore_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_settings, "SYSTEM_FILE", tmp_path / "etc" / "pip.conf")
    monkeypatch.setattr(uv_settings, "SYSTEM_FILE", tmp_path / "etc" / "uv.toml")


Locations = Callable[[str], Mapping[str, str]]


@pytest.mark.parametrize(
    "variables",
    [
        lambda place: {"PIP_FIND_LINKS": place},
        lambda place: {"UV_FIND_LINKS": place},
        lambda place: {"PIP_FIND_LINKS": f"file://{place}"},
    ],
    ids=["pip", "uv", "URL"],
)
def test_folder_of_links_is_mounted(tmp_path: Path, variables: Locations) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a.whl").touch()
    access = make_access(tmp_path, variables(str(tmp_path / "wheels")))
    (mount,) = access.mounts
    assert (mount.kind, mount.source, mount.read_only) == ("bind", str(tmp_path / "wheels"), True)
    assert mount.target.startswith("/run/pyimages/"), "in memory, so that no layer contains it"
    assert access.environment["PIP_FIND_LINKS"] == mount.target
    assert access.environment.get("UV_FIND_LINKS") or uv_toml(access)["find-links"] == [mount.target]
    assert access.folders == ((mount.target, ("a.whl",)),)
    assert access.notes == ()


@pytest.mark.parametrize("variable", ["PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_DEFAULT_INDEX"])
def test_index_of_files_is_mounted_with_its_parent(tmp_path: Path, variable: str) -> None:
    """Its pages link to files beside it."""
    (tmp_path / "index" / "simple").mkdir(parents=True)
    access = make_access(tmp_path, {variable: f"file://{tmp_path}/index/simple"})
    (mount,) = access.mounts
    assert mount.source == str(tmp_path / "index")
    assert access.environment[variable] == f"file://{mount.target}/simple"


def test_home_folder_is_never_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "simple").mkdir(parents=True)
    access = make_access(tmp_path, {"PIP_EXTRA_INDEX_URL": f"file://{tmp_path}/home/simple"})
    assert [mount.source for mount in access.mounts] == [str(tmp_path / "home" / "simple")]


def test_folder_below_the_source_needs_no_mount(tmp_path: Path) -> None:
    (tmp_path / "project" / "wheels").mkdir(parents=True)
    access = make_access(tmp_path, {"PIP_FIND_LINKS": str(tmp_path / "project" / "wheels")}, can_mount=False)
    assert (access.mounts, access.notes) == ((), ())
    assert access.environment["PIP_FIND_LINKS"] == str(tmp_path / "project" / "wheels")


@pytest.mark.parametrize("can_mount", [True, False], ids=["missing", "not mounted"])
def test_unavailable_folder_is_ignored_with_a_note(tmp_path: Path, can_mount: bool) -> None:
    if not can_mount:
        (tmp_path / "wheels").mkdir()
        (tmp_path / "simple").mkdir()
    environ = {"PIP_FIND_LINKS": f"wheels {A}", "PIP_EXTRA_INDEX_URL": f"file://{tmp_path}/simple {B}"}
    access = make_access(tmp_path, environ, can_mount=can_mount)
    assert access.mounts == ()
    assert (access.environment["PIP_FIND_LINKS"], access.environment["PIP_EXTRA_INDEX_URL"]) == (A, B)
    assert access.notes == tuple(
        message("indexes", "missing", location=location)
        if can_mount
        else message("indexes", "not-mounted", location=location)
        for location in (f"file://{tmp_path}/simple", "wheels")
    )


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PIP_INDEX_URL": "http://localhost:3141/simple"}, (("127.0.0.1", 3141),)),
        ({"UV_INDEX": "a=https://127.0.1.1/simple"}, (("127.0.1.1", 443),)),
        ({"PIP_EXTRA_INDEX_URL": "http://[::1]:3141/simple"}, (("::1", 3141),)),
        ({"https_proxy": "localhost:3128"}, (("127.0.0.1", 3128),)),
        ({"ALL_PROXY": "socks5://me:pw@127.0.0.1"}, (("127.0.0.1", 1080),)),
        ({"PIP_FIND_LINKS": "http://packages.localhost/links.html"}, ((choose_loopback("packages.localhost"), 80),)),
        ({"NO_PROXY": "localhost,127.0.0.1"}, ()),
        ({"PIP_INDEX_URL": "http://localhost.example/simple"}, ()),
        ({"PIP_INDEX_URL": "file://localhost/"}, ()),
        ({"PIP_INDEX_URL": "http://hosted/simple"}, ((choose_loopback("hosted"), 80),)),
    ],
)
def test_ports_of_servers_that_only_this_machine_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str], expected: tuple[tuple[str, int], ...]
) -> None:
    monkeypatch.setattr("pytest_pyimages.indexes.network.read_hosts_file", lambda: frozenset({"hosted"}))
    access = make_access(tmp_path, environ)
    assert tuple(server.address for server in access.servers) == expected
    names = {"packages.localhost", "hosted"} & {server.host for server in access.forwards}
    assert access.hosts == dict.fromkeys(names, access.servers[0].address[0] if names else "")
    assert access.is_private is bool(expected)
    assert access.without_credentials().servers == ()


def test_requirements_may_refer_to_local_hosts_and_variables(tmp_path: Path) -> None:
    """Installers expand variables in requirements files; other variables stay on the host."""
    texts = (
        "--extra-index-url https://${NAME}:${TOKEN}@a.example/simple\n${PATH}\n$OTHER",
        "x @ http://127.0.0.2/x.whl",
    )
    environ = {"NAME": "me", "TOKEN": "s3cret", "OTHER": "o", "PATH": "/bin"}
    found = network(tmp_path, environ, {}, texts)
    assert found.referenced == {"NAME": "me", "TOKEN": "s3cret"}
    assert found.list_local_urls() == ("http://127.0.0.2/x.whl",)
    assert found.redaction.redact("so s3cret") == "so ****"


def test_repr_shows_no_secret(tmp_path: Path) -> None:
    environ = {"PIP_INDEX_URL": "https://me:s3cret@a.example/simple", "UV_INDEX_X_PASSWORD": "s3cret"}
    found = network(tmp_path, environ, {"netrc": "machine a login b password s3cret"})
    assert "s3cret" not in repr(found) + repr(prepare_access(found, root=tmp_path, can_mount=True))
