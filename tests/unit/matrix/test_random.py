"""Any text gives a valid matrix or one clear error; random texts from fixed seeds."""

from __future__ import annotations

import random
import re
import string
import sys
import time
from collections.abc import Callable

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.matrix import ImageTag, ProjectPythons, nearest_tags, parse_matrix

# fmt: off
PIECES = (
    "3", "3.", "3.10", "3.12", "3.16", "2.7", "3.99", "12", "0", ".", "..", "-", "-slim", "-rc", "slim", "alpine3.22",
    "{", "}", "{", "}", ",", ",", "?", " ", "\n", "auto", "latest", "python:", "x/y:", "ghcr.io/", "localhost:5000/",
    ":", "/", "@", "::", "@sha256:", "a" * 64, "A", "_", "://", "[::1]:5/", "\x00", "\u202e", "\udc80", "\u00e9",
    "1..9", "{1..3}", "{,-slim}", "rc1", "pypy",
)
SPECIFIERS = (
    ">=", "<", "~=", "==", "===", "!=", "3", "3.12", ".*", ",", " ", "x", "|", "\x00", ".", "9" * 5000,
    "rc1", "+a", "1!",
)
# fmt: on


def texts_of_pieces(seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(PIECES, k=chance.randint(1, 9))) for _ in range(400)]


def texts_of_characters(seed: int) -> list[str]:
    chance = random.Random(seed)
    any_character = [*string.printable, *(chr(chance.randrange(sys.maxunicode)) for _ in range(200))]
    return ["".join(chance.choices(any_character, k=chance.randint(0, 40))) for _ in range(120)]


def slips(seed: int) -> list[str]:
    """Return valid entries with one character inserted, removed or replaced."""
    chance = random.Random(seed)
    right = [
        "3.12",
        "3.10..3.14-slim",
        "3.{10..14}{,-slim}",
        "{3.12,3.14-slim}?",
        "ghcr.io/x/py:3.12",
        f"x/y@sha256:{'a' * 64}",
        "auto?",
    ]
    found = []
    for _ in range(400):
        text = chance.choice(right)
        position = chance.randrange(len(text))
        found.append(text[:position] + chance.choice(["", *string.printable]) + text[position + chance.randint(0, 1) :])
    return found


def attempt(
    *specs: str, registry: str = "", project: ProjectPythons | None = None
) -> tuple[ImageTag, ...] | ConfigurationError:
    try:
        return parse_matrix(specs, registry=registry, project=project)
    except ConfigurationError as error:
        return error


def suggestions(error: ConfigurationError) -> list[str]:
    found = re.search(r' \(did you mean "?([^ ]+?)"?(?: or "?([^ ]+?)"?)?\?\)$', error.message)
    return [suggestion for suggestion in found.groups() if suggestion] if found else []


def check(text: str) -> bool:
    """Return whether the text is valid; assert what holds in both cases."""
    tags = attempt(text)
    if isinstance(tags, ConfigurationError):
        assert str(tags).startswith("--py-images: ")
        assert str(tags).replace("…", "").replace("·", "").isascii()
        assert str(tags).isprintable()
        for suggestion in suggestions(tags):
            assert parse_matrix([suggestion])
        return False
    assert tags
    labels = [tag.label for tag in tags]
    assert len(labels) == len(set(labels)) == len({tag.reference for tag in tags})
    for tag in tags:
        assert re.fullmatch(r"[A-Za-z0-9_.:/@~-]+", tag.label)
        assert [tag.reference] == [again.reference for again in parse_matrix([tag.reference])]
    return True


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("texts", [texts_of_pieces, texts_of_characters, slips], ids=lambda make: make.__name__)
def test_any_text_is_parsed_or_refused(texts: Callable[[int], list[str]], seed: int) -> None:
    taken = [check(text) for text in texts(seed)]
    assert not all(taken)
    if texts is not texts_of_characters:
        assert any(taken)


def test_many_typos_have_a_suggestion() -> None:
    """Otherwise the test above would check none."""
    refused = [tags for tags in map(attempt, slips(0)) if isinstance(tags, ConfigurationError)]
    assert sum(bool(suggestions(error)) for error in refused) > len(refused) / 3


@pytest.mark.parametrize("text", texts_of_pieces(10)[:200], ids=lambda text: repr(text)[:30])
def test_any_registry_is_parsed_or_refused(text: str) -> None:
    tags = attempt("3.12", registry=text)
    if isinstance(tags, ConfigurationError):
        assert str(tags).startswith("--py-images-registry: ")
    else:
        assert ["3.12"] == [tag.label for tag in tags]
        assert tags[0].reference.endswith("python:3.12")


def test_any_project_is_parsed_or_refused() -> None:
    chance = random.Random(4)
    for _ in range(1500):
        text = "".join(chance.choices(SPECIFIERS, k=chance.randint(0, 6)))
        project = ProjectPythons(requires_python=text, classifiers=(f"Programming Language :: Python :: {text}",))
        tags = attempt("auto", project=project)
        assert tags
        assert not isinstance(tags, ConfigurationError) or str(tags).startswith('--py-images: "auto" ')


def test_nearest_tags_accepts_any_text() -> None:
    for text in [*texts_of_pieces(20)[:60], *texts_of_characters(20)[:60], "3" * 10_000, "x" * 10_000]:
        assert 2 == len(nearest_tags(text))
        assert text not in nearest_tags(text)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 4000,
        "}" * 4000,
        "{a}" * 1300,
        "{,}" * 1300,
        "a-" * 2000,
        "x/" * 2000,
        "://" * 1300,
        "3.12,," * 20_000,
        "3.12," * 50_000 + "3.13",
    ],
    ids=lambda text: f"{text[:6]}*",
)
def test_hostile_texts_are_parsed_in_seconds(text: str) -> None:
    started = time.process_time()
    check(text)
    assert time.process_time() - started < 10
