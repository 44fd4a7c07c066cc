"""A team's images in its configuration: switched off by one contributor, unknown to another's pytest."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun, run_command

Run = Callable[..., ImagesRun]

OUTSIDE = "import os\ndef test_a(): assert 'FAKE_IMAGE' not in os.environ"
INI = "[pytest]\npy_images = 3.12\n"


@pytest.mark.parametrize(
    ("ini", "environment", "args"),
    [
        pytest.param(INI, {}, ["--py-images=none"], id="option"),
        pytest.param(INI, {}, ["--py-images", "none"], id="option, two words"),
        pytest.param("[pytest]\naddopts = --py-images=3.12\n", {}, ["--py-images=none"], id="after addopts"),
        pytest.param("[pytest]\npy_images = none\n", {}, [], id="ini key"),
        pytest.param(INI, {"PY_IMAGES": "none"}, [], id="variable"),
        pytest.param(INI, {"PYTEST_ADDOPTS": "--py-images=none"}, [], id="PYTEST_ADDOPTS"),
        pytest.param(INI, {"PYIMAGES": "0"}, [], id="switch"),
        pytest.param(INI, {"PYIMAGES": "0", "PY_IMAGES": "3.12"}, ["--py-images=3.12"], id="switch before all"),
    ],
)
def test_pytest_without_images(
    pytester: pytest.Pytester,
    run_images: Run,
    monkeypatch: pytest.MonkeyPatch,
    ini: str,
    environment: dict[str, str],
    args: list[str],
) -> None:
    (pytester.path / "pytest.ini").write_text(ini)
    pytester.makepyfile(test_it=OUTSIDE)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    run = run_images(*args, images=None)
    assert (run.result.ret, run.result.parseoutcomes(), run.calls) == (0, {"passed": 1}, [])
    assert "py-images" not in run.out


@pytest.mark.parametrize("args", [["--py-images=none", "--py-images=3.12"], ["--py-images=3.13", "--py-images=3.12"]])
def test_what_follows_none_counts(pytester: pytest.Pytester, run_images: Run, args: list[str]) -> None:
    (pytester.path / "pytest.ini").write_text("[pytest]\naddopts = --py-images=3.14\n")
    pytester.makepyfile(test_it="def test_a(): pass")
    run = run_images(*args, images=None)
    assert run.result.ret == 0
    assert list(run.images) == (["3.12"] if "none" in args[0] else ["3.14", "3.13", "3.12"])


OWN_TABLE = """
[tool.pyimages]
images = ["3.12", "3.14-slim?"]
jobs = 1
fail-fast = "image"
env = ["ITS_VARIABLE=its value"]
install = ["pytest"]
[[tool.pyimages.overrides]]
select = "3.14*"
env = { ITS_OTHER = "its other value" }
"""


@pytest.mark.parametrize("pytests", ["", '[tool.pytest.ini_options]\naddopts = "--strict-config"\n'])
def test_own_table(pytester: pytest.Pytester, run_images: Run, pytests: str) -> None:
    (pytester.path / "pyproject.toml").write_text(pytests + OWN_TABLE)
    pytester.makepyfile(
        test_it="""
        import os
        def test_a(): assert os.environ["ITS_VARIABLE"] == "its value"
        def test_b(): assert ("ITS_OTHER" in os.environ) == ("slim" in os.environ["FAKE_IMAGE"])
        """
    )
    run = run_images(images=None)
    assert (run.result.ret, run.most_at_once) == (0, 1)
    assert {label: image["counts"]["passed"] for label, image in run.images.items()} == {"3.12": 2, "3.14-slim": 2}
    assert run.images["3.14-slim"]["allowed_to_fail"]
    only = run_images(images="3.12")
    assert list(only.images) == ["3.12"]


def test_a_pytest_without_the_plugin_does_not_know_the_table(pytester: pytest.Pytester) -> None:
    settings = '[tool.pytest.ini_options]\naddopts = "--strict-config -p no:pyimages -W error"\n'
    (pytester.path / "pyproject.toml").write_text(settings + OWN_TABLE)
    pytester.makepyfile(test_it="def test_a(): pass")
    result = run_command(sys.executable, "-m", "pytest")
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 1})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('image = ["3.12"]', 'pyproject.toml [tool.pyimages]: unknown key "image" · did you mean images?'),
        ('py_images = ["3.12"]', 'pyproject.toml [tool.pyimages]: unknown key "py_images" · write images'),
        ('images = ["3.1O"]', 'images in pyproject.toml [tool.pyimages]: "3.1O" is not a Python tag*'),
        ('images = "3.12"\npull = "often"', 'pull in pyproject.toml [tool.pyimages]: invalid value "often"*'),
        ("images = [3.12]", "images in pyproject.toml [tool.pyimages]: 3.12 is not a string*"),
        ("images = 3.12", "images in pyproject.toml [tool.pyimages]: 3.12 is not a string · quote it: images = *"),
        ("images = true", "images in pyproject.toml [tool.pyimages]: True is not a string*"),
    ],
)
def test_invalid_settings_in_the_own_table(
    pytester: pytest.Pytester, run_images: Run, text: str, expected: str
) -> None:
    (pytester.path / "pyproject.toml").write_text(f"[tool.pyimages]\n{text}\n")
    pytester.makepyfile(test_it="def test_a(): pass")
    run = run_images(images=None)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    run.result.stderr.fnmatch_lines([f"ERROR: {expected.replace('[', '[[]')}"])


def test_set_in_both_places(pytester: pytest.Pytester, run_images: Run) -> None:
    (pytester.path / "pyproject.toml").write_text('[tool.pyimages]\nimages = ["3.12"]\n')
    (pytester.path / "pytest.ini").write_text("[pytest]\npy_images = 3.13\n")
    run = run_images(images=None)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "py_images is set in pytest.ini, and in pyproject.toml [tool.pyimages] · remove one" in run.err
