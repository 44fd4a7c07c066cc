"""How this host's way to the package indexes is found: pip's environment and files, proxies, certificates."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.images.network import host_network


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def configured(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "pip.conf"
    path.write_text(text)
    return {"PIP_CONFIG_FILE": str(path)}


def test_only_what_reaches_an_index_is_taken() -> None:
    environ = {
        "PIP_INDEX_URL": "https://index.example/simple",
        "HTTPS_PROXY": "http://proxy:1",
        "AWS_SECRET": "x",
        "HOME": "/h",
    }
    found = host_network(environ).environment
    assert found["PIP_INDEX_URL"] == found["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    assert found["HTTPS_PROXY"] == "http://proxy:1"
    assert "AWS_SECRET" not in found
    assert "HOME" not in found


def test_pip_s_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    environ = configured(tmp_path, "[global]\nindex-url = https://file.example/simple\nproxy = http://proxy:1\n")
    assert host_network(environ).environment["PIP_INDEX_URL"] == "https://file.example/simple"
    assert host_network(environ).environment["HTTPS_PROXY"] == "http://proxy:1"
    environ["PIP_INDEX_URL"] = "https://environment.example/simple"
    assert host_network(environ).environment["PIP_INDEX_URL"] == "https://environment.example/simple"


def test_indexes_of_this_host_s_files_stay_here(tmp_path: Path) -> None:
    text = "[global]\nextra-index-url =\n    file:///opt/index\n    https://extra.example/simple\n"
    found = host_network(configured(tmp_path, text)).environment
    assert found["PIP_EXTRA_INDEX_URL"].split() == ["https://extra.example/simple"]
    only_files = host_network(configured(tmp_path, "[global]\nextra-index-url = file:///opt/index\n")).environment
    assert "PIP_EXTRA_INDEX_URL" not in only_files
    assert "UV_INDEX" not in only_files


def test_broken_pip_file_is_left_to_pip(tmp_path: Path) -> None:
    assert "PIP_INDEX_URL" not in host_network(configured(tmp_path, "index-url = nowhere\n")).environment


@pytest.mark.parametrize("name", ["PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_are_those_that_the_host_names(tmp_path: Path, name: str) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    assert host_network({name: str(bundle)}).certificates == "-----BEGIN CERTIFICATE-----\n"
