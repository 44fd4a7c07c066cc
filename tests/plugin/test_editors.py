"""Editors: a plugin outside of the project, which builds a tree of the tests and reports results by its ids."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import ImagesRun, make_distribution
from tests.support.fake_engine import UNMEASURED
from tests.support.golden import message
from tests.support.watched import Watch

Run = Callable[..., ImagesRun]
IMAGES = "3.12,3.14-slim"
SUITE = """
import os, pytest

def test_ok(): print("hello")

def test_fails(): assert os.environ["FAKE_IMAGE"] == "python:3.12"

@pytest.mark.parametrize("n", ["a::b", "c[d]"])
def test_parameters(n): pass

class TestOuter:
    class TestInner:
        def test_in(self): pass

@pytest.mark.skip(reason="no")
def test_skipped(): pass

@pytest.fixture
def broken(): raise ValueError("broken fixture")

def test_setup(broken): pass
"""
# What the plugins of editors do, with a pipe that the editor reads.
EDITOR = """
import json, os
import pytest

PIPE, SEEN, PATHS, ERRORS = open(os.environ["EDITOR_PIPE"], "w"), set(), {}, []

def send(**message):
    print(json.dumps(message), file=PIPE, flush=True)

def get_id(node, path):
    return "::".join([str(path), *node.split("::")[1:]])

def send_result(test, outcome, text=""):
    if test not in SEEN:
        SEEN.add(test)
        send(test=test, outcome=outcome, text=text)

def pytest_exception_interact(node, call, report):
    kind = "failure" if call.excinfo.typename == "AssertionError" else "error"
    ERRORS.append(call.excinfo.exconly())
    send_result(get_id(node.nodeid, node.path), kind, report.longreprtext)

@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_report_teststatus(report):
    if report.when == "call" or (report.when == "setup" and report.skipped):
        path = PATHS.get(report.nodeid, "unknown")
        send_result(get_id(report.nodeid, path), report.outcome)
    yield

@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_protocol(item):
    PATHS[item.nodeid] = item.path
    assert not any(mark.name == "skip" for mark in [*item.own_markers, *item.parent.own_markers])
    yield

def describe(item):
    names, parent = [item.originalname, item.callspec.id] if hasattr(item, "callspec") else [item.name], item.parent
    while isinstance(parent, pytest.Class):
        assert not hasattr(parent, "obj")
        names.insert(0, parent.name)
        parent = parent.parent
    assert isinstance(parent, pytest.File)
    while parent is not None and not isinstance(parent, pytest.Session):
        names.insert(0, parent.path.name)
        parent = parent.parent
    return {"id": get_id(item.nodeid, item.path), "names": names, "line": item.location[1]}

def pytest_collection_finish(session):
    send(count=len(session.items))

def pytest_sessionfinish(session, exitstatus):
    if "EDITOR_COVERAGE" in os.environ:
        import coverage
        read = coverage.Coverage()
        read.load()
        send(measured=[os.path.basename(path) for path in read.get_data().measured_files()])
    send(tree=[describe(item) for item in session.items], errors=ERRORS, status=exitstatus)
    PIPE.close()
"""


@dataclass(frozen=True)
class Edited:
    """A run that an editor has started, and what its plugin has sent."""

    run: ImagesRun
    messages: list[dict[str, Any]]

    @property
    def tree(self) -> list[dict[str, Any]]:
        """The tests."""
        return next(message["tree"] for message in self.messages if "tree" in message)

    @property
    def errors(self) -> list[str]:
        return next(message["errors"] for message in self.messages if "errors" in message)

    @property
    def outcomes(self) -> dict[str, str]:
        """Outcomes by the tree's ids."""
        return {message["test"]: message["outcome"] for message in self.messages if "test" in message}


class Pipe:
    """A named pipe that is read in a thread."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._path = path
        self._text = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        self._text = self._path.read_text()

    def messages(self) -> list[dict[str, Any]]:
        self._thread.join(60)
        return [json.loads(line) for line in self._text.splitlines()]


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images_command: object) -> Pipe:
    """Add the folder of an editor's plugin to PYTHONPATH."""
    (tmp_path / "my_editor.py").write_text(EDITOR)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    monkeypatch.setenv("EDITOR_PIPE", str(tmp_path / "pipe"))
    return Pipe(tmp_path / "pipe")


