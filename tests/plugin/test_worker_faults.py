"""Tests that damage their own process: never a false green, and earlier results are kept."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

# One fault per image: the code, and what the problem must name.
CRASHES = {
    "3.10": ("os._exit(0)", r"exit status 0\b"),
    "3.11": ("os._exit(1)", r"exit status 1\b"),
    "3.12": ("os.abort()", "SIGABRT"),
    "3.13": ("ctypes.string_at(0)", "SIGSEGV"),
    "3.14": ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    "3.15": ("signal.alarm(1); time.sleep(30)", "SIGALRM"),
}
PREPARE = """
import ctypes, faulthandler, os, signal, sys, time
import pytest

CODE = {codes!r}[os.environ["FAKE_IMAGE"].partition(":")[2]]
faulthandler.disable()
"""
PLACES = {
    "setup": "@pytest.fixture\ndef place():\n    exec(CODE)",
    "call": "@pytest.fixture\ndef place(): return lambda: exec(CODE)",
    "teardown": "@pytest.fixture\ndef place():\n    yield\n    exec(CODE)",
}
TESTS = """
def test_before(): print("kept")
def test_fails_before(): assert 0, "kept as well"
def test_bad(place):
    if place: place()
def test_after(): pass
def test_last(): pass
"""


def images_of(faults: dict[str, tuple[str, str]]) -> str:
    return ",".join(faults)


def prepare(faults: dict[str, tuple[str, str]]) -> str:
    return PREPARE.format(codes={label: code for label, (code, _) in faults.items()})


@pytest.mark.parametrize("place", PLACES)
def test_a_crash_is_reported_with_its_test(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # so that no line of the summary is cut
    pytester.makepyfile(test_it=prepare(CRASHES) + PLACES[place] + TESTS)
    run = run_images(images=images_of(CRASHES))
    assert run.result.ret == 1
    for label, (_, named) in CRASHES.items():
        image = run.images[label]
        assert image["outcome"] == "error", label
        assert re.search(named, image["problem"]), label
        assert "test_it.py::test_bad" in image["problem"], label
        assert run.tests["test_it.py::test_before"][label] == "passed"
        assert run.tests["test_it.py::test_fails_before"][label] == "failed"
        assert run.tests["test_it.py::test_bad"][label] == "failed"
        for name in ("test_after", "test_last"):
            assert run.tests.get(f"test_it.py::{name}", {}).get(label, "not run") == "not run"
        assert re.search(rf"(?m)^FAILED test_it\.py::test_bad\[{re.escape(label)}\].*{named}", run.out), label
    assert "kept as well" in run.out
    assert re.search(r"\b2 (tests )?not run", run.out)
    assert "Traceback" not in run.err


BEFORE_ANY_TEST = {
    "3.10": ("os._exit(0)", r"exit status 0\b"),
    "3.11": ("sys.exit(0)", r"INTERNALERROR|exit status 0\b"),
    "3.12": ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    "3.13": ("os.kill(os.getppid(), signal.SIGKILL)", r"exit status 137\b"),
}
HEALTHY = {"3.14": ("pass", "")}


@pytest.mark.parametrize("where", ["conftest", "module", "sessionfinish", "unconfigure"])
def test_a_process_that_ends_outside_of_tests(pytester: pytest.Pytester, run_images: Run, where: str) -> None:
    """Exit code 0 proves nothing; only the image where nothing happens passes."""
    code = prepare(BEFORE_ANY_TEST | HEALTHY)
    conftest = {
        "conftest": code + "exec(CODE)",
        "module": "",
        "sessionfinish": code + "def pytest_sessionfinish(): exec(CODE)",
        "unconfigure": code + "def pytest_configure(config): config.add_cleanup(lambda: exec(CODE))",
    }[where]
    pytester.makeconftest(conftest)
    pytester.makepyfile(
        test_it="def test_first(): pass",
        test_there=(code + "exec(CODE)\n" if where == "module" else "") + "def test_second(): pass",
    )
    run = run_images(images=images_of(BEFORE_ANY_TEST | HEALTHY))
    assert run.result.ret == 1
    healthy = run.images["3.14"]
    assert (healthy["outcome"], healthy["counts"]["passed"]) == ("passed", 2)
    for label, (_, named) in BEFORE_ANY_TEST.items():
        assert run.images[label]["outcome"] == "error", label
        assert re.search(named, run.images[label]["problem"]), label
        assert re.search(rf"\b{re.escape(label)}\b.*({named})", run.out), label
        if where in ("sessionfinish", "unconfigure") and "getppid" not in BEFORE_ANY_TEST[label][0]:
            assert run.tests["test_it.py::test_first"][label] == "passed"
    assert "Traceback" not in run.err


def test_killed_parent_fails_only_its_image(pytester: pytest.Pytester, run_images: Run) -> None:
    """A test kills the first process of its container."""
    pytester.makepyfile(
        test_it="""
        import os, signal, time
        def test_before(): pass
        def test_bad():
            if os.environ["FAKE_IMAGE"] == "python:3.13":
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(30)
        def test_after(): pass
        """
    )
    run = run_images(images="3.12,3.13")
    assert run.result.ret == 1
    assert run.images["3.12"]["counts"]["passed"] == 3
    assert run.images["3.13"]["outcome"] == "error"
    assert "exit status 137" in run.images["3.13"]["problem"]
    assert run.tests["test_it.py::test_after"]["3.12"] == "passed"
    assert run.tests["test_it.py::test_after"].get("3.13", "not run") == "not run"


def test_a_fork_whose_child_returns(pytester: pytest.Pytester, run_images: Run) -> None:
    """The child runs the rest of the suite too; what it reports is nobody's."""
    pytester.makepyfile(
        test_it="""
        import os
        PARENT = os.getpid()
        def test_before(): pass
        def test_forks(): os.fork()
        def test_after(): assert os.getpid() == PARENT
        def test_last(): pass
        """
    )
    run = run_images("-v")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 4})
    assert run.out.count("test_last[3.12]") == 1
    assert set(run.tests) == {f"test_it.py::test_{name}" for name in ("before", "forks", "after", "last")}


