"""Configuration of images reaches the install step and the tests."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import ImagesRun, make_distribution
from tests.support.golden import message

Run = Callable[..., ImagesRun]

# Appends the job of each install step to a file beside the project.
RECORDING = """FakeEngine(installer=lambda spec, job: (
    open({path!r}, "a").write(json.dumps({{**job, "installer": "", "worker": "", "image": spec.image}}) + "\\n"),
    installs(spec, job),
)[1])"""


@pytest.fixture
def jobs(pytester: pytest.Pytester) -> Callable[[], list[dict[str, Any]]]:
    """Return the jobs of the install steps so far."""

    def read() -> list[dict[str, Any]]:
        path = pytester.path / "jobs.ndjson"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read


@pytest.fixture
def recording(pytester: pytest.Pytester) -> str:
    """An engine that records the jobs of install steps."""
    return RECORDING.format(path=str(pytester.path / "jobs.ndjson"))


def test_keys_and_overrides_reach_install_step_and_test_run(
    pytester: pytest.Pytester,
    run_images: Run,
    recording: str,
    jobs: Callable[[], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytester.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        py_images_setup = ["make all"]
        py_images_apt = ["libpq-dev"]
        py_images_env = ["WORD=one", "TOKEN"]
        [[tool.pyimages.overrides]]
        select = "3.14"
        setup = []
        install = ["attrs", "idna"]
        env = { WORD = "two" }
        args = ["-k", "not last"]
        [[tool.pyimages.overrides]]
        select = "3.13"
        skip = true
        [[tool.pyimages.overrides]]
        select = "3.15"
        allow-failure = true
        """
    )
    pytester.makepyfile(
        """
        import os
        def test_word():
            expected = {"python:3.12": "one", "python:3.14": "two"}
            assert os.environ["WORD"] == expected[os.environ["FAKE_IMAGE"]]
        def test_token(): assert os.environ["TOKEN"] == "host's"
        def test_last(): pass
        """
    )
    monkeypatch.setenv("TOKEN", "host's")
    run = run_images(images="3.12..3.15", engine=recording)
    assert run.result.ret == 0, "3.15 fails, but is allowed to"
    assert list(run.images) == ["3.12", "3.14", "3.15"]
    assert run.images["3.15"]["allowed_to_fail"]
    assert run.images["3.14"]["counts"]["passed"] == 2
    assert run.images["3.12"]["counts"]["passed"] == 3
    run.result.stdout.fnmatch_lines(
        [
            "py-images: 3.12, 3.14, 3.15[?] (3.13: skipped by the project's overrides) *",
            "installs: pytest (3.12, 3.15)",
            "installs: attrs, idna (py_images_install) (3.14)",
        ]
    )
    by_image = {job["image"]: job for job in jobs()}
    common, other = by_image["sha256:python:3.12"], by_image["sha256:python:3.14"]
    assert (common["setup"], common["apt"], common["steps"]) == (["make all"], ["libpq-dev"], [["pytest"]])
    assert common["environment"]["WORD"] == "one"
    assert common["environment"]["TOKEN"] == "host's"
    assert (other["setup"], other["apt"]) == ([], ["libpq-dev"])
    assert other["steps"] == [["pytest", "attrs", "idna"]]


def test_wheels_of_a_slim_image_are_built_in_the_full_one(
    pytester: pytest.Pytester, run_images: Run, recording: str, jobs: Callable[[], list[dict[str, Any]]]
) -> None:
    pytester.makepyprojecttoml(
        """
        [build-system]
        requires = ["setuptools"]
        build-backend = "setuptools.build_meta"
        [project]
        name = "shop"
        version = "1"
        [[tool.setuptools.ext-modules]]
        name = "shop.core"
        [[tool.pyimages.overrides]]
        select = "*-slim"
        build-in = "full"
        """
    )
    pytester.makepyfile("def test(): pass")
    assert run_images(images="3.12-slim", engine=recording).result.ret == 0
    full, slim = jobs()
    assert (full["image"], slim["image"]) == ("sha256:python:3.12", "sha256:python:3.12-slim")
    assert (full["steps"], slim["steps"]) == (
        [["pytest", str(pytester.path)]],
        [["pytest", "-r", "/run/pyimages/project.txt"]],
    )
    assert slim["files"]["project.txt"] == f"{pytester.path}\n"
    assert full["build"] == slim["build"]
    assert run_images(images="3.12", engine=recording).result.ret == 0
    assert jobs()[2]["build"] == jobs()[2]["name"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            '[[tool.pyimages.overrides]]\nselect = "*"\nbuild-in = "slim"',
            message("images", "build-in-choice", value="'slim'").replace("[[", "??"),
            id="build-in",
        ),
        pytest.param('[tool.pytest.ini_options]\npy_images_seutp = "x"', "*did you mean py_images_setup*", id="key"),
        pytest.param(
            '[[tool.pyimages.overrides]]\nselect = "*"\nskip = true',
            message("images", "every-image-skipped").replace("[[", "??"),
            id="nothing is left",
        ),
    ],
)
def test_invalid_configuration_is_a_usage_error(
    pytester: pytest.Pytester, run_images: Run, text: str, expected: str
) -> None:
    pytester.makepyprojecttoml(text)
    pytester.makepyfile("def test(): pass")
    run = run_images()
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    run.result.stderr.fnmatch_lines([f"ERROR: {expected}"])
    assert not any(call.startswith("create") for call in run.calls)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            {"failed": "setup", "status": 3, "command": "make all", "log": "no rule for all"},
            message("images", "setup-failed", command="make all", status=3) + "*",
            id="setup",
        ),
        pytest.param(
            {"failed": "apt", "status": 100, "log": "E: no such package"},
            message("images", "apt-failed", packages="nothere") + "*",
            id="apt",
        ),
    ],
)
def test_failing_setup_command(
    pytester: pytest.Pytester, run_images: Run, result: dict[str, Any], expected: str
) -> None:
    pytester.makeini("[pytest]\npy_images_setup = make all\npy_images_apt = nothere\n")
    pytester.makepyfile("def test(): pass")
    run = run_images(engine=f"FakeEngine(installer=lambda spec, job: {result!r})")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines([f"*{expected}", f"*{result['log']}*"])


