"""What a build gets of this host: its folders, its network, and what its settings say of the content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_pyimages.indexes import pip_settings, uv_settings
from pytest_pyimages.indexes.access import machine_identity, way_in
from tests.support.hosts import A, B, inside, network, uv_toml


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_settings, "SYSTEM_FILE", tmp_path / "etc" / "pip.conf")
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
def test_folder_with_links_is_mounted(tmp_path: Path, variables: Locations) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a.whl").touch()
    way = inside(tmp_path, variables(str(tmp_path / "wheels")))
    (mount,) = way.mounts
    assert (mount.kind, mount.source, mount.read_only) == ("bind", str(tmp_path / "wheels"), True)
    assert mount.target.startswith("/run/pyimages/"), "in memory: nothing of it stands in a layer"
    assert way.environment["PIP_FIND_LINKS"] == mount.target
    assert way.environment.get("UV_FIND_LINKS") or uv_toml(way)["find-links"] == [mount.target]
    assert way.folders == ((mount.target, ("a.whl",)),)
    assert way.notes == ()


@pytest.mark.parametrize("variable", ["PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_DEFAULT_INDEX"])
def test_index_of_files_is_mounted_with_what_is_around_it(tmp_path: Path, variable: str) -> None:
    """Its pages refer to files beside it."""
    (tmp_path / "index" / "simple").mkdir(parents=True)
    way = inside(tmp_path, {variable: f"file://{tmp_path}/index/simple"})
    (mount,) = way.mounts
    assert mount.source == str(tmp_path / "index")
    assert way.environment[variable] == f"file://{mount.target}/simple"


def test_home_folder_is_never_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "simple").mkdir(parents=True)
    way = inside(tmp_path, {"PIP_EXTRA_INDEX_URL": f"file://{tmp_path}/home/simple"})
    assert [mount.source for mount in way.mounts] == [str(tmp_path / "home" / "simple")]


def test_folder_below_the_source_is_there_already(tmp_path: Path) -> None:
    (tmp_path / "project" / "wheels").mkdir(parents=True)
    way = inside(tmp_path, {"PIP_FIND_LINKS": str(tmp_path / "project" / "wheels")}, mounted=False)
    assert (way.mounts, way.notes) == ((), ())
    assert way.environment["PIP_FIND_LINKS"] == str(tmp_path / "project" / "wheels")


@pytest.mark.parametrize("mounted", [True, False], ids=["not there", "not seen"])
def test_folder_that_cannot_be_had_is_left_out_and_noted(tmp_path: Path, mounted: bool) -> None:
    if not mounted:
        (tmp_path / "wheels").mkdir()
        (tmp_path / "simple").mkdir()
    environ = {"PIP_FIND_LINKS": f"wheels {A}", "PIP_EXTRA_INDEX_URL": f"file://{tmp_path}/simple {B}"}
    way = inside(tmp_path, environ, mounted=mounted)
    assert way.mounts == ()
    assert (way.environment["PIP_FIND_LINKS"], way.environment["PIP_EXTRA_INDEX_URL"]) == (A, B)
    assert len(way.notes) == 2
    assert all("left out" in note for note in way.notes)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PIP_INDEX_URL": "http://localhost:3141/simple"}, ("localhost",)),
        ({"UV_INDEX": "a=http://u:p@127.0.1.1:3141/simple"}, ("127.0.1.1",)),
        ({"PIP_EXTRA_INDEX_URL": "http://[::1]:3141/simple"}, ("::1",)),
        ({"https_proxy": "localhost:3128"}, ("localhost",)),
        ({"ALL_PROXY": "socks5://me:pw@127.0.0.1:1080"}, ("127.0.0.1",)),
        ({"PIP_FIND_LINKS": "http://packages.localhost/links.html"}, ("packages.localhost",)),
        ({"NO_PROXY": "localhost,127.0.0.1"}, ()),
        ({"PIP_INDEX_URL": "http://localhost.example/simple"}, ()),
        ({"PIP_INDEX_URL": "file://localhost/"}, ()),
        ({"PIP_INDEX_URL": "http://hosted/simple"}, ("hosted",)),
    ],
)
def test_what_only_this_machine_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str], expected: tuple[str, ...]
) -> None:
    monkeypatch.setattr("pytest_pyimages.indexes.network.hosts_file_names", lambda: frozenset({"hosted"}))
    found = network(tmp_path, environ)
    assert found.of_this_machine == expected
    way = way_in(found, root=tmp_path, mounted=True, elsewhere=False)
    assert way.machine == (machine_identity() if expected else ())
    way = way_in(found, root=tmp_path, mounted=True, elsewhere=True)
    assert way.machine == ()
    assert [note for note in way.notes if "elsewhere" in note] == list(way.notes)
    assert bool(way.notes) == bool(expected)


def test_requirements_may_name_this_machine_and_its_variables(tmp_path: Path) -> None:
    """Installers put variables into requirements files; what else is in the environment stays here."""
    texts = (
        "--extra-index-url https://${NAME}:${TOKEN}@a.example/simple\n${PATH}\n$OTHER",
        "x @ http://127.0.0.2/x.whl",
    )
    environ = {"NAME": "me", "TOKEN": "s3cret", "OTHER": "o", "PATH": "/bin"}
    found = network(tmp_path, environ, {}, texts)
    assert found.referenced == {"NAME": "me", "TOKEN": "s3cret"}
    assert found.of_this_machine == ("127.0.0.2",)
    assert found.redaction.redacted("so s3cret") == "so ****"


def test_content_is_what_decides_the_packages_and_no_secret(tmp_path: Path) -> None:
    def content(environ: Mapping[str, str], files: Mapping[str, str] = {}) -> tuple[tuple[str, str], ...]:
        return network(tmp_path, environ, files).content

    assert content({"HTTPS_PROXY": "http://p:1", "PIP_CERT": "/ca", "PIP_TIMEOUT": "1"}, {"netrc": "machine a"}) == ()
    one = content({"PIP_INDEX_URL": "https://me:pw-one@a.example/simple"})
    assert one == content({"PIP_INDEX_URL": "https://you:pw-two@a.example/simple"})
    assert one == content({"PIP_INDEX_URL": A})
    assert "pw-one" not in str(one)
    assert one != content({"PIP_INDEX_URL": B})
    assert one != content({"PIP_EXTRA_INDEX_URL": A})
    assert content({"PIP_PRE": "1"}) != ()
    assert content({"UV_EXCLUDE_NEWER": "2026-01-01"}) != ()
    (tmp_path / "c.txt").write_text("six<2")
    constrained = content({"PIP_CONSTRAINT": "c.txt"})
    (tmp_path / "c.txt").write_text("six<3")
    assert constrained not in ((), content({"PIP_CONSTRAINT": "c.txt"}))


def test_content_of_a_folder_is_the_same_wherever_it_is(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.whl").write_text("x")
        (tmp_path / name / "notes.txt").write_text(name)
    found = network(tmp_path, {"PIP_FIND_LINKS": "one"}).content
    assert found == network(tmp_path, {"PIP_FIND_LINKS": "two"}).content
    (tmp_path / "two" / "b.whl").touch()
    assert found != network(tmp_path, {"PIP_FIND_LINKS": "two"}).content


def test_nothing_shows_itself(tmp_path: Path) -> None:
    environ = {"PIP_INDEX_URL": "https://me:s3cret@a.example/simple", "UV_INDEX_X_PASSWORD": "s3cret"}
    found = network(tmp_path, environ, {"netrc": "machine a login b password s3cret"})
    assert "s3cret" not in repr(found) + repr(way_in(found, root=tmp_path, mounted=True, elsewhere=False))
