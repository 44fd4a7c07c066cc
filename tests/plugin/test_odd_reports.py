"""Reports that pytest cannot draw, and faults of one image that must not cost the results of another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.forged_engine import make_engine
from tests.support.forgeries import END, EXIT, GREEN, NODEIDS, START, TWO, phase

Run = Callable[..., ImagesRun]

TREE = {
    "reprcrash": {"path": "/src/test_a.py", "lineno": 7, "message": "assert 0"},
    "reprtraceback": {
        "reprentries": [
            {
                "type": "ReprEntry",
                "data": {
                    "lines": ["    def test_2():", ">       assert 0", "E       assert 0"],
                    "reprfuncargs": {"args": []},
                    "reprlocals": None,
                    "reprfileloc": {"path": "test_a.py", "lineno": 7, "message": "AssertionError"},
                    "style": "long",
                },
            }
        ],
        "extraline": None,
        "style": "long",
    },
    "sections": [],
    "chain": None,
}


def tree(**changes: object) -> dict[str, object]:
    """Return a failure whose tree has other values; the names are paths with two underscores."""
    changed = json.loads(json.dumps(TREE))
    for path, value in changes.items():
        place, (*steps, last) = changed, path.split("__")
        for step in steps:
            place = place[int(step) if step.isdigit() else step]
        place[int(last) if last.isdigit() else last] = value
    return {"kind": "tree", "text": "E   shown as text", "crash": None, "tree": changed}


ENTRY = "reprtraceback__reprentries__0"
# By what is wrong: a phase of the third test.
ODD = {
    "failed without a cause": phase(outcome="failed", longrepr={"kind": "none"}),
    "skipped with a text": phase(outcome="skipped", longrepr={"kind": "text", "text": "not today", "crash": None}),
    "skipped without a reason": phase(outcome="skipped", longrepr={"kind": "none"}),
    "failed with a skip": phase(
        outcome="failed", longrepr={"kind": "skip", "path": "a.py", "line": None, "reason": "r"}
    ),
    "lines are a number": phase(outcome="failed", longrepr=tree(**{f"{ENTRY}__data__lines": 5})),
    "a line is a number": phase(outcome="failed", longrepr=tree(**{f"{ENTRY}__data__lines": ["a", 5]})),
    "no message": phase(outcome="failed", longrepr=tree(reprcrash__message=None)),
    "no line": phase(outcome="failed", longrepr=tree(reprcrash__lineno="seven")),
    "no crash": phase(outcome="failed", longrepr=tree(reprcrash=None)),
    "an entry of no kind": phase(outcome="failed", longrepr=tree(**{f"{ENTRY}__type": "ReprDream"})),
    "a place that is none": phase(outcome="failed", longrepr=tree(**{f"{ENTRY}__data__reprfileloc__message": None})),
    "no entries": phase(outcome="failed", longrepr=tree(reprtraceback__reprentries=None)),
    "sections of numbers": phase(outcome="failed", longrepr=tree(sections=[[1, 2, 3]])),
    "an error in the setup": phase(when="setup", outcome="failed", longrepr={"kind": "none"}),
    "an expected failure": phase(outcome="skipped", wasxfail="reason: known", longrepr={"kind": "none"}),
    "a failure that is called skipped": phase(outcome="failed", status=["skipped", "s", "SKIPPED"]),
    "a failure that is called xfailed": phase(outcome="failed", status=["xfailed", "x", "XFAIL"]),
    "a pass that is called xpassed": phase(status=["xpassed", "X", "XPASS"]),
    "a failure that is called a warning": phase(outcome="failed", status=["warnings", "w", "WARNING"]),
    "a failure without a word": phase(outcome="failed", status=["", "", ""]),
    "a property of lists": phase(outcome="failed", properties=[["key", [[{"a": None}]]]]),
}
LABELS = [f"3.{minor}{variant}" for minor in range(10, 16) for variant in ("", "-slim")]


@pytest.mark.parametrize("start", range(0, len(ODD), 11))
def test_a_report_that_pytest_cannot_draw_is_shown_as_text(
    pytester: pytest.Pytester, run_images: Run, tmp_path: Path, start: int
) -> None:
    odd = list(ODD.items())[start : start + 11]
    streams: dict[str, tuple[object, ...]] = {LABELS[0]: GREEN}
    for label, (_, record) in zip(LABELS[1:], odd, strict=False):
        status = 1 if record["outcome"] == "failed" else 0
        streams[label] = (*START, *TWO, record, {**END, "status": status}, {**EXIT, "status": status})
    pytester.makepyfile("")
    run = run_images(
        "-ra", "--junitxml=junit.xml", "--tb=long", images=",".join(streams), engine=make_engine(tmp_path, streams)
    )
    assert "INTERNALERROR" not in run.out
    assert "Traceback" not in run.out + run.err
    assert run.result.ret == 1
    for label, (name, record) in zip(LABELS[1:], odd, strict=False):
        assert not run.images[label]["problem"], name
        expected = "xfailed" if record["wasxfail"] else record["outcome"]
        expected = "error" if record["when"] == "setup" else expected
        assert run.tests[NODEIDS[2]][label] == expected, name
    suites = ET.parse(pytester.path / "junit.xml").getroot().findall("testsuite")
    assert [len(suite.findall("testcase")) for suite in suites] == [3] * len(streams)


KNOWN = """
    def pytest_report_teststatus(report):
        if report.failed:
            return "known", "k", "KNOWN"
