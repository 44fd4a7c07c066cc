"""The host's settings of pip and uv, and their translation for the container."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_pyimages.indexes import host_settings, uv_settings
from pytest_pyimages.indexes.access import prepare_access
from tests.support.golden import message
from tests.support.hosts import A, B, C, make_access, network, pip_conf, uv_toml


@pytest.fixture(autouse=True)
def _ignore_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_settings, "SYSTEM_FILE", tmp_path / "etc" / "pip.conf")
    monkeypatch.setattr(uv_settings, "SYSTEM_FILE", tmp_path / "etc" / "uv.toml")


def test_only_settings_of_the_indexes_are_read(tmp_path: Path) -> None:
    environ = {
        "PIP_INDEX_URL": A,
        "AWS_SECRET": "x",
        "HOME": "/h",
        "PIP_TARGET": "/t",
        "PIP_USER": "1",
        "UV_PYTHON": "3",
    }
    access = make_access(tmp_path, environ)
    assert access.environment["PIP_INDEX_URL"] == A
    assert uv_toml(access) == {"index-url": A}
    assert not {"AWS_SECRET", "HOME", "PIP_TARGET", "PIP_USER", "UV_PYTHON", "VIRTUAL_ENV"} & access.environment.keys()


PIP_FILES = ("etc_pip", "xdg_pip", "legacy_pip", "user_pip", "site_pip")


@pytest.mark.parametrize("name", PIP_FILES)
def test_each_pip_file_is_read(tmp_path: Path, name: str) -> None:
    assert make_access(tmp_path, {}, {name: pip_conf(index_url=A)}).environment["PIP_INDEX_URL"] == A


@pytest.mark.parametrize(
    ("weak", "strong"),
    [
        ("xdg_pip", "etc_pip"),
        ("etc_pip", "legacy_pip"),
        ("legacy_pip", "user_pip"),
        ("user_pip", "site_pip"),
        ("site_pip", "named_pip"),
    ],
)
def test_pip_files_override_each_other_in_order(tmp_path: Path, weak: str, strong: str) -> None:
    files = {weak: pip_conf(index_url=A, timeout="5"), strong: pip_conf(index_url=B)}
    environ = {"PIP_CONFIG_FILE": str(tmp_path / "named.conf")} if strong == "named_pip" else {}
    found = make_access(tmp_path, environ, files).environment
    assert (found["PIP_INDEX_URL"], found["PIP_TIMEOUT"]) == (B, "5")


def test_nonempty_variable_overrides_pip_files(tmp_path: Path) -> None:
    files = {"user_pip": pip_conf(index_url=A)}
    assert make_access(tmp_path, {"PIP_INDEX_URL": B}, files).environment["PIP_INDEX_URL"] == B
    assert make_access(tmp_path, {"PIP_INDEX_URL": ""}, files).environment["PIP_INDEX_URL"] == A


def test_pip_config_file_replaces_the_user_file(tmp_path: Path) -> None:
    environ = {"PIP_CONFIG_FILE": str(tmp_path / "named.conf")}
    files = {"named_pip": pip_conf(index_url=A), "user_pip": pip_conf(extra_index_url=B)}
    access = make_access(tmp_path, environ, files)
    assert "PIP_EXTRA_INDEX_URL" not in access.environment


def test_pip_config_file_can_disable_all_files(tmp_path: Path) -> None:
    access = make_access(tmp_path, {"PIP_CONFIG_FILE": os.devnull}, {name: pip_conf(index_url=A) for name in PIP_FILES})
    assert "PIP_INDEX_URL" not in access.environment


def test_install_section_overrides_global_sections(tmp_path: Path) -> None:
    files = {
        "etc_pip": f"[install]\nindex_url = {B}\n",
        "user_pip": f"{pip_conf(index_url=A)}[download]\nindex-url = {C}",
    }
    assert make_access(tmp_path, {}, files).environment["PIP_INDEX_URL"] == B


def test_multiline_values_are_read(tmp_path: Path) -> None:
    text = f"[global]\nextra-index-url =\n    {A}\n    {B}\ntrusted-host =\n    a.example\n    b\n"
    access = make_access(tmp_path, {}, {"user_pip": text})
    assert access.environment["PIP_EXTRA_INDEX_URL"] == f"{A} {B}"
    found = uv_toml(access)
    assert found["extra-index-url"] == [A, B]
    assert found["allow-insecure-host"] == ["a.example", "b"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("index-url = nowhere\n", "MissingSectionHeaderError"),
        ("[global\n", "MissingSectionHeaderError"),
        ("[global]\nindex-url = a\nindex-url = b\n", "DuplicateOptionError"),
    ],
)
def test_invalid_pip_file_is_ignored_with_a_note(tmp_path: Path, text: str, error: str) -> None:
    access = make_access(tmp_path, {}, {"user_pip": text, "etc_pip": pip_conf(index_url=A)})
    assert access.environment["PIP_INDEX_URL"] == A
    path = tmp_path / "home/.config/pip/pip.conf"
    assert access.notes[0] == message("indexes", "unreadable", location=path, error=error)


def test_uv_compares_the_indexes_of_pip(tmp_path: Path) -> None:
    """By default, uv stops at the first index that has a package, even for another Python only."""
    assert uv_toml(make_access(tmp_path, {"PIP_EXTRA_INDEX_URL": A}))["index-strategy"] == "unsafe-best-match"
    access = make_access(tmp_path, {"PIP_EXTRA_INDEX_URL": A, "UV_INDEX_STRATEGY": "first-index"})
    assert access.environment["UV_INDEX_STRATEGY"] == "first-index", "a variable comes before uv.toml"
    assert "index-strategy" not in uv_toml(make_access(tmp_path, {"UV_INDEX": A}))


def test_uv_uses_its_own_indexes_and_pip_both(tmp_path: Path) -> None:
    access = make_access(tmp_path, {"PIP_INDEX_URL": A, "PIP_EXTRA_INDEX_URL": B, "UV_INDEX": f"corp={C} {B}"})
    assert access.environment["PIP_INDEX_URL"] == A
    assert access.environment["PIP_EXTRA_INDEX_URL"] == f"{C} {B}"
    assert access.environment["UV_INDEX"] == f"corp={C} {B}"
    assert uv_toml(access) == {}


def test_pip_gets_the_indexes_of_uv(tmp_path: Path) -> None:
    """For old Pythons, with the credentials that uv reads from variables."""
    environ = {
        "UV_INDEX": f"my-corp={A}\n{B}",
        "UV_INDEX_MY_CORP_USERNAME": "me@home",
        "UV_INDEX_MY_CORP_PASSWORD": "p/w",
        "UV_DEFAULT_INDEX": C,
        "UV_FIND_LINKS": "https://links.example/a,https://links.example/b",
        "UV_INSECURE_HOST": "https://a.example b.example:8443",
        "UV_PRERELEASE": "allow",
    }
    access = make_access(tmp_path, environ)
    (gateway,) = access.gateways.servers
    found = access.environment
    assert found["PIP_EXTRA_INDEX_URL"] == f"{gateway.url}/simple {B}"
    assert found["PIP_INDEX_URL"] == C
    assert found["PIP_FIND_LINKS"] == "https://links.example/a https://links.example/b"
    assert found["PIP_TRUSTED_HOST"] == f"a.example b.example:8443 {gateway.address[0]}"
    assert found["PIP_PRE"] == "1"
    unchanged = ("UV_DEFAULT_INDEX", "UV_FIND_LINKS", "UV_INSECURE_HOST", "UV_PRERELEASE")
    assert {name: found[name] for name in unchanged} == {name: environ[name] for name in unchanged}
    assert found["UV_INDEX"] == f"my-corp={gateway.url}/simple {B}"
    assert not {"UV_INDEX_MY_CORP_USERNAME", "UV_INDEX_MY_CORP_PASSWORD"} & found.keys()


def test_uv_toml_of_user_and_system_are_merged(tmp_path: Path) -> None:
    user = f'prerelease = "allow"\nlink-mode = "symlink"\n[[index]]\nname = "a"\nurl = "{A}"\nexplicit = true\n'
    system = f'prerelease = "disallow"\n[[index]]\nurl = "{B}"\ndefault = true\n[[index]]\nurl = "{C}"\n'
    system += "[pip]\nno-index = true\n"
    access = make_access(
        tmp_path, {}, {"user_uv": user, "xdg_uv": system, "etc_uv": 'index-url = "https://never.example"'}
    )
    assert uv_toml(access) == {
        "prerelease": "allow",
        "index": [
            {"name": "a", "url": A, "explicit": True},
            {"url": B, "default": True},
            {"url": C},
        ],
        "pip": {"no-index": True},
    }
    found = access.environment
    assert (found["PIP_INDEX_URL"], found["PIP_EXTRA_INDEX_URL"], found["PIP_NO_INDEX"]) == (B, C, "1")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({}, A), ({"UV_NO_CONFIG": "1"}, None), ({"UV_CONFIG_FILE": "named"}, B)],
    ids=["the user's", "none", "a named one alone"],
)
def test_uv_config_variables_choose_the_file(tmp_path: Path, environ: Mapping[str, str], expected: str | None) -> None:
    environ = {name: str(tmp_path / "named.toml") if value == "named" else value for name, value in environ.items()}
    access = make_access(tmp_path, environ, {"user_uv": f'index-url = "{A}"', "named_uv": f'index-url = "{B}"'})
    assert uv_toml(access).get("index-url") == expected
    assert access.environment.get("UV_CONFIG_FILE") == ("/run/pyimages/uv.toml" if expected else None)


def test_invalid_uv_toml_is_ignored_with_a_note(tmp_path: Path) -> None:
    access = make_access(tmp_path, {}, {"user_uv": f'index-url = "{A}'})
    assert uv_toml(access) == {}
    path = tmp_path / "home/.config/uv/uv.toml"
    assert access.notes == (message("indexes", "unreadable", location=path, error="TOMLDecodeError"),)


def test_options_that_affect_the_installation_reach_both(tmp_path: Path) -> None:
    environ = {
        "PIP_PRE": "1",
        "PIP_NO_BINARY": "six,attrs",
        "PIP_ONLY_BINARY": ":all:",
        "PIP_UPLOADED_PRIOR_TO": "2026-01-01",
    }
    access = make_access(tmp_path, environ)
    assert {name: access.environment[name] for name in environ} == environ
    assert uv_toml(access) == {
        "prerelease": "allow",
        "no-binary-package": ["six", "attrs"],
        "no-build": True,
        "exclude-newer": "2026-01-01",
    }


def test_constraints_outside_the_source_are_copied(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "own.txt").write_text("six<2\n")
    (tmp_path / "other.txt").write_text("attrs<30\n")
    access = make_access(tmp_path, {"PIP_CONSTRAINT": f"other.txt {tmp_path}/project/own.txt https://c.example/c.txt"})
    assert access.environment["PIP_CONSTRAINT"] == access.environment["UV_CONSTRAINT"]
    names = access.environment["UV_CONSTRAINT"].split()
    assert names[1:] == [str(tmp_path / "project" / "own.txt"), "https://c.example/c.txt"]
    assert access.files[names[0].removeprefix("/run/pyimages/")] == "attrs<30\n"


def test_constraints_of_uv_are_kept(tmp_path: Path) -> None:
    (tmp_path / "pip.txt").touch()
    (tmp_path / "uv.txt").write_text("six<2")
    access = make_access(tmp_path, {"PIP_CONSTRAINT": "pip.txt", "UV_CONSTRAINT": "uv.txt"})
    assert access.files[access.environment["UV_CONSTRAINT"].removeprefix("/run/pyimages/")] == "six<2"


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "http_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"])
def test_proxy_variables_of_either_case_are_passed(tmp_path: Path, name: str) -> None:
    assert make_access(tmp_path, {name: "http://proxy:1"}).environment[name] == "http://proxy:1"


def test_proxy_of_one_tool_is_used_by_both(tmp_path: Path) -> None:
    pip = {"user_pip": pip_conf(proxy="http://proxy:1")}
    found = make_access(tmp_path, {}, pip).environment
    assert (found["http_proxy"], found["https_proxy"], found["PIP_PROXY"]) == ("http://proxy:1",) * 3
    found = make_access(tmp_path, {"HTTPS_PROXY": "http://other:1"}, pip).environment
    assert (found["HTTPS_PROXY"], found.get("https_proxy")) == ("http://other:1", None)
    uv = {"user_pip": "", "user_uv": 'https-proxy = "http://uv:1"\nno-proxy = ["a", "b"]'}
    found = make_access(tmp_path, {}, uv).environment
    assert (found["https_proxy"], found["no_proxy"]) == ("http://uv:1", "a,b")


@pytest.mark.parametrize("variable", ["", "NETRC"])
def test_netrc_is_copied(tmp_path: Path, variable: str) -> None:
    """For what is not an index: gateways have the logins of indexes."""
    (tmp_path / "elsewhere").write_text("machine b.example login y password z\n")
    environ = {variable: str(tmp_path / "elsewhere")} if variable else {}
    found = network(
        tmp_path, environ, {"netrc": "machine a.example login y password z\n"}, (f"x @ {A}/x.whl", f"y @ git+{B}/y")
    )
    access = prepare_access(found, root=tmp_path / "project", can_mount=True)
    assert access.files["home/.netrc"] == f"machine {'b' if variable else 'a'}.example login y password z\n"
    assert access.environment["NETRC"] == "/run/pyimages/home/.netrc"


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("machine other.example login y password z\n", None),
        ("machine other.example login y password z machine code.example login y password z", "machine code.example"),
        ("machine other.example login y password z machine a.example login y password z", None),
        (
            "machine code.example login y password z\nmacdef init\ncd machine\n\nmachine other login x\n",
            "machine code.example",
        ),
        ("machine code.example\n\tlogin y\n\tpassword z\nmachine a.example.org login y\n", "machine code.example"),
        ("machine other.example login y password z\ndefault login y password z\n", "default"),
    ],
)
def test_netrc_is_copied_for_machines_that_the_installation_names(
    tmp_path: Path, text: str, copied: str | None
) -> None:
    found = network(
        tmp_path, {"PIP_INDEX_URL": A}, {"netrc": text}, texts=("helper @ git+https://code.example/helper",)
    )
    access = prepare_access(found, root=tmp_path / "project", can_mount=True)
    assert access.files.get("home/.netrc", "").split(" login")[0].split("\n")[0] == (copied or "")
    assert "other" not in access.files.get("home/.netrc", "")


PRIVATE_A = "https://some.body:c4nary@a.example/simple"


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        ({"PIP_INDEX_URL": PRIVATE_A}, {}),
        ({"UV_INDEX": f"corp={A}", "UV_INDEX_CORP_USERNAME": "some.body", "UV_INDEX_CORP_PASSWORD": "c4nary"}, {}),
        ({}, {"user_uv": f'[[index]]\nname = "corp"\nurl = "{PRIVATE_A}"'}),
        ({"PIP_INDEX_URL": A}, {"netrc": "machine a.example login some.body password c4nary\n"}),
        ({"PIP_FIND_LINKS": "https://some.body:c4nary@a.example/links"}, {}),
    ],
)
def test_set_up_commands_get_no_credentials(
    tmp_path: Path, environ: Mapping[str, str], files: Mapping[str, str]
) -> None:
    access = make_access(tmp_path, environ, files)
    assert access.is_private
    (gateway,) = access.gateways.servers
    assert (gateway.origin, gateway.authorization) == ("https://a.example", "Basic c29tZS5ib2R5OmM0bmFyeQ==")
    assert gateway.url in f"{access.environment} {access.files}"
    assert "c4nary" not in f"{access.environment} {access.files} {access}"
    public = access.without_credentials()
    assert gateway.url not in f"{public.environment} {public.files}"
    assert "c4nary" not in f"{public.environment} {public.files}"
    assert not public.is_private
    named = {value.removeprefix("/run/pyimages/") for value in public.environment.values() if value.startswith("/run/")}
    assert named <= public.files.keys()


def test_set_up_commands_get_no_token_of_an_index(tmp_path: Path) -> None:
    access = make_access(tmp_path, {"PIP_INDEX_URL": "https://a.example/c4nary0123456789abcdef/simple"})
    public = access.without_credentials()
    assert access.is_private
    assert "c4nary" not in f"{public.environment} {public.files}"


def test_set_up_commands_get_indexes_proxies_and_authorities(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(certificate("one"))
    environ = {
        "PIP_INDEX_URL": PRIVATE_A,
        "https_proxy": "http://me:pass@proxy:1",
        "PIP_CERT": str(tmp_path / "ca.pem"),
    }
    public = make_access(tmp_path, environ).without_credentials()
    assert public.environment["PIP_INDEX_URL"] == A
    assert public.environment["https_proxy"] == "http://me:pass@proxy:1"
    assert public.environment["PIP_CERT"] == "/run/pyimages/ca.pem"
    assert "one" in public.files["ca.pem"]


def certificate(name: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "name", ["PIP_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "pip.conf"]
)
def test_certificate_bundles_of_the_host_are_copied(tmp_path: Path, name: str) -> None:
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates" / "ca.pem").write_text(
        f"a comment\n{certificate('A')}{certificate('B')}{certificate('A')}"
    )
    path = str(tmp_path / "certificates" / ("" if name == "SSL_CERT_DIR" else "ca.pem"))
    files = {"etc_pip": pip_conf(cert=path)} if name == "pip.conf" else {}
    access = make_access(tmp_path, {} if files else {name: path}, files)
    assert access.files["ca.pem"].startswith(certificate("A") + certificate("B"))
    assert access.files["ca.pem"].count("\nA\n") == 1
    for variable in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        assert access.environment[variable] == "/run/pyimages/ca.pem"


def test_tool_without_a_bundle_trusts_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("system", "corp"):
        (tmp_path / name).write_text(certificate(name))
    monkeypatch.setattr("pytest_pyimages.indexes.credentials.SYSTEM_BUNDLES", (str(tmp_path / "system"),))
    corp = str(tmp_path / "corp")
    assert make_access(tmp_path).files["ca.pem"] == certificate("system")
    assert make_access(tmp_path, {"PIP_CERT": corp}).files["ca.pem"] == certificate("corp") + certificate("system")
    both = make_access(tmp_path, {"PIP_CERT": corp, "SSL_CERT_FILE": corp})
    assert both.files["ca.pem"] == certificate("corp"), "both tools trust only this authority"


@pytest.mark.parametrize("name", ["PIP_CLIENT_CERT", "SSL_CLIENT_CERT"])
def test_client_certificate_is_used_by_both(tmp_path: Path, name: str) -> None:
    (tmp_path / "client.pem").write_text("certificate and key")
    access = make_access(tmp_path, {name: str(tmp_path / "client.pem")})
    assert access.files["client.pem"] == "certificate and key"
    assert access.environment["PIP_CLIENT_CERT"] == access.environment["SSL_CLIENT_CERT"] == "/run/pyimages/client.pem"


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        pytest.param({}, ("pypi.org/simple",), id="the public one"),
        pytest.param({"PIP_INDEX_URL": "https://me:secret@a.example/simple/"}, ("a.example/simple",), id="login"),
        pytest.param(
            {"UV_DEFAULT_INDEX": "https://a.example:8443/ac3f9e1b27d04c58/simple?token=abc12345"},
            ("a.example:8443/****/simple",),
            id="tokens",
        ),
        pytest.param(
            {"PIP_EXTRA_INDEX_URL": "https://a.example/simple https://b.example"},
            ("a.example/simple", "b.example", "pypi.org/simple"),
            id="several",
        ),
        pytest.param({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}, (), id="none"),
    ],
)
def test_names_of_indexes(tmp_path: Path, environ: dict[str, str], names: tuple[str, ...]) -> None:
    """Host and path, for messages: no part of a login."""
    assert network(tmp_path, environ).list_index_names() == names
