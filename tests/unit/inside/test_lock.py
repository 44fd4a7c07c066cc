"""Which versions of a lock file the install step uses."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import packaging.markers
import packaging.specifiers
import pytest

from pytest_pyimages.inside.installer import lock as lock_module

PART: Any = lock_module  # without annotations, as Python 2.7 wants it
OLD, NEW = "<3", ">=3"


@pytest.fixture(autouse=True)
def _pip_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in every image; this environment may have none."""
    for name in ("pip", "pip._vendor", "pip._vendor.packaging"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "pip._vendor.packaging.markers", packaging.markers)
    monkeypatch.setitem(sys.modules, "pip._vendor.packaging.specifiers", packaging.specifiers)


def lock(*constraints: str, requires: str = NEW, environments: Sequence[str] = (), required: bool = False) -> Any:
    return {
        "constraints": list(constraints),
        "requires_python": requires,
        "environments": list(environments),
        "is_required": required,
    }


class Installer:
    """Answers with one status and log after the other, and keeps what it was held to each time."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.tries: list[str | None] = []
        self.said: list[str] = []
        self._written = ""

    def install(self, given: Any) -> tuple[int, str]:
        result: tuple[int, str] = PART.install(given, self._run, self._write, self.said.append)
        return result

    def _write(self, text: str) -> None:
        self._written = text

    def _run(self, constrained: bool) -> tuple[int, str]:
        self.tries.append(self._written if constrained else None)
        return self.answers.pop(0)


def blaming(*pins: str) -> tuple[int, str]:
    return 1, f"Building other==1\nerror: No solution found\n  cause: Because {' and '.join(pins)} cannot be had"


def test_installable_versions_are_used() -> None:
    installer = Installer((0, ""))
    assert installer.install(lock("idna==3.4", "six==1.16.0")) == (0, "held")
    assert installer.tries == ["idna==3.4\nsix==1.16.0"]


def test_blamed_versions_are_dropped() -> None:
    installer = Installer(blaming("numpy==1.26.4"), blaming("other==1", "six==1.16.0"), (0, ""))
    given = lock("idna==3.4", "numpy==1.26.4 ; python_version < '4'", "six==1.16.0")
    assert installer.install(given) == (0, "partly numpy==1.26.4 six==1.16.0")
    assert installer.tries == [
        "idna==3.4\nnumpy==1.26.4 ; python_version < '4'\nsix==1.16.0",
        "idna==3.4\nsix==1.16.0",
        "idna==3.4",
    ]
    assert installer.said == [
        f"trying again without {pin} of the lock file" for pin in ("numpy==1.26.4", "six==1.16.0")
    ]


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([(1, "error: something else")], id="nothing is blamed"),
        pytest.param([blaming("idna==3.4", "six==1.16.0")], id="everything is blamed"),
    ],
)
def test_a_lock_file_without_usable_versions_is_dropped(answers: list[tuple[int, str]]) -> None:
    installer = Installer(*answers, (0, ""))
    assert installer.install(lock("idna==3.4", "six==1.16.0")) == (0, "unmet")
    assert installer.tries[-1] is None
    assert installer.said == ["trying again without the lock file"]


def test_the_number_of_tries_is_limited() -> None:
    pins = [f"name{number}==1" for number in range(20)]
    installer = Installer(*(blaming(pin) for pin in pins[:5]), (0, ""))
    assert installer.install(lock(*pins)) == (0, f"unmet {' '.join(pins[:5])}")
    assert installer.tries[-1] is None


def test_an_unreachable_index_is_not_blamed_on_the_lock_file() -> None:
    """Otherwise a moment without network would make an image that differs from the lock file for good."""
    installer = Installer((2, "error: Failed to fetch idna==3.4"))
    assert installer.install(lock("idna==3.4", "six==1.16.0"))[0] == 2
    assert len(installer.tries) == 1


def test_the_last_exit_status_is_the_installers() -> None:
    installer = Installer((1, "error"), (1, "error"))
    assert installer.install(lock("idna==3.4")) == (1, "unmet")


def test_a_required_lock_file_is_used_completely_or_fails() -> None:
    installer = Installer(blaming("idna==3.4"))
    assert installer.install(lock("idna==3.4", "six==1.16.0", required=True))[0] == 1
    assert len(installer.tries) == 1
    assert Installer((0, "")).install(lock("idna==3.4", required=True)) == (0, "held")
    assert Installer().install(lock("idna==3.4", required=True, requires=OLD)) == (1, "excluded")


def test_a_lock_file_for_other_pythons_is_not_used() -> None:
    installer = Installer((0, ""))
    assert installer.install(lock("idna==3.4", requires=OLD)) == (0, "excluded")
    assert installer.tries == [None]


@pytest.mark.parametrize(
    ("requires", "environments", "expected"),
    [
        ("", [], True),
        (NEW, [], True),
        (OLD, [], False),
        (f"=={sys.version_info[0]}.{sys.version_info[1]}.*", [], True),
        ("", [f"sys_platform == '{sys.platform}'"], True),
        ("", ["sys_platform == 'amiga'"], False),
        ("", ["sys_platform == 'amiga'", f"sys_platform == '{sys.platform}'"], True),
        (OLD, [f"sys_platform == '{sys.platform}'"], False),
        ("not a specifier", [], True),
        ("", ["not a marker"], True),
    ],
)
def test_supported_environments(requires: str, environments: list[str], expected: bool) -> None:
    assert PART.is_for_this_python(lock(requires=requires, environments=environments)) is expected


@pytest.mark.parametrize(
    ("log", "blamed"),
    [
        pytest.param(
            "   Building idna==3.4\n"
            "error: No solution found when resolving dependencies\n"
            "  cause: Because numpy==1.26.4 has no usable wheels and you require numpy==1.26.4, nothing can be used.\n",
            {"numpy==1.26.4"},
            id="uv finds no solution",
        ),
        pytest.param(
            "  \N{MULTIPLICATION SIGN} Failed to build `numpy==1.26.4`\n  \u251c\u2500\u25b6 The backend said no\n",
            {"numpy==1.26.4"},
            id="uv builds in vain",
        ),
        pytest.param(
            "Collecting idna==3.4\n"
            "ERROR: Could not find a version that satisfies the requirement PySocks_more==1.7.1 (from versions:)\n",
            {"pysocks-more==1.7.1"},
            id="pip",
        ),
        pytest.param("Building idna==3.4\n", set(), id="no error"),
    ],
)
def test_find_blamed(log: str, blamed: set[str]) -> None:
    assert PART.find_blamed(log) == blamed


def test_every_environment_is_supported_if_pip_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip._vendor.packaging.markers", None)
    assert PART.is_for_this_python(lock(requires=OLD)) is True
