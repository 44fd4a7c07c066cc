"""``breakpoint()`` in the tests of a single image: the debugger uses the terminal."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.watched import Watch, Watched

PROMPT = r"^\(Pdb\)$"
SUITE = """
import os, pdb, sys, unittest
import pytest

def test_before(): print("not seen")

def test_two():
    answer = 41
    breakpoint()
    answer += 1
    print("not seen either")
    pdb.set_trace()
    assert answer == 42

@pytest.fixture
def fixed():
    place = "fixture"
    pytest.set_trace()
    return place

@pytest.mark.parametrize("number", [1, 2])
def test_parametrized(fixed, number, capfd):
    print("captured by the test")
    assert capfd.readouterr().out == "captured by the test\\n"
    assert number == 1

class TestIt(unittest.TestCase):
    def test_unit(self):
        breakpoint()
        self.assertEqual(1, 1)

def test_after():
    assert not any(map(os.isatty, range(3)))
    assert os.environ.get("TERM") is None
"""
# What breaks off the suite of which the debugger has the word, and what is said of that.
ENDINGS = {
    "quit": ("q\n", 2, r"Exit: Quitting debugger$"),
    "exit": ("os._exit(3)\n", 1, r"the pytest process ended with exit status 3 .* in test_it\.py::test_two$"),
    "killed": ("os.kill(os.getpid(), 9)\n", 1, r"worker died of SIGKILL in test_it\.py::test_two$"),
    "all killed": ("os.kill(os.getppid(), 9)\n", 1, r"exit status|killed|ended"),
}


def say(run: Watched, text: str, answer: str) -> None:
    """Type a line at the prompt, and wait for what it does."""
    run.type(text)
    run.wait_for(answer)


@pytest.mark.parametrize("args", [(), ("-v",), ("-p", "no:capture")], ids=" ".join)
def test_debugger_uses_the_terminal(pytester: pytest.Pytester, watch: Watch, args: tuple[str, ...]) -> None:
    pytester.makepyfile(test_it=SUITE if "no:capture" not in args else SUITE.replace(", capfd", ", capfd=None"))
    run = watch("-k", "two or unit or before or after", *args, columns=100, lines=50)
    before = run.modes
    run.wait_for(PROMPT)
    say(run, "p answer, 'one'\n", r"^\(41, 'one'\)$")
    say(run, "os.get_terminal_size()\n", r"columns=100, lines=50")
    run.resize(111, 60)
    run.type("while os.get_terminal_size() != (111, 60): pass\n")
    say(run, "os.environ['TERM'] + '!'\n", "^'xterm-256color!'$")
    say(run, f"len('{'x' * 150}')\n", "^150$")
    say(run, "print('two', file=sys.stderr)\n", "^two$")
    run.type("c\n")
    run.wait_for(r"^-> assert answer == 42$")
    say(run, "p answer\n", "^42$")
    run.type("c\n")
    run.wait_for(r"^-> self\.assertEqual\(1, 1\)$")
    run.type("c\n")
    assert run.end() == 0
    assert before == run.modes
    # What is typed is edited as one knows it: it goes on in the next row.
    assert re.search(r"^\(Pdb\) len\('x{100}\nx{50}'\)$", run.text, re.MULTILINE)
    assert re.search(r"=+ 4 passed, 2 deselected in ", run.text)
    if "no:capture" not in args:
        assert "not seen" not in run.text
        assert run.text.count("PDB set_trace (IO-capturing turned off)") == 3
    if "-v" in args:
        results = re.findall(r"^test_it\.py::(\S+) (\S+) ", run.text, re.MULTILINE)
        names = ("test_before", "test_two", "TestIt::test_unit", "test_after")
        assert results == [(f"{name}[3.12]", "PASSED") for name in names]


def test_fixtures_and_parameters(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile(test_it=SUITE)
    run = watch("-k", "parametrized or after", lines=60)
    for number in (1, 2):
        run.wait_for(PROMPT)
        say(run, f"place + '{number}'\n", f"^'fixture{number}'$")
        run.type("c\n")
    assert run.end() == 1
    assert re.search(r"^FAILED test_it\.py::test_parametrized\[2\]\[3\.12\] - assert 2 == 1$", run.text, re.MULTILINE)
    assert re.search(r"=+ 1 failed, 2 passed, 3 deselected in ", run.text)


def test_debugger_receives_ctrl_c_and_ctrl_d(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile(test_it=SUITE)
    run = watch("-k", "two or after", lines=60)
    run.wait_for(PROMPT)
    say(run, "\x03", "^(.*|)--KeyboardInterrupt--$")
    say(run, "print('asleep') or __import__('time').sleep(600)\n", "^asleep$")
    say(run, "\x03", r"\*\*\* KeyboardInterrupt")
    run.type("\x04")
    assert run.end() == 1
    assert re.search(r"^FAILED test_it\.py::test_two\[3\.12\] - bdb\.BdbQuit$", run.text, re.MULTILINE)
    assert re.search(r"=+ 1 failed, 1 passed, 4 deselected in ", run.text)


def test_output_around_the_debugger_is_complete(pytester: pytest.Pytester, watch: Watch) -> None:
    """Neither much of it nor the last of it."""
    pytester.makepyfile(test_it=SUITE + "\ndef written(): print(*range(30_000), sep='\\n')\n")
    run = watch("-k", "two")
    run.wait_for(PROMPT)
    run.type("written()\n")
    run.wait_for("^29999$")
    run.type("c\n")
    run.wait_for("^-> assert answer == 42$")
    run.type("answer = written() or 42;; c\n")
    assert run.end() == 0
    numbers = [int(line) for line in run.text.splitlines() if line.isdecimal()]
    assert numbers == [*range(30_000), *range(30_000)]
    assert run.text.index("29999", run.text.index("-> assert")) < run.text.rindex("PDB continue")


@pytest.mark.parametrize("ending", ENDINGS)
def test_quit_in_the_debugger(pytester: pytest.Pytester, watch: Watch, ending: str) -> None:
    typed, status, told = ENDINGS[ending]
    pytester.makepyfile(test_it=SUITE)
    run = watch("-k", "before or two", columns=200)
    before = run.modes
    run.wait_for(PROMPT)
    assert run.modes != before
    run.type(typed)
    assert run.end() == status
    assert run.modes == before
    assert re.search(told, run.text, re.MULTILINE)
    assert "1 passed" in run.text


def test_signal_restores_the_terminal(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile(test_it=SUITE)
    run = watch("-k", "two")
    before = run.modes
    run.wait_for(PROMPT)
    run.send_signal(signal.SIGINT)
    assert run.end() == 2
    assert run.modes == before


FORGED = """
import gc
def test_forged():
    gc.unfreeze()
    (channel,) = [found for found in gc.get_objects() if type(found).__name__ == "Channel"]
    channel.send({"t": "debugger", "on": %s})
    channel.flush()
