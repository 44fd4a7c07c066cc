"""A failed install says why in one line, wherever pytest shows only lines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]

# fails in every image but 3.12's; the FakeEngine of a plugin's module
ENGINE = "FakeEngine(installer=lambda spec, job: installs(spec, job) if spec.image.endswith(':3.12') else {result!r})"
LOG = """\
(Reading database ... 5%
error: No solution found when resolving dependencies
  cause: Because there is no version of six==99 and you require six==99, we can conclude that your requirements are \
unsatisfiable.
"""
WHY = "not installable: pytest: there is no version of six==99"


@pytest.mark.parametrize("args", [[], ["--tb=no"], ["-q", "--tb=no"]], ids=["shown", "no traceback", "quiet"])
def test_the_reason_is_in_the_line(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    pytester.makepyfile(test_it="def test_a(): pass")
    result = {"failed": "install", "status": 1, "log": LOG}
    run = run_images(*args, images="3.12,3.14-slim,3.15-slim?", engine=ENGINE.format(result=result))
    assert run.result.ret == 1
    lines = run.out.splitlines()
    assert f" 3.14-slim, 3.15-slim  {WHY}" in lines
    assert f"ERROR [3.14-slim] - {WHY}" in lines
    assert f" ALLOWED [3.15-slim] - {WHY}" in lines
    assert run.images["3.14-slim"]["problem"] == WHY
    assert ("error: No solution" in run.out) == (not args)
    assert "Reading database" not in run.out
    assert "full image" not in run.out


@pytest.mark.parametrize(("image", "full"), [("3.14-slim", True), ("3.14", False)])
def test_a_compiler_that_lacks(pytester: pytest.Pytester, run_images: Run, image: str, full: bool) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    result = {"failed": "install", "status": 1, "log": "error: command 'gcc' failed: No such file or directory"}
    run = run_images(images=image, engine=ENGINE.format(result=result))
    assert "there is no C compiler in the image" in run.images[image]["problem"]
    assert ("use the full image instead of slim" in run.images[image]["problem"]) == full


def test_what_is_not_for_a_python_is_not_tried_there(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    project = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">={}"\n'
    pytester.makefile(".toml", pyproject=project.format("3.13"))
    run = run_images(images="3.11?,3.12,3.13,3.14-slim")
    assert run.result.ret == 1
    problem = "not installable: the project requires Python >=3.13, and this image has 3.12.0"
    hint = "leave 3.12 out, or allow it to fail: 3.12?"
    assert (run.images["3.12"]["problem"], run.images["3.12"]["outcome"]) == (f"{problem} · {hint}", "error")
    assert run.images["3.11"]["problem"] == f"{problem.replace('3.12', '3.11')} · leave 3.11 out"
    assert [run.images[label]["outcome"] for label in ("3.13", "3.14-slim")] == ["passed", "passed"]
    run.result.stdout.no_fnmatch_line("*3.12 *installing*")


def test_what_could_not_be_built_is_named(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    said = "\n".join(f"         setuptools warns, line {number}" for number in range(40))  # more than what is shown
    log = f"error: Failed to build `immutables==0.21`\n{said}\n         error: command 'gcc' failed: No such file\n"
    run = run_images(images="3.14-slim", engine=ENGINE.format(result={"failed": "install", "status": 1, "log": log}))
    run.result.stdout.fnmatch_lines(
        "*3.14-slim  not installable: pytest: immutables==0.21 cannot be built: there is no C compiler in the image*"
    )


def test_what_is_installed_where_a_project_names_nothing(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    run_images().result.stdout.fnmatch_lines(["*3.12 *installing pytest"])
