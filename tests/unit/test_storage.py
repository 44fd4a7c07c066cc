"""Which images are ours, what they take on disk, which are stale, and what pruning removes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import ImageInfo, Leftover
from pytest_pyimages.engines.labels import (
    ASKED,
    BASE,
    INSTALLS,
    KIND,
    LABEL,
    ORIGIN,
    PROJECT,
    PYTHON,
    RECIPE,
    REFERENCE,
    ROOT,
    TAG,
)
from pytest_pyimages.errors import EngineError
from pytest_pyimages.images.last_used import LastUsed, project_identity
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.project import Project
from pytest_pyimages.images.pruning import (
    DAY,
    SUPERSEDED_AFTER,
    Choice,
    Limits,
    chosen,
    in_use,
    prune_superseded,
    remove,
)
from pytest_pyimages.images.recipe import Recipe
from pytest_pyimages.images.states import STALE, State, States
from pytest_pyimages.images.storage import (
    DOCKERFILE_REPOSITORY,
    REPOSITORY,
    Storage,
    StoredImage,
    asked_for,
    environment_reference,
    image_labels,
    read_storage,
)
from pytest_pyimages.matrix import ImageTag
from tests.plugin.fake_engine import FakeEngine

NOW = time.time()
TAG_312 = ImageTag(label="3.12", reference="python:3.12", allowed_to_fail=False)
HERE = project_identity("shop", "root")


class Engine(FakeEngine):
    """Has the images that a test puts into it, and removes as the engines with a parent of each image do."""

    def __init__(self, *found: Leftover) -> None:
        super().__init__(known=["python:3.12"], found=found)
        self.refused: dict[str, str] = {}

    def add(
        self,
        name: str,
        *,
        on: str = "python:3.12",
        days: float = 0,
        size: int = 10,
        kind: str = "environment",
        labels: Mapping[str, str] | None = None,
        tags: tuple[str, ...] | None = None,
    ) -> ImageInfo:
        """Add an image of ours; ``days`` ago it was made."""
        below = self.images_by_reference[on]
        repository = REPOSITORY if kind == "environment" else DOCKERFILE_REPOSITORY
        reference = f"{repository}:{name}"
        names = (reference,) if tags is None else tags
        ours = {LABEL: "1", KIND: kind, RECIPE: name, PROJECT: "shop", ROOT: "root", PYTHON: "3.12.1"}
        ours |= {TAG: "3.12", REFERENCE: "python:3.12", BASE: "sha256:python:3.12"}
        image = ImageInfo(
            id=f"sha256:{name}",
            digests=(),
            platform="linux/amd64",
            environment={},
            labels={**ours, **(labels or {})},
            size=below.size + size,
            created=NOW - days * DAY,
            tags=names,
            layers=(*below.layers, name),
            parent=below.id,
        )
        for each in names or (f"<none>:{name}",):
            self.images_by_reference[each] = image
        return image

    def find_image(self, reference: str) -> ImageInfo | None:
        return next(
            (image for name, image in self.images_by_reference.items() if reference in (name, image.id)),
            None,
        )

    def remove_image(self, reference: str, *, parents: bool = True) -> None:
        assert not parents, "what is not ours could go with it"
        if reference in self.refused:
            raise EngineError(self.refused[reference])
        image = self.find_image(reference)
        assert image is not None
        self.calls.append(f"remove {reference}")
        if reference == image.id and self._has_children(image):
            raise EngineError("image has dependent child images")
        names = [name for name, known in self.images_by_reference.items() if known.id == image.id]
        for name in names if reference == image.id else [reference]:
            del self.images_by_reference[name]
        if self.find_image(image.id) is None and self._has_children(image):
            self.images_by_reference[f"<none>:{image.id}"] = replace(image, tags=())

    def _has_children(self, image: ImageInfo) -> bool:
        return any(other.parent == image.id for other in self.images_by_reference.values())

    @property
    def names(self) -> set[str]:
        return {name.rpartition(":")[2] for name in self.images_by_reference if not name.startswith("<none>")}


def use(folder: Path, image: ImageInfo, *, days: float, project: str = HERE, rootdir: str = "/") -> None:
    """Let a project have used an image some days ago."""
    before = {path.name for path in (folder / "used").glob("*")}
    LastUsed(folder).touch(image.id, project, Path(rootdir))
    for path in (folder / "used").iterdir():
        if path.name not in before:
            os.utime(path, (NOW - days * DAY,) * 2)


def storage(engine: Engine, folder: Path) -> Storage:
    return read_storage(engine, LastUsed(folder))


# What is ours


def test_only_names_that_we_gave_are_ours(tmp_path: Path) -> None:
    """Images that others build on ours have all the labels; a further tag is somebody's own."""
    engine = Engine()
    engine.add("one", tags=(f"{REPOSITORY}:one", "mine:1"))
    engine.add("two", on=f"{REPOSITORY}:one", tags=("app:latest",))
    engine.add("three", tags=(f"{REPOSITORY}:kept-by-me",))
    engine.add("four", kind="dockerfile")
    engine.add("five", labels={KIND: "cache"})
    engine.add("six", tags=(f"localhost/{REPOSITORY}:six",))
    found = storage(engine, tmp_path)
    assert {image.id: image.references for image in found.images} == {
        "sha256:one": (f"{REPOSITORY}:one",),
        "sha256:four": (f"{DOCKERFILE_REPOSITORY}:four",),
        "sha256:six": (f"localhost/{REPOSITORY}:six",),  # as Podman completes it
    }
    assert {info.id for info in found.others} == {"sha256:two", "sha256:three", "sha256:five"}
    assert next(image for image in found.images if image.id == "sha256:one").other_names == ("mine:1",)


