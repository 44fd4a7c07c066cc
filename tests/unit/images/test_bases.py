"""Which images are pulled, which are taken as they are, and what a lock file has to say about it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import ImageInfo, PullProgress
from pytest_pyimages.errors import BuildError, ConfigurationError, EngineError
from pytest_pyimages.images.bases import BaseImages, PullPolicy
from pytest_pyimages.images.pins import (
    ImageLock,
    digest_of,
    pinned_reference,
    read_image_lock,
    write_image_lock,
)
from pytest_pyimages.matrix import ImageTag, parse_matrix
from tests.plugin.fake_engine import FakeEngine

HERE, THERE = "sha256:" + "a" * 64, "sha256:" + "b" * 64
(TAG,) = parse_matrix(["3.12"])


def image(identifier: str = "sha256:" + "1" * 64, *digests: str) -> ImageInfo:
    return ImageInfo(id=identifier, digests=digests, platform="linux/amd64", environment={}, labels={}, size=1)


class Registry(FakeEngine):
    """An engine with some images, and a registry with others."""

    def __init__(self, here: dict[str, ImageInfo], there: dict[str, ImageInfo]) -> None:
        super().__init__(known=())
        self.images_by_reference |= here
        self.there = there

    def pull(self, reference: str) -> Iterator[PullProgress]:
        self._call(f"pull {reference}")
        if reference not in self.there:
            raise EngineError("the registry cannot be reached: no such host")
        yield PullProgress(done=1, total=1)
        self.images_by_reference[reference] = self.there[reference]


def bases(engine: FakeEngine, policy: PullPolicy = "missing", lock: ImageLock | None = None) -> BaseImages:
    return BaseImages(engine, policy=policy, lock=lock, say=lambda *_: None, progress=lambda *_: None)


def pulls(engine: FakeEngine) -> list[str]:
    return [call for call in engine.calls if call.startswith("pull")]


LOCK = ImageLock(path=Path("images.lock"), pins={"python:3.12": THERE})
OLD, NEW = image("sha256:old", f"python@{HERE}"), image("sha256:new", f"python@{THERE}")


@pytest.mark.parametrize(
    ("policy", "here", "expected", "asked"),
    [
        pytest.param("missing", {"python:3.12": OLD}, OLD, [], id="missing, there"),
        pytest.param("missing", {}, NEW, ["pull python:3.12"], id="missing, not there"),
        pytest.param("always", {"python:3.12": OLD}, NEW, ["pull python:3.12"], id="always"),
        pytest.param("never", {"python:3.12": OLD}, OLD, [], id="never, there"),
    ],
)
def test_the_policy_says_when_a_registry_is_asked(
    policy: PullPolicy, here: dict[str, ImageInfo], expected: ImageInfo, asked: list[str]
) -> None:
    engine = Registry(here, {"python:3.12": NEW})
    assert bases(engine, policy).resolve(TAG) == expected
    assert pulls(engine) == asked


def test_never_says_what_to_do_about_an_image_that_is_not_there() -> None:
    engine = Registry({}, {"python:3.12": NEW})
    with pytest.raises(BuildError, match=r"python:3\.12 is not here.*docker pull python:3\.12"):
        bases(engine, "never").resolve(TAG)
    assert pulls(engine) == []


def test_always_fails_where_the_registry_does() -> None:
    with pytest.raises(EngineError, match="no such host"):
        bases(Registry({"python:3.12": OLD}, {}), "always").resolve(TAG)


def test_a_reference_is_asked_about_once_in_a_session() -> None:
    """Also by two labels at the same time, and with the same answer after it has changed."""
    engine = Registry({}, {"python:3.12": NEW})
    same = ImageTag(label="python:3.12", reference="python:3.12", allowed_to_fail=False)
    known = bases(engine, "always")
    found: list[ImageInfo] = []
    threads = [threading.Thread(target=lambda tag=tag: found.append(known.resolve(tag))) for tag in (TAG, same) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.there["python:3.12"] = OLD
    assert known.resolve(TAG) == NEW
    assert found == [NEW] * 8
    assert pulls(engine) == ["pull python:3.12"]


def test_a_failure_is_the_same_for_all_who_ask() -> None:
    known = bases(Registry({}, {}))
    for _ in range(2):
        with pytest.raises(EngineError, match="no such host"):
            known.resolve(TAG)


@pytest.mark.parametrize(
    "here",
    [
        pytest.param({f"python@{THERE}": NEW, "python:3.12": OLD}, id="there under another name"),
        pytest.param({f"python@{THERE}": NEW, "python:3.12": NEW}, id="there under both"),
        pytest.param({THERE: NEW, "python:3.12": NEW}, id="pinned by its id"),
    ],
)
def test_what_is_pinned_is_taken_without_asking_anybody(here: dict[str, ImageInfo]) -> None:
    engine = Registry(here, {})
    known = bases(engine, "always", LOCK)
    known.check([TAG])
    assert known.resolve(TAG) == NEW
    assert pulls(engine) == []


def test_what_is_pinned_and_not_there_is_pulled_by_its_digest() -> None:
    engine = Registry({}, {f"python@{THERE}": NEW, "python:3.12": OLD})
    known = bases(engine, lock=LOCK)
    known.check([TAG])
    assert known.resolve(TAG) == NEW
    assert pulls(engine) == [f"pull python@{THERE}"]


def test_another_image_than_the_pinned_one_is_refused() -> None:
    known = bases(Registry({"python:3.12": OLD}, {}), lock=LOCK)
    with pytest.raises(ConfigurationError) as caught:
        known.check([TAG])
    assert HERE in caught.value.message
    assert THERE in caught.value.message
    assert "pyimages lock" in caught.value.hint


def test_a_reference_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"does not have python:3\.12 · run `pyimages lock`"):
        bases(Registry({}, {}), lock=ImageLock(path=Path("images.lock"), pins={})).check([TAG])


def test_a_lock_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    pins = {"python:3.12": HERE, "localhost:5000/x/python:3.14-slim": THERE}
    write_image_lock(tmp_path / "new" / "images.lock", pins)
    assert read_image_lock(tmp_path / "new" / "images.lock").pins == pins


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "there is no file", id="none"),
        pytest.param("[images", "cannot be read", id="no TOML"),
        pytest.param("images = 3", r"has no \[images\]", id="no table"),
        pytest.param('[images]\n"python:3.12" = "latest"', "pins python:3.12 to 'latest'", id="no digest"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "images.lock").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_image_lock(tmp_path / "images.lock")


@pytest.mark.parametrize(
    ("reference", "pinned"),
    [
        pytest.param("python:3.12", f"python@{HERE}", id="tag"),
        pytest.param("python", f"python@{HERE}", id="no tag"),
        pytest.param("localhost:5000/a/python:3.12", f"localhost:5000/a/python@{HERE}", id="registry with a port"),
        pytest.param("localhost:5000/python", f"localhost:5000/python@{HERE}", id="a port and no tag"),
        pytest.param(f"python:3.12@{THERE}", f"python@{HERE}", id="tag and digest"),
    ],
)
def test_a_pinned_reference_has_the_repository_and_the_digest(reference: str, pinned: str) -> None:
    assert pinned_reference(reference, HERE) == pinned


def test_the_digest_is_that_of_the_references_own_repository() -> None:
    both = image("sha256:id", f"mirror:5000/python@{HERE}", f"python@{THERE}")
    assert digest_of(both, "python:3.12") == THERE
    assert digest_of(both, "mirror:5000/python:3.12") == HERE
    assert digest_of(image("sha256:id"), "python:3.12") == "sha256:id"
