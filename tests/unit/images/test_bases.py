"""Pull policies and pins of base images."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import ImageInfo, PullProgress
from pytest_pyimages.errors import BuildError, ConfigurationError, EngineError, RegistryUnreachableError
from pytest_pyimages.images.bases import BaseImages, Listener, PullPolicy
from pytest_pyimages.images.pins import (
    Pins,
    find_digest,
    pin_reference,
    read_pins,
    write_pins,
)
from pytest_pyimages.matrix import ImageTag, parse_matrix
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message

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

    def pull(self, reference: str, *, platform: str = "") -> Iterator[PullProgress]:
        self._call(f"pull {reference}")
        if reference not in self.there:
            raise EngineError("the registry cannot be reached: no such host")
        yield PullProgress(done=1, total=1)
        self.images_by_reference[reference] = self.there[reference]


def bases(engine: FakeEngine, policy: PullPolicy = "missing", pins: Pins | None = None) -> BaseImages:
    return BaseImages(engine, Listener(), policy=policy, pins=pins)


def pulls(engine: FakeEngine) -> list[str]:
    return [call for call in engine.calls if call.startswith("pull")]


PINS = Pins(path=Path("images.lock"), digests={"python:3.12": THERE})
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
def test_policy_decides_when_to_pull(
    policy: PullPolicy, here: dict[str, ImageInfo], expected: ImageInfo, asked: list[str]
) -> None:
    engine = Registry(here, {"python:3.12": NEW})
    assert bases(engine, policy).resolve(TAG) == expected
    assert pulls(engine) == asked


@pytest.mark.parametrize(("seconds", "asked"), [(15.0, 2), (0.1, 3)])
def test_a_registry_that_does_not_answer_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, seconds: float, asked: int
) -> None:
    """Engines wait long for one that drops all packets; what fails fast may work for the next image."""
    now = [0.0]

    class Unreachable(FakeEngine):
        def pull(self, reference: str, *, platform: str = "") -> Iterator[PullProgress]:
            self._call(f"pull {reference}")
            now[0] += seconds
            if reference not in self.images_by_reference:
                raise RegistryUnreachableError("the registry cannot be reached: timeout", "set a mirror")
            yield PullProgress(done=1, total=1)

    monkeypatch.setattr("pytest_pyimages.images.bases.time.monotonic", lambda: now[0])
    engine = Unreachable(known=())
    found = bases(engine)
    for tag in parse_matrix(["3.12", "docker.io/python:3.13", "3.14"]):
        with pytest.raises(RegistryUnreachableError, match="cannot be reached: timeout · set a mirror"):
            found.resolve(tag)
    assert len(pulls(engine)) == asked


def test_never_reports_a_missing_image_with_a_hint() -> None:
    engine = Registry({}, {"python:3.12": NEW})
    with pytest.raises(BuildError) as caught:
        bases(engine, "never").resolve(TAG)
    assert str(caught.value) == message("images", "pull-never", reference="python:3.12", label="3.12")
    assert pulls(engine) == []


ARM = NEW._replace(id="sha256:arm", platform="linux/arm64")


class Platforms(Registry):
    """A registry with an image for each platform; the reference is the one that was pulled last."""

    def pull(self, reference: str, *, platform: str = "") -> Iterator[PullProgress]:
        self._call(f"pull {reference} {platform}".rstrip())
        yield PullProgress(done=1, total=1)
        self.images_by_reference[reference] = ARM if platform == "linux/arm64" else NEW


def test_each_platform_has_its_own_image() -> None:
    """Also where the engine has that of another one by this reference."""
    engine = Platforms({}, {})
    engine.info = replace(engine.info, platform="linux/amd64")
    tags = parse_matrix(["3.12,3.12@linux/arm64"])
    known = bases(engine)
    assert [known.resolve(tag) for tag in tags] == [NEW, ARM]
    assert pulls(engine) == ["pull python:3.12", "pull python:3.12 linux/arm64"]
    assert bases(engine).resolve(tags[1]) == ARM
    assert len(pulls(engine)) == 2
    assert bases(engine).resolve(tags[0]) == NEW
    assert len(pulls(engine)) == 3
    with pytest.raises(BuildError) as caught:
        bases(engine, "never").resolve(tags[1])
    assert "for linux/arm64" in str(caught.value)
    assert "docker pull --platform=linux/arm64 python:3.12" in str(caught.value)


def test_an_image_of_another_platform_than_requested_is_an_error() -> None:
    (tag,) = parse_matrix(["3.12@linux/s390x"])
    with pytest.raises(BuildError) as caught:
        bases(Platforms({}, {})).resolve(tag)
    fields = {"reference": "python:3.12", "present": "linux/amd64", "requested": "linux/s390x", "label": tag.label}
    assert str(caught.value) == message("images", "other-platform", **fields)


@pytest.mark.parametrize("spec", ["3.13-windowsservercore-ltsc2025", "x/y:1-nanoserver", "windowsservercore"])
def test_an_image_of_windows_is_not_requested_from_a_registry(spec: str) -> None:
    (tag,) = parse_matrix([spec])
    engine = Registry({}, {tag.reference: NEW})
    with pytest.raises(BuildError) as caught:
        bases(engine).resolve(tag)
    assert str(caught.value) == message("images", "windows", reference=tag.reference, label=tag.label)
    assert pulls(engine) == []


@pytest.mark.parametrize("policy", ["missing", "always"])
def test_an_image_id_is_never_pulled_nor_pinned(policy: PullPolicy) -> None:
    (tag,) = parse_matrix(["4f5e6a7b8c9d"])
    engine = Registry({"4f5e6a7b8c9d": OLD}, {})
    known = bases(engine, policy, PINS)
    known.check_pins([tag])
    assert known.resolve(tag) == OLD
    with pytest.raises(BuildError) as caught:
        bases(Registry({}, {}), policy).resolve(tag)
    assert str(caught.value) == message("images", "no-image-of-id", reference="4f5e6a7b8c9d")
    assert pulls(engine) == []


def test_always_fails_if_the_registry_does() -> None:
    with pytest.raises(EngineError, match="no such host"):
        bases(Registry({"python:3.12": OLD}, {}), "always").resolve(TAG)


def test_reference_is_resolved_once_per_session() -> None:
    """Also for two labels at the same time, and after the tag has moved."""
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


def test_error_is_the_same_for_all_callers() -> None:
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
def test_pinned_image_in_the_engine_needs_no_registry(here: dict[str, ImageInfo]) -> None:
    engine = Registry(here, {})
    known = bases(engine, "always", PINS)
    known.check_pins([TAG])
    assert known.resolve(TAG) == NEW
    assert pulls(engine) == []


def test_missing_pinned_image_is_pulled_by_its_digest() -> None:
    engine = Registry({}, {f"python@{THERE}": NEW, "python:3.12": OLD})
    known = bases(engine, pins=PINS)
    known.check_pins([TAG])
    assert known.resolve(TAG) == NEW
    assert pulls(engine) == [f"pull python@{THERE}"]


def test_image_that_does_not_match_its_pin_is_refused() -> None:
    known = bases(Registry({"python:3.12": OLD}, {}), pins=PINS)
    with pytest.raises(ConfigurationError) as caught:
        known.check_pins([TAG])
    pinned = f"python@{THERE}"
    expected = {"reference": "python:3.12", "present": HERE, "file": "images.lock", "digest": THERE, "pinned": pinned}
    assert str(caught.value) == message("images", "other-pin", **expected)


def test_reference_without_a_pin_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        bases(Registry({}, {}), pins=Pins(path=Path("images.lock"), digests={})).check_pins([TAG])
    assert str(caught.value) == message("images", "no-pin", file="images.lock", reference="python:3.12")


def test_pins_are_read_as_they_were_written(tmp_path: Path) -> None:
    pins = {"python:3.12": HERE, "localhost:5000/x/python:3.14-slim": THERE}
    write_pins(tmp_path / "new" / "images.lock", pins)
    assert read_pins(tmp_path / "new" / "images.lock").digests == pins


def test_missing_file_of_pins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_pins(tmp_path / "images.lock")
    assert str(caught.value) == message("images", "pins-not-found", path=tmp_path / "images.lock")


def test_file_of_pins_without_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images.lock").write_text("images = 3")
    with pytest.raises(ConfigurationError) as caught:
        read_pins(tmp_path / "images.lock")
    assert str(caught.value) == message("images", "pins-without-table", path=tmp_path / "images.lock")


def test_pin_that_is_no_digest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images.lock").write_text('[images]\n"python:3.12" = "latest"')
    with pytest.raises(ConfigurationError) as caught:
        read_pins(tmp_path / "images.lock")
    expected = message("images", "no-digest", file="images.lock", reference="python:3.12", value="'latest'")
    assert str(caught.value) == expected


def test_file_of_pins_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images.lock").write_text("[images")
    with pytest.raises(ConfigurationError, match=r"images\.lock cannot be read"):
        read_pins(tmp_path / "images.lock")


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
def test_pinned_reference_has_repository_and_digest(reference: str, pinned: str) -> None:
    assert pin_reference(reference, HERE) == pinned


def test_digest_is_that_of_the_references_repository() -> None:
    both = image("sha256:id", f"mirror:5000/python@{HERE}", f"python@{THERE}")
    assert find_digest(both, "python:3.12") == THERE
    assert find_digest(both, "mirror:5000/python:3.12") == HERE
    assert find_digest(image("sha256:id"), "python:3.12") == "sha256:id"


@pytest.mark.parametrize(
    "reference",
    [
        "pytest-pyimages/environment:0123",
        "docker.io/pytest-pyimages/environment:0123",
        "index.docker.io/pytest-pyimages/dockerfile@" + HERE,
        "localhost/pytest-pyimages/environment:0123",
    ],
)
@pytest.mark.parametrize("policy", ["missing", "always", "never"])
def test_names_of_built_images_are_not_selected(reference: str, policy: PullPolicy) -> None:
    """A project could otherwise pull what another one then takes for its own build."""
    engine = Registry({}, {reference: NEW})
    tag = ImageTag(label="other", reference=reference, allowed_to_fail=False)
    with pytest.raises(BuildError) as error:
        bases(engine, policy).resolve(tag)
    assert str(error.value) == message("images", "built-name", reference=reference)
    assert engine.calls == []


def test_other_repositories_are_selected() -> None:
    reference = "registry.example/pytest-pyimages/environment:0123"
    tag = ImageTag(label="other", reference=reference, allowed_to_fail=False)
    assert bases(Registry({reference: OLD}, {})).resolve(tag) == OLD
