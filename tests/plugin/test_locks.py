"""Lock files reach the install step, and dropped pins are reported."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]

LOCK = """
version = 1
requires-python = ">=3.9"
[[package]]
name = "idna"
version = "3.4"
source = { registry = "https://index.example/simple" }
"""
ANSWERING = """FakeEngine(installer=lambda spec, job: (
    open({path!r}, "a").write(json.dumps(job["lock"]) + "\\n"), {{**installs(spec, job), **{answer!r}}},
)[1])"""


@pytest.fixture
def run(pytester: pytest.Pytester, run_images: Run) -> Run:
    """Run on an engine whose installer answers with some more, and writes down what it was given of the lock."""
    pytester.makefile(".txt", requirements="pytest\nidna\n")
    (pytester.path / "uv.lock").write_text(LOCK)
    pytester.makepyfile("def test(): pass")

    def run(*args: str, answer: dict[str, str], **options: object) -> ImagesRun:
        path = str(pytester.path / "locks.ndjson")
        return run_images(*args, engine=ANSWERING.format(path=path, answer=answer), **options)

    return run


def test_locked_versions_reach_the_install_step(pytester: pytest.Pytester, run: Run) -> None:
    done = run(answer={"lock": "held"}, images="3.12,3.14")
    assert done.result.ret == 0
    done.result.stdout.fnmatch_lines(["installs: -r requirements.txt, versions of uv.lock"])
    assert "note:" not in done.out
    given = [json.loads(line) for line in (pytester.path / "locks.ndjson").read_text().splitlines()]
    assert given == 2 * [
        {"constraints": ["idna==3.4"], "requires_python": ">=3.9", "environments": [], "is_required": False}
    ]


@pytest.mark.parametrize(
    ("fate", "note"),
    [
        ("partly idna==3.4", "3.15: not as in uv.lock, since it does not work here: idna 3.4"),
        ("unmet idna==3.4", "3.15: uv.lock does not work here (idna 3.4); versions were chosen without it"),
    ],
)
def test_conflicting_pins_are_reported(run: Run, fate: str, note: str) -> None:
    done = run(answer={"lock": fate}, images="3.15")
    assert done.result.ret == 0
    done.result.stdout.fnmatch_lines([f"*note: {note}"])


def test_conflicting_pins_are_reported_for_cached_images(pytester: pytest.Pytester, run: Run) -> None:
    twice = pytester.path / "twice.py"
    twice.write_text("import sys, pytest\nsys.exit(pytest.main(sys.argv[1:]) or pytest.main(sys.argv[1:]))\n")
    done = run("--py-images=3.12", answer={"lock": "excluded"}, command=(sys.executable, str(twice)))
    assert done.result.ret == 0
    assert done.report["images"][0]["cached"]
    assert done.out.count("3.12: uv.lock is not for Python 3.") == 2


def test_required_lock_file_not_for_an_image(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeini("[pytest]\npy_images_versions = locked\n")
    (pytester.path / "uv.lock").write_text(LOCK)
    pytester.makefile(".txt", requirements="pytest\nidna\n")
    pytester.makepyfile("def test(): pass")
    done = run_images(engine="FakeEngine(installer=lambda spec, job: {'failed': 'lock', 'status': 1})")
    assert done.result.ret == pytest.ExitCode.TESTS_FAILED
    problem = message("images", "locked", file="uv.lock")
    done.result.stdout.fnmatch_lines([f"*3.12: {problem}*"])


def test_unknown_lock_file_version_is_noted(pytester: pytest.Pytester, run_images: Run) -> None:
    (pytester.path / "uv.lock").write_text("version = 9\n")
    pytester.makepyfile("def test(): pass")
    done = run_images()
    assert done.result.ret == 0
    done.result.stdout.fnmatch_lines(["*note: uv.lock: format version 9 is not known; versions are chosen without it"])


def test_broken_lock_file_is_a_usage_error(pytester: pytest.Pytester, run_images: Run) -> None:
    (pytester.path / "uv.lock").write_text("<<<<<<< HEAD\n")
    pytester.makepyfile("def test(): pass")
    done = run_images()
    assert done.result.ret == pytest.ExitCode.USAGE_ERROR
    done.result.stderr.fnmatch_lines(["ERROR: *uv.lock is not valid TOML: *fix it"])
    assert not any(call.startswith("create") for call in done.calls)
