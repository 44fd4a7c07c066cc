"""What was meant, where an argument is nearly right."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.settings import Invocation
from pytest_pyimages.host.typos import check_options, check_positions


def invocation(typed: str, cwd: Path) -> Invocation:
    args = tuple(shlex.split(typed))
    return Invocation(
        args=args,
        all_args=args,
        ini={},
        inipath=None,
        rootdir=cwd,
        cwd=cwd,
        module=False,
        command=False,
        environment={},
    )


@pytest.mark.parametrize(
    ("typed", "word", "meant"),
    [
        ("--py-images=3.12, 3.14-slim", "3.14-slim", "3.12,3.14-slim"),
        ("--py-images=3.12 3.14-slim? 3.13", "3.14-slim?", "3.12,3.14-slim?,3.13"),
        ("--py-images 3.12 -v 3.14", "3.14", "3.12,3.14"),
        ("--py-images=3.12, 3.13, 3.14", "3.13,", "3.12,3.13,3.14"),
        ("--py-images=3.12 latest", "latest", "3.12,latest"),
        ("--py-images=3.12 3.13..3.14", "3.13..3.14", "3.12,3.13..3.14"),
        ("3.12", "3.12", "3.12"),
    ],
)
def test_an_image_where_paths_stand(tmp_path: Path, typed: str, word: str, meant: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_positions(invocation(typed, tmp_path))
    assert refused.value.message == f'--py-images: "{word}" is no path, and looks like an image'
    assert refused.value.hint.endswith(f"without space: --py-images={meant}")


@pytest.mark.parametrize(
    "typed",
    [
        "--py-images=3.12 tests",
        "--py-images=3.12 3.13",  # there is such a folder
        "--py-images=3.12 --count 3",
        "--py-images=3.12 --timeout 3.5 tests",
        "--py-images=3.12 -n 2",
        "--py-images=3.12 -k 3.12",
        "--py-images=3.12 test_a.py::test_b 3.99 4.0 pypy:3.11",
        "--py-images=3.12 -- tests",
    ],
)
def test_what_may_be_meant(tmp_path: Path, typed: str) -> None:
    (tmp_path / "3.13").mkdir()
    check_positions(invocation(typed, tmp_path))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--py-image=3.12", "--py-images"),
        ("--pyimages=3.12", "--py-images"),
        ("--py-imags", "--py-images"),
        ("--py-images-registy=x", "--py-images-registry"),
        ("--pyimages-report=x.json", "--py-images-report"),
    ],
)
def test_an_option_that_is_nearly_ours(tmp_path: Path, word: str, meant: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_options([word], [word], [tmp_path])
    assert str(refused.value) == f"unknown option {word.partition('=')[0]} (did you mean {meant}?)"


def test_an_option_that_somebody_has(tmp_path: Path) -> None:
    check_options(["--py-image=3.12"], [], [tmp_path])
    (tmp_path / "conftest.py").write_text("def pytest_addoption(parser): parser.addoption('--py-image')")
    check_options(["--py-image=3.12"], ["--py-image=3.12"], [tmp_path])


def test_an_option_that_is_far_from_ours(tmp_path: Path) -> None:
    check_options(["--py-import-all"], ["--py-import-all"], [tmp_path])
