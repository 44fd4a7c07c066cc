"""Configuration of images: ini keys for all, overrides for some, and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.option_table import INI_KEYS
from pytest_pyimages.project.configuration import Configuration

Ini = dict[str, "str | list[str]"]


def configuration(root: Path, ini: Ini | None = None, overrides: str = "") -> Configuration:
    (root / "pyproject.toml").write_text(overrides)
    return Configuration(ini or {}, root, known=INI_KEYS)


@pytest.mark.parametrize(
    "ini",
    [
        pytest.param(
            {
                "py_images_setup": "make version\necho a  # why\n",
                "py_images_apt": "libpq-dev git",
                "py_images_env": "A=1\nB = two words \nTOKEN",
            },
            id="ini file",
        ),
        pytest.param(
            {
                "py_images_setup": ["make version", "echo a"],
                "py_images_apt": ["libpq-dev", "git"],
                "py_images_env": ["A=1", "B=two words", "TOKEN"],
            },
            id="TOML",
        ),
    ],
)
def test_ini_keys_apply_to_every_image(tmp_path: Path, ini: Ini) -> None:
    found = configuration(tmp_path, ini).for_image("3.12")
    assert found.setup == ("make version", "echo a")
    assert found.apt == ("libpq-dev", "git")
    assert found.environment({"TOKEN": "x", "OTHER": "y"}) == {"A": "1", "B": "two words", "TOKEN": "x"}
    assert found.environment({}) == {"A": "1", "B": "two words"}
    assert found.install is None


def test_overrides_apply_to_selected_images_and_the_last_one_wins(tmp_path: Path) -> None:
    found = configuration(
        tmp_path,
        {"py_images_env": "A=1\nB=1", "py_images_setup": "make all"},
        """
        [[tool.pyimages.overrides]]
        select = "3.1[45]*"
        setup = ["make some"]
        install = [".[test]"]
        args = ["-k", "not slow"]
        env = { B = "2", C = "2" }
        allow-failure = true
        [[tool.pyimages.overrides]]
        select = ["*-slim", "pypy:*"]
        apt = "gcc"
        env = ["C=3"]
        skip = true
        """,
    )
    assert found.for_image("3.12").setup == ("make all",)
    assert found.for_image("3.12").allow_failure is None
    newest = found.for_image("3.14")
    assert (newest.setup, newest.install, newest.args) == (("make some",), (".[test]",), ("-k", "not slow"))
    assert (newest.env, newest.allow_failure, newest.skip) == ({"A": "1", "B": "2", "C": "2"}, True, False)
    both = found.for_image("3.15-slim")
    assert (both.setup, both.apt, both.skip) == (("make some",), ("gcc",), True)
    assert both.env == {"A": "1", "B": "2", "C": "3"}
    assert found.for_image("pypy:3.11").skip


def test_the_dockerfile_is_relative_to_the_rootdir(tmp_path: Path) -> None:
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "Dockerfile").write_text("")
    assert configuration(tmp_path, {"py_images_dockerfile": "ci/Dockerfile"}).for_image("3.12").dockerfile == (
        tmp_path / "ci" / "Dockerfile"
    )


@pytest.mark.parametrize(
    ("ini", "overrides", "message"),
    [
        pytest.param(
            {"py_images_instal": "."}, "", 'key "py_images_instal".*did you mean py_images_install', id="ini key"
        ),
        pytest.param(
            {},
            '[[tool.pyimages.overrides]]\nselect = "3.12"\nsettup = []',
            'number 1: unknown key "settup".*did you mean setup',
            id="override key",
        ),
        pytest.param({}, "[tool.pyimages]\noverides = []", 'unknown key "overides".*mean overrides', id="table key"),
        pytest.param({}, "[tool.pyimages]\npy_images = 3", 'key "py_images" .*tool.pytest.ini_options', id="ini key"),
        pytest.param({}, "[tool.pyimage]", r"unknown table \[tool.pyimage\] .*\[tool.pyimages\]", id="table"),
        pytest.param({}, "[[tool.pytest-pyimages.overrides]]", r"unknown table \[tool.pytest-pyimages\]", id="name"),
        pytest.param({}, "[tool.pyimages]\noverrides = 3", "not a list of tables", id="no tables"),
        pytest.param({}, "[[tool.pyimages.overrides]]\nskip = true", "number 1 has no select", id="no select"),
        pytest.param(
            {}, '[[tool.pyimages.overrides]]\nselect = "3"\nskip = "yes"', "skip is 'yes'.*true or false", id="no bool"
        ),
        pytest.param(
            {},
            '[[tool.pyimages.overrides]]\nselect = "3"\nargs = ["-q", "--cov=shop"]',
            "args has --cov=shop.*on all images or none.*to addopts",
            id="coverage of one image",
        ),
        pytest.param({"py_images_env": "A-B=1"}, "", 'invalid variable name "A-B"', id="variable"),
        pytest.param(
            {}, '[[tool.pyimages.overrides]]\nselect = "3"\nenv = {A = 1}', 'A is 1.*quote it: A = "1"', id="number"
        ),
        pytest.param({"py_images_apt": "libpq-dev --purge"}, "", 'invalid package name "--purge"', id="package"),
        pytest.param({"py_images_dockerfile": "Dockerfile.no"}, "", "Dockerfile.no does not exist", id="dockerfile"),
    ],
)
def test_invalid_configuration_is_reported(tmp_path: Path, ini: Ini, overrides: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configuration(tmp_path, ini, overrides)
    caught.match(f"(?s){message}")
    assert "\n" not in str(caught.value)