def test_children_left_behind(pytester: pytest.Pytester, run_images: Run) -> None:
    """Threads, processes and daemons that outlive the session do not hold it for ever; what passed has passed."""
    pytester.makepyfile(
        test_it="""
        import os, subprocess, sys, threading, time
        def test_thread(): threading.Thread(target=time.sleep, args=(300,)).start()
        def test_process(): subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
        def test_daemon():
            if os.fork() == 0:
                os.setsid()
                os.closerange(0, 1000)
                time.sleep(45)  # ends by itself: without a container nothing ends it
                os._exit(0)
        """
    )
    run = run_images("-p", "no:threadexception", "-p", "no:unraisableexception", "-W", "ignore")
    image = run.images["3.12"]
    assert image["counts"]["passed"] == 3
    assert image["counts"]["failed"] == 0
    assert run.result.ret == 0 or "threads" in image["problem"]
    assert run.result.duration < 45


CLOSING = {
    "3.10": "os.close(1); os.close(2)",
    "3.11": "os.closerange(3, 300)",
    "3.12": "os.closerange(3, 2000); FILES[:] = [open('opened', 'a') for _ in range(300)]",
    "3.13": "os.dup2(os.open('opened', os.O_CREAT | os.O_WRONLY), 1); os.dup2(1, 2); os.dup2(1, 0)",
    "3.14": "[os.set_blocking(number, False) for number in range(3) if valid(number)]",
    "3.15": "os.close(0); sys.stdin = None",
}


@pytest.mark.parametrize("capture", ["-s", "--capture=fd", "--capture=sys"])
def test_descriptors_closed_by_a_test(pytester: pytest.Pytester, run_images: Run, capture: str) -> None:
    """Either all is reported as it was, or the image has failed; and no record gets into a file of the suite."""
    pytester.makepyfile(
        test_it="""
        import os, sys
        FILES = []
        def valid(number):
            try: os.fstat(number)
            except OSError: return False
            return True
        def test_before(): pass
        def test_bad(): exec(CODES[os.environ["FAKE_IMAGE"].partition(":")[2]])
        def test_after(): pass
        def test_fails(): assert 0, "must not get lost"
        CODES = {CODES}
        """.replace("{CODES}", repr(CLOSING))
    )
    run = run_images(capture, images=",".join(CLOSING))
    assert run.result.ret == 1
    for label in CLOSING:
        assert run.tests["test_it.py::test_before"][label] == "passed", label
        image = run.images[label]
        assert image["outcome"] != "passed", label
        if not image["problem"]:
            assert run.tests["test_it.py::test_fails"][label] == "failed", label
            assert (image["counts"]["passed"], image["counts"]["failed"]) == (3, 1), label
    if (pytester.path / "opened").exists():
        assert "test_it.py::" not in (pytester.path / "opened").read_text()
    # what pytest, or Python at its end, cannot bear either is the only excuse
    excused = {"3.11", "3.12"} | ({"3.10"} if capture != "--capture=fd" else set())
    assert {label for label in CLOSING if run.images[label]["problem"]} <= excused


def test_tests_that_change_process_state(pytester: pytest.Pytester, run_images: Run) -> None:
    """Replaced functions, folders, environments and limits are the suite's own affair."""
    pytester.makepyfile(
        test_it="""
        import builtins, io, json, os, signal, sys, threading, time
        import pytest

        def refuse(*args, **kwargs): raise RuntimeError("replaced by the suite")

        @pytest.fixture
        def replaced(monkeypatch):
            monkeypatch.setattr(json, "dumps", refuse)
            monkeypatch.setattr(json.JSONEncoder, "encode", refuse)
            monkeypatch.setattr(os, "write", refuse)
            monkeypatch.setattr(builtins, "open", refuse)
            monkeypatch.setattr(time, "monotonic", lambda: -1.0)
            monkeypatch.setattr(time, "time", lambda: 1.0)
            monkeypatch.setattr(time, "perf_counter", lambda: 1.0)

        def test_replaced(replaced): pass
        def test_folder(tmp_path): os.chdir(tmp_path); os.rmdir(tmp_path)
        def test_environment(): os.environ.clear()
        def test_stdin(): assert os.read(0, 1) == b""
        def test_streams(): sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None
        def test_signals():
            for name in ("TERM", "INT", "PIPE", "ALRM", "CHLD", "HUP"):
                signal.signal(getattr(signal, "SIG" + name), signal.SIG_IGN)
        def test_recursion_limit(): sys.setrecursionlimit(10_000); sys.modules.pop("json")
        def test_replaced_for_good():
            json.dumps = refuse
            os.getpid = lambda: 1
            threading.Thread.start = refuse
        def test_fails(): assert 0
        """
    )
    run = run_images("-p", "no:cacheprovider")
    assert run.result.parseoutcomes() == {"passed": 8, "failed": 1}
    assert run.result.ret == 1
    assert not run.images["3.12"]["problem"]
