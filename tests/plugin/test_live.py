"""Live lines on a terminal while images are tested; none of them is left at the end."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import STDERR, PullProgress
from tests.plugin.conftest import Command, ImagesRun, make_distribution
from tests.support.fake_engine import FakeEngine, FakeStream
from tests.support.processes import running
from tests.support.watched import MOVES, Watch

TELLING = f"__import__({__name__!r}, fromlist=['*']).TellingEngine()"
COLOURS = re.compile(r"\x1b\[[1-9][0-9;]*m")

SUITE = """
import os, sys, time
import pytest
LABEL = os.environ["FAKE_IMAGE"].partition(":")[2]
@pytest.mark.parametrize("number", range(20))
def test_slow(number): time.sleep(0.05)
def test_fails():
    print("printed to stdout")
    print("printed to stderr", file=sys.stderr)
    assert LABEL == "3.12", "only here"
def test_skips(): pytest.skip("a reason")
"""
FAILURE = """
    def test_fails():
        print("printed to stdout")
        print("printed to stderr", file=sys.stderr)
>       assert LABEL == "3.12", "only here"
E       AssertionError: only here
E       assert '3.13' == '3.12'"""


class TellingStream(FakeStream):
    def frames(self) -> Iterator[tuple[int, bytes]]:
        if self._container.process is None:
            yield STDERR, b"Resolved 58 packages in 1ms\nDownloading numpy (15.0MiB)\n"
            time.sleep(1)
        yield from super().frames()


class TellingEngine(FakeEngine):
    """Has no images, and is slow to pull and to install them."""

    def __init__(self) -> None:
        super().__init__(known=(), pulls={"python:3.12": None, "python:3.13": None, "python:3.14": None}, processors=2)

    def pull(self, reference: str, *, platform: str = "") -> Iterator[PullProgress]:
        for part in range(5):
            yield PullProgress(done=part * 10**7, total=160 * 10**6)
            time.sleep(0.2)
        yield from super().pull(reference)

    def attach(self, container: str, *, terminal: bool = False, silence: float | None = None) -> FakeStream:
        return TellingStream(self.containers[container])


def without_times(text: str) -> str:
    """The text without what differs between two runs of the same suite."""
    return re.sub(r"\d+\.\d+s", "_s", re.sub(r"=+ (.*) in [\d.]+s =+", r"= \1 =", text))


@pytest.mark.parametrize(
    ("args", "shown"), [([], b"test_it.py ."), (["-v"], b"test_it.py::test_a[3.12] PASSED")], ids=["dots", "lines"]
)
def test_a_result_does_not_wait_for_the_next_test(
    pytester: pytest.Pytester, images_command: Command, args: list[str], shown: bytes
) -> None:
    """The second test waits until the first was seen."""
    pytester.makepyfile(
        test_it="""
        import os, time
        def test_a(): pass
        def test_b():
            until = time.time() + 30
            while not os.path.exists("seen") and time.time() < until:
                time.sleep(0.05)
            assert os.path.exists("seen")
        """
    )
    with running(images_command(*args), folder=pytester.path) as process:
        assert process.stdout is not None
        output = b""
        while shown not in output:  # the line has no end yet
            output += os.read(process.stdout.fileno(), 4096)
            assert process.poll() is None, output
        (pytester.path / "seen").touch()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out


def test_live_line_of_a_waiting_image(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile("import time\ndef test_a(): time.sleep(1)")
    run = watch("-n1", images="3.12,3.13", engine="FakeEngine()")
    run.wait_for(r"^ 3.1[23]  waiting for a free slot  \d+s$")
    assert run.end() == 0


def test_quiet_runs_have_live_lines(pytester: pytest.Pytester, watch: Watch) -> None:
    """A cold build would otherwise be minutes of nothing; they leave nothing behind."""
    pytester.makepyfile(test_it=SUITE)
    run = watch("-q", images="3.12,3.13")
    assert run.end() == 1
    assert any("/22" in line or "installing" in line for line in run.seen)
    assert not re.search(r"queued|/22|starting|installing", run.text)


@pytest.mark.parametrize("columns", [100, 60, 40])
def test_live_lines_disappear_at_the_end(pytester: pytest.Pytester, watch: Watch, columns: int) -> None:
    pytester.makepyfile(test_it=SUITE)
    run = watch(images="3.12,3.13,3.14-slim", columns=columns)
    assert run.end() == 1
    assert run.moved
    assert any(re.fullmatch(r" 3.13 .* \d+/22  \d+s", line) for line in run.seen)
    assert any("queued" in line or "installing" in line or "starting" in line for line in run.seen)
    assert "━" not in run.text
    assert not re.search(r"queued|/22|starting|collecting", run.text)
    assert "?25l" not in run.output.decode()  # a cursor that was never hidden need not be shown again
    if columns == 100:
        assert run.text.count(FAILURE) == 1
        assert "Captured stdout call ---" in run.text
        assert "\nprinted to stdout\n--" in run.text
        assert "\nprinted to stderr\n" in run.text
        assert re.search(r"^=+ 2 failed, 61 passed, 3 skipped in [\d.]+s =+$", run.text, re.MULTILINE)


@pytest.mark.parametrize("args", [(), ("-v",), ("--tb=short", "-rA")], ids=" ".join)
def test_text_equals_that_of_a_plain_terminal(
    pytester: pytest.Pytester, watch: Watch, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    pytester.makepyfile(test_it=SUITE)
    moving = watch(*args, "-p", "no:cacheprovider", images="3.13")
    assert moving.end() == 1
    monkeypatch.setenv("TERM", "dumb")
    plain = watch(*args, "-p", "no:cacheprovider", images="3.13")
    assert plain.end() == 1
    assert (moving.moved, plain.moved) == (True, False)
    stages = r" 3.13  installing\b.*\n"
    assert without_times(moving.text) == without_times(re.sub(stages, "", plain.text))


def test_live_line_shows_progress(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = watch(images="3.12,3.13,3.14", engine=TELLING)
    run.wait_for(r"^ 3.12  pulling · [1-4]0.0/160.0 MB  \ds$")
    run.wait_for(r"^ 3.14  queued$")  # as many at once as the engine has processors
    run.wait_for(r"^ 3.12  installing · numpy \(15.0MiB\)  \ds$")
    assert run.end() == 0
    assert not re.search("pulling|installing|numpy", run.text)


def test_plain_lines_show_each_stage_once(pytester: pytest.Pytester, run_images: Callable[..., ImagesRun]) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images="3.12,3.13", engine=TELLING)
    for label in ("3.12", "3.13"):
        said = [line for line in run.out.splitlines() if line.startswith(f" {label}  ") and "ing" in line]
        assert [line.split()[1] for line in said] == ["pulling", "installing"]
    assert "numpy" not in run.out


@pytest.mark.parametrize(
    ("args", "environment"),
    [
        pytest.param((), {"CI": "true"}, id="CI"),
        pytest.param((), {"TERM": "dumb"}, id="dumb"),
        pytest.param(("-p", "no:terminal"), {}, id="no terminal plugin"),
        pytest.param(("--color=yes",), {"TERM": "dumb"}, id="colours alone"),
    ],
)
def test_no_live_lines(
    pytester: pytest.Pytester,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    environment: dict[str, str],
) -> None:
    """Without a capable terminal, each stage is a line."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    pytester.makepyfile(test_it=SUITE)
    run = watch(*args, images="3.12,3.13")
    assert run.end() == 1
    assert not run.moved
    assert run.text.count(" 3.12  installing") == run.text.count(" 3.13  installing") == (1 if environment else 0)
    if "no:terminal" in args:
        assert run.output == b""


