"""Platforms of entries, and of all of them."""

from __future__ import annotations

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.matrix import is_same_platform, parse_matrix, read_label

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("3.12@linux/arm64", [("3.12@linux/arm64", "python:3.12", "linux/arm64")]),
        ("3.12-slim@linux/arm/v7?", [("3.12-slim@linux/arm/v7", "python:3.12-slim", "linux/arm/v7")]),
        ("3.12@linux/aarch64", [("3.12@linux/arm64", "python:3.12", "linux/arm64")]),
        ("3.12,3.12@linux/arm64", [("3.12", "python:3.12", ""), ("3.12@linux/arm64", "python:3.12", "linux/arm64")]),
        (
            "3.12..3.13@linux/s390x",
            [
                ("3.12@linux/s390x", "python:3.12", "linux/s390x"),
                ("3.13@linux/s390x", "python:3.13", "linux/s390x"),
            ],
        ),
        ("rc-slim@linux/arm64", [("3.16-rc-slim@linux/arm64", "python:3.16-rc-slim", "linux/arm64")]),
        ("pypy:3.11@linux/arm64", [("pypy:3.11@linux/arm64", "pypy:3.11", "linux/arm64")]),
        (
            "3.12{,@linux/{arm64,386}}",
            [
                ("3.12", "python:3.12", ""),
                ("3.12@linux/arm64", "python:3.12", "linux/arm64"),
                ("3.12@linux/386", "python:3.12", "linux/386"),
            ],
        ),
        (
            f"3.12@sha256:{HEX}@linux/arm64",
            [("3.12@sha256:0123456789ab@linux/arm64", f"python:3.12@sha256:{HEX}", "linux/arm64")],
        ),
    ],
)
def test_an_entry_may_have_a_platform(spec: str, expected: list[tuple[str, str, str]]) -> None:
    assert expected == [(tag.label, tag.reference, tag.platform) for tag in parse_matrix([spec])]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("3.14+lowest", [("3.14+lowest", "python:3.14", "lowest", "")]),
        ("3.{12,14}{,+dj5}", [(f"3.{m}{v}", f"python:3.{m}", v[1:], "") for m in (12, 14) for v in ("", "+dj5")]),
        ("3.13..3.14+low?", [(f"3.{m}+low", f"python:3.{m}", "low", "") for m in (13, 14)]),
        ("pypy:3.11+x@linux/arm64", [("pypy:3.11+x@linux/arm64", "pypy:3.11", "x", "linux/arm64")]),
    ],
)
def test_an_entry_may_have_a_variant(spec: str, expected: list[tuple[str, str, str, str]]) -> None:
    assert expected == [(tag.label, tag.reference, tag.variant, tag.platform) for tag in parse_matrix([spec])]


def test_a_default_platform_is_that_of_entries_without_one() -> None:
    tags = parse_matrix(["3.12,3.13@linux/amd64"], platform="linux/arm64")
    assert [("3.12", "linux/arm64"), ("3.13@linux/amd64", "linux/amd64")] == [(t.label, t.platform) for t in tags]


@pytest.mark.parametrize(
    ("spec", "platform", "said"),
    [
        ("3.12@arm64", "", "is not a platform (did you mean 3.12@linux/arm64?)"),
        ("3.12@windows/amd64", "", "names a platform of another system than Linux"),
        ("3.12@linux/arm65", "", "names an unknown architecture, arm65"),
        ("3.12@linux", "", "has an invalid digest"),
        ("3.12", "arm64", '--py-images-platform: "arm64" is not a platform (did you mean linux/arm64?)'),
        ("3.12", "darwin/arm64", '--py-images-platform: "darwin/arm64" names a platform of another system than Linux'),
    ],
)
def test_an_invalid_platform_is_refused(spec: str, platform: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_matrix([spec], platform=platform)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("present", "requested", "expected"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/x86_64", "linux/amd64", True),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
    ],
)
def test_platforms_are_compared_by_what_both_name(present: str, requested: str, expected: bool) -> None:
    assert expected == is_same_platform(present, requested)


@pytest.mark.parametrize(
    "spec", ["3.14", "3.14+low", "3.14@linux/arm64", "pypy:3.11+low@linux/arm64", f"x/y@sha256:{HEX}"]
)
def test_a_label_is_read_again(spec: str) -> None:
    (tag,) = parse_matrix([spec])
    assert read_label(tag.label, tag.reference) == tag
