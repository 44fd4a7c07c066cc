from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier
from packaging.version import InvalidVersion

from pytest_pyimages.project.poetry import convert_constraint, convert_dependencies, convert_python


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        # the examples of Poetry's documentation
        ("^1.2.3", ">=1.2.3,<2.0.0"),
        ("^1.2", ">=1.2,<2.0"),
        ("^1", ">=1,<2"),
        ("^0.2.3", ">=0.2.3,<0.3.0"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3.0"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("*", ""),
        ("1.*", "==1.*"),
        ("1.2.*", "==1.2.*"),
        (">= 1.2.0", ">=1.2.0"),
        ("!= 1.2.3", "!=1.2.3"),
        (">= 1.2, < 1.5", ">=1.2,<1.5"),
        ("==1.2.3", "==1.2.3"),
        ("1.2.3", "==1.2.3"),
        # and what people write
        ("", ""),
        ("=1.2", "==1.2"),
        (">=1.2 <2", ">=1.2,<2"),
        ("~=1.4", "~=1.4"),
        ("^1.0b2", ">=1.0b2,<2.0"),
        ("^2.7 || ^3.6", ">=2.7,<4.0"),
        ("1.2|>=2", ">=1.2"),
        ("<2 || >=3", ""),
        ("==1.* || 3.1", ">=1,<=3.1"),
        ("!=2 || ~=1.4.2", ""),
    ],
)
def test_constraints_become_specifiers(constraint: str, expected: str) -> None:
    assert expected == convert_constraint(constraint)


@pytest.mark.parametrize("constraint", ["latest", "^x", "~", "1 2 x", ">", "^"])
def test_an_invalid_constraint_is_an_error(constraint: str) -> None:
    with pytest.raises((InvalidSpecifier, InvalidVersion)):
        convert_constraint(constraint)


@pytest.mark.parametrize(
    ("constraint", "admitted", "refused"),
    [
        ("^3.8", ["3.8.0", "3.13.1"], ["3.7.9", "4.0.0"]),
        ("<3.11", ["3.10.9"], ["3.11.0", "3.12.0"]),
        (">3.8", ["3.8.1", "3.9.0"], ["3.8.0"]),
        (">=3.8.1,<3.12", ["3.8.1"], ["3.8.0", "3.12.1"]),
        ("~2.7 || ^3.6", ["2.7.18", "3.6.0"], ["3.5.0"]),
        ("3.9.*", ["3.9.7"], ["3.10.0"]),
    ],
)
def test_constraints_on_python_become_markers(constraint: str, admitted: list[str], refused: list[str]) -> None:
    marker = Requirement(f"x ; {convert_python(constraint)}").marker
    assert marker is not None
    for version in admitted + refused:
        environment = {"python_version": version.rpartition(".")[0], "python_full_version": version}
        assert marker.evaluate(environment) is (version in admitted), version


@pytest.mark.parametrize(
    ("name", "spec", "expected"),
    [
        ("a", "^1", ["a>=1,<2"]),
        ("a", {"version": "*", "extras": ["x", "y"]}, ["a[x,y]"]),
        ("a", {"version": "1", "optional": True}, []),
        ("a", {"version": "1", "python": "^3.8"}, ["a==1 ; python_version >= '3.8' and python_version < '4.0'"]),
        ("a", {"version": "1", "python": "*", "platform": "linux"}, ["a==1 ; sys_platform == 'linux'"]),
        (
            "a",
            {"version": "1", "platform": "linux", "markers": "os_name == 'x' or extra == 'y'"},
            ["a==1 ; sys_platform == 'linux' and (os_name == 'x' or extra == 'y')"],
        ),
        ("a", [{"version": "<2", "python": "<3.8"}, {"version": "^2"}], ["a<2 ; python_version < '3.8'", "a>=2,<3"]),
        (
            "a",
            {"git": "https://h/a.git", "tag": "v1", "subdirectory": "s"},
            ["a @ git+https://h/a.git@v1#subdirectory=s"],
        ),
        ("a", {"git": "https://h/a.git"}, ["a @ git+https://h/a.git"]),
        ("a", {"url": "https://h/a.whl"}, ["a @ https://h/a.whl"]),
        ("a", {"path": "../a", "develop": True}, ["a @ file:///w/a"]),
        ("a", {"file": "https://h/a.zip"}, ["a @ https://h/a.zip"]),
        ("a", {"version": "*", "sys_platform": "== 'win32'"}, ["a ; sys_platform == 'win32'"]),
        ("python", "^3.8", []),
        ("a", 3, []),
    ],
)
def test_dependencies_become_requirements(name: str, spec: Any, expected: list[str]) -> None:
    found = convert_dependencies({name: spec}, where="pyproject.toml", root=Path("/w/shop"))
    assert expected == list(found)
    for text in found:
        Requirement(text)
