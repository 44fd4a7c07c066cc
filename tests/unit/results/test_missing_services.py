"""The note on tests that cannot connect to a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.results.missing_modules import IniFile
from pytest_pyimages.results.missing_services import describe_missing_services
from tests.support.golden import message

REFUSED = "E   ConnectionRefusedError: [Errno 111] Connection refused"
POSTGRES = 'E   connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused'
REDIS = "E   redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379. Connection refused."
UNKNOWN_HOST = 'E   could not translate host name "db" to address'


def describe(folder: Path, *failures: str) -> str:
    return describe_missing_services(failures, IniFile(ini={}, inipath=None, rootdir=folder), folder)


def test_the_port_tells_the_image(tmp_path: Path) -> None:
    expected = message("services", "port-refused")
    assert describe(tmp_path, POSTGRES, "E   assert 1 == 2", REDIS) == expected


def test_another_tool_starts_the_server(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  db:\n    image: postgres:17\n")
    (tmp_path / "pyproject.toml").touch()
    assert describe(tmp_path, UNKNOWN_HOST) == message("services", "declared-elsewhere")


@pytest.mark.parametrize(
    "failures", [(), ("E   assert 1 == 2 port 5432",), (REFUSED,), ("Connection refused: 15432",)], ids=str
)
def test_nothing_can_be_offered(failures: tuple[str, ...], tmp_path: Path) -> None:
    assert describe(tmp_path, *failures) == ""
