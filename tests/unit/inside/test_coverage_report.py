"""Lines that images differ about, as they are printed."""

from __future__ import annotations

import sqlite3
from importlib import import_module
from pathlib import Path
from typing import Any

import coverage
import pytest

MODULE: Any = import_module("pytest_pyimages.inside.worker.coverage_report")  # without annotations, for Python 2.7


@pytest.mark.parametrize(
    ("lines", "statements", "expected"),
    [
        ([], [1, 2], ""),
        ([3], [1, 3], "3"),
        ([1, 2, 3], [1, 2, 3], "1-3"),
        ([1, 5, 9], [1, 5, 9], "1-9"),
        ([1, 5, 9], [1, 5, 7, 9], "1-5, 9"),
        ([9, 1], [1, 5, 9], "1, 9"),
    ],
    ids=["none", "one", "range", "no statement between", "a statement between", "both ends"],
)
def test_ranges_are_those_of_statements(lines: list[int], statements: list[int], expected: str) -> None:
    assert MODULE.as_ranges(lines, statements) == expected


def test_contexts_begin_with_the_image(tmp_path: Path) -> None:
    data = coverage.CoverageData(str(tmp_path / "data"))
    for context in ("", "test_a.py::test_a"):
        data.set_context(context)
        data.add_lines({"shop.py": [1]})
    data.write()
    data.close(force=True)
    MODULE.add_context(str(tmp_path / "data"), "3.12")
    connection = sqlite3.connect(tmp_path / "data")
    found = {row[0] for row in connection.execute("SELECT context FROM context")}
    connection.close()
    assert found == {"3.12", "3.12|test_a.py::test_a"}


def test_what_pytest_cov_prints_is_sent_with_its_markup() -> None:
    """In parts, so that no record is too long."""
    sent: list[dict[str, Any]] = []
    channel: Any = type("Channel", (), {"send": lambda self, record: sent.append(record)})()
    terminal = MODULE.Terminal(channel, 2)
    terminal.write_line("x" * MODULE.PART, red=True, bold=False)
    terminal.write_sep("=", "coverage")
    terminal.write_sep("-")
    assert [(len(record["text"]), record["markup"], record["sep"]) for record in sent] == [
        (MODULE.PART, ["red"], ""),
        (1, ["red"], ""),
        (8, [], "="),
        (0, [], "-"),
    ]
    assert terminal.getplugin("terminalreporter") is terminal
    assert terminal.getplugin("capturemanager") is None


def test_only_new_files_of_a_report_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page").mkdir()
    for name in ("old.html", "same.html"):
        (tmp_path / "page" / name).write_text("old")
    cov = coverage.Coverage(data_file=None, config_file=False)
    written = MODULE.WrittenFiles({"html": "page", "xml": None, "term": None, "annotate": None}, cov)
    (tmp_path / "page" / "old.html").write_text("longer")
    (tmp_path / "page" / "new.html").write_text("")
    (tmp_path / "page" / "link.html").symlink_to("new.html")
    (tmp_path / "coverage.xml").write_text("")
    cov.get_data().add_lines({str(tmp_path / "shop.py"): [1]})
    assert list(written.find(cov)) == [
        ("html", f"{tmp_path}/page", [f"{tmp_path}/page/new.html", f"{tmp_path}/page/old.html"]),
        ("xml", f"{tmp_path}/coverage.xml", [f"{tmp_path}/coverage.xml"]),
        ("annotate", f"{tmp_path}/shop.py,cover", [f"{tmp_path}/shop.py,cover"]),
    ]