@pytest.mark.parametrize(
    ("args", "environment", "coloured"),
    [
        pytest.param((), {}, True, id="default"),
        pytest.param(("--color=no",), {}, False, id="--color=no"),
        pytest.param((), {"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param((), {"PY_COLORS": "0"}, False, id="PY_COLORS"),
        pytest.param(("--color=yes",), {"NO_COLOR": "1"}, True, id="--color=yes"),
        pytest.param((), {"FORCE_COLOR": "1"}, True, id="FORCE_COLOR"),
    ],
)
def test_colors_follow_pytest(
    pytester: pytest.Pytester,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    environment: dict[str, str],
    coloured: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    pytester.makepyfile("import time\ndef test_a(): time.sleep(0.5)")
    run = watch(*args)
    assert run.end() == 0
    assert run.moved
    assert bool(COLOURS.search(run.output.decode())) is coloured


def test_plain_lines_without_a_terminal(
    pytester: pytest.Pytester, run_images: Callable[..., ImagesRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images="3.12,3.13")
    assert not MOVES.search(run.out)
    for label in ("3.12", "3.13"):
        assert len(re.findall(rf"^ {label}  installing", run.out, re.MULTILINE)) == 1


def test_ctrl_c_leaves_a_clean_terminal(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile(test_it=SUITE.replace("0.05", "0.5"))
    run = watch(images="3.12,3.13")
    run.wait_for(r"[2-9]/22 ")
    run.type("\x03")
    assert run.end() == 2
    assert run.moved
    assert "KeyboardInterrupt" in run.text
    assert not re.search(r"━|/22", run.text)
    assert re.search(r"^test_it\.py [.^C]+$", run.text, re.MULTILINE)


def test_live_output_stays_intact(pytester: pytest.Pytester, watch: Watch) -> None:
    """-s, lines and parts of lines, with a window that becomes smaller meanwhile."""
    pytester.makepyfile("""
        import sys, time
        def test_a():
            for number in range(8):
                print(f"whole {number}")
                sys.stderr.write("part ")
                sys.stderr.flush()
                time.sleep(0.2)
        """)
    run = watch("-s")
    run.wait_for("^part whole 3$")
    assert "whole 7" not in run.text
    run.resize(70, 30)
    assert run.end() == 0
    assert run.moved
    lines = run.text.splitlines()
    assert [line for line in lines if line.startswith("part whole")] == [f"part whole {n}" for n in range(1, 8)]
    assert not re.search(r"━|/1 ", run.text)


def test_failing_image_keeps_lines_intact(pytester: pytest.Pytester, watch: Watch) -> None:
    """On a terminal pytest would write "collecting" over the dots."""
    pytester.makepyfile(test_it=SUITE)
    engine = """type("Slow", (FakeEngine,), {"pull": lambda self, reference, **options: (
        __import__("time").sleep(1.5), FakeEngine.pull(self, reference))[1]})(known=["python:3.13"])"""
    run = watch(images="3.12,3.13", engine=engine)
    run.wait_for(r"^ 3.12  no such image: python:3.12")
    assert run.end() == 1
    assert "collecting 0" not in run.output.decode()
    assert re.search(r"^test_it\.py \.{20}Fs +\[100%\]$", run.text, re.MULTILINE)


PRINTS = """
import sys
def pytest_runtest_logreport(report):
    print("plugin says", report.nodeid)
    print("plugin warns", report.nodeid, file=sys.stderr)
"""
DRAWS = """
import pytest
def pytest_runtest_logreport(report):
    if "12" in report.nodeid:
        terminal.write("\\x1b[8A\\x1b[8B")
@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    global terminal
    terminal = config.pluginmanager.getplugin("terminalreporter")
"""


def install_on_host(name: str, source: str) -> None:
    """Install a plugin for the host alone, beside that of the FakeEngine."""
    host = os.environ["PYTHONPATH"]
    make_distribution(Path(host), f"pytest-{name}", f"{name}_plugin", source)


def test_output_of_other_plugins_stays_intact(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile(test_it=SUITE)
    install_on_host("prints", PRINTS)
    run = watch(images="3.13")
    assert run.end() == 1
    assert run.moved
    for number in range(20):
        nodeid = f"test_it.py::test_slow[{number}][3.13]"
        assert f"plugin says {nodeid}\nplugin warns {nodeid}\n" in run.text
    assert "━" not in run.text


def test_drawing_plugin_disables_live_lines(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile(test_it=SUITE)
    install_on_host("draws", DRAWS)
    run = watch(images="3.13")
    assert run.end() == 1
    before, after = run.output.decode().split("\x1b[8A\x1b[8B", 1)
    assert MOVES.search(before)
    assert not MOVES.search(after.replace("\x1b[8A\x1b[8B", ""))


def test_small_terminal_keeps_room_for_text(pytester: pytest.Pytester, watch: Watch) -> None:
    pytester.makepyfile(test_it=SUITE)
    run = watch(images="3.10..3.15", lines=7)
    run.wait_for(r"^ … 3 more: ")
    assert run.end() == 1
    assert "more: " not in run.text
