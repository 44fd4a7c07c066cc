"""The combined coverage report: its files, and the lines that only one image covers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.inside.worker import coverage_report as worker_module
from pytest_pyimages.results.output import coverage as results_coverage
from pytest_pyimages.results.output import coverage_files
from pytest_pyimages.results.output.coverage import SHOWN_FILES, CoverageReport, format_missing_coverage
from pytest_pyimages.results.output.coverage_files import Destinations, ReportFiles
from pytest_pyimages.runs.events import Beat, CoverageFile, CoverageLines, CoveragePart, CoverageSaid, Covered, Event

WORKER: Any = worker_module  # without annotations, as Python 2.7 wants it


def report(tmp_path: Path, *events: Event, labels: tuple[str, ...] = ("3.10", "3.12", "3.14")) -> CoverageReport:
    reports = ("html", "xml", f"xml:{tmp_path / 'out' / 'coverage.xml'}")
    made = CoverageReport(labels, Destinations([tmp_path], reports, tmp_path))
    made.take(events)
    made.files.end()
    return made


def file(path: Path, content: bytes, *, kind: str = "xml", name: str = "", size: int | None = None) -> list[Event]:
    return [CoverageFile(kind, str(path), name, len(content) if size is None else size), CoveragePart(content)]


def test_files_are_written_to_their_destinations(tmp_path: Path) -> None:
    made = report(
        tmp_path,
        *file(tmp_path / "out" / "coverage.xml", b"<?xml"),
        *file(tmp_path / "htmlcov", b"<html>", kind="html", name="sub/index.html"),
        CoverageFile("html", str(tmp_path / "htmlcov"), "empty.html", 0),
        CoverageSaid("done", (), ""),
    )
    assert made.files.problems == []
    assert (tmp_path / "out" / "coverage.xml").read_bytes() == b"<?xml"
    assert (tmp_path / "htmlcov" / "sub" / "index.html").read_bytes() == b"<html>"
    assert (tmp_path / "htmlcov" / "empty.html").read_bytes() == b""
    assert (tmp_path / "out" / "coverage.xml").stat().st_mode & 0o777 == 0o644


def test_a_file_is_complete_though_a_beat_comes_between_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "coverage.xml"
    parts: list[Event] = [
        CoverageFile("xml", str(path), "", 5),
        Beat(),
        CoveragePart(b"<?x"),
        Beat(),
        CoveragePart(b"ml"),
        Beat(),
    ]
    assert report(tmp_path, *parts).files.problems == []
    assert path.read_bytes() == b"<?xml"


def test_incomplete_file_is_not_written(tmp_path: Path) -> None:
    made = report(tmp_path, *file(tmp_path / "coverage.xml", b"<?xml", size=6))
    assert made.files.problems == [f"coverage: received only 5 of 6 bytes of {tmp_path / 'coverage.xml'}"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "root", "name"),
    [
        ("xml", "{outside}/coverage.xml", ""),
        ("xml", "coverage.xml", ""),
        ("xml", "{project}/shop.py", ""),
        ("xml", "{project}/other.xml", ""),
        ("xml", "{project}/.git/config.xml", ""),
        ("html", "{project}/htmlcov", "../../outside/index.html"),
        ("html", "{project}/htmlcov", "/etc/index.html"),
        ("html", "{project}/link", "index.html"),
        ("html", "{project}/..", "index.html"),
        ("html", "{project}", "index.html"),
        ("html", "{project}/docs", "index.html"),
        ("json", "{project}/package.json", ""),
        ("json", "{project}/coverage.json", ""),
        ("lcov", "{project}/coverage.lcov", ""),
        ("annotate", "{project}/shop.py,cover", ""),
        ("markdown", "{project}/README.md", ""),
        ("data", "{project}/shop.py", ""),
        ("data", "{project}/db.sqlite3", ""),
        ("data", "{project}/.git/index", ""),
        ("unheard-of", "{project}/coverage.xml", ""),
    ],
)
def test_container_cannot_choose_other_places(tmp_path: Path, kind: str, root: str, name: str) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    for folder in (project / ".git", outside, project / "docs"):
        folder.mkdir(parents=True)
    (project / "link").symlink_to(outside)
    for file_name in ("shop.py", "package.json", "README.md", "docs/index.html"):
        (project / file_name).write_text("{}")
    (project / "db.sqlite3").write_bytes(b"SQLite format 3\0coverage_schema")
    wanted = CoverageFile(kind, root.format(project=project, outside=outside), name, 0)
    with pytest.raises(PyimagesError, match="coverage: "):
        Destinations([project], ["html", "xml", "markdown:README.md"], project).resolve(wanted)


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        ("xml", "coverage.xml", "<project name='build'/>"),
        ("json", "coverage.json", '{"name": "shop"}'),
        ("lcov", "coverage.lcov", "text"),
        ("markdown", "NOTES.md", "# Notes"),
        ("html", "htmlcov/index.html", "<html>my page</html>"),
        ("data", ".coverage", "SQLite format 3\0other tables"),
        ("annotate", "shop.py,cover", "my notes"),
    ],
)
def test_a_file_that_is_no_report_is_kept(tmp_path: Path, kind: str, name: str, content: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    places = Destinations([tmp_path], ["xml", "json", "lcov", "html", "annotate", "markdown:NOTES.md"], tmp_path)
    root, _, page = name.partition("/")
    with pytest.raises(PyimagesError, match="would replace another file"):
        places.resolve(CoverageFile(kind, str(tmp_path / root), page, 0))


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        ("xml", "coverage.xml", '<?xml version="1.0" ?>\n<coverage version="7.6"/>'),
        ("json", "coverage.json", '{\n    "meta": {}}'),
        ("lcov", "coverage.lcov", "SF:shop.py\n"),
        ("markdown", "NOTES.md", "| Name | Stmts |"),
        ("markdown-append", "summary.md", "# Notes of another step"),
        ("html", "htmlcov/index.html", "<html>created by coverage.py v7</html>"),
        ("data", ".coverage", "SQLite format 3\0CREATE TABLE coverage_schema"),
        ("annotate", "shop.py,cover", "> import os\n"),
    ],
)
def test_a_former_report_is_replaced(tmp_path: Path, kind: str, name: str, content: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    reports = ["xml", "json", "lcov", "html", "annotate", "markdown:NOTES.md", "markdown-append:summary.md"]
    root, _, page = name.partition("/")
    wanted = CoverageFile(kind, str(tmp_path / root), page, 0)
    assert Destinations([tmp_path], reports, tmp_path).resolve(wanted) == tmp_path / name


@pytest.mark.parametrize(
    "settings", ["[xml]\noutput = build/c.xml\n", "[tool.coverage.xml]\noutput = 'build/c.xml' # there\n"]
)
def test_coverage_may_have_other_default_places(tmp_path: Path, settings: str) -> None:
    wanted = CoverageFile("xml", str(tmp_path / "build" / "c.xml"), "", 0)
    assert Destinations([tmp_path], ["xml"], tmp_path, [settings]).resolve(wanted) == tmp_path / "build" / "c.xml"
    with pytest.raises(PyimagesError, match="another place"):
        Destinations([tmp_path], ["xml"], tmp_path).resolve(wanted)


def test_user_may_choose_any_place(tmp_path: Path) -> None:
    reports = ["xml:../a.txt", f"html:{tmp_path / 'page'}"]
    places = Destinations([tmp_path / "project"], reports, tmp_path / "project")
    assert places.resolve(CoverageFile("xml", str(tmp_path / "a.txt"), "", 0)) == tmp_path / "a.txt"
    page = CoverageFile("html", str(tmp_path / "page"), "b/index.html", 0)
    assert places.resolve(page) == tmp_path / "page" / "b" / "index.html"


def test_data_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".coverage").write_bytes(b"SQLite format 3\0 coverage_schema former")
    made = report(tmp_path, *file(tmp_path / ".coverage", b"SQLite format 3\0new", kind="data"))
    assert made.files.problems == []
    assert (tmp_path / ".coverage").read_bytes().endswith(b"new")


def test_content_beyond_the_announced_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PyimagesError, match="more than 4 bytes"):
        report(tmp_path, *file(tmp_path / "coverage.xml", b"<?xml", size=4))
    assert list(tmp_path.iterdir()) == []


def test_too_large_report_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_coverage, "MOST_TEXT", 100)
    report(tmp_path, CoverageSaid("x" * 100, (), ""))
    for event in (CoverageSaid("x" * 101, (), ""), CoverageLines("a.py", (((0,), tuple(range(20)), "0-19"),))):
        with pytest.raises(PyimagesError, match="too large"):
            report(tmp_path, event)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage_files, "MOST_FILES", 2)
    files = ReportFiles(Destinations([tmp_path], [], tmp_path))
    for number in range(2):
        files.begin(CoverageFile("xml", str(tmp_path / f"{number}.xml"), "", 0))
    with pytest.raises(PyimagesError, match="more than 2 files"):
        files.begin(CoverageFile("xml", str(tmp_path / "2.xml"), "", 0))
    files.close()


def test_lines_that_only_one_image_covers(tmp_path: Path) -> None:
    made = report(
        tmp_path,
        CoverageLines("shop/compat.py", (((0,), (12, 13, 20), "12-13, 20"), ((1, 2), (9,), "9"))),
        CoverageLines("shop/new.py", (((2,), (1,), "1"), ((7,), (2,), "2"))),
        Covered(80.0, False, ()),
    )
    assert made.format_unique_lines() == [
        " covered only on 3.10",
        "   shop/compat.py  12-13, 20",
        " covered only on 3.14",
        "   shop/new.py  1",
    ]
    assert made.make_document()["files"][0]["covered"][1] == {"images": ["3.12", "3.14"], "lines": [9]}


def test_long_lists_of_lines_are_cut(tmp_path: Path) -> None:
    ranges = ", ".join(str(number) for number in range(1, 1000, 2))
    made = report(
        tmp_path, *(CoverageLines(f"{number}.py", (((0,), (1,), ranges),)) for number in range(SHOWN_FILES + 5))
    )
    lines = made.format_unique_lines()
    assert len(lines) == SHOWN_FILES + 2
    assert lines[-1] == "   … and 5 more files"
    assert lines[1].endswith(", …")
    assert max(map(len, lines)) < 200


def test_missing_images_of_the_same_reason_share_a_line() -> None:
    assert format_missing_coverage({"3.9": "old", "3.10": "lost", "3.8": "old"}) == [
        " no coverage data of 3.9, 3.8: old",
        " no coverage data of 3.10: lost",
    ]


@pytest.mark.parametrize(
    ("lines", "statements", "expected"),
    [
        ([], [1, 2], ""),
        ([3], [1, 3, 5], "3"),
        ([3, 5], [1, 3, 5], "3-5"),
        ([1, 5], [1, 3, 5], "1, 5"),
        ([1, 2, 3, 9], [1, 2, 3, 7, 9], "1-3, 9"),
    ],
)
def test_runs_of_lines(lines: list[int], statements: list[int], expected: str) -> None:
    assert WORKER.as_ranges(lines, statements) == expected
