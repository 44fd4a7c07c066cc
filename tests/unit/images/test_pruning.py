"""Choice and removal of environment images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import Leftover
from pytest_pyimages.engines.labels import (
    BASE_LABEL,
    LABEL,
    PROJECT_LABEL,
    REFERENCE_LABEL,
    ROOT_LABEL,
    TAG_LABEL,
)
from pytest_pyimages.images.labels import DOCKERFILE_REPOSITORY
from pytest_pyimages.images.last_used import LastUsed
from pytest_pyimages.images.pruning import (
    DAY,
    SUPERSEDED_AFTER,
    Choice,
    Limits,
    choose_images,
    find_used_images,
    prune_superseded,
    remove_images,
)
from pytest_pyimages.images.recipe import REPOSITORY
from pytest_pyimages.images.storage import Storage
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message
from tests.support.stored_engine import NOW, Engine, found_image, storage, use

# Choice


@pytest.fixture
def aged(tmp_path: Path) -> Storage:
    """Five images of ten bytes, built and last used 1, 10, 20, 30 and 40 days ago."""
    engine = Engine()
    for days in (1, 10, 20, 30, 40):
        engine.add(f"{days}", days=days)
    return storage(engine, tmp_path)


@pytest.mark.parametrize(
    ("limits", "removed"),
    [
        pytest.param(Limits(), "40 30 20 10 1", id="all"),
        pytest.param(Limits(unused=20 * DAY), "40 30 20", id="age"),
        pytest.param(Limits(storage=25), "40 30 20", id="size"),
        pytest.param(Limits(storage=30), "40 30", id="exactly the size"),
        pytest.param(Limits(storage=50), "", id="small enough"),
        pytest.param(Limits(storage=0), "40 30 20 10 1", id="no size"),
        pytest.param(Limits(storage=10, unused=25 * DAY), "40 30", id="size, but not what is young"),
        pytest.param(Limits(is_stale=lambda image: image.id.endswith(":10")), "10", id="stale"),
        pytest.param(
            Limits(is_stale=lambda image: image.id.endswith(("10", "40")), unused=15 * DAY), "40", id="stale and old"
        ),
    ],
)
def test_limits_are_combined_and_the_oldest_image_goes_first(aged: Storage, limits: Limits, removed: str) -> None:
    choice = choose_images(aged, aged.images, limits, blocked={}, now=NOW)
    assert [image.id.removeprefix("sha256:") for image in choice.removed] == removed.split()
    assert choice.kept == {}


def test_image_in_use_is_kept_with_a_reason(aged: Storage) -> None:
    blocked = {"sha256:40": "in use", "sha256:1": "in use"}
    choice = choose_images(aged, aged.images, Limits(unused=15 * DAY), blocked=blocked, now=NOW)
    assert [image.id for image in choice.removed] == ["sha256:30", "sha256:20"]
    assert choice.kept == {"sha256:40": "in use"}


def test_image_in_use_counts_towards_the_storage(aged: Storage) -> None:
    choice = choose_images(aged, aged.images, Limits(storage=30), blocked={"sha256:40": "in use"}, now=NOW)
    assert [image.id for image in choice.removed] == ["sha256:30", "sha256:20"]


def test_images_out_of_scope_are_kept(aged: Storage) -> None:
    choice = choose_images(aged, aged.images[:2], Limits(storage=10), blocked={}, now=NOW)
    assert [image.id for image in choice.removed] == ["sha256:10"]


def test_dockerfiles_image_is_removed_with_its_last_environment(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("file", kind="dockerfile", days=40)
    engine.add("old", on=f"{DOCKERFILE_REPOSITORY}:file", days=40)
    engine.add("new", on=f"{DOCKERFILE_REPOSITORY}:file", days=1)
    found = storage(engine, tmp_path)

    def removed(limits: Limits, blocked: Mapping[str, str]) -> set[str]:
        return {image.id.removeprefix("sha256:") for image in choose(found, limits, blocked).removed}

    assert removed(Limits(unused=30 * DAY), {}) == {"old"}
    assert removed(Limits(), {}) == {"file", "old", "new"}
    assert removed(Limits(), {"sha256:new": "in use"}) == {"old"}


def choose(found: Storage, limits: Limits, blocked: Mapping[str, str]) -> Choice:
    return choose_images(found, found.images, limits, blocked=blocked, now=NOW)


def test_images_with_containers_are_in_use(tmp_path: Path) -> None:
    def container(name: str, image: str) -> Leftover:
        return Leftover(kind="container", id=f"id of {name}", name=name, labels={LABEL: "1"}, image=image)

    volume = Leftover(kind="volume", id="v", name="v", labels={LABEL: "1"})
    engine = Engine(container("live", "sha256:a"), container("dead", "sha256:b"), volume)
    assert find_used_images(engine, without={"id of dead"}) == {"sha256:a": "in use by the container live"}


# Removal


def test_dependents_are_removed_first(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("one")
    engine.add("two", on=f"{REPOSITORY}:one")
    found = storage(engine, tmp_path)
    assert remove_images(engine, found.images, LastUsed(tmp_path)) == {}
    removals = [call for call in engine.calls if call.startswith("remove")]
    assert removals == [f"remove {REPOSITORY}:two", f"remove {REPOSITORY}:one"]
    assert engine.names == {"3.12"}


def test_untagged_image_is_removed_with_its_last_dependent(tmp_path: Path) -> None:
    """It lost its tag in an earlier pruning, while it had a dependent."""
    engine = Engine()
    engine.add("one")
    engine.add("two", on=f"{REPOSITORY}:one")
    first = storage(engine, tmp_path)
    assert remove_images(engine, [found_image(first, "one")], LastUsed(tmp_path)) == {}
    assert engine.find_image("sha256:one") is not None
    assert remove_images(engine, storage(engine, tmp_path).images, LastUsed(tmp_path)) == {}
    assert engine.find_image("sha256:one") is None
    assert engine.find_image("sha256:two") is None


@pytest.mark.parametrize("base", ["sha256:somebody's", ""], ids=["known base", "early version"])
def test_untagged_base_image_is_kept(tmp_path: Path, base: str) -> None:
    engine = Engine()
    engine.images_by_reference["<none>:base"] = FakeEngine._image("sha256:somebody's")
    engine.add("one", on="<none>:base", labels={BASE_LABEL: base})
    assert remove_images(engine, storage(engine, tmp_path).images, LastUsed(tmp_path)) == {}
    assert engine.find_image("sha256:one") is None
    assert engine.find_image("sha256:somebody's") is not None


def test_other_names_are_kept(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("one", tags=(f"{REPOSITORY}:one", "mine:1"))
    remove_images(engine, storage(engine, tmp_path).images, LastUsed(tmp_path))
    assert engine.names == {"3.12", "1"}


def test_failed_removal_is_reported_and_the_rest_is_removed(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("one")
    engine.add("two")
    engine.refused[f"{REPOSITORY}:one"] = "conflict: container x is using it"
    assert remove_images(engine, storage(engine, tmp_path).images, LastUsed(tmp_path)) == {
        "sha256:one": "conflict: container x is using it"
    }
    assert engine.names == {"3.12", "one"}


def test_records_of_removed_images_are_removed(tmp_path: Path) -> None:
    engine = Engine()
    one, two = engine.add("one"), engine.add("two")
    use(tmp_path, one, days=1)
    use(tmp_path, two, days=1)
    remove_images(engine, [found_image(storage(engine, tmp_path), "one")], LastUsed(tmp_path))
    assert [bool(uses) for uses in LastUsed(tmp_path).read_uses([one.id, two.id]).values()] == [False, True]


# Superseded images

MONTH = SUPERSEDED_AFTER / DAY


def test_former_images_of_the_tag_are_removed_after_a_month(tmp_path: Path) -> None:
    engine = Engine()
    used = engine.add("made long ago", days=MONTH + 9)
    use(tmp_path, used, days=MONTH - 1)
    engine.add("unused", days=MONTH + 1)
    engine.add("not long unused", days=MONTH - 1)
    engine.add("other tag", days=MONTH + 1, labels={TAG_LABEL: "3.13", REFERENCE_LABEL: "python:3.13"})
    engine.add("other project", days=MONTH + 1, labels={PROJECT_LABEL: "shop2"})
    engine.add("other place", days=MONTH + 1, labels={ROOT_LABEL: "root2"})
    engine.add("somebody's", days=MONTH + 1, tags=("app:1",))
    engine.add("file", days=MONTH + 1, kind="dockerfile")
    engine.add("new", on=f"{REPOSITORY}:unused")
    before = engine.names
    note = prune_superseded(engine, LastUsed(tmp_path), "sha256:new")
    assert note == message("images", "superseded", images="2 former images", label="3.12")
    assert before - engine.names == {"unused", "file"}
    assert prune_superseded(engine, LastUsed(tmp_path), "sha256:new") == ""


def test_former_image_in_use_is_kept(tmp_path: Path) -> None:
    container = Leftover(kind="container", id="c", name="c", labels={}, image="sha256:unused")
    engine = Engine(container)
    engine.add("unused", days=MONTH + 1)
    engine.add("new")
    assert prune_superseded(engine, LastUsed(tmp_path), "sha256:new") == ""
    assert "unused" in engine.names
