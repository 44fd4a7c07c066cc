"""Images with a free-threaded Python that a build adds: what is installed, the table, and the error without one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import Done, ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]
Steps = Callable[..., list[Done]]
ENGINE = """FakeEngine(known=("python:3.14",), installer=lambda spec, job: {
    **installs(spec, job), "implementation": "free-threaded" if job["interpreter"] == "3.14t" else ""})"""


def test_the_table_names_it_and_python_gil(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    pytester.makepyfile(test_a="def test_a(): pass")
    pytester.makepyprojecttoml('[tool.pyimages]\nvariants = [{name = "gil", env = {PYTHON_GIL = "1"}}]\n')
    run = run_images(images="3.14{,t,t+gil}", engine=ENGINE)
    assert run.result.ret == 0
    assert "implementation" not in run.images["3.14"]
    assert run.images["3.14t"]["implementation"] == "free-threaded"
    run.result.stdout.fnmatch_lines(
        [" 3.14 *", " 3.14t * free-threaded *", " 3.14t+gil * free-threaded, PYTHON_GIL=1 *"]
    )


def test_where_it_cannot_be_installed_the_error_says_so(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_a="def test_a(): pass")
    log = (
        "error: Failed to install cpython-3.14.10+freethreaded-linux-x86_64-gnu\n"
        "  cause: Request failed after 1 retry in 1.4s\n"
        "  cause: Failed to download `https://github.com/x.tar.gz`\n"
        "  cause: error sending request for url (https://github.com/x.tar.gz)\n"
        "  cause: client error (Connect)\n  cause: dns error\n"
        "  cause: failed to lookup address information: Name does not resolve\n"
    )
    result = {"failed": "interpreter", "status": 1, "log": log}
    run = run_images(images="3.14t", engine=f"FakeEngine(installer=lambda spec, job: dict({result!r}))")
    assert run.result.ret == 1
    assert run.images["3.14t"]["problem"] == message("images", "no-free-threaded")


def test_it_cannot_be_exported(pyimages: Steps) -> None:
    (done,) = pyimages(["export", "3.14t"])
    assert done.status == 4
    assert done.err.strip() == message("cli", "export-interpreter")
