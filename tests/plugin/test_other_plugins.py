"""Plugins in the containers that print: their output is shown on the host."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ImagesRun, make_distribution
from tests.support.golden import message

Run = Callable[..., ImagesRun]

IMAGES = "3.12,3.14-slim"
SUMMARY = """
import os

def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("what the plugin found")
    terminalreporter.write_line({line})
"""


def test_equal_summaries_are_shown_once(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(SUMMARY.format(line="'nine \\x1b[2Jlives'"))
    pytester.makepyfile("def test_a(): pass")
    run = run_images("-q", images=IMAGES)
    run.result.stdout.fnmatch_lines(
        ["=* summary of 3.12, 3.14-slim =*", "=* what the plugin found =*", "nine \N{REPLACEMENT CHARACTER}[[]2Jlives"]
    )
    assert run.out.count("what the plugin found") == 1


def test_different_summaries_are_shown_per_image(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(SUMMARY.format(line="os.environ['FAKE_IMAGE']"))
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images=IMAGES)
    assert [line.strip("= ") for line in run.out.splitlines() if "summary of" in line] == [
        "summary of 3.12",
        "summary of 3.14-slim",
    ]
    assert run.out.count("what the plugin found") == 2


def test_summaries_are_made_where_pytest_makes_them(pytester: pytest.Pytester, run_images: Run) -> None:
    """Until 9.1, --no-summary drops those of plugins, too."""
    pytester.makeconftest(SUMMARY.format(line="1"))
    pytester.makepyfile("def test_a(): pass")
    by_hand = pytester.runpytest_subprocess("-p", "no:pyimages", "--no-summary").stdout.str()
    found = "what the plugin found"
    assert run_images("--no-summary", images=IMAGES).out.count(found) == by_hand.count(found)


def test_output_outside_of_the_capture_is_shown(pytester: pytest.Pytester, run_images: Run) -> None:
    """As by hand; also the stacks that pytest's own faulthandler_timeout writes."""
    pytester.makeini("[pytest]\nfaulthandler_timeout = 1")
    pytester.makeconftest("def pytest_configure():\n    print('from configure')")
    pytester.makepyfile("import time\ndef test_slow(): time.sleep(2)\ndef test_captured(): print('captured')")
    run = run_images(images=IMAGES)
    assert run.result.ret == 0
    run.result.stdout.fnmatch_lines(["=* output of 3.12 =*", "from configure", "Timeout*", "*in test_slow"])
    assert "captured" not in run.out.replace("test_captured", "")
    assert run_images("-s").out.count("from configure") == 1


