"""A failed installation is explained in one line, also where pytest prints only lines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message
from tests.support.project_tree import write_tree

Run = Callable[..., ImagesRun]

# fails in every image but 3.12's; the FakeEngine of a plugin's module
ENGINE = "FakeEngine(installer=lambda spec, job: installs(spec, job) if spec.image.endswith(':3.12') else {result!r})"
LOG = """\
(Reading database ... 5%
error: No solution found when resolving dependencies
  cause: Because there is no version of six==99 and you require six==99, we can conclude that your requirements are \
unsatisfiable.
"""
PROBLEM = (
    message("images", "not-installable", origin="pytest", cause="there is no version of six==99")
    + " · "
    + message("images", "no-release", place="the requirement")
)


@pytest.mark.parametrize("args", [[], ["--tb=no"], ["-q", "--tb=no"]], ids=["shown", "no traceback", "quiet"])
def test_problem_is_on_the_lines_of_the_summary(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    pytester.makepyfile(test_it="def test_a(): pass")
    result = {"failed": "install", "status": 1, "log": LOG}
    run = run_images(*args, images="3.12,3.14-slim,3.15-slim?", engine=ENGINE.format(result=result))
    assert run.result.ret == 1
    lines = run.out.splitlines()
    assert f" 3.14-slim, 3.15-slim  {PROBLEM}" in lines
    assert f"ERROR [3.14-slim] - {PROBLEM}" in lines
    assert f" ALLOWED [3.15-slim] - {PROBLEM}" in lines
    assert run.images["3.14-slim"]["problem"] == PROBLEM
    assert ("error: No solution" in run.out) == (not args)
    assert "Reading database" not in run.out
    assert "full image" not in run.out


@pytest.mark.parametrize(
    ("sibling", "log", "entries"),
    [
        ("packages/x", "Because m-x was not found in the package registry and you", "-e packages/x"),
        ("libs/py/x", "ERROR: No matching distribution found for M_X==1", "-e libs/py/x"),
        ("tests/x", "Because m-x was not found in the package registry and you", ""),
    ],
    ids=["uv", "pip", "data of tests"],
)
def test_a_project_of_the_same_checkout_is_named(
    pytester: pytest.Pytester, run_images: Run, sibling: str, log: str, entries: str
) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    write_tree(pytester.path, {".git/HEAD": "", f"{sibling}/pyproject.toml": "[project]\nname = 'M.x'\nversion = '1'"})
    log = log if log.startswith("ERROR") else f"error: No solution found when resolving dependencies\n  cause: {log}\n"
    run = run_images(images="3.14", engine=ENGINE.format(result={"failed": "install", "status": 1, "log": log}))
    name = "M_X" if "M_X" in log else "m-x"
    hint = (
        message("images", "sibling", distribution=name, entries=entries)
        if entries
        else message("images", "no-release", place="the requirement")
    )
    assert run.images["3.14"]["problem"].endswith(f" · {hint}")


@pytest.mark.parametrize(("image", "full"), [("3.14-slim", True), ("3.14", False)])
def test_missing_compiler_is_the_problem(pytester: pytest.Pytester, run_images: Run, image: str, full: bool) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    result = {"failed": "install", "status": 1, "log": "error: command 'gcc' failed: No such file or directory"}
    run = run_images(images=image, engine=ENGINE.format(result=result))
    full_image = message("images", "full-image-or-its-wheels", variant="slim") + ", or " if full else ""
    problem, hint = message("images", "no-c-compiler").split(" · ")
    assert run.images[image]["problem"].endswith(f"{problem} · {full_image}{hint}")


def test_project_is_not_installed_on_an_unsupported_python(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    project = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">={}"\n'
    pytester.makefile(".toml", pyproject=project.format("3.13"))
    run = run_images(images="3.11?,3.12,3.13,3.14-slim")
    assert run.result.ret == 1
    assert run.images["3.12"]["outcome"] == "error"
    for label, hint in (
        ("3.12", message("images", "remove-or-allow", label="3.12")),
        ("3.11", message("images", "remove", label="3.11")),
    ):
        fields = {"required": ">=3.13", "python": f"{label}.0", "hint": hint}
        assert run.images[label]["problem"] == message("images", "other-python", **fields)
    assert [run.images[label]["outcome"] for label in ("3.13", "3.14-slim")] == ["passed", "passed"]
    run.result.stdout.no_fnmatch_line("*3.12 *installing*")


def test_unbuilt_distribution_is_named(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    warnings = "\n".join(f"         setuptools warns, line {number}" for number in range(40))  # more than what is shown
    log = f"error: Failed to build `immutables==0.21`\n{warnings}\n         error: command 'gcc' failed: No such file\n"
    run = run_images(images="3.14-slim", engine=ENGINE.format(result={"failed": "install", "status": 1, "log": log}))
    cause = f"immutables==0.21 cannot be built: {message('images', 'no-c-compiler').split(' · ')[0]}"
    run.result.stdout.fnmatch_lines(
        f"*3.14-slim  {message('images', 'not-installable', origin='pytest', cause=cause)}*"
    )


@pytest.mark.parametrize(
    ("log", "problem"),
    [
        (
            "exec /bin/sh: exec format error",
            "the programs of python:3.14-slim (linux/amd64) are not for",
        ),
        (
            "standard_init_linux.go: exec user process caused: exec format error",
            "(linux/amd64) are not for this machine",
        ),
        ("python: error while loading shared libraries: libx.so", "does not start: python: error while loading shared"),
        ("", "the image's Python does not start"),
    ],
)
def test_a_python_that_runs_nothing_is_no_failed_installation(
    pytester: pytest.Pytester, run_images: Run, log: str, problem: str
) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    run = run_images(
        images="3.14-slim", engine=ENGINE.format(result={"failed": "installer", "status": 127, "log": log})
    )
    assert problem in run.images["3.14-slim"]["problem"]
    assert "not installable" not in run.images["3.14-slim"]["problem"]


def test_pytest_is_installed_for_a_project_without_requirements(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    run_images().result.stdout.fnmatch_lines(["*3.12 *installing pytest"])


def test_pip_refuses_sources_that_only_uv_follows(pytester: pytest.Pytester, run_images: Run) -> None:
    """It would take a stranger's package of the same name."""
    pytester.makepyfile(test_it="def test_a(): pass")
    group = '[dependency-groups]\ndev = ["pytest", "helper"]\n[tool.uv.sources]\nhelper = {index = "ours"}\n'
    pytester.makefile(".toml", pyproject=group)
    run = run_images(images="3.14", engine=ENGINE.format(result={"failed": "sources", "status": 1, "log": ""}))
    file, hint = pytester.path / "pyproject.toml", message("images", "remove-or-allow", label="3.14")
    features = "helper from the index ours"
    assert run.images["3.14"]["problem"] == message("images", "needs-uv", file=file, features=features, hint=hint)


def test_extra_that_only_the_build_declares_is_noted(pytester: pytest.Pytester, run_images: Run) -> None:
    script = "from setuptools import setup\nsetup(name='shop', packages=[], extras_require=make())\n"
    pytester.makepyfile(setup=script, test_it="def test_a(): pass")
    answer = "{**installs(spec, job), 'extra': 'test' if 'test' in job['built_extras'] else ''}"
    run = run_images(images="3.12", engine=f"FakeEngine(installer=lambda spec, job: {answer})")
    assert f" note: {message('images', 'built-extra', label='3.12', extra='test')}\n" in run.out


@pytest.mark.parametrize(
    ("manager", "lines"),
    [
        ("apk", ["FROM ${PYTHON_IMAGE}", "RUN apk add --no-cache python3 py3-pip"]),
        ("dnf", ["FROM ${PYTHON_IMAGE}", "RUN dnf install -y python3 python3-pip"]),
        ("", ["FROM python:3-slim", "COPY --from=${PYTHON_IMAGE} /bin /opt/bin"]),
    ],
)
def test_an_image_without_python_is_shown_how_to_get_one(
    pytester: pytest.Pytester, run_images: Run, manager: str, lines: list[str]
) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    log = "no Python found\n" + (f"it has {manager}\n" if manager else "")
    engine = f"FakeEngine(known=['docker:29'], installer=lambda spec, job: { ({'status': 127, 'log': log})!r})"
    run = run_images(images="docker:29", engine=engine)
    assert run.result.ret == 1
    assert run.images["docker:29"]["problem"] == message("images", "no-python", reference="docker:29")
    shown = [line.strip() for line in run.out.splitlines()]
    start = shown.index("ARG PYTHON_IMAGE")
    assert shown[start + 1 : start + 3] == lines
