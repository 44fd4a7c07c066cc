"""What a registry has under the name of an environment image is compared with the name, the base image and the host."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pyimages.engines import ImageInfo
from pytest_pyimages.engines.labels import (
    EXECUTABLE_LABEL,
    INDEXES_LABEL,
    KIND_LABEL,
    LABEL,
    LAYERS_LABEL,
    PYTHON_LABEL,
    RECIPE_LABEL,
)
from pytest_pyimages.errors import BuildError, EngineError
from pytest_pyimages.images.bases import Listener
from pytest_pyimages.images.dockerfile import Dockerfile
from pytest_pyimages.images.labels import list_own_names
from pytest_pyimages.images.plan import ImagePlan, make_plans
from pytest_pyimages.images.registries import ImageRegistries, Registries, hash_choices
from pytest_pyimages.matrix import parse_matrix
from pytest_pyimages.project import Configuration
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message

REPOSITORY = "localhost:1/team/shop"
RECIPE = "0123456789abcdef" * 2
HERE = f"pytest-pyimages/environment:{RECIPE}"


@pytest.fixture
def plan(tmp_path: Path) -> ImagePlan:
    configuration = Configuration({}, tmp_path, known=())
    (plan,) = make_plans(parse_matrix(["3.12"]), configuration, ini={}, rootdir=tmp_path, environ={})
    return plan


@pytest.fixture
def remote(plan: ImagePlan) -> str:
    return f"{REPOSITORY}:{RECIPE}-{hash_choices(plan, can_mount=True)}"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def registries(engine: FakeEngine, notes: list[str]) -> ImageRegistries:
    return ImageRegistries(engine, Listener(note=notes.append), Registries((REPOSITORY,), REPOSITORY))


def pushed(engine: FakeEngine, remote: str) -> ImageInfo:
    """An image as a build labels it, and as a pull brings it."""
    base = engine.images_by_reference["python:3.12"]
    labels = {
        LABEL: "1",
        KIND_LABEL: "environment",
        RECIPE_LABEL: RECIPE,
        INDEXES_LABEL: remote.rpartition("-")[2],
        PYTHON_LABEL: "3.12.1",
        EXECUTABLE_LABEL: "/usr/local/bin/python",
        LAYERS_LABEL: "1",
    }
    return engine._image("sha256:pushed", labels, base)


def find(engine: FakeEngine, plan: ImagePlan, remote: str, image: ImageInfo) -> tuple[ImageInfo | None, list[str]]:
    """Look for the image that a registry has under the name; return it, and the notes."""
    engine.images_by_reference[remote] = image
    engine._pulls[remote] = None
    engine._image = lambda *_: image  # type: ignore[method-assign] # what the pull brings
    notes: list[str] = []
    base = engine.images_by_reference["python:3.12"]
    return registries(engine, notes).find(plan, base, HERE, can_mount=True), notes


def test_image_gets_its_name_here(engine: FakeEngine, plan: ImagePlan, remote: str) -> None:
    found, notes = find(engine, plan, remote, pushed(engine, remote))
    assert found is not None
    assert engine.find_image(HERE) == found
    assert notes == []


Change = Callable[[ImageInfo], ImageInfo]


def labelled(**labels: str) -> Change:
    names = {f"{LABEL}.{name}": value for name, value in labels.items()}
    return lambda image: image._replace(labels={**image.labels, **names})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(lambda image: image._replace(labels={}), "its labels are those of another image", id="no labels"),
        pytest.param(labelled(recipe="0" * 32), "its labels are those of another image", id="recipe"),
        pytest.param(labelled(indexes="0" * 16), "its labels are those of another image", id="choices"),
        pytest.param(labelled(kind="dockerfile"), "its labels are those of another image", id="kind"),
        pytest.param(labelled(python="3.12 \x1b[2J"), "its labels are invalid", id="escape"),
        pytest.param(labelled(lock="\u202e"), "its labels are invalid", id="bidirectional"),
        pytest.param(labelled(python=""), "its labels are invalid", id="no version"),
        pytest.param(labelled(executable="bin/python"), "its labels are invalid", id="relative path"),
        pytest.param(labelled(layers="many"), "its labels are invalid", id="number of layers"),
        pytest.param(labelled(lock="x" * 70_000), "its labels are invalid", id="long"),
        pytest.param(lambda image: image._replace(platform="linux/arm64"), "it is for linux/arm64", id="platform"),
        pytest.param(lambda image: image._replace(layers=("a", "b")), "it is not built on the base image", id="base"),
        pytest.param(lambda image: image._replace(layers=()), "it is not built on the base image", id="no layers"),
    ],
)
def test_another_image_is_not_used(
    engine: FakeEngine, plan: ImagePlan, remote: str, change: Change, problem: str
) -> None:
    found, notes = find(engine, plan, remote, change(pushed(engine, remote)))
    assert found is None
    assert notes == [message("images", "cache-other", label="3.12", reference=remote, problem=problem)]
    assert engine.find_image(HERE) is None
    assert engine.find_image(remote) is None


def test_dockerfile_may_have_other_layers(engine: FakeEngine, plan: ImagePlan, remote: str, tmp_path: Path) -> None:
    """Its last stage may be built on another image."""
    dockerfile = Dockerfile(path=tmp_path, text="", context=tmp_path, files=(), digest="1")
    other = dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, dockerfile=dockerfile))
    found, _ = find(engine, other, remote, pushed(engine, remote)._replace(layers=("a",)))
    assert found is not None


def test_known_image_is_not_pushed_again(engine: FakeEngine, plan: ImagePlan, remote: str) -> None:
    notes: list[str] = []
    image = engine.images_by_reference[HERE] = pushed(engine, remote)
    images = registries(engine, notes)
    images.push(plan, image)
    images.push(plan, engine.images_by_reference[HERE])
    assert engine.calls.count(f"push {remote}") == 1
    # Podman writes the default registry out, and Docker does not.
    tags = (f"docker.io/team/shop:{remote.rpartition(':')[2]}",)
    hub = ImageRegistries(engine, Listener(), Registries(target="team/shop"))
    hub.push(plan, image._replace(tags=tags, digests=("docker.io/team/shop@sha256:0",)))
    assert not [call for call in engine.calls if call.startswith("push team")]


def test_failed_push_leaves_no_name(plan: ImagePlan, remote: str) -> None:
    engine, notes = FakeEngine(pushes={REPOSITORY: EngineError("denied")}), list[str]()
    image = engine.images_by_reference[HERE] = pushed(engine, remote)
    images = registries(engine, notes)
    for _ in range(2):
        images.push(plan, image)
    assert notes == [message("images", "cache-push-failed", repository=REPOSITORY, reason="denied")]
    assert engine.find_image(remote) is None
    assert engine.find_image(HERE) is not None


@pytest.mark.parametrize("is_stopped", [False, True], ids=["failed", "stopped"])
def test_the_error_of_a_push_is_reported_although_its_name_stays(
    plan: ImagePlan, remote: str, monkeypatch: pytest.MonkeyPatch, is_stopped: bool
) -> None:
    def remove(reference: str, *, parents: bool = True) -> None:
        raise EngineError("cannot remove it")

    engine, notes = FakeEngine(pushes={} if is_stopped else {REPOSITORY: EngineError("denied")}), list[str]()
    monkeypatch.setattr(engine, "remove_image", remove)
    image = engine.images_by_reference[HERE] = pushed(engine, remote)
    images = registries(engine, notes)
    images.is_aborted = is_stopped
    if is_stopped:
        with pytest.raises(BuildError, match="stopped while it was transferred"):
            images.push(plan, image)
    else:
        images.push(plan, image)
        assert notes == [message("images", "cache-push-failed", repository=REPOSITORY, reason="denied")]


def test_stopped_push_leaves_no_name(engine: FakeEngine, plan: ImagePlan, remote: str) -> None:
    image = engine.images_by_reference[HERE] = pushed(engine, remote)
    images = registries(engine, [])
    images.is_aborted = True
    with pytest.raises(BuildError, match="stopped"):
        images.push(plan, image)
    assert engine.find_image(remote) is None


def test_names_in_registries_are_ours_only_beside_ours(engine: FakeEngine, remote: str) -> None:
    """An image that somebody has built on one of ours has its labels."""
    image = pushed(engine, remote)
    assert list_own_names([HERE, remote, f"{REPOSITORY}:1"], image) == [HERE, remote]
    assert list_own_names([remote], image) == []
