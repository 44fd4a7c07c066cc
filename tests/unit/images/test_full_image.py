"""The full image of a slim one, and when its wheels can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.engines.base import ImageInfo
from pytest_pyimages.errors import BuildError
from pytest_pyimages.images.full_image import describe_left_out, find_full_tag, resolve_full_image
from pytest_pyimages.images.plan import make_plans
from pytest_pyimages.matrix.selectors import ImageTag, parse_matrix
from pytest_pyimages.project.settings.configuration import Configuration
from tests.support.golden import message
from tests.support.project_tree import write_tree


def tag(reference: str) -> ImageTag:
    return ImageTag(label="it", reference=reference, allowed_to_fail=False)


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        ("python:3.12-slim", "python:3.12"),
        ("python:3.12-slim-bookworm", "python:3.12-bookworm"),
        ("python:slim", "python:latest"),
        ("python:slim-trixie", "python:trixie"),
        ("localhost:5000/library/pypy:3.11-slim", "localhost:5000/library/pypy:3.11"),
        ("python:3.12", None),
        ("python:3.12-alpine", None),
        ("python:3.12-slim@sha256:00", None),
        ("slim:3.12", None),
        ("localhost:5000/slim/python", None),
    ],
)
def test_full_image_of_a_slim_one(reference: str, full: str | None) -> None:
    found = find_full_tag(tag(reference))
    assert (None if found is None else found.reference) == full


class Bases:
    def __init__(self, python: str) -> None:
        self.image = make_image(python)

    def resolve(self, _: ImageTag) -> ImageInfo:
        return self.image


def make_image(python: str) -> ImageInfo:
    environment = {"PYTHON_VERSION": python} if python else {}
    return ImageInfo(id="x", digests=(), platform="linux/amd64", environment=environment, labels={}, size=1)


@pytest.mark.parametrize(
    ("slim", "full", "is_same"),
    [
        ("3.12.1", "3.12.9", True),
        ("3.12.1", "3.13.1", False),
        ("3.16.0a2", "3.16.0a3", False),
        ("3.16.0rc1", "3.16.0rc1", True),
        ("3.16.0rc1", "3.16.0", False),
        ("", "", True),
    ],
)
def test_wheels_are_of_the_same_python(slim: str, full: str, is_same: bool) -> None:
    bases: Any = Bases(full)
    slim_tag, full_tag = tag("python:3-slim"), tag("python:3")
    if is_same:
        assert resolve_full_image(bases, slim_tag, full_tag, make_image(slim)) is bases.image
    else:
        with pytest.raises(BuildError) as caught:
            resolve_full_image(bases, slim_tag, full_tag, make_image(slim))
        assert str(caught.value) == message("images", "another-python-in-full", full=full, slim=slim)


def test_only_slim_images_are_built_in_full(tmp_path: Path) -> None:
    """The others keep the name that they have without the setting."""
    write_tree(tmp_path, {"requirements.txt": "pytest"})
    ini = {"py_images_build_in": "full"}
    matrix = [tag("python:3.12-slim"), tag("python:3.12"), tag("python:3.12-alpine")]
    configuration = Configuration(ini, tmp_path, known=ini)
    plans = make_plans(matrix, configuration, ini=ini, rootdir=tmp_path, environ={})
    assert [plan.recipe.build_in for plan in plans] == ["full", "", ""]


@pytest.mark.parametrize("label", ["", "{}", "[", "3", '"text"'])
def test_nothing_is_noted_of_an_image_that_lacks_nothing(label: str) -> None:
    (tag,) = parse_matrix(["3.14-slim"])
    assert describe_left_out(tag, label) == ""
