"""Immutable values are like frozen dataclasses, and are defined faster."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field

import pytest

from pytest_pyimages.immutable import Immutable


class Point(Immutable):
    """A value."""

    x: int
    y: int = 2
    labels: dict[str, str] = field(default_factory=dict)
    secret: str = field(default="", repr=False)


class Named(Point):
    """A value with more fields, which checks them."""

    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("it has no name")


def test_fields_have_the_given_values_or_the_defaults() -> None:
    point, other = Point(x=1), Point(x=1, y=3, labels={"a": "b"}, secret="c")
    assert (point.x, point.y, point.labels, point.secret) == (1, 2, {}, "")
    assert (other.x, other.y, other.labels, other.secret) == (1, 3, {"a": "b"}, "c")
    assert Point(x=1).labels is not point.labels


def test_values_cannot_be_changed() -> None:
    point = Point(x=1)
    for name in ("x", "z"):
        with pytest.raises(FrozenInstanceError):
            setattr(point, name, 2)
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert point == Point(x=1)


@pytest.mark.parametrize("given", [{}, {"y": 1}, {"x": 1, "z": 2}], ids=["nothing", "too few", "too many"])
def test_wrong_arguments_are_refused(given: dict[str, int]) -> None:
    with pytest.raises(TypeError, match=r"Point\(\) .* (x|z)"):
        Point(**given)  # type: ignore[arg-type]


def test_values_with_equal_fields_are_equal() -> None:
    frozen = Named(x=1, name="a", labels={})
    assert frozen == Named(x=1, name="a")
    assert frozen != Named(x=2, name="a")
    assert Point(x=1) != frozen
    assert Point(x=1) != (1, 2, {}, "")


def test_values_with_hashable_fields_are_hashable() -> None:
    class Size(Immutable):
        width: int
        height: int

    assert len({Size(width=1, height=2), Size(height=2, width=1), Size(width=2, height=1)}) == 2


def test_the_repr_shows_no_secrets() -> None:
    assert repr(Point(x=1, secret="abc")) == "Point(x=1, y=2, labels={})"


def test_values_are_dataclasses() -> None:
    named = Named(x=1, name="a")
    assert [each.name for each in dataclasses.fields(Named)] == ["x", "y", "labels", "secret", "name"]
    assert dataclasses.replace(named, x=5) == Named(x=5, name="a")
    assert dataclasses.asdict(named) == {"x": 1, "y": 2, "labels": {}, "secret": "", "name": "a"}


def test_values_are_checked() -> None:
    with pytest.raises(ValueError, match="it has no name"):
        Named(x=1, name="")


def test_values_can_be_copied_and_pickled() -> None:
    named = Named(x=1, name="a", labels={"b": "c"})
    assert copy.deepcopy(named) == pickle.loads(pickle.dumps(named)) == named  # noqa: S301 - its own data
