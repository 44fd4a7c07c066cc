"""Files of arguments are read as pytest's own parser reads them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pytest_pyimages.host import Invocation
from pytest_pyimages.host.pytest_input import expand_argument_files


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest, "version_tuple", (8, 2, 0))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.args").write_text("--maxfail=1\n-k\nspam and eggs\n\ntests with spaces\n@two.args\n")
    (tmp_path / "two.args").write_bytes(b"-x\r\nt.py::a[3.12]\r\n")


@pytest.mark.parametrize(
    "words", ["-q @one.args", "@two.args @two.args", "-k @two.args -- @one.args", "--junitxml=@two.args a@one.args"]
)
def test_as_argparse_does(words: str) -> None:
    parser = argparse.ArgumentParser(fromfile_prefix_chars="@", allow_abbrev=False)
    expected = parser._read_args_from_files(words.split())
    assert expand_argument_files(words.split()) == expected


@pytest.mark.parametrize(
    ("word", "said"), [("@missing.args", "No such file or directory"), ("@.", "directory"), ("@own.args", "itself")]
)
def test_unreadable_file(tmp_path: Path, word: str, said: str) -> None:
    (tmp_path / "own.args").write_text("-q\n@own.args\n")
    with pytest.raises(pytest.UsageError, match=said):
        expand_argument_files([word])


def test_an_older_pytest_takes_the_file_for_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest, "version_tuple", (8, 1, 2))
    monkeypatch.setenv("PYTEST_ADDOPTS", "@one.args -x")
    invocation = Invocation.from_arguments(["@one.args", "-k", "@smoke", "tests"], Path.cwd())
    assert invocation.typed.words == ("./@one.args", "-k", "@smoke", "tests"), "so that no newer one reads the file"
    assert invocation.environment["PYTEST_ADDOPTS"] == "./@one.args -x"
