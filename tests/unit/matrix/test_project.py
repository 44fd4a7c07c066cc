"""Which releases ``auto`` selects for a project."""

from __future__ import annotations

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.matrix import ProjectPythons, parse_matrix

LANGUAGE = "Programming Language :: Python ::"


def classified(*versions: str) -> tuple[str, ...]:
    return ("Framework :: Pytest", *(f"{LANGUAGE} {version}" for version in versions))


def auto(requires_python: str = "", *versions: str) -> list[str]:
    project = ProjectPythons(requires_python=requires_python, classifiers=classified(*versions))
    return [tag.label for tag in parse_matrix(["auto"], project=project)]


MAINTAINED = ["3.11", "3.12", "3.13", "3.14", "3.15"]


@pytest.mark.parametrize(
    ("requires_python", "versions", "expected"),
    [
        pytest.param("", [], MAINTAINED, id="nothing-known"),
        pytest.param(">=3.13", [], ["3.13", "3.14", "3.15"], id="lower-bound"),
        pytest.param(">=3.9", [], ["3.9", "3.10", *MAINTAINED], id="old-lower-bound"),
        pytest.param(">=3.13.4", [], ["3.13", "3.14", "3.15"], id="lower-bound-with-a-patch"),
        pytest.param("<3.13", [], ["3.11", "3.12"], id="upper-bound-only"),
        pytest.param(">=3.12, !=3.13.*, <4", [], ["3.12", "3.14", "3.15"], id="hole"),
        pytest.param(">=3.13,!=3.14.0", [], ["3.13", "3.14", "3.15"], id="one-patch-missing"),
        pytest.param(">=3.12,<=3.13", [], ["3.12"], id="upper-bound-excludes-the-patches"),
        pytest.param("~=3.13", [], ["3.13", "3.14", "3.15"], id="compatible"),
        pytest.param("==3.12.*", [], ["3.12"], id="one-minor"),
        pytest.param(">=2.7,!=3.0.*,!=3.1.*,!=3.2.*,!=3.3.*,!=3.4.*,<3.7", [], ["2.7", "3.6"], id="both-majors"),
        pytest.param("", ["3", "3.12", "3.14"], ["3.12", "3.14"], id="classifiers"),
        pytest.param(">=3.10", ["3.10", "3.11", "3.12"], ["3.10", "3.11", "3.12"], id="both-agree"),
        pytest.param(">=3.12", ["3.10", "3.11", "3.12", "3.13"], ["3.12", "3.13"], id="both-must-admit"),
        pytest.param("", ["2.7", "3.6", "3.15"], ["2.7", "3.6", "3.15"], id="past-end-of-life-but-listed"),
        pytest.param(">=3.14", ["3.14", "3.15", "3.16"], ["3.14", "3.15"], id="no-prerelease"),
        pytest.param("", ["3", "3 :: Only"], MAINTAINED, id="major-only"),
        pytest.param(">=2.7,<3.7", ["3"], ["3.6"], id="major-restricts"),
        pytest.param("", ["Implementation :: CPython", "3.13"], ["3.13"], id="implementation"),
    ],
)
def test_auto_selects_the_released_minors_that_the_project_supports(
    requires_python: str, versions: list[str], expected: list[str]
) -> None:
    assert expected == auto(requires_python, *versions)


def test_auto_without_a_project_selects_maintained_releases() -> None:
    assert MAINTAINED == [tag.label for tag in parse_matrix(["auto"])]


@pytest.mark.parametrize(
    ("requires_python", "versions", "said"),
    [
        pytest.param(">=3.16", [], 'requires-python is ">=3.16"', id="only-prereleases"),
        pytest.param(">=3.13", ["3.11"], 'the classifiers list "3.11"', id="contradiction"),
        pytest.param("", ["3.16"], 'the classifiers list "3.16"', id="listed-prerelease"),
        pytest.param("", ["4"], "no known major", id="unknown-major"),
        pytest.param("3.12", [], '"3.12", is not a version specifier', id="no-operator"),
        pytest.param("^3.12", [], '"^3.12", is not a version specifier', id="foreign-syntax"),
        pytest.param(">=3." + "9" * 5000, [], "5004 characters", id="thousands-of-digits"),
        pytest.param(">=3.\u202e", [], r">=3.\u202e", id="bidirectional-mark"),
    ],
)
def test_auto_reports_why_no_release_is_left(requires_python: str, versions: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        auto(requires_python, *versions)
    assert caught.value.message.startswith('--py-images: "auto" ')
    assert said in caught.value.message
    assert "name the images" in caught.value.hint
