"""The exit status is that of the worst required image; an image that could not be tested is an error."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

# What happens on 3.13 only; the other images are well.
FAULTS = {
    "failure": ("", "def test_other():\n    assert 'python:3.13' != IMAGE"),
    "teardown error": ("", "@pytest.fixture\ndef torn():\n    yield\n    assert not BAD\ndef test_other(torn): pass"),
    "collection error": ("", "if BAD:\n    import no_such_module_anywhere\ndef test_other(): pass"),
    "syntax error": ("", "if BAD:\n    compile('a b', 'made_up.py', 'exec')\ndef test_other(): pass"),
    "keyboard": ("", "def test_other():\n    if BAD: raise KeyboardInterrupt"),
    "exit": ("", "def test_other():\n    if BAD: pytest.exit('leaving early', 7)"),
    "exit in conftest": ("def pytest_collection_modifyitems():\n    if BAD: pytest.exit('leaving early', 7)", ""),
    "usage": ("def pytest_configure(config):\n    if BAD: raise pytest.UsageError('not like this')", ""),
    "conftest import": ("if BAD:\n    import no_such_module_anywhere", ""),
    "internal": ("def pytest_collection_modifyitems():\n    if BAD: raise RuntimeError('a bug of the plugin')", ""),
    "internal later": ("def pytest_runtest_protocol(item):\n    if BAD: raise RuntimeError('a bug of the plugin')", ""),
    "own status": ("def pytest_sessionfinish(session):\n    if BAD: session.exitstatus = 9", ""),
    "nothing": ("collect_ignore_glob = ['test_*'] if BAD else []", ""),
}
HEAD = "import os\nimport pytest\nIMAGE = os.environ['FAKE_IMAGE']\nBAD = IMAGE == 'python:3.13'\n"


def make_suite(pytester: pytest.Pytester, fault: str) -> None:
    conftest, module = FAULTS[fault]
    pytester.makeconftest(HEAD + conftest)
    pytester.makepyfile(test_it=HEAD + "def test_well(): pass\n" + module)


@pytest.mark.parametrize(
    ("fault", "status", "shown"),
    [
        pytest.param("failure", 1, "FAILED test_it.py::test_other[[]3.13[]] - *", id="failure"),
        pytest.param("teardown error", 1, "ERROR test_it.py::test_other[[]3.13[]] - *", id="teardown error"),
        pytest.param("collection error", 2, "ERROR test_it.py*3.13*", id="collection"),
        pytest.param("syntax error", 2, "ERROR test_it.py*3.13*", id="syntax error"),
        pytest.param("keyboard", 2, "*KeyboardInterrupt*", id="KeyboardInterrupt"),
        pytest.param("exit", 7, "*leaving early*", id="pytest.exit"),
        pytest.param("exit in conftest", 7, "*leaving early*", id="pytest.exit in a hook"),
        pytest.param("usage", 4, "*not like this*", id="usage error"),
        pytest.param("conftest import", 4, "*No module named 'no_such_module_anywhere'*", id="conftest"),
        pytest.param("internal", 1, "*RuntimeError: a bug of the plugin*", id="internal error in collection"),
        pytest.param("internal later", 1, "*RuntimeError: a bug of the plugin*", id="internal error in a test"),
        pytest.param("own status", 9, "* 3.13 *status 9*", id="own status"),
    ],
)
def test_worst_required_image_decides(
    pytester: pytest.Pytester, run_images: Run, fault: str, status: int, shown: str
) -> None:
    """What went wrong on one image is shown and counts, the other image is tested to its end."""
    make_suite(pytester, fault)
    run = run_images(images="3.12,3.13")
    assert run.result.ret == status
    run.result.stdout.fnmatch_lines([shown])
    well, bad = run.images["3.12"], run.images["3.13"]
    assert (well["outcome"], well["exit_status"]) == ("passed", 0)
    assert not well["problem"]
    assert set(run.tests["test_it.py::test_well"].items()) >= {("3.12", "passed")}
    assert bad["outcome"] != "passed"
    assert bad["exit_status"] == (3 if fault.startswith("internal") else status)
    assert "Traceback" not in run.err


def test_allowed_failure_is_shown_and_not_counted(pytester: pytest.Pytester, run_images: Run) -> None:
    """Each image fails in a way of its own, none of which would be exit status 0."""
    faults = {
        "3.10": "failure",
        "3.11": "collection error",
        "3.13": "usage",
        "3.14": "exit",
        "3.15": "internal",
        "3.13-slim": "keyboard",
    }
    conftest, module = HEAD, HEAD + "def test_well(): pass\n"
    for number, (label, fault) in enumerate(faults.items()):
        codes = [
            code.replace("BAD", f"(IMAGE == 'python:{label}')").replace("other", f"other_{number}")
            for code in FAULTS[fault]
        ]
        conftest += codes[0] + "\n"
        module += codes[1].replace("'python:3.13' != IMAGE", f"IMAGE != 'python:{label}'") + "\n"
    pytester.makeconftest(conftest)
    pytester.makepyfile(test_it=module)
    run = run_images(images=",".join(["3.12", *(f"{label}?" for label in faults)]))
    assert run.result.ret == 0
    assert run.images["3.12"]["outcome"] == "passed"
    for label, fault in faults.items():
        image = run.images[label]
        assert re.search(rf"^ ?{re.escape(label)}\?? .*allowed to", run.out, re.MULTILINE), fault
        assert image["allowed_to_fail"] is True
        assert image["outcome"] != "passed", fault
        assert image["exit_status"] != 0, fault
    run.result.stdout.fnmatch_lines(["*test_it.py::test_other_0[[]3.10[]] - *assert*"])
    for text in ("No module named 'no_such_module_anywhere'", "not like this", "leaving early", "a bug of the plugin"):
        assert text in run.out
    assert "skipped" not in run.result.parseoutcomes()


def test_allowed_failure_beside_a_required_one(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("import os\ndef test_a(): assert os.environ['FAKE_IMAGE'] == 'python:3.12'")
    run = run_images(images="3.12,3.13,3.14?")
    assert run.result.ret == 1
    assert {label: image["outcome"] for label, image in run.images.items()} == {
        "3.12": "passed",
        "3.13": "failed",
        "3.14": "failed",
    }


def test_allowed_failure_that_passes_is_shown(pytester: pytest.Pytester, run_images: Run) -> None:
    """So that the ``?`` can be taken away; a test may fail on another image at the same time."""
    pytester.makepyfile("import os\ndef test_a(): assert os.environ['FAKE_IMAGE'] != 'python:3.13'")
    run = run_images(images="3.12,3.13?,3.14?")
    assert run.result.ret == 0
    assert re.search(r"^ ?3\.14\?? .*passed although", run.out, re.MULTILINE)
    assert re.search(r"^ ?3\.13\?? .*allowed to fail", run.out, re.MULTILINE)
    assert run.out.count("passed although") == 1


def test_nothing_collected(pytester: pytest.Pytester, run_images: Run) -> None:
    make_suite(pytester, "nothing")
    run = run_images(images="3.12,3.13")
    assert run.result.ret == 1
    assert run.images["3.13"]["problem"].startswith("no tests were collected, but 3.12 has 1 test · ")
    assert run_images(images="3.13").result.ret == 5
    assert run_images(images="3.12,3.13?").result.ret == 0
    assert run_images("-k", "test", images="3.12,3.13").result.ret == 0, "a selection may leave an image without tests"


MISSING = (
    "FakeEngine(known=['python:3.12', 'python:3.14'], pulls={'python:3.13': EngineError('toomanyrequests: slow down')})"
)


def test_missing_images_are_errors(pytester: pytest.Pytester, run_images: Run) -> None:
    """Unknown, refused by the registry: an error of that image, in the table and the summary; the others are tested."""
    pytester.makepyfile(test_it="def test_a(): pass")
    run = run_images("-rE", images="3.12,3.11,3.13", engine=MISSING)
    assert run.result.ret == 1
    assert run.result.parseoutcomes() == {"passed": 1, "errors": 2}
    assert run.images["3.12"]["outcome"] == "passed"
    assert "toomanyrequests" in run.images["3.13"]["problem"]
    assert run.images["3.13"]["exit_status"] is None
    assert re.search(r"python:3\.11", run.images["3.11"]["problem"])
    run.result.stdout.fnmatch_lines([" 3.11 *", "ERROR [[]3.11[]]*"])
    run.result.stdout.fnmatch_lines([" 3.13 *", "ERROR [[]3.13[]]*toomanyrequests*"])
    assert "Traceback" not in run.out + run.err


@pytest.mark.parametrize(("images", "status"), [("3.12,3.13?", 0), ("3.13?", 1), ("3.{7,9,13}?", 1), ("3.13", 1)])
def test_single_or_allowed_missing_image(pytester: pytest.Pytester, run_images: Run, images: str, status: int) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images=images, engine=MISSING)
    assert run.result.ret == status
    assert run.images["3.13"]["problem"]
    assert run.out.count("toomanyrequests") >= 1


INSTALLER = """FakeEngine(installer=lambda spec, job: (
    {"failed": "pip", "status": 1, "log": "one line\\n" * 50 + "no wheel of numpy for this Python\\n"}
    if "3.13" in spec.image else installs(spec, job)))"""


def test_failed_install(pytester: pytest.Pytester, run_images: Run) -> None:
    """The image's error, with the last lines of the log; nothing is committed for it."""
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images="3.12,3.13", engine=INSTALLER)
    assert run.result.ret == 1
    assert run.images["3.12"]["outcome"] == "passed"
    assert run.images["3.13"]["problem"]
    assert "no wheel of numpy for this Python" in run.out
    assert run.out.count("one line") <= 40
    assert run.calls.count("commit") == 1
    assert "Traceback" not in run.out + run.err


def test_missing_path(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): pass")
    run = run_images("no_such_file.py", images="3.12,3.13")
    assert run.result.ret == 4
    assert "file or directory not found: no_such_file.py" in run.out + run.err


def test_collection_errors_look_as_in_pytest(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_bad="import no_such_module_anywhere", test_good="def test_a(): pass")
    run = run_images()
    assert run.result.ret == 2
    run.result.stdout.fnmatch_lines(
        [
            "*_ ERROR collecting test_bad.py*",
            "ImportError while importing test module '*test_bad.py'.",
            "E   ModuleNotFoundError: No module named 'no_such_module_anywhere'",
            "ERROR test_bad.py*",
            "*= 1 error in *",
        ]
    )
    run.result.stdout.fnmatch_lines(["*Interrupted: 1 error during collection*"])
    run = run_images("--continue-on-collection-errors")
    assert run.result.ret == 1
    assert run.result.parseoutcomes() == {"passed": 1, "errors": 1}
