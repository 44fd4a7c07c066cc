"""Usage errors of pytest in the container are printed once, with a hint."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

IMAGES = "3.12,3.14-slim"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["test_it.py::no_such"], "not found: test_it.py::no_such", id="node id"),
        pytest.param(["--no-such-option=1"], "unrecognized arguments: --no-such-option=1", id="option"),
    ],
)
@pytest.mark.parametrize("images", [IMAGES, "3.12"])
def test_once(pytester: pytest.Pytester, run_images: Run, args: list[str], said: str, images: str) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    run = run_images(*args, images=images)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    run.result.stdout.fnmatch_lines([f" {images.replace(',', ', ')}  {said}"])
    assert run.out.count(said) == 1
    assert "usage:" not in run.out


def test_path_found_on_one_image_only(pytester: pytest.Pytester, run_images: Run) -> None:
    """Another's refusal is that image's error."""
    pytester.makepyfile(
        test_it="import os\nif 'slim' in os.environ['FAKE_IMAGE']:\n    def test_b(): pass\ndef test_a(): pass"
    )
    run = run_images("test_it.py::test_b", images=IMAGES)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert run.tests == {"test_it.py::test_b": {"3.14-slim": "passed"}}
    run.result.stdout.fnmatch_lines([" 3.12  not found: test_it.py::test_b", "ERROR [[]3.12[]] - not found: *"])


def test_option_of_a_missing_plugin(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(test_it="def test_a(): pass")
    run = run_images("--memray", "--memray-x=2", images=IMAGES)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    lacking = "pytest-memray is not in the suite's requirements"
    setting = "add it in tox.ini [[]pytest[]]: py_images_install = pytest-memray"
    run.result.stdout.fnmatch_lines([f" 3.12, 3.14-slim  unrecognized arguments: --memray * · {lacking} · {setting}"])


def test_the_summary_line_of_a_collection_error(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    pytester.makepyfile(
        test_bad="def f(:",
        test_import="import no_such_thing",
        test_zero="1 / 0",
        test_argument="import pytest\n@pytest.mark.parametrize('x', [1])\ndef test_b(): pass",
    )
    run = run_images("-rA")
    lines = [line for line in run.out.splitlines() if line.startswith("ERROR ")]
    assert [line.partition(" - ")[2] for line in lines[1:]] == [
        "SyntaxError: invalid syntax",
        "ModuleNotFoundError: No module named 'no_such_thing'",
        "ZeroDivisionError: division by zero",
    ]
    assert lines[0].startswith("ERROR test_argument.py[3.12] - Failed: In test_argument.py::test_b: ")


@pytest.mark.parametrize("args", [[], ["-s"]], ids=["captured", "-s"])
@pytest.mark.parametrize("images", ["3.12", "3.12,3.13"])
def test_breakpoint_without_a_terminal_fails_with_a_hint(
    pytester: pytest.Pytester, run_images: Run, images: str, args: list[str]
) -> None:
    """Without a terminal nobody can answer; the other tests go on, and a test that answers itself may."""
    pytester.makepyfile(
        test_it="""
        import io, pdb, pytest
        def test_a():
            breakpoint()
        def test_b():
            pdb.set_trace()
        def test_pytest_s_own():
            pytest.set_trace()
        def test_c(monkeypatch):
            monkeypatch.setattr("sys.stdin", io.StringIO("continue\\n"))
            breakpoint()
        """
    )
    run = run_images(*args, images=images)
    assert run.result.ret == 1
    for label in images.split(","):
        assert {nodeid: outcomes[label] for nodeid, outcomes in run.tests.items()} == {
            "test_it.py::test_a": "failed",
            "test_it.py::test_b": "failed",
            "test_it.py::test_pytest_s_own": "failed",
            "test_it.py::test_c": "passed" if args else "failed",  # pytest takes a captured test's input away
        }
    advice = "Failed: a debugger needs a terminal: run a single image, pytest --py-images=IMAGE"
    told = sum(line.startswith("E ") and line.endswith(advice) for line in run.out.splitlines())
    assert told == (3 if args else 4)  # once for all images
