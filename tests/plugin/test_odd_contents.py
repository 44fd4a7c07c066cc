"""Odd output, names and exceptions are shown as far as possible and never cost a result."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]


def test_output_that_looks_like_records(pytester: pytest.Pytester, run_images: Run) -> None:
    """Nothing that a suite prints counts as a record, wherever it prints it."""
    pytester.makepyfile(
        test_it=r"""
        import os, sys
        import pytest
        RECORDS = "\n".join([
            'c0ffee00 1 {"t": "hello", "v": 1, "python": "3.12.1", "pytest": "9.2.0", "rootdir": "/", "inifile": ""}',
            'c0ffee00 4 {"t":"pass","i":3,"s":1700000000.25,"d":[0.1,0.1,0.1]}',
            '{"t": "end", "status": 0}',
            '5 {"t": "exit", "status": 0, "signal": null, "running": -1, "lingered": false}',
            "::error::made up", "::set-output name=x::y",
        ]) + "\n"
        @pytest.mark.parametrize("way", ["print", "fd 1", "fd 2", "original"])
        def test_prints(way):
            if way == "print": print(RECORDS)
            if way == "fd 1": os.write(1, RECORDS.encode())
            if way == "fd 2": os.write(2, RECORDS.encode())
            if way == "original": sys.__stdout__.write(RECORDS)
        def test_fails(): assert 0
        """
    )
    for capture in ("-s", "--capture=fd"):
        run = run_images(capture)
        assert (run.result.ret, run.result.parseoutcomes()) == (1, {"passed": 4, "failed": 1})
        assert run.out.count("test session starts") == 1


def test_output_into_the_stream_of_the_container(pytester: pytest.Pytester, run_images: Run) -> None:
    """Some write to the first process's output, so that it gets to the engine's log; it is no record either."""
    pytester.makepyfile(
        test_it=r"""
        import os
        def test_before(): pass
        def test_log():
            with open("/proc/%d/fd/1" % os.getppid(), "w") as log:
                log.write("a line for the log\n")
                log.write('{"t": "end", "status": 0}\n0 1 {"t": "end", "status": 0}\n')
                log.write("no end of line")
        def test_after(): pass
        def test_fails(): assert 0
        """
    )
    run = run_images()
    assert run.result.ret == 1
    assert run.tests["test_it.py::test_before"] == {"3.12": "passed"}
    if not run.images["3.12"]["problem"]:
        assert run.result.parseoutcomes() == {"passed": 3, "failed": 1}


def test_floods_and_odd_bytes(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        test_it=r"""
        import os, sys
        def test_flood():
            for _ in range(5000): print("x" * 1023)
        def test_flood_and_fail():
            print("first line")
            for _ in range(5000): print("y" * 1023)
            print("last line")
            assert 0
        def test_one_line_and_fail():
            sys.stderr.write("z" * 5_000_000)
            assert 0
        def test_bytes():
            for number in (1, 2): os.write(number, b"\xff\xfe\x00 not utf-8 \x80\r\r")
            assert 0
        def test_surrogates():
            os.write(1, "\udcff\ud800".encode("utf-8", "surrogatepass"))
            assert 0, "surrogate \ud800 and escape \x1b[31m\x1b]0;title\x07 in the message"
        def test_huge_message(): assert "a" * 300_000 == "b" * 300_000
        def test_last(): pass
        """
    )
    run = run_images("--junitxml=junit.xml")
    assert (run.result.ret, run.result.parseoutcomes()) == (1, {"passed": 2, "failed": 5})
    assert not run.images["3.12"]["problem"]
    assert "last line" in run.out
    assert "not utf-8" in run.out
    assert "\x1b]0;title" not in run.out
    assert len(run.out) < 30_000_000
    flood = run_images("-s", "-q", "-k", "flood or bytes or last")
    assert flood.result.parseoutcomes()["failed"] == 2
    assert not flood.images["3.12"]["problem"]


def test_odd_node_ids(pytester: pytest.Pytester, run_images: Run) -> None:
    """Every test is there once under a name of its own, whatever is in it; no control characters reach the terminal."""
    pytester.makeconftest(
        r"""
        import pytest
        NAMES = ["new\nline", "carriage\rreturn", "[brackets]", "one[a][b]", "a::b", "\u00fcml\u00e4ut \u2603",
                 "surrogate \udc80", "escape \x1b[31mred", "nul \0 byte", " spaces ", "x" * 3000, "[3.12]",
                 "\u202eright"]
        class Odd(pytest.Item):
            def runtest(self): assert "brackets" not in self.name
        class File(pytest.File):
            def collect(self):
                for name in NAMES: yield Odd.from_parent(self, name=name)
        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".odd": return File.from_parent(parent, path=file_path)
        """
    )
    (pytester.path / "test_\u00fc n.odd").write_text("")
    pytester.makepyfile(
        test_it=r"""
        import pytest
        @pytest.mark.parametrize("value", ["a\nb", "\u00fc", "a]b", "[3.12]", "\ud800", "", "a::b/c.py"])
        def test_ids(value): assert value != "a]b"
        """
    )
    # pytest's own cache cannot write a surrogate
    run = run_images("-v", "--junitxml=junit.xml", "-p", "no:cacheprovider", images="3.12,3.14-slim")
    assert (run.result.ret, run.result.parseoutcomes()) == (1, {"passed": 2 * 18, "failed": 2 * 2})
    assert len(run.tests) == 20
    assert not any(image["problem"] for image in run.images.values())
    assert not set(re.sub(r"\x1b\[[\d;]*m", "", run.out)) & {"\x1b", "\0", "\r"}
    ET.parse(pytester.path / "junit.xml")


def test_odd_exceptions(pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are those of plain pytest, for exceptions that can hardly be shown."""
    pytester.makepyfile(
        test_it=r"""
        import sys, unittest
        import pytest

        class Broken(Exception):
            def __str__(self): raise RuntimeError("in str")
            __repr__ = __str__
        class BrokenRepr:
            def __repr__(self): raise ValueError("in repr")
            def __eq__(self, other): return False
        class Endless(Exception):
            def __str__(self): return str(self)
        class OddMeta(type):
            @property
            def __name__(cls): raise RuntimeError("no name")

        def test_broken(): raise Broken()
        def test_repr(): assert BrokenRepr() == BrokenRepr()
        def test_recursion():
            def deeper(number): return deeper(number + 1)
            deeper(0)
        def test_endless(): raise Endless()
        def test_surrogate(): raise ValueError("\ud800")
        def test_system_exit(): sys.exit(0)
        def test_base(): raise BaseException("base")
        def test_generator_exit(): raise GeneratorExit()
        def test_chain():
            try: raise Broken()
            except Broken as error: raise KeyError("chained") from error
        def test_string(): pytest.fail("only a string", pytrace=False)
        def test_skip_surrogate(): pytest.skip("\udc80 \x1b[31m")
        @pytest.mark.xfail(reason="\ud800", raises=Broken)
        def test_xfail(): raise Broken()
        @pytest.mark.skipif(sys.version_info < (3, 11), reason="groups")
        def test_group(): raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
        class TestCase(unittest.TestCase):
            def test_sub(self):
                for number in range(3):
                    with self.subTest(number=number): self.assertEqual(number, 1)
        def test_last(): pass
        """
    )
    with monkeypatch.context() as patch:
        patch.setenv("FAKE_IMAGE", "none")
        plain = pytester.runpytest_subprocess("-p", "no:pyimages", "-p", "no:cacheprovider")
    run = run_images("-rA", "-l", "--junitxml=junit.xml")
    assert run.result.ret == plain.ret == 1
    assert run.result.parseoutcomes() == plain.parseoutcomes()
    assert not run.images["3.12"]["problem"]
    assert "INTERNALERROR" not in run.out + run.err


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("record_property(('a', 1), 'value')", id="name is no text"),
        pytest.param("record_property('name', {1: object, 'deep': [[{2}]]})", id="value is no JSON"),
        pytest.param("record_property('name', float('nan')); record_property('name', 10 ** 5000)", id="numbers"),
        pytest.param("record_property('\\ud800', '\\x1b[2J\\udc80')", id="surrogates"),
        pytest.param("request.node.user_properties.append('not a pair')", id="not a pair"),
        pytest.param("request.node.add_report_section('call', 5, 6)", id="section"),
        pytest.param("request.node.location = (5, 'x', None)", id="location"),
    ],
)
def test_odd_contents_of_reports(pytester: pytest.Pytester, run_images: Run, call: str) -> None:
    """Plain pytest takes these; what cannot be carried as it is goes as text, and costs no test its result."""
    pytester.makepyfile(
        test_it=f"""
        def test_before(): assert 0
        def test_odd(request, record_property): {call}
        def test_after(): pass
        """
    )
    run = run_images()
    assert not run.images["3.12"]["problem"]
    assert (run.result.ret, run.result.parseoutcomes()) == (1, {"passed": 2, "failed": 1})


