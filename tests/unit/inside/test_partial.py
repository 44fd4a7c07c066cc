"""Installing what can be installed, requirement by requirement."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

PARTIAL: Any = import_module("pytest_pyimages.inside.installer.partial")  # without annotations, for Python 2.7
UV_LOG = "  x Failed to build `numpy==2.1.0`\n  ├─▶ The build backend returned an error\n"
PIP_LOG = "ERROR: Failed building wheel for numpy\n"


class Installer:
    """Fails where a requirement is named."""

    def __init__(self, failing: dict[str, str]) -> None:
        self.failing = failing
        self.commands: list[str] = []

    def __call__(self, command: Sequence[str]) -> tuple[int, str]:
        self.commands.append(" ".join(command))
        return next(((1, log) for name, log in self.failing.items() if name in command), (0, ""))


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"numpy>=1": UV_LOG}, {"numpy": "numpy"}, id="uv"),
        pytest.param({"numpy>=1": PIP_LOG}, {"numpy": "numpy"}, id="pip"),
        pytest.param({"pandas[test]; x": UV_LOG}, {"pandas": "numpy"}, id="a dependency"),
        pytest.param({"absent": "error: no version of absent"}, {"absent": ""}, id="not available"),
        pytest.param({"/src/shop[test]": "Failed to build `shop @ file:///src`"}, {"shop": "shop"}, id="the project"),
    ],
)
def test_what_cannot_be_installed_is_left_out(failing: dict[str, str], expected: dict[str, str]) -> None:
    installer = Installer(failing)
    arguments = ["--pre", "pytest", "numpy>=1", "pandas[test]; x", "absent", "-e", "/src/shop[test]"]
    assert PARTIAL.install(["uv"], arguments, "shop", installer) == (0, expected)
    assert installer.commands[:2] == ["uv --pre pytest", "uv --pre --no-deps -e /src/shop[test]"]
    assert installer.commands[2:] == ["uv --pre numpy>=1", "uv --pre pandas[test]; x", "uv --pre absent"]


def test_pytest_must_be_installable() -> None:
    assert PARTIAL.install(["pip"], ["pytest>=8", "six"], "", Installer({"pytest>=8": ""})) == (1, {})


def test_requirements_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("six  # a comment\n")
    (tmp_path / "test.txt").write_text(
        "-r more.txt\n--index-url=https://x.example\n-c limits.txt\n-e ./helper\nattrs==1 \\\n    --hash=sha256:ab\n\n"
    )
    installer = Installer({})
    PARTIAL.install(["uv"], ["-r", str(tmp_path / "test.txt")], "", installer)
    options = f"--index-url https://x.example -c {tmp_path}/limits.txt"
    assert installer.commands == [f"uv {options} {rest}" for rest in ("pytest", "six", "-e ./helper", "attrs==1")]


def test_dependencies_of_an_installed_project_are_those_of_this_python() -> None:
    found = PARTIAL.find_dependencies("pytest", "/src")
    assert any(text.startswith("pluggy") for text in found)
    assert not any("colorama" in text for text in found), "on Windows only"
    assert not any("hypothesis" in text for text in found), "an extra"
    assert any("hypothesis" in text for text in PARTIAL.find_dependencies("pytest", "/src[dev]"))
    assert PARTIAL.find_dependencies("no-such-distribution", "/src") == []