"""


@pytest.mark.parametrize("on", [True, False])
def test_container_cannot_take_an_unoffered_terminal(
    pytester: pytest.Pytester, run_images: Callable[..., ImagesRun], on: bool
) -> None:
    pytester.makepyfile(test_it=FORGED % on)
    run = run_images()
    assert run.result.ret == 1
    assert run.images["3.12"]["problem"].startswith("the worker sent a record of a debugger that it cannot have")


def test_container_cannot_take_the_terminal_twice(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile(
        test_it=FORGED % True + "    channel.send({'t': 'debugger', 'on': True})\n    channel.flush()\n"
    )
    run = watch(columns=200)
    before = run.modes
    assert run.end() == 1
    assert run.modes == before
    assert "the worker sent a record of a debugger that it cannot have" in run.text


@pytest.mark.parametrize(("args", "images"), [((), "3.12,3.13"), (("-n2",), "3.12")], ids=["images", "-n"])
def test_debugger_is_refused_without_a_terminal(
    pytester: pytest.Pytester, watch: Watch, args: tuple[str, ...], images: str
) -> None:
    """Several images, and the processes of xdist."""
    pytester.makepyfile(test_it=SUITE)
    run = watch("-k", "two or after", *args, images=images)
    assert run.end() == 1
    assert "PDB set_trace" not in run.text
    assert ("a debugger needs a terminal" in run.text) == (not args)