def test_the_last_use_is_known_from_here_or_else_the_making(tmp_path: Path) -> None:
    engine = Engine()
    used, unknown = engine.add("used", days=40), engine.add("unknown", days=20)
    use(tmp_path, used, days=1)
    use(tmp_path, used, days=3, project="another", rootdir="/elsewhere")
    images = storage(engine, tmp_path).images
    assert [image.id for image in images] == [used.id, unknown.id]
    assert [round((NOW - image.last_used) / DAY) for image in images] == [1, 20]
    assert images[0].is_of("another")
    assert images[0].is_of(HERE)
    assert not images[1].is_of("another")


def test_credentials_are_in_no_label(tmp_path: Path) -> None:
    words = (
        *("pytest", "-e", f"{tmp_path}[test]"),
        "thing @ https://ann:canary1@example.org/thing.zip?token=canary2#egg=thing",
        "--index-url=https://canary3@example.org/simple",
        *("--extra-index-url", "https://dl.example.org/canary4aB3dE5fG7hI9jK/simple/"),
        "git+ssh://git@example.org/team/tool.git@v1",
    )
    project = Project(root=tmp_path, name="shop", kind="editable", origin=f"{words[3]}, six (py_images_install)")
    recipe = Recipe(steps=(words,), environment=(("TOKEN", "canary5"),), setup=("login canary6",))
    plan = ImagePlan(tag=TAG_312, project=project, recipe=recipe, environment={"TOKEN": "canary5"}, args=())
    labels = image_labels(plan, FakeEngine._image("sha256:base"))
    assert "canary" not in "".join(labels.values())
    assert str(tmp_path) not in "".join(labels.values())
    (installs,) = json.loads(labels[INSTALLS])
    assert installs[:3] == ["pytest", "-e", ".[test]"]
    assert installs[-1] == words[-1], "what is no secret stays readable"
    assert labels[ORIGIN].endswith("#egg=thing, six (py_images_install)")


# What they take


