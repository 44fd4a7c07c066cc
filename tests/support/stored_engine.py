"""An engine with the images that a test puts into it, and what a host has written down of them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from pytest_pyimages.engines.base import ImageInfo, Leftover
from pytest_pyimages.engines.labels import (
    BASE_LABEL,
    KIND_LABEL,
    LABEL,
    PROJECT_LABEL,
    PYTHON_LABEL,
    RECIPE_LABEL,
    REFERENCE_LABEL,
    ROOT_LABEL,
    TAG_LABEL,
)
from pytest_pyimages.errors import EngineError
from pytest_pyimages.images.labels import DOCKERFILE_REPOSITORY, make_identity
from pytest_pyimages.images.last_used import LastUsed
from pytest_pyimages.images.pruning import DAY
from pytest_pyimages.images.recipe import REPOSITORY
from pytest_pyimages.images.storage import Storage, StoredImage, read_storage
from tests.support.fake_engine import FakeEngine

NOW = time.time()
HERE = make_identity("shop", "root")


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
        ours = {
            LABEL: "1",
            KIND_LABEL: kind,
            RECIPE_LABEL: name,
            PROJECT_LABEL: "shop",
            ROOT_LABEL: "root",
            PYTHON_LABEL: "3.12.1",
        }
        ours |= {TAG_LABEL: "3.12", REFERENCE_LABEL: "python:3.12", BASE_LABEL: "sha256:python:3.12"}
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
            self.images_by_reference[f"<none>:{image.id}"] = image._replace(tags=())

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


def found_image(storage: Storage, name: str) -> StoredImage:
    return next(image for image in storage.images if image.id == f"sha256:{name}")
