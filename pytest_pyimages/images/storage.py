"""The environment images that an engine has: what each is for, when it was used last, what it takes on disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, cast

from pytest_pyimages.engines import Engine, ImageInfo
from pytest_pyimages.engines.labels import (
    BASE_LABEL,
    CONTENTS_LABEL,
    KIND_LABEL,
    LABEL,
    OPTIONS_LABEL,
    PROJECT_LABEL,
    PYTHON_LABEL,
    RECIPE_LABEL,
    REFERENCE_LABEL,
    REQUEST_LABEL,
    ROOT_LABEL,
    TAG_LABEL,
)
from pytest_pyimages.images.contents import Contents, as_label, contents_of, from_label
from pytest_pyimages.images.dockerfile import Dockerfile
from pytest_pyimages.images.last_used import LastUsed, Use, project_identity, root_digest
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.recipe import REPOSITORY, Recipe, text_digest
from pytest_pyimages.matrix import ImageTag

DOCKERFILE_REPOSITORY = "pytest-pyimages/dockerfile"
Kind = Literal["environment", "dockerfile"]
_REPOSITORIES: Mapping[str, str] = {"environment": REPOSITORY, "dockerfile": DOCKERFILE_REPOSITORY}
_PODMAN = "localhost/"  # how Podman completes a reference without a host


def image_labels(plan: ImagePlan, base: ImageInfo) -> dict[str, str]:
    """Return the labels that tell what an image is for. Credentials in what is installed are left out."""
    return {
        PROJECT_LABEL: plan.project.name,
        ROOT_LABEL: root_digest(plan.project),
        TAG_LABEL: plan.tag.label,
        REFERENCE_LABEL: plan.tag.reference,
        BASE_LABEL: base.id,
        CONTENTS_LABEL: as_label(contents_of(plan)),
        OPTIONS_LABEL: "\n".join(plan.project.typed),
        REQUEST_LABEL: asked_for(plan.recipe),
    }


def asked_for(recipe: Recipe) -> str:
    """Return the digest of what a project asks for, without the base image and what this package adds to it."""
    parts = {**asdict(recipe), "dockerfile": recipe.dockerfile.digest if recipe.dockerfile else ""}
    return text_digest(json.dumps(parts, sort_keys=True, default=str))[:32]


def dockerfile_reference(dockerfile: Dockerfile, base: ImageInfo) -> str:
    """Return the name of the image that a user's Dockerfile makes of a base image."""
    return f"{DOCKERFILE_REPOSITORY}:{text_digest(base.id + base.platform + dockerfile.digest)[:32]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """An image of ours."""

    info: ImageInfo
    references: tuple[str, ...]  # ours; others may have given it further ones
    uses: Mapping[str, Use]  # this user's, by project
    last_used: float  # seconds since the epoch; where nothing is known, when it was made

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def kind(self) -> Kind:
        return cast("Kind", self.info.labels[KIND_LABEL])

    @property
    def tag(self) -> ImageTag:
        """What it was made for; empty for an image of an early version."""
        labels = self.info.labels
        return ImageTag(
            label=labels.get(TAG_LABEL, ""), reference=labels.get(REFERENCE_LABEL, ""), allowed_to_fail=False
        )

    @property
    def base(self) -> str:
        return self.info.labels.get(BASE_LABEL, "")

    @property
    def project(self) -> str:
        return self.info.labels.get(PROJECT_LABEL, "")

    @property
    def root(self) -> str:
        return self.info.labels.get(ROOT_LABEL, "")

    @property
    def identity(self) -> str:
        """The project that it was made for."""
        return project_identity(self.project, self.root)

    @property
    def python(self) -> str:
        return self.info.labels.get(PYTHON_LABEL, "") if self.kind == "environment" else ""

    @property
    def options(self) -> tuple[str, ...]:
        """Those of pytest that were typed when it was made, and brought their plugins."""
        return tuple(self.info.labels.get(OPTIONS_LABEL, "").splitlines())

    @property
    def contents(self) -> Contents:
        contents = from_label(self.info.labels.get(CONTENTS_LABEL, ""))
        return contents if self.kind == "environment" else Contents(origin=contents.dockerfile)

    @property
    def other_names(self) -> tuple[str, ...]:
        """References that somebody else gave it."""
        return tuple(tag for tag in self.info.tags if tag not in self.references)

    def is_below(self, other: StoredImage) -> bool:
        """Whether another image stands on this one."""
        layers = self.info.layers
        return bool(layers) and other.id != self.id and other.info.layers[: len(layers)] == layers

    def is_of(self, identity: str) -> bool:
        """Whether it was made for a project, or used for it."""
        return identity in (self.identity, *self.uses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """All images of ours, the last used first, and what is to be known of others."""

    images: tuple[StoredImage, ...]
    bases: tuple[ImageInfo, ...]  # what they stand on, as far as the engine still has it
    others: tuple[ImageInfo, ...]  # what somebody else has built on them

    def on_disk(self, images: Iterable[StoredImage]) -> int:
        """Return the bytes that these images take; layers that they share count once, those of base images do not."""
        wanted = {image.id for image in images}
        return self._sum([image.info for image in self.images if image.id in wanted])

    def freed_by(self, removed: Iterable[StoredImage]) -> int:
        """Return the bytes that removing these images gives back: what no other image stands on."""
        gone = {image.id for image in removed}
        before = [*(image.info for image in self.images), *self.others]
        after = [info for info in before if info.id not in gone or len(info.tags) > len(self._references(info.id))]
        return self._sum(before) - self._sum(after)

    def _references(self, identifier: str) -> tuple[str, ...]:
        return next((image.references for image in self.images if image.id == identifier), ())

    def _sum(self, images: Sequence[ImageInfo]) -> int:
        own = {image.info.layers: image.info.size for image in self.images}
        known = {**{info.layers: info.size for info in (*self.others, *self.bases)}, **own}
        needed = {image.layers[:length] for image in images for length in range(1, len(image.layers) + 1)}
        return sum(max(size - _size_below(layers, known), 0) for layers, size in own.items() if layers in needed)

    def stands_on(self, image: StoredImage) -> tuple[StoredImage, ...]:
        """Return the other images of ours that stand on an image."""
        return tuple(other for other in self.images if image.is_below(other))


def _size_below(layers: tuple[str, ...], known: Mapping[tuple[str, ...], int]) -> int:
    """Return the size of the largest known image that one with these layers stands on; 0 without any."""
    return next((known[layers[:n]] for n in range(len(layers) - 1, 0, -1) if layers[:n] in known), 0)


def read_storage(engine: Engine, last_used: LastUsed, *, root: str = "") -> Storage:
    """Return what the engine has of ours; no registry is asked.

    :param root: only images that are labelled with this digest of a project's folder.
    """
    found: dict[str, ImageInfo] = {}
    ours: dict[str, list[str]] = {}
    for reference, info in engine.images(f"{ROOT_LABEL}={root}" if root else LABEL):
        found[info.id] = info
        if is_ours(reference, info):
            ours.setdefault(info.id, []).append(reference)
    uses = last_used.uses(ours)
    images = [
        StoredImage(
            info=found[identifier],
            references=tuple(references),
            uses=uses[identifier],
            last_used=max((use.seconds for use in uses[identifier].values()), default=found[identifier].created),
        )
        for identifier, references in ours.items()
    ]
    bases = {base: engine.find_image(base) for base in {image.base for image in images} if base}
    images = [_with_use_of_those_on_it(image, images) for image in images]
    return Storage(
        images=tuple(sorted(images, key=lambda image: (-image.last_used, image.id))),
        bases=tuple(info for info in bases.values() if info is not None),
        others=tuple(info for identifier, info in found.items() if identifier not in ours),
    )


def _with_use_of_those_on_it(image: StoredImage, images: Iterable[StoredImage]) -> StoredImage:
    """Return a Dockerfile's image with the last use of the environments on it: it is not run itself."""
    if image.kind != "dockerfile":
        return image
    uses = (other.last_used for other in images if image.is_below(other))
    return replace(image, last_used=max(uses, default=image.last_used))


def plain(reference: str) -> str:
    """Return a reference as we wrote it, whatever engine completed it."""
    return reference.removeprefix(_PODMAN)


def is_ours(reference: str, info: ImageInfo) -> bool:
    """Whether we gave this name: what others build on our images has inherited all the labels."""
    repository, _, tag = plain(reference).rpartition(":")
    if repository != _REPOSITORIES.get(info.labels.get(KIND_LABEL, "")):
        return False
    return repository != REPOSITORY or tag == info.labels.get(RECIPE_LABEL, "")