def test_layers_count_once_and_those_of_the_base_never(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("one", size=10)
    engine.add("two", on=f"{REPOSITORY}:one", size=5)
    engine.add("three", size=7)
    found = storage(engine, tmp_path)
    one, two, three = (found_image(found, name) for name in ("one", "two", "three"))
    assert found.on_disk(found.images) == 22
    assert found.on_disk([two]) == 15
    assert found.freed_by([one]) == 0, "another stands on it"
    assert found.freed_by([two]) == 5
    assert found.freed_by([one, two]) == 15
    assert found.freed_by([three]) == 7
    assert found.stands_on(one) == (two,)


def test_what_others_stand_on_frees_nothing(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("tagged", size=10, tags=(f"{REPOSITORY}:tagged", "mine:1"))
    engine.add("built on", size=10)
    engine.add("app", on=f"{REPOSITORY}:built on", size=3, tags=("app:1",))
    found = storage(engine, tmp_path)
    assert found.freed_by(found.images) == 0
    assert found.on_disk(found.images) == 20


def found_image(storage: Storage, name: str) -> StoredImage:
    return next(image for image in storage.images if image.id == f"sha256:{name}")


# What is chosen


@pytest.fixture
def aged(tmp_path: Path) -> Storage:
    """Five images of ten bytes, made and last used 1, 10, 20, 30 and 40 days ago."""
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
def test_conditions_narrow_each_other_and_the_oldest_goes_first(aged: Storage, limits: Limits, removed: str) -> None:
    choice = chosen(aged, aged.images, limits, blocked={}, now=NOW)
    assert [image.id.removeprefix("sha256:") for image in choice.removed] == removed.split()
    assert choice.kept == {}


def test_what_is_in_use_is_kept_and_named(aged: Storage) -> None:
    blocked = {"sha256:40": "in use", "sha256:1": "in use"}
    choice = chosen(aged, aged.images, Limits(unused=15 * DAY), blocked=blocked, now=NOW)
    assert [image.id for image in choice.removed] == ["sha256:30", "sha256:20"]
    assert choice.kept == {"sha256:40": "in use"}


def test_what_is_in_use_does_not_make_room(aged: Storage) -> None:
    choice = chosen(aged, aged.images, Limits(storage=30), blocked={"sha256:40": "in use"}, now=NOW)
    assert [image.id for image in choice.removed] == ["sha256:30", "sha256:20"]


def test_only_what_is_in_scope(aged: Storage) -> None:
    choice = chosen(aged, aged.images[:2], Limits(storage=10), blocked={}, now=NOW)
    assert [image.id for image in choice.removed] == ["sha256:10"]


def test_a_dockerfiles_image_goes_with_the_last_environment_on_it(tmp_path: Path) -> None:
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
    return chosen(found, found.images, limits, blocked=blocked, now=NOW)


def test_images_of_containers_are_in_use(tmp_path: Path) -> None:
    def container(name: str, image: str) -> Leftover:
        return Leftover(kind="container", id=f"id of {name}", name=name, labels={LABEL: "1"}, image=image)

    volume = Leftover(kind="volume", id="v", name="v", labels={LABEL: "1"})
    engine = Engine(container("live", "sha256:a"), container("dead", "sha256:b"), volume)
    assert in_use(engine, without={"id of dead"}) == {"sha256:a": "in use by the container live"}


# What removing does


def test_what_stands_on_another_goes_first(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("one")
    engine.add("two", on=f"{REPOSITORY}:one")
    found = storage(engine, tmp_path)
    assert remove(engine, found.images, LastUsed(tmp_path)) == {}
    removals = [call for call in engine.calls if call.startswith("remove")]
    assert removals == [f"remove {REPOSITORY}:two", f"remove {REPOSITORY}:one"]
    assert engine.names == {"3.12"}


def test_a_nameless_image_of_ours_goes_with_what_stood_on_it(tmp_path: Path) -> None:
    """It lost its name in an earlier pruning, when something still stood on it."""
    engine = Engine()
    engine.add("one")
    engine.add("two", on=f"{REPOSITORY}:one")
    first = storage(engine, tmp_path)
    assert remove(engine, [found_image(first, "one")], LastUsed(tmp_path)) == {}
    assert engine.find_image("sha256:one") is not None
    assert remove(engine, storage(engine, tmp_path).images, LastUsed(tmp_path)) == {}
    assert engine.find_image("sha256:one") is None
    assert engine.find_image("sha256:two") is None


@pytest.mark.parametrize("base", ["sha256:somebody's", ""], ids=["known base", "early version"])
def test_a_nameless_base_image_stays(tmp_path: Path, base: str) -> None:
    engine = Engine()
    engine.images_by_reference["<none>:base"] = FakeEngine._image("sha256:somebody's")
    engine.add("one", on="<none>:base", labels={BASE: base})
    assert remove(engine, storage(engine, tmp_path).images, LastUsed(tmp_path)) == {}
    assert engine.find_image("sha256:one") is None
    assert engine.find_image("sha256:somebody's") is not None


def test_further_names_stay(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("one", tags=(f"{REPOSITORY}:one", "mine:1"))
    remove(engine, storage(engine, tmp_path).images, LastUsed(tmp_path))
    assert engine.names == {"3.12", "1"}


def test_what_cannot_be_removed_is_said_and_the_rest_goes(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("one")
    engine.add("two")
    engine.refused[f"{REPOSITORY}:one"] = "conflict: container x is using it"
    assert remove(engine, storage(engine, tmp_path).images, LastUsed(tmp_path)) == {
        "sha256:one": "conflict: container x is using it"
    }
    assert engine.names == {"3.12", "one"}


def test_its_uses_are_forgotten(tmp_path: Path) -> None:
    engine = Engine()
    one, two = engine.add("one"), engine.add("two")
    use(tmp_path, one, days=1)
    use(tmp_path, two, days=1)
    remove(engine, [found_image(storage(engine, tmp_path), "one")], LastUsed(tmp_path))
    assert [bool(uses) for uses in LastUsed(tmp_path).uses([one.id, two.id]).values()] == [False, True]


# What a new image takes the place of

MONTH = SUPERSEDED_AFTER / DAY


def test_former_images_of_the_tag_go_when_unused_for_a_month(tmp_path: Path) -> None:
    engine = Engine()
    used = engine.add("made long ago", days=MONTH + 9)
    use(tmp_path, used, days=MONTH - 1)
    engine.add("unused", days=MONTH + 1)
    engine.add("not long unused", days=MONTH - 1)
    engine.add("other tag", days=MONTH + 1, labels={TAG: "3.13", REFERENCE: "python:3.13"})
    engine.add("other project", days=MONTH + 1, labels={PROJECT: "shop2"})
    engine.add("other place", days=MONTH + 1, labels={ROOT: "root2"})
    engine.add("somebody's", days=MONTH + 1, tags=("app:1",))
    engine.add("new", on=f"{REPOSITORY}:unused")
    before = engine.names
    said = prune_superseded(engine, LastUsed(tmp_path), "sha256:new")
    assert said == "removed the former image of 3.12 that nothing has used for a month"
    assert before - engine.names == {"unused"}
    assert prune_superseded(engine, LastUsed(tmp_path), "sha256:new") == ""


def test_a_former_image_in_use_stays(tmp_path: Path) -> None:
    container = Leftover(kind="container", id="c", name="c", labels={}, image="sha256:unused")
    engine = Engine(container)
    engine.add("unused", days=MONTH + 1)
    engine.add("new")
    assert prune_superseded(engine, LastUsed(tmp_path), "sha256:new") == ""
    assert "unused" in engine.names


# What state they are in

PLAIN = Recipe(steps=(("pytest",),))


def state(folder: Path, engine: Engine, *, recipe: Recipe | None = PLAIN, rootdir: str = "/") -> State:
    states = States(engine, here=(HERE, Path(rootdir)), recipe=lambda _rootdir, _tag: recipe)
    (image,) = storage(engine, folder).images
    return states.of(image)


def add_made(engine: Engine, recipe: Recipe, *, base: str = "sha256:python:3.12", **labels: str) -> ImageInfo:
    """Add what a recipe made of a base image."""
    made_of = replace(FakeEngine._image("sha256:python:3.12"), id=base)
    name = environment_reference(recipe, made_of).rpartition(":")[2]
    return engine.add(name, labels={BASE: base, ASKED: asked_for(recipe), **labels})


def test_an_image_that_a_run_would_use_is_current(tmp_path: Path) -> None:
    engine = Engine()
    add_made(engine, PLAIN)
    assert state(tmp_path, engine) == "current"


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        pytest.param(replace(PLAIN, steps=(("pytest", "six"),)), "requirements changed since", id="requirement"),
        pytest.param(replace(PLAIN, apt=("git",)), "requirements changed since", id="system package"),
        pytest.param(replace(PLAIN, content=(("a.txt", "1"),)), "requirements changed since", id="file"),
        pytest.param(None, "unknown", id="not known"),
    ],
)
def test_what_the_project_wants_now_decides(tmp_path: Path, recipe: Recipe | None, expected: State) -> None:
    engine = Engine()
    add_made(engine, PLAIN)
    assert state(tmp_path, engine, recipe=recipe) == expected
    assert (expected in STALE) == (recipe is not None)


def test_another_base_image_under_the_same_name(tmp_path: Path) -> None:
    engine = Engine()
    add_made(engine, PLAIN, base="sha256:older")
    assert state(tmp_path, engine) == "base image changed since"


def test_a_base_image_that_is_not_here_says_nothing(tmp_path: Path) -> None:
    engine = Engine()
    add_made(engine, PLAIN)
    del engine.images_by_reference["python:3.12"]
    assert state(tmp_path, engine) == "base image is not here"
    assert "base image is not here" not in STALE


def test_what_another_version_of_this_package_made(tmp_path: Path) -> None:
    engine = Engine()
    add_made(engine, PLAIN, **{RECIPE: "f" * 32})
    (name,) = engine.names - {"3.12"}
    engine.images_by_reference[f"{REPOSITORY}:{'f' * 32}"] = engine.images_by_reference.pop(f"{REPOSITORY}:{name}")
    assert state(tmp_path, engine) == "made by another version"


def test_what_other_projects_use_is_judged_by_their_files(tmp_path: Path) -> None:
    engine = Engine()
    image = add_made(engine, PLAIN, **{ROOT: "elsewhere"})
    assert state(tmp_path, engine) == "unknown", "nobody knows where its project is"
    (tmp_path / "there").mkdir()
    other = project_identity("shop", "elsewhere")
    use(tmp_path, image, days=1, project=other, rootdir=str(tmp_path / "there"))
    assert state(tmp_path, engine) == "current"
    use(tmp_path, image, days=1, project=other, rootdir=str(tmp_path / "not there"))
    assert state(tmp_path, engine) == "project is gone"
    use(tmp_path, image, days=1, project=HERE, rootdir="/")
    assert state(tmp_path, engine) == "current", "it is used here, too"
