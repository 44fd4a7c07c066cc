"""Our images in the engine: their names, labels, sizes and states."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import ImageInfo
from pytest_pyimages.engines.labels import (
    BASE_LABEL,
    CONTENTS_LABEL,
    KIND_LABEL,
    RECIPE_LABEL,
    REQUEST_LABEL,
    ROOT_LABEL,
)
from pytest_pyimages.images.labels import (
    DOCKERFILE_REPOSITORY,
    Contents,
    hash_request,
    make_identity,
    make_labels,
    read_contents,
)
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.pruning import (
    DAY,
)
from pytest_pyimages.images.recipe import REPOSITORY, Recipe
from pytest_pyimages.images.storage import STALE, State, States
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.project.project import Project
from tests.support.fake_engine import FakeEngine
from tests.support.stored_engine import HERE, NOW, Engine, found_image, storage, use

TAG_312 = ImageTag(label="3.12", reference="python:3.12", allowed_to_fail=False)


# Names and labels


def test_only_names_of_this_plugin_are_ours(tmp_path: Path) -> None:
    """Images that users build on ours inherit the labels; another tag is the user's own."""
    engine = Engine()
    engine.add("one", tags=(f"{REPOSITORY}:one", "mine:1"))
    engine.add("two", on=f"{REPOSITORY}:one", tags=("app:latest",))
    engine.add("three", tags=(f"{REPOSITORY}:kept-by-me",))
    engine.add("four", kind="dockerfile")
    engine.add("five", labels={KIND_LABEL: "cache"})
    engine.add("six", tags=(f"localhost/{REPOSITORY}:six",))
    engine.add("seven", tags=(f"docker.io/{REPOSITORY}:seven",))
    found = storage(engine, tmp_path)
    assert {image.id: image.references for image in found.images} == {
        "sha256:one": (f"{REPOSITORY}:one",),
        "sha256:four": (f"{DOCKERFILE_REPOSITORY}:four",),
        # As Podman completes them, depending on the call:
        "sha256:six": (f"localhost/{REPOSITORY}:six",),
        "sha256:seven": (f"docker.io/{REPOSITORY}:seven",),
    }
    assert {info.id for info in found.others} == {"sha256:two", "sha256:three", "sha256:five"}
    assert next(image for image in found.images if image.id == "sha256:one").other_names == ("mine:1",)


def test_last_use_is_the_recorded_one_or_the_build(tmp_path: Path) -> None:
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


def labels_of(root: Path, *words: str, dependencies: tuple[str, ...] = ()) -> dict[str, str]:
    project = Project(
        root=root,
        name="shop",
        kind="editable",
        origin=f"{words[-1]}, six (py_images_install)",
        dependencies=dependencies,
    )
    recipe = Recipe(
        steps=(("pytest", "-e", f"{root}[test]", *words),),
        environment=(("TOKEN", "canary5"),),
        setup=("login canary6", "make"),
        apt=("git",),
    )
    plan = ImagePlan(tag=TAG_312, project=project, recipe=recipe, environment={"TOKEN": "canary5"}, args=())
    return make_labels(plan, FakeEngine._image("sha256:base"))


def test_labels_describe_the_contents(tmp_path: Path) -> None:
    tool = "git+ssh://git@example.org/team/tool.git@v1"
    labels = labels_of(tmp_path, tool, dependencies=("idna>=3",))
    assert read_contents(labels[CONTENTS_LABEL]) == Contents(
        origin=f"{tool}, six (py_images_install)",
        steps=(("pytest", "-e", ".[test]", tool),),
        dependencies=("idna>=3",),
        apt=("git",),
        setup=2,
    )
    assert str(tmp_path) not in "".join(labels.values())


def test_credentials_are_in_no_label(tmp_path: Path) -> None:
    secret = "thing @ https://ann:canary1@example.org/thing.zip?token=canary2#egg=thing"
    labels = labels_of(
        tmp_path,
        "--index-url=https://canary3@example.org/simple",
        *("--extra-index-url", "https://dl.example.org/canary4aB3dE5fG7hI9jK/simple/"),
        secret,
        dependencies=(secret,),
    )
    assert "canary" not in "".join(labels.values())
    assert labels[CONTENTS_LABEL].count("#egg=thing") == 3, "only secrets are hidden"


@pytest.mark.parametrize("text", ["", "[]", "null", "7", '{"steps": 3}', '{"setup": "many"}', "{", '{"steps": [["a"]'])
def test_label_of_another_form_is_ignored(text: str) -> None:
    assert read_contents(text) == Contents()


# Sizes