"""


@pytest.mark.parametrize("arguments", [(), ("-p", "no:terminal")], ids=["own category", "no terminal"])
def test_a_failure_counts_whatever_it_is_called(
    pytester: pytest.Pytester, run_images: Run, arguments: tuple[str, ...]
) -> None:
    pytester.makeconftest("" if arguments else KNOWN)
    pytester.makepyfile(
        test_it="""
        import pytest
        @pytest.fixture
        def broken(): assert 0
        def test_passes(): pass
        def test_fails(): assert 0
        def test_errs(broken): pass
        @pytest.mark.xfail
        def test_xfails(): assert 0
        """
    )
    page, summary = pytester.path / "page.html", pytester.path / "summary.md"
    run = run_images(f"--py-images-report={page}", f"--py-images-report={summary}", *arguments)
    assert run.result.ret == 1
    assert {nodeid.partition("::")[2]: each["3.12"] for nodeid, each in run.tests.items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_errs": "error",
        "test_xfails": "xfailed",
    }
    counts = run.images["3.12"]["counts"]
    assert [counts[name] for name in ("passed", "failed", "error", "xfailed")] == [1, 1, 1, 1]
    for file in (page, summary):
        assert "test_fails" in file.read_text()
    if not arguments:
        assert run.result.parseoutcomes()["known"] == 2, "pytest shows them as the suite does"


HEAD = "import os\nimport pytest\nBAD = os.environ['FAKE_IMAGE'] == 'python:3.13'\n"
TORN = "@pytest.fixture\ndef torn():\n    yield\n    if BAD: os.abort()\ndef test_2(torn): assert 0\n"
RERUN = """
def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol
    if item.name != "test_2":
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(2):
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            if attempt == 0 and report.when == "call":
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""
SECOND = "COUNT = []\ndef test_2():\n    COUNT.append(1)\n    if len(COUNT) == 2 and BAD: os.abort()\n"
FINISH = "def pytest_runtest_logfinish(nodeid):\n    if BAD and 'test_2' in nodeid: os.abort()\n"


@pytest.mark.parametrize(
    ("conftest", "test", "arguments", "outcome"),
    [
        pytest.param("", TORN, (), "error", id="teardown of a failed test"),
        pytest.param(RERUN, SECOND, (), "failed", id="second attempt"),
        pytest.param("", TORN, ("--keep-duplicates", "test_it.py", "test_it.py"), "error", id="an id twice"),
        pytest.param(FINISH, "def test_2(): pass\n", (), "error", id="logfinish"),
        pytest.param(FINISH, "def test_2(): assert 0\n", (), "error", id="logfinish of a failure"),
    ],
)
def test_a_crash_costs_no_other_result(
    pytester: pytest.Pytester, run_images: Run, conftest: str, test: str, arguments: tuple[str, ...], outcome: str
) -> None:
    pytester.makeconftest(HEAD + conftest)
    pytester.makepyfile(test_it=f"{HEAD}def test_1(): pass\n{test}def test_3(): pass\n")
    run = run_images("--junitxml=junit.xml", *arguments, images="3.12,3.13")
    assert run.result.ret == 1
    assert "INTERNALERROR" not in run.out
    assert "Traceback" not in run.err
    well, bad = run.images["3.12"], run.images["3.13"]
    assert (well["outcome"] == "error", bad["outcome"]) == (False, "error")
    assert bad["problem"].startswith("worker died of SIGABRT in test_it.py::test_2 (after ")
    assert run.tests["test_it.py::test_2"]["3.13"] == outcome
    assert run.tests["test_it.py::test_3"]["3.13"] == "not run"
    assert "test_2[3.13]" in run.out
