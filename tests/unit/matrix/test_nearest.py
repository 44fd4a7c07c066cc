"""Suggestions for tags that do not exist."""

from __future__ import annotations

import pytest

from pytest_pyimages.matrix import nearest_tags
from pytest_pyimages.matrix.nearest import similar_tags
from pytest_pyimages.matrix.releases import RELEASES, VARIANTS, is_tag


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("3.99", ("3.15", "3.14")),
        ("3.99-slim", ("3.15-slim", "3.14-slim")),
        ("3.17", ("3.16-rc", "3.15")),
        ("3.16", ("3.16-rc", "3.15")),
        ("3.1", ("3.10", "3.5")),
        ("3.13.99-slim", ("3.13-slim", "3.13")),
        ("3.13.99", ("3.13", "3.14")),
        ("3.12-stretch", ("3.12", "3.12-slim")),
        ("3.12-slim-stretch", ("3.12-slim", "3.12")),
        ("3.12-alpine3.99", ("3.12-alpine", "3.12")),
        ("3.16.0a99", ("3.16-rc", "3.15")),
        ("", ("3.15", "3.15-slim")),
        ("latest", ("3.15", "3.15-slim")),
        ("no-such-thing", ("3.15", "3.15-slim")),
    ],
)
def test_nearest_tags_are_valid(tag: str, expected: tuple[str, ...]) -> None:
    assert expected == nearest_tags(tag)
    assert all(is_tag(near) for near in expected)


def test_a_valid_tag_is_not_suggested_for_itself() -> None:
    for release in RELEASES:
        assert release.tag not in nearest_tags(release.tag)
        assert f"{release.tag}-slim" not in similar_tags(f"{release.tag}-slim")


def test_every_known_release_and_variant_makes_a_tag() -> None:
    for release in RELEASES:
        for variant in VARIANTS:
            assert is_tag(release.tag)
            assert is_tag(f"{release.tag}-{variant}")


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_typo_in_a_variant_is_recognised(variant: str) -> None:
    for position in range(1, len(variant)):
        slipped = f"3.12-{variant[:position]}{variant[position]}{variant[position:]}"
        assert is_tag(slipped) or similar_tags(slipped)[0].startswith("3.12-"), slipped