def test_shared_layers_count_once_and_base_layers_never(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("one", size=10)
    engine.add("two", on=f"{REPOSITORY}:one", size=5)
    engine.add("three", size=7)
    found = storage(engine, tmp_path)
    one, two, three = (found_image(found, name) for name in ("one", "two", "three"))
    assert found.measure(found.images) == 22
    assert found.measure([two]) == 15
    assert found.measure_freed([one]) == 0, "another is built on it"
    assert found.measure_freed([two]) == 5
    assert found.measure_freed([one, two]) == 15
    assert found.measure_freed([three]) == 7
    assert found.list_dependents(one) == (two,)


def test_layers_of_other_images_are_not_freed(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("tagged", size=10, tags=(f"{REPOSITORY}:tagged", "mine:1"))
    engine.add("built on", size=10)
    engine.add("app", on=f"{REPOSITORY}:built on", size=3, tags=("app:1",))
    found = storage(engine, tmp_path)
    assert found.measure_freed(found.images) == 0
    assert found.measure(found.images) == 20


def test_dockerfiles_image_is_used_with_its_environments(tmp_path: Path) -> None:
    """It is not run itself."""
    engine = Engine()
    engine.add("file", kind="dockerfile", days=40)
    environment = engine.add("environment", on=f"{DOCKERFILE_REPOSITORY}:file", days=30)
    use(tmp_path, environment, days=3)
    engine.add("unused file", kind="dockerfile", days=40)
    found = storage(engine, tmp_path)
    days = {image.id.removeprefix("sha256:"): round((NOW - image.last_used) / DAY) for image in found.images}
    assert days == {"file": 3, "environment": 3, "unused file": 40}


# States

PLAIN = Recipe(steps=(("pytest",),))


def state(folder: Path, engine: Engine, *, recipe: Recipe | None = PLAIN, rootdir: str = "/") -> State:
    states = States(engine, here=(HERE, Path(rootdir)), recipe=lambda _rootdir, _image: recipe)
    (image,) = storage(engine, folder).images
    return states.read(image)


def add_built(engine: Engine, recipe: Recipe, *, base: str = "sha256:python:3.12", **labels: str) -> ImageInfo:
    """Add the image that a recipe builds on a base image."""
    on_base = FakeEngine._image("sha256:python:3.12")._replace(id=base)
    name = recipe.name_image(on_base).rpartition(":")[2]
    return engine.add(name, labels={BASE_LABEL: base, REQUEST_LABEL: hash_request(recipe), **labels})


def test_image_that_a_run_would_use_is_current(tmp_path: Path) -> None:
    engine = Engine()
    add_built(engine, PLAIN)
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
def test_state_follows_the_projects_files(tmp_path: Path, recipe: Recipe | None, expected: State) -> None:
    engine = Engine()
    add_built(engine, PLAIN)
    assert state(tmp_path, engine, recipe=recipe) == expected
    assert (expected in STALE) == (recipe is not None)


def test_moved_tag_of_the_base_image_is_reported(tmp_path: Path) -> None:
    engine = Engine()
    add_built(engine, PLAIN, base="sha256:older")
    assert state(tmp_path, engine) == "base image changed since"


def test_missing_base_image_is_not_stale(tmp_path: Path) -> None:
    engine = Engine()
    add_built(engine, PLAIN)
    del engine.images_by_reference["python:3.12"]
    assert state(tmp_path, engine) == "base image is not here"
    assert "base image is not here" not in STALE


def test_image_of_another_version_is_reported(tmp_path: Path) -> None:
    engine = Engine()
    add_built(engine, PLAIN, **{RECIPE_LABEL: "f" * 32})
    (name,) = engine.names - {"3.12"}
    engine.images_by_reference[f"{REPOSITORY}:{'f' * 32}"] = engine.images_by_reference.pop(f"{REPOSITORY}:{name}")
    assert state(tmp_path, engine) == "made by another version"


def test_state_follows_the_files_of_other_projects(tmp_path: Path) -> None:
    engine = Engine()
    image = add_built(engine, PLAIN, **{ROOT_LABEL: "elsewhere"})
    assert state(tmp_path, engine) == "unknown", "the folder of its project is not known"
    (tmp_path / "there").mkdir()
    other = make_identity("shop", "elsewhere")
    use(tmp_path, image, days=1, project=other, rootdir=str(tmp_path / "there"))
    assert state(tmp_path, engine) == "current"
    use(tmp_path, image, days=1, project=other, rootdir=str(tmp_path / "not there"))
    assert state(tmp_path, engine) == "project is gone"
    use(tmp_path, image, days=1, project=HERE, rootdir="/")
    assert state(tmp_path, engine) == "current", "it is used here, too"
