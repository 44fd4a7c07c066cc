"""Configuration of images: ini keys for all, overrides for some, and errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.option_table import INI_KEYS
from pytest_pyimages.project.settings.configuration import Configuration
from tests.support.golden import message

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


OVERRIDES = "pyproject.toml [[tool.pyimages.overrides]] number 1"
SELECT = '[[tool.pyimages.overrides]]\nselect = "3"\n'


@pytest.mark.parametrize(
    ("ini", "overrides", "name", "fields"),
    [
        pytest.param(
            {"py_images_instal": "."},
            "",
            "unknown-key",
            {"where": "pytest's configuration", "key": "py_images_instal", "similar": "py_images_install"},
            id="ini key",
        ),
        pytest.param(
            {},
            SELECT + "settup = []",
            "unknown-key",
            {"where": OVERRIDES, "key": "settup", "similar": "setup"},
            id="override key",
        ),
        pytest.param(
            {},
            "[tool.pyimages]\noverides = []",
            "unknown-key",
            {"where": "pyproject.toml [tool.pyimages]", "key": "overides", "similar": "overrides"},
            id="table key",
        ),
        pytest.param(
            {},
            "[tool.pyimages]\npy_images = 3",
            "pytest-key",
            {"key": "py_images", "right": "images"},
            id="pytest's key",
        ),
        pytest.param({}, "[tool.pyimage]", "unknown-table", {"table": "pyimage"}, id="table"),
        pytest.param(
            {}, "[[tool.pytest-pyimages.overrides]]", "unknown-table", {"table": "pytest-pyimages"}, id="our name"
        ),
        pytest.param({}, "[tool.pyimages]\noverrides = 3", "no-tables", {}, id="no tables"),
        pytest.param({}, "[[tool.pyimages.overrides]]\nskip = true", "no-select", {}, id="no select"),
        pytest.param({}, SELECT + 'skip = "yes"', "no-boolean", {"key": "skip", "value": "'yes'"}, id="no boolean"),
        pytest.param(
            {}, SELECT + 'args = ["-q", "--cov=shop"]', "coverage-args", {"word": "--cov=shop"}, id="coverage"
        ),
        pytest.param(
            {"py_images_env": "A-B=1"},
            "",
            "variable-name",
            {"where": "py_images_env", "variable": "A-B"},
            id="variable",
        ),
        pytest.param(
            {},
            SELECT + "env = {A = 1}",
            "variable-value",
            {"where": f"{OVERRIDES}: env", "variable": "A", "value": "1"},
            id="number",
        ),
        pytest.param(
            {"py_images_apt": "libpq-dev --purge"},
            "",
            "package-name",
            {"where": "py_images_apt", "package": "--purge"},
            id="package",
        ),
        pytest.param(
            {"py_images_dockerfile": "Dockerfile.no"},
            "",
            "no-dockerfile",
            {"where": "py_images_dockerfile", "path": "ROOT/Dockerfile.no"},
            id="dockerfile",
        ),
        pytest.param({"py_images_user": "hots"}, "", "user", {"where": "py_images_user", "value": "hots"}, id="user"),
    ],
)
def test_invalid_configuration_is_reported(
    tmp_path: Path, ini: Ini, overrides: str, name: str, fields: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configuration(tmp_path, ini, overrides)
    fields = {key: value.replace("ROOT", str(tmp_path)) for key, value in fields.items()}
    assert str(caught.value) == message("project", name, **fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "user"),
    [("1000", "1000"), ("1000:0", "1000:0"), ("root", "0:0"), ("host", f"host {os.getuid()}:{os.getgid()}"), ("", "")],
)
def test_the_user_is_one_of_numbers_or_of_two_words(tmp_path: Path, text: str, user: str) -> None:
    assert configuration(tmp_path, {"py_images_user": text}).for_image("3.12").user == user