@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
def test_custom_outcome_of_a_plugin(pytester: pytest.Pytester, run_images: Run, when: str) -> None:
    """As pytest-rerunfailures has it: an attempt that is neither passed nor failed nor skipped, and another one."""
    pytester.makeconftest(
        f"""
        from _pytest.runner import runtestprotocol
        def pytest_runtest_protocol(item, nextitem):
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            if "flaky" in item.nodeid:
                for report in runtestprotocol(item, nextitem=nextitem, log=False):
                    if report.when == "{when}":
                        report.outcome = "rerun"
                    item.ihook.pytest_runtest_logreport(report=report)
                    if report.when == "{when}":
                        break
            runtestprotocol(item, nextitem=nextitem)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            return True
        def pytest_report_teststatus(report):
            if report.outcome == "rerun":
                return "rerun", "R", "RERUN"
        """
    )
    pytester.makepyfile("def test_a(): pass\ndef test_flaky(): pass\ndef test_b(): pass")
    run = run_images("-v")
    assert run.result.ret == 0, run.out
    assert re.search(r"test_flaky\[3\.12\] RERUN", run.out)
    passed = 4 if when == "teardown" else 3  # pytest counts the first attempt's call, too
    assert run.result.parseoutcomes() == {"passed": passed, "rerun": 1}