def test_build_extends_the_last_image(
    pytester: pytest.Pytester, run_images: Run, recording: str, jobs: Callable[[], list[dict[str, Any]]]
) -> None:
    """Both sessions are in one process, so that the engine keeps its images."""
    pytester.makepyfile("def test(): pass")
    pytester.makefile(".txt", requirements="idna\n")
    twice = pytester.path / "twice.py"
    twice.write_text(
        "import pathlib, sys, pytest\n"
        "first = pytest.main(sys.argv[1:])\n"
        "pathlib.Path('requirements.txt').write_text('idna\\nsix\\n')\n"
        "second = pytest.main(sys.argv[1:])\n"
        "pathlib.Path('requirements.txt').write_text('six\\n# idna\\n')\n"
        "third = pytest.main([*sys.argv[1:], '-o', 'py_images_apt=git'])\n"
        "sys.exit(int(first or second or third))\n"
    )
    run = run_images("--py-images=3.12", command=(sys.executable, str(twice)), engine=recording)
    assert run.result.ret == 0
    first, second, third = jobs()
    assert (first["extends"], first["image"]) == (False, "sha256:python:3.12")
    assert second["extends"]
    assert second["image"].startswith("sha256:pytest-pyimages/environment:")
    assert (third["extends"], third["image"]) == (False, "sha256:python:3.12"), "the system packages differ"


def test_host_plugin_changes_the_recipe(
    pytester: pytest.Pytester,
    run_images: Run,
    recording: str,
    jobs: Callable[[], list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_distribution(
        tmp_path,
        "pytest-our-recipes",
        "our_recipes",
        "from dataclasses import replace\n"
        "def pytest_pyimages_recipe(recipe, image, project):\n"
        "    if image.label == '3.14':\n"
        "        return replace(recipe, setup=(*recipe.setup, f'echo {project.name}'))\n",
    )
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}:{tmp_path}")
    pytester.makepyfile("def test(): pass")
    run = run_images(images="3.12,3.14", engine=recording)
    assert run.result.ret == 0
    assert {job["image"]: job["setup"] for job in jobs()} == {
        "sha256:python:3.12": [],
        "sha256:python:3.14": [f"echo {pytester.path.name}"],
    }


def test_pruned_image_is_built_again(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test(): pass")
    source = """type("Pruned", (FakeEngine,), {
        "create_container": lambda self, spec: (
            self.images_by_reference.pop(spec.image.removeprefix("sha256:"))
            and (_ for _ in ()).throw(ImageNotFound("no such image"))
            if self.calls.count("commit") == 1 and "environment" in spec.image
            else FakeEngine.create_container(self, spec)
        )
    })()"""
    run = run_images(engine=source)
    assert run.result.ret == 0
    assert run.calls.count("commit") == 2


@pytest.mark.parametrize(
    ("ini", "url", "phases"),
    [
        ("py_images_setup = true", "https://a:c4nary@packages.example", ["setup", "install"]),
        ("py_images_apt = git", "https://a:c4nary@packages.example", ["setup", "install"]),
        ("py_images_setup = true", "https://packages.example", ["all"]),
        ("", "https://a:c4nary@packages.example", ["all"]),
    ],
)
def test_set_up_runs_apart_from_credentials(
    pytester: pytest.Pytester,
    run_images: Run,
    recording: str,
    jobs: Callable[[], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    ini: str,
    url: str,
    phases: list[str],
) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile("def test(): pass")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", url)
    run = run_images(engine=recording)
    assert run.result.ret == 0
    assert [job["phase"] for job in jobs()] == phases
    assert "c4nary" not in str(jobs()), "the host adds the login"
    assert [":setup-" in job["image"] for job in jobs()] == [phase == "install" for phase in phases]
    removed = [call for call in run.calls if call.startswith("remove pytest-pyimages/environment:setup-")]
    assert len(removed) == len(phases) - 1
