"""``pyimages history``: what it prints, the page it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_pyimages.cli.program import main
from pytest_pyimages.results.output.json_report import make_document
from tests.support.golden import message
from tests.support.results import make_run


def write_run(path: Path, day: int, *, failed: str = "", seconds: float = 0.1) -> str:
    """Write the report of a run of three tests on an image, with the day as its commit; return its name."""
    image = make_run("3.12", python="3.12.1", ended=True, exit_status=1 if failed else 0)
    for name in "abc":
        image.count(f"t.py::test_{name}", "failed" if name in failed else "passed")
        image.durations[f"t.py::test_{name}"] = seconds if name == "c" else 0.1
    document = make_document(
        {"3.12": image.result}, exit_status=1 if failed else 0, started=day * 86400.0, ended=day * 86400.0 + 5
    )
    document["session"] = {"project": "shop", "commit": f"c{day}", "command": "pytest", "engine": ""}
    path.write_text(json.dumps(document))
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Four runs, in no order."""
    return [
        write_run(tmp_path / "4.json", 4, failed="a", seconds=3.0),
        write_run(tmp_path / "1.json", 1),
        write_run(tmp_path / "2.json", 2, failed="b"),
        write_run(tmp_path / "3.json", 3),
    ]


def test_changes_are_listed(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", *files]) == 0
    assert capsys.readouterr().out.replace("\n\n", "\n") == message("cli", "history") + "\n"


def test_last(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "--last", "2", *files[1:]]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["newly passing (1)", "  F.  t.py::test_b[3.12]"]


def test_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [write_run(tmp_path / f"{day}.json", day) for day in (1, 2)]
    assert main(["history", *names]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["nothing has changed"]


def test_page(files: list[str], tmp_path: Path) -> None:
    assert main(["history", *files, "-o", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert '"kind":"newly failing","nodeid":"t.py::test_a"' in page


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["4.json"], "history-one-run"),
        (["4.json", "4.json"], "history-one-run"),
        (["4.json", "3.json", "--last", "1"], "history-last"),
        (["4.json", "3.json", "-o", "page.md"], "history-page"),
    ],
)
def test_refusals(
    files: list[str],
    words: list[str],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert files
    monkeypatch.chdir(tmp_path)
    assert main(["history", *words]) == pytest.ExitCode.USAGE_ERROR
    assert capsys.readouterr().err == f"ERROR: {message('cli', text)}\n"
