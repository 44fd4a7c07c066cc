"""Numbers that tools compute from tags, where their options or tags are unusual; None where the image must ask git."""

from __future__ import annotations

from datetime import date

import pytest

from pytest_pyimages.project.scm.versions import FORMULAS, Checkout

NODE = "0123456789abcdef"


@pytest.mark.parametrize(
    ("tool", "tag", "distance", "options", "version"),
    [
        ("setuptools-scm", "v1.2", 0, {}, "1.2"),
        ("setuptools-scm", "v1.2", 3, {"local_scheme": "no-local-version"}, "1.3.dev3"),
        ("setuptools-scm", "v1.2", 3, {"local_scheme": ["fail-on-uncommitted-changes", "dirty-tag"]}, "1.3.dev3"),
        ("setuptools-scm", "release", 3, {}, None),
        ("setuptools-scm", "v1.2", 3, {"tag_regex": "("}, None),
        ("setuptools-scm", "v1.2", 3, {"tag_regex": "v1.2"}, None),
        ("setuptools-scm", "v1.2.post1", 3, {"version_scheme": "no-guess-dev"}, None),
        ("pdm-backend", "1.2", 0, {"version_format": "shop:format"}, None),
        ("pdm-backend", "1.2", 2, {}, "1.3.dev2+g0123456"),
        ("pbr", "1.2.3", 0, {}, "1.2.3"),
        ("pbr", "words", 2, {}, None),
        ("pbr", "1.2.0.0rc1", 0, {}, "1.2.0.0rc1"),
        ("pbr", "1.2.0.0rc1", 2, {}, "1.2.0.0rc2.dev2"),
        ("pbr", "1.2.3", 2, {}, "1.2.4.dev2"),
        ("pbr", "1.2.3", 2, {"version": "2.0.0"}, "2.0.0.dev2"),
        ("pbr", "1.2.3", 2, {"version": "1.2.3"}, "1.2.4.dev2"),
        ("pbr", "", 2, {}, "0.0.1.dev1"),
        ("uv-dynamic-versioning", "words", 2, {}, None),
        ("uv-dynamic-versioning", "v1.2.0", 2, {}, "1.2.0.post2.dev0+0123456"),
        ("uv-dynamic-versioning", "v1.2.0.post1", 2, {}, None),
        ("uv-dynamic-versioning", "1.2.0", 0, {"pattern": "default-unprefixed"}, "1.2.0"),
        ("uv-dynamic-versioning", "v1.2.0", 2, {"style": "semver"}, None),
        ("uv-dynamic-versioning", "v1.2.0", 2, {"metadata": False}, "1.2.0.post2.dev0"),
        ("poetry-dynamic-versioning", "v1.2.0", 2, {"bump": {"enable": True, "index": 1}}, None),
        ("poetry-dynamic-versioning", "v1.2.0", 2, {"bump": {"enable": True}}, "1.2.1.dev2+0123456"),
    ],
)
def test_numbers_of_clean_checkouts(
    tool: str, tag: str, distance: int, options: dict[str, object], version: str | None
) -> None:
    assert compute(tool, tag, distance, options, is_dirty=False) == version


@pytest.mark.parametrize(
    ("tool", "distance", "options", "version"),
    [
        ("setuptools-scm", 0, {}, "1.3.dev0+g012345678.d20260102"),
        ("setuptools-scm", 1, {"local_scheme": "dirty-tag"}, "1.3.dev1+dirty"),
        ("pdm-backend", 0, {}, "1.2+d20260102"),
        ("uv-dynamic-versioning", 1, {"dirty": True}, "1.2.post1.dev0+0123456.dirty"),
    ],
)
def test_numbers_of_changed_checkouts(tool: str, distance: int, options: dict[str, object], version: str) -> None:
    assert compute(tool, "v1.2", distance, options, is_dirty=True) == version


def compute(tool: str, tag: str, distance: int, options: dict[str, object], *, is_dirty: bool) -> str | None:
    checkout = Checkout(tag=tag, distance=distance, node=NODE, is_dirty=is_dirty, today=date(2026, 1, 2))
    return FORMULAS[tool](checkout, options)
