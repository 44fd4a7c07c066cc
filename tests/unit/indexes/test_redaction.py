"""Secrets are hidden in every form."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.indexes.network import read_network
from pytest_pyimages.indexes.redaction import Redaction
from pytest_pyimages.project.project import find_project

SECRET = "c@n/ary:x%1 é"
ENCODED = "c%40n%2Fary%3Ax%251%20%C3%A9"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        ENCODED,
        ENCODED.lower(),
        "c%40n/ary%3Ax%251%20%C3%A9",
        "c%40n%2Fary%3Ax%251+%C3%A9",
        base64.b64encode(f"me:{SECRET}".encode()).decode(),
        base64.b64encode(f"me:{SECRET}".encode("latin-1")).decode(),
        f"https://me:{ENCODED}@host/simple",
    ],
)
def test_every_form_of_a_password_is_hidden(form: str) -> None:
    redaction = Redaction.create(urls=[f"https://me:{ENCODED}@host/simple"])
    shown = redaction.redact(f"before {form} after")
    assert shown in ("before **** after", "before https://****@host/simple after")


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("https://tok-en-1234@host/simple", "tok-en-1234"),
        ("https://tok-en-1234:x-oauth-basic@host/simple", "tok-en-1234"),
        ("https://host/simple?token=q-1234&a=b", "q-1234"),
        ("https://host/aB3dE5fG7hJ9kL1m/python/simple", "aB3dE5fG7hJ9kL1m"),
    ],
    ids=["name alone", "name for a hosting service", "query", "path"],
)
def test_secrets_of_a_url_are_hidden(url: str, secret: str) -> None:
    assert Redaction.create(urls=[url]).redact(f"it is {secret}") == "it is ****"


def test_names_and_uuids_are_not_hidden() -> None:
    url = "https://my-name:pass-word@packages.example/6f8b2c1e-0a4d-4f6b-9c3e-7d2a1b0c9e8f/simple"
    text = "my-name at packages.example/6f8b2c1e-0a4d-4f6b-9c3e-7d2a1b0c9e8f and git+ssh://git@host/x.git"
    assert Redaction.create(urls=[url]).redact(text) == text


def test_unknown_credentials_in_urls_are_hidden() -> None:
    text = "Looking in http://a:b@c@host:1/simple, 'svn+https://tok@host/x' and mail me@host"
    expected = "Looking in http://****@host:1/simple, 'svn+https://****@host/x' and mail me@host"
    assert Redaction().redact(text) == expected


def test_longer_secret_is_hidden_first(tmp_path: Path) -> None:
    assert Redaction.create(values=["abcd", "abcdef"]).redact("abcdef abcd") == "**** ****"


@pytest.mark.parametrize(
    "netrc",
    [
        "machine a\n  login me\n  password {}\n",
        'machine a login me password "{}"\n',
        "default login me password {}",
        "machine a login me password {} what is this",
    ],
    ids=["lines", "quoted", "default", "broken"],
)
def test_passwords_of_netrc_are_hidden(tmp_path: Path, netrc: str) -> None:
    (tmp_path / ".netrc").write_text(netrc.format("s3cret-x"))
    redaction = read_network({}, home=tmp_path).redaction
    assert redaction.redact("got s3cret-x") == "got ****"


def test_variables_of_named_indexes_are_hidden(tmp_path: Path) -> None:
    environ = {"UV_INDEX_CORP_USERNAME": "my-name", "UV_INDEX_CORP_PASSWORD": "s3cret"}
    redaction = read_network(environ, home=tmp_path).redaction
    sent = base64.b64encode(b"my-name:s3cret").decode()
    assert redaction.redact(f"my-name s3cret {sent}") == "my-name **** ****"


def test_passwords_of_proxies_and_uv_toml_are_hidden(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text('[[index]]\nurl = "https://u:from-toml@host/simple"\nexplicit = true\n')
    environ = {"HTTPS_PROXY": "me:from-proxy@proxy:3128", "UV_CONFIG_FILE": str(tmp_path / "uv.toml")}
    redaction = read_network(environ, home=tmp_path).redaction
    assert redaction.redact("from-toml from-proxy") == "**** ****"


def test_password_in_an_install_setting_is_hidden(tmp_path: Path) -> None:
    ini = {"py_images_install": ["sample @ https://me:s3cret@host/sample.whl"]}
    project = find_project(tmp_path, ini=ini)
    assert project.origin == "sample @ https://****@host/sample.whl (py_images_install)"


@pytest.mark.parametrize("form", ["{}", "--index-url={}", '"{}'], ids=["bare", "option", "quotation"])
def test_password_in_an_invalid_install_setting_is_hidden(tmp_path: Path, form: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_project(tmp_path, ini={"py_images_install": [form.format("https://me:s3cret@host/x")]})
    assert "s3cret" not in str(caught.value)
    assert "host/x" in str(caught.value)