def test_only_the_host_lists_durations(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = run_images("--durations=1", "--durations-min=0", images=IMAGES)
    run.result.stdout.fnmatch_lines(["=* slowest 1 durations =*"])
    assert "summary of" not in run.out


def test_last_output_of_a_plugin_that_exits(pytester: pytest.Pytester, run_images: Run) -> None:
    """pytest-timeout's thread method writes the stacks to pytest's terminal writer, and exits."""
    pytester.makeconftest(
        """
        import os
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_call(item):
            item.config.pluginmanager.getplugin("capturemanager").suspend_global_capture(item)
            writer = item.config.get_terminal_writer()
            writer.sep("+", "Timeout")
            writer.line("it hangs in here")
            writer.flush()
            os._exit(1)
        """
    )
    pytester.makepyfile("def test_a(): pass")
    run = run_images()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(["*-- stderr of the worker --*", "+* Timeout +*", "it hangs in here"])


RANDOMLY = """
import os

def pytest_addoption(parser):
    parser.addoption("--randomly-seed", dest="randomly_seed", default="default")

def pytest_configure(config):
    assert config.option.randomly_seed not in ("default", "last")

def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"used {int(terminalreporter.config.option.randomly_seed)}")
"""


@pytest.fixture
def randomly(pytester: pytest.Pytester, tmp_path: Path) -> Path:
    """Return the folder of a plugin that only images have."""
    make_distribution(tmp_path, "pytest-randomly", "our_randomly", RANDOMLY)
    pytester.makepyfile("def test_a(): assert 0")
    return tmp_path


def seeds(run: ImagesRun) -> list[str]:
    """The seed that is told first, those that suites have used, and those of the commands at the end."""
    return re.findall(r"(?:Using |^used |--lf )(?:--randomly-seed=)?(\d+)", run.out, re.MULTILINE)


def test_all_images_have_one_seed(run_images: Run, randomly: Path) -> None:
    run = run_images(images=IMAGES, inside=randomly)
    assert run.out.count("Using --randomly-seed=") == 1
    assert "summary of 3.12, 3.14-slim" in run.out
    assert len(seeds(run)) == 3
    assert len(set(seeds(run))) == 1
    other = run_images("--randomly-seed=last", images=IMAGES, inside=randomly)
    assert seeds(other) == seeds(run)
    assert seeds(run_images(inside=randomly)) != seeds(run_images(inside=randomly))


def test_requested_seed_is_used(run_images: Run, randomly: Path) -> None:
    assert seeds(run_images("--randomly-seed", "77", images=IMAGES, inside=randomly)) == ["77"] * 3


def test_no_seed_without_pytest_randomly(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): assert 0")
    assert "randomly-seed" not in run_images().out


HTML = """
def pytest_addoption(parser):
    parser.addoption("--html", dest="htmlpath")
    parser.addoption("--self-contained-html", action="store_true")

def pytest_configure(config):
    if config.option.htmlpath:
        config.pluginmanager.register(Html(config.option), "html")

class Html:
    def __init__(self, option):
        self.option, self.lines = option, [str(option.self_contained_html)]

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            self.lines.append(f"{report.nodeid} {report.outcome}")

    def pytest_sessionfinish(self):
        with open(self.option.htmlpath, "w") as file:
            file.write("\\n".join(sorted(self.lines)))
"""


@pytest.fixture
def host_plugin(tmp_path: Path, images_command: object, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Install a plugin on the host only: its name and its source."""

    def install(name: str, source: str) -> None:
        make_distribution(tmp_path / "host-only", name, f"our_{name.replace('-', '_')}", source)

    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}:{tmp_path / 'host-only'}")
    return install


@pytest.mark.parametrize("how", ["typed", "two words", "PYTEST_ADDOPTS"])
def test_host_plugin_reports_all_images(
    pytester: pytest.Pytester,
    run_images: Run,
    host_plugin: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """What is installed inside has no such option, and is not asked for it."""
    host_plugin("pytest-html", HTML)
    pytester.makepyfile("def test_a(): pass\ndef test_b(): assert 0")
    args = {"typed": ["--html=r.html"], "two words": ["--html", "r.html"], "PYTEST_ADDOPTS": []}[how]
    if how == "PYTEST_ADDOPTS":
        monkeypatch.setenv("PYTEST_ADDOPTS", "-rA --html=r.html --self-contained-html")
    else:
        args.append("--self-contained-html")
    run = run_images(*args, images=IMAGES)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    name = next(pytester.path.glob("test_*.py")).name
    assert (pytester.path / "r.html").read_text().splitlines() == [
        "True",
        f"{name}::test_a[3.12] passed",
        f"{name}::test_a[3.14-slim] passed",
        f"{name}::test_b[3.12] failed",
        f"{name}::test_b[3.14-slim] failed",
    ]
    assert "--html" not in run.out.partition("again:")[2]


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--html=r.html", "report-lost"),
        ("--instafail", "host-only"),
        ("--benchmark-json=b.json", "benchmark-files-lost"),
        ("--log-file=log", "log-file-lost"),
    ],
)
def test_options_with_lost_output_are_refused(
    pytester: pytest.Pytester, run_images: Run, option: str, reason: str
) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = run_images(option)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    told = message("host", "cannot-be-used", option=option.partition("=")[0], reason=message("host", reason))
    assert run.err.strip() == f"ERROR: {told}"
    assert run.calls == []


def test_configured_options_with_lost_output_are_noted(
    pytester: pytest.Pytester, run_images: Run, tmp_path: Path
) -> None:
    make_distribution(tmp_path, "pytest-html", "our_html", HTML)
    pytester.makeini("[pytest]\naddopts = --html=r.html --self-contained-html")
    pytester.makepyfile("def test_a(): pass")
    run = run_images(inside=tmp_path)
    assert run.result.ret == pytest.ExitCode.OK
    assert run.out.count("its report stayed in the containers · install pytest-html here, or use --py-images-rep") == 1


ANNOTATIONS = """
class Annotate:
    def pytest_runtest_logreport(self, report):
        if report.failed:
            print(f"\\n::error ::of the other plugin: {report.nodeid}")

def pytest_configure(config):
    config.pluginmanager.register(Annotate(), "annotate_errors")
"""


def test_failures_are_annotated_once(
    pytester: pytest.Pytester,
    run_images: Run,
    host_plugin: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host_plugin("pytest-github-actions-annotate-failures", ANNOTATIONS)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    pytester.makepyfile("def test_a(): assert 0")
    ours = run_images().out
    assert ours.count("::error ") == 1
    assert "of the other plugin" not in ours
    theirs = run_images("--py-images-github=no").out
    assert theirs.count("::error ") == theirs.count("of the other plugin") == 1


def test_progress_plugin_knows_the_number_of_tests(
    pytester: pytest.Pytester, run_images: Run, host_plugin: Callable[[str, str], None]
) -> None:
    """As pytest-sugar has it."""
    host_plugin(
        "pytest-sugar",
        "import pytest\n"
        "@pytest.hookimpl(trylast=True)\n"
        "def pytest_configure(config):\n    config.pluginmanager.getplugin('terminalreporter').tests_count = 0\n"
        "def pytest_terminal_summary(terminalreporter):\n    print('of', terminalreporter.tests_count)\n",
    )
    pytester.makepyfile("def test_a(): pass\ndef test_b(): pass")
    run_images(images=IMAGES).result.stdout.fnmatch_lines(["of 4"])


# Subtests and attempts as pytest 9 and pytest-rerunfailures report them.
ATTEMPTS = """
import pytest
from _pytest.reports import TestReport
from _pytest.runner import runtestprotocol

class SubtestReport(TestReport):
    pass

FAILED = {}

@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report):
    if isinstance(report, SubtestReport):
        return report.outcome, "u", "SUB" + report.outcome.upper()
    if report.outcome == "rerun":
        return "rerun", "R", "RERUN"
    if report.when == "call" and report.passed and FAILED.get(report.nodeid):
        report.outcome, report.longrepr = "failed", "contains failed subtests"

@pytest.fixture
def sub(request):
    def sub(outcome):
        FAILED[request.node.nodeid] = outcome == "failed"
        report = SubtestReport(request.node.nodeid, request.node.location, {}, outcome, None, "call")
        request.node.ihook.pytest_runtest_logreport(report=report)
    return sub

def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in (1, 2):
        item.config.attempt = attempt
        item._initrequest()
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            if attempt == 1 and report.when == "call":
                report.outcome = "rerun"
                item.session.testsfailed -= FAILED.pop(item.nodeid)
            if attempt == 2 or report.when != "teardown":
                item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""


def test_subtests_of_a_rerun_attempt_do_not_count(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest(ATTEMPTS)
    pytester.makepyfile(
        test_it="""
        def test_flaky(sub, pytestconfig): sub("failed" if pytestconfig.attempt == 1 else "passed")
        def test_fails(sub): sub("failed")
        """
    )
    run = run_images()
    assert run.tests == {"test_it.py::test_flaky": {"3.12": "passed"}, "test_it.py::test_fails": {"3.12": "failed"}}
    run.result.stdout.fnmatch_lines(
        [
            "SUBFAILED test_it.py::test_fails[[]3.12[]]*",
            "FAILED test_it.py::test_fails[[]3.12[]] - contains failed subtests",
            "=* 2 failed, 2 passed, 2 rerun in *",
        ]
    )
    assert run.out.count("SUBFAILED") == 1
    good = run_images("-k", "flaky")
    assert good.result.ret == pytest.ExitCode.OK
    good.result.stdout.fnmatch_lines(["=* 2 passed, 1 deselected, 1 rerun in *"])