@pytest.fixture
def edit(editor: Pipe, pytester: pytest.Pytester, run_images: Run) -> Callable[..., Edited]:
    def start(*args: str, **options: Any) -> Edited:
        run = run_images("-p", "my_editor", f"--rootdir={pytester.path}", *args, **options)
        return Edited(run, editor.messages())

    return start


def test_tree_of_tests(pytester: pytest.Pytester, edit: Callable[..., Edited]) -> None:
    """One node a test, with a child for each image; nothing of the project is imported on the host."""
    (pytester.path / "tests" / "unit").mkdir(parents=True)
    (pytester.path / "tests" / "unit" / "test_a.py").write_text(SUITE)
    (pytester.path / "tests" / "doc.txt").write_text(">>> 1\n1\n")
    (pytester.path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npy_images = ["3.12", "3.14-slim"]\n')
    found = edit("--collect-only", "--doctest-glob=*.txt", images=None)
    assert found.run.result.ret == 0
    tree = {row["id"].removeprefix(f"{pytester.path}/"): ".".join(row["names"]) for row in found.tree}
    for label in ("3.12", "3.14-slim"):
        file, nodes = "tests/unit/test_a.py", "tests.unit.test_a.py"
        assert tree[f"{file}::test_ok[{label}]"] == f"{nodes}.test_ok.{label}"
        assert tree[f"{file}::test_parameters[a::b][{label}]"] == f"{nodes}.test_parameters.a::b-{label}"
        assert tree[f"{file}::TestOuter::TestInner::test_in[{label}]"] == f"{nodes}.TestOuter.TestInner.test_in.{label}"
        assert tree[f"tests/doc.txt::doc.txt[{label}]"] == f"tests.doc.txt.doc.txt[{label}]"
    assert len(tree) == 16
    assert [row["id"].endswith("[3.12]") for row in found.tree] == [True] * 8 + [False] * 8
    assert {row["line"] for row in found.tree if "test_ok" in row["id"]} == {3}
    assert [message["count"] for message in found.messages if "count" in message] == [8, 8]
    assert found.errors == []


def test_results_by_the_ids_of_the_tree(pytester: pytest.Pytester, edit: Callable[..., Edited]) -> None:
    """Those that were clicked run on their image only; a failed setup is an error."""
    file = pytester.makepyfile(SUITE)
    names = ("test_fails[3.12]", "test_fails[3.14-slim]", "test_setup[3.12]", "test_parameters[c[d]][3.14-slim]")
    ids = [f"{file}::{name}" for name in (*names, "TestOuter::TestInner::test_in[3.12]", "test_skipped[3.12]")]
    done = edit(*ids, images=IMAGES)
    assert done.run.result.ret == 1
    assert done.outcomes == dict(zip(ids, ["passed", "failed", "error", "passed", "passed", "skipped"], strict=True))
    assert [row["id"] for row in done.tree] != []
    assert "broken fixture" in next(each["text"] for each in done.messages if each.get("outcome") == "error")
    assert sorted(done.errors)[1] == "ValueError: broken fixture"
    assert "my_editor" not in done.run.out, "nobody types this command again"


@pytest.mark.parametrize(
    ("suite", "images", "error"),
    [
        pytest.param("import no_such_module", "3.12", "ModuleNotFoundError: No module named 'no_such_module'"),
        pytest.param("def test(): pass", "3.12,3.9", "ImageError: 3.9: no such image: *"),
    ],
)
def test_errors_of_the_collection(
    pytester: pytest.Pytester, edit: Callable[..., Edited], suite: str, images: str, error: str
) -> None:
    """The editor shows them; an empty tree would be a success."""
    pytester.makepyfile(suite)
    found = edit("--collect-only", images=images)
    assert found.run.result.ret != 0
    pytest.LineMatcher(found.errors).fnmatch_lines([error])


def test_crash_of_a_test(pytester: pytest.Pytester, edit: Callable[..., Edited]) -> None:
    file = pytester.makepyfile("import os\ndef test_dies(): os.abort()")
    assert edit().outcomes[f"{file}::test_dies[3.12]"] == "failed"


def test_tests_of_an_image_that_does_not_exist(pytester: pytest.Pytester, edit: Callable[..., Edited]) -> None:
    """Each of those that were clicked is an error: none is left without a result."""
    file = pytester.makepyfile(SUITE)
    outcomes = edit(f"{file}::test_ok[3.9]", f"{file}::test_ok[3.12]", images="3.12,3.9").outcomes
    assert outcomes[f"{file}::test_ok[3.9]"] == "error"
    assert outcomes[f"{file}::test_ok[3.12]"] == "passed"


def test_nothing_is_lost_if_hooks_of_the_host_fail(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_images: Run
) -> None:
    """A plugin cannot deselect or run tests on the host, and its errors are a note."""
    (tmp_path / "odd.py").write_text(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            del items[:]

        def pytest_collection_finish(session):
            session.items[0].obj()

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item):
            return True
        """.replace("\n        ", "\n")
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    pytester.makepyfile(SUITE)
    run = run_images("-p", "odd")
    counts = run.images["3.12"]["counts"]
    assert (counts["passed"], counts["skipped"], counts["error"]) == (5, 1, 1)
    why = "RuntimeError: this test exists in a container only"
    run.result.stdout.fnmatch_lines([f" note: a plugin's pytest_collection_finish failed on the host ({why})"])


def test_breakpoints_of_the_host(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_images: Run
) -> None:
    (tmp_path / "debugpy.py").write_text("")
    (tmp_path / "starts_debugger.py").write_text("import debugpy")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    pytester.makepyfile("def test(): pass")
    run = run_images("-q", "-p", "starts_debugger", images=IMAGES)
    assert run.result.ret == 0
    assert run.out.count(message("host", "no-breakpoints")) == 1
    assert message("host", "no-breakpoints") not in run_images(images=IMAGES).out


def test_coverage_of_an_editor(
    pytester: pytest.Pytester, edit: Callable[..., Edited], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plugin reads the data of all images at the end of the session."""
    monkeypatch.setenv("EDITOR_COVERAGE", "1")
    monkeypatch.setenv(UNMEASURED, "1")
    monkeypatch.delenv("COVERAGE_FILE", raising=False)  # where these tests are measured
    pytester.makepyfile(shop="def price(): return 1", test_shop="import shop\ndef test_price(): assert shop.price()")
    done = edit("--cov=.", "--cov-branch", images=IMAGES)
    assert done.run.result.ret == 0
    (names,) = (message["measured"] for message in done.messages if "measured" in message)
    assert sorted(names) == ["shop.py", "test_shop.py"]


def test_terminal_of_an_editor(pytester: pytest.Pytester, editor: Pipe, watch: Watch) -> None:
    """Editors debug in a terminal, without capturing: the results are theirs all the same."""
    file = pytester.makepyfile("def test(): print('shown')")
    run = watch("--capture", "no", "-p", "my_editor")
    assert run.end() == 0
    assert Edited(ImagesRun(None, [], {}), editor.messages()).outcomes == {f"{file}::test[3.12]": "passed"}  # type: ignore[arg-type]


TEAMCITY = """
def pytest_addoption(parser):
    parser.addoption("--teamcity", action="count")

def pytest_configure(config):
    if config.option.teamcity:
        config.pluginmanager.register(Messages())

class Messages:
    def pytest_collection_finish(self, session):
        print(f"##[testCount count='{len(session.items)}']")

    def pytest_runtest_logstart(self, nodeid, location):
        print(f"##[testStarted name='{nodeid}' metainfo='{location[2]}']")

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            print(f"##[testFinished name='{report.nodeid}' duration='{report.duration:.1f}']")
"""


def test_service_messages(pytester: pytest.Pytester, run_images: Run, tmp_path: Path) -> None:
    """PyCharm: how many tests there are, which one runs, and for how long."""
    make_distribution(Path(os.environ["PYTHONPATH"]), "pytest-teamcity", "teamcity_plugin", TEAMCITY)
    pytester.makepyfile("import time\nclass TestIt:\n    def test_slow(self): time.sleep(0.2); print('shown')")
    run = run_images("-q", "--teamcity", images=IMAGES)
    assert run.result.ret == 0
    sent = [line[line.index("##[") :] for line in run.out.splitlines() if "##[" in line]
    assert sent.count("##[testCount count='1']") == 2
    started = [line.partition(" name=")[0] for line in sent if "testCount" not in line]
    assert started == ["##[testStarted", "##[testFinished"] * 2, "one test at a time, whatever runs at once"
    for label in IMAGES.split(","):
        name = f"test_service_messages.py::TestIt::test_slow[{label}]"
        assert f"##[testStarted name='{name}' metainfo='TestIt.test_slow']" in sent
        (duration,) = (line for line in sent if line.startswith(f"##[testFinished name='{name}' duration='"))
        assert float(duration.split("'")[-2]) >= 0.2


def test_service_messages_need_their_plugin(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test(): pass")
    run = run_images("--teamcity")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "install teamcity-messages here" in run.err