def test_reports_with_too_many_bytes(pytester: pytest.Pytester, run_images: Run) -> None:
    """A character may be twelve bytes on the way; what is left out is said, and the suite goes on."""
    pytester.makepyfile(
        test_it="""
        import logging, sys
        def test_long():
            text = "\N{PILE OF POO}" * 600_000
            print(text), print(text, file=sys.stderr), logging.warning(text)
            assert text == "", text
        def test_after(record_property):
            record_property("long", "\N{PILE OF POO}" * 600_000)
        """
    )
    run = run_images("-q")
    assert (run.result.ret, run.result.parseoutcomes()) == (1, {"failed": 1, "passed": 1})
    assert "characters left out" in run.out


def test_very_long_node_ids(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.parametrize("x", range(300), ids=lambda x: str(x) + "\N{CJK UNIFIED IDEOGRAPH-65E5}" * 8_000)
        def test_x(x): pass
        """
    )
    run = run_images("-q")
    assert (run.result.ret, run.images["3.12"]["counts"]["passed"]) == (0, 300)


def test_a_node_id_as_long_as_a_document(pytester: pytest.Pytester, run_images: Run) -> None:
    """The id has the whole text; characters of other languages are escaped there."""
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.parametrize("text", ["x" * 200_000, "\N{CJK UNIFIED IDEOGRAPH-65E5}" * 40_000])
        def test_x(text): assert len(text) > 50_000
        """
    )
    run = run_images("-q", "--tb=no")
    assert (run.result.ret, run.images["3.12"]["counts"]["passed"], run.images["3.12"]["counts"]["failed"]) == (1, 1, 1)


@pytest.mark.parametrize("text", ["x" * 300, "a/b" * 200, "\N{CJK UNIFIED IDEOGRAPH-65E5}" * 200])
@pytest.mark.parametrize(("image", "labels"), [("", ("3.12", "3.13")), ("[3.13]", ("3.13",))])
def test_a_node_id_longer_than_a_path(
    pytester: pytest.Pytester, run_images: Run, text: str, image: str, labels: tuple[str, ...]
) -> None:
    """Operating systems limit the parts of paths to 255 bytes."""
    pytester.makepyfile(
        test_it=f"""
        import pytest
        @pytest.mark.parametrize("number", [1, 2], ids=[{text!r}, "short"])
        def test_x(number): pass
        """
    )
    shown = text.encode("unicode_escape").decode()
    run = run_images(f"test_it.py::test_x[{shown}]{image}", images="3.12,3.13")
    assert (run.result.ret, run.result.parseoutcomes()["passed"]) == (0, len(labels))
    assert run.tests == {f"test_it.py::test_x[{shown}]": dict.fromkeys(labels, "passed")}


LONG = "x" * 300


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((LONG,), 4),
        ((f"{LONG}/test_it.py",), 4),
        ((f"test_it.py::{LONG}",), 4),
        ((f"--deselect={LONG}", "--ignore", LONG), 0),
        (("--its-option", LONG), 4),
        (("-p", LONG), 4),
        ((f"--py-images-baseline={LONG}.json",), 4),
    ],
    ids=["path", "folder", "node id", "left out", "value", "plugin", "baseline"],
)
def test_arguments_longer_than_a_path(
    pytester: pytest.Pytester, run_images: Run, arguments: tuple[str, ...], status: int
) -> None:
    pytester.makepyfile(test_it="def test_x(): pass")
    run = run_images(*arguments)
    assert run.result.ret == status
    assert "INTERNALERROR" not in run.out + run.err
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    ("option", "file"), [("--junitxml", f"{LONG}.xml"), ("--py-images-report", f"{LONG}.html")], ids=["junit", "report"]
)
def test_a_name_that_is_too_long_for_a_report(
    pytester: pytest.Pytester, run_images: Run, option: str, file: str
) -> None:
    pytester.makepyfile(test_it="def test_x(): pass")
    run = run_images(f"{option}={file}")
    path = pytester.path / file
    text = message("host", "report-not-writable", origin=option, path=path, reason="File name too long")
    assert (run.result.ret, run.err.strip()) == (4, f"ERROR: {text}")
