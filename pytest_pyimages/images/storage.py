"""Our images in the engine: what each is for, when it was last used, its size, and whether a run would still use it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pytest_pyimages.engines import Engine, ImageInfo
from pytest_pyimages.engines.labels import (
    BASE_LABEL,
    CONTENTS_LABEL,
    KIND_LABEL,
    LABEL,
    OPTIONS_LABEL,
    PROJECT_LABEL,
    PYTHON_LABEL,
    REFERENCE_LABEL,
    REQUEST_LABEL,
    ROOT_LABEL,
    TAG_LABEL,
)
from pytest_pyimages.images.labels import (
    Contents,
    hash_request,
    list_own_names,
    make_identity,
    name_dockerfile_image,
    read_contents,
    strip_registry,
)
from pytest_pyimages.images.last_used import LastUsed, Use
from pytest_pyimages.images.recipe import Recipe
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.matrix import ImageTag, read_label

Kind = Literal["environment", "dockerfile"]
State = Literal[
    "current",
    "requirements changed since",
    "base image changed since",
    "made by another version",
    "project is gone",
    "base image is not here",
    "unknown",
]
STALE: frozenset[State] = frozenset(
    ("requirements changed since", "base image changed since", "made by another version", "project is gone")
)


class StoredImage(Immutable):
    """An image that this plugin built."""

    info: ImageInfo
    references: tuple[str, ...]  # ours; users may have added others
    uses: Mapping[str, Use]  # this user's, by project
    last_used: float  # seconds since the epoch; time of the build if no use is known
    kind: Kind
    tag: ImageTag  # that it was built for; empty for an image of an early version
    base: str  # id of the base image
    project: str  # name of the project that it was built for
    identity: str  # of the same project
    python: str  # version; empty for a Dockerfile's image
    options: tuple[str, ...]  # command line options of pytest whose plugins were added to the requirements
    contents: Contents

    @classmethod
    def read(cls, info: ImageInfo, references: Iterable[str], uses: Mapping[str, Use]) -> StoredImage:
        """Return an image from its labels."""
        labels = defaultdict(str, info.labels)
        contents, is_environment = read_contents(labels[CONTENTS_LABEL]), labels[KIND_LABEL] == "environment"
        return cls(
            info=info,
            references=tuple(references),
            uses=uses,
            last_used=max((use.seconds for use in uses.values()), default=info.created),
            kind="environment" if is_environment else "dockerfile",
            tag=read_label(labels[TAG_LABEL], labels[REFERENCE_LABEL]),
            base=labels[BASE_LABEL],
            project=labels[PROJECT_LABEL],
            identity=make_identity(labels[PROJECT_LABEL], labels[ROOT_LABEL]),
            python=labels[PYTHON_LABEL] if is_environment else "",
            options=tuple(labels[OPTIONS_LABEL].splitlines()),
            contents=contents if is_environment else Contents(origin=contents.dockerfile),
        )

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def other_names(self) -> tuple[str, ...]:
        """References that this plugin did not give."""
        return tuple(tag for tag in self.info.tags if tag not in self.references)

    def is_below(self, other: StoredImage) -> bool:
        """Return whether another image is built on this one."""
        layers = self.info.layers
        return bool(layers) and other.id != self.id and other.info.layers[: len(layers)] == layers

    def is_of(self, identity: str) -> bool:
        """Return whether it was built for a project, or used by it."""
        return identity in (self.identity, *self.uses)


class Storage(Immutable):
    """All our images, the last used first, and related ones."""

    images: tuple[StoredImage, ...]
    bases: tuple[ImageInfo, ...]  # their base images, if the engine still has them
    others: tuple[ImageInfo, ...]  # images that users built on them

    def measure(self, images: Iterable[StoredImage]) -> int:
        """Return the size of images in bytes; shared layers count once, those of base images do not."""
        ids = {image.id for image in images}
        return self._sum([image.info for image in self.images if image.id in ids])

    def measure_freed(self, removed: Iterable[StoredImage]) -> int:
        """Return the bytes that removing images frees: layers that no other image uses."""
        references = {image.id: image.references for image in removed}
        before = [*(image.info for image in self.images), *self.others]
        after = [info for info in before if info.id not in references or len(info.tags) > len(references[info.id])]
        return self._sum(before) - self._sum(after)

    def _sum(self, images: Sequence[ImageInfo]) -> int:
        own = {image.info.layers: image.info.size for image in self.images}
        known = {**{info.layers: info.size for info in (*self.others, *self.bases)}, **own}
        needed = {image.layers[:length] for image in images for length in range(1, len(image.layers) + 1)}
        return sum(max(size - _measure_below(layers, known), 0) for layers, size in own.items() if layers in needed)

    def list_dependents(self, image: StoredImage) -> tuple[StoredImage, ...]:
        """Return our other images that are built on an image."""
        return tuple(other for other in self.images if image.is_below(other))


def _measure_below(layers: tuple[str, ...], known: Mapping[tuple[str, ...], int]) -> int:
    """Return the size of the largest known image below these layers; 0 if there is none."""
    return next((known[layers[:n]] for n in range(len(layers) - 1, 0, -1) if layers[:n] in known), 0)


def read_storage(engine: Engine, last_used: LastUsed, *, root: str = "") -> Storage:
    """Return our images in the engine; no registry is contacted.

    :param root: only images that are labelled with this digest of a project's folder.
    """
    found: dict[str, ImageInfo] = {}
    names: dict[str, list[str]] = {}
    for reference, info in engine.images(f"{ROOT_LABEL}={root}" if root else LABEL):
        found[info.id] = info
        names.setdefault(info.id, []).append(reference)
    ours = {id_: own for id_, info in found.items() if (own := list_own_names(names[id_], info))}
    uses = last_used.read_uses(ours)
    images = [StoredImage.read(found[id_], references, uses[id_]) for id_, references in ours.items()]
    bases = {base: engine.find_image(base) for base in {image.base for image in images} if base}
    images = [_inherit_use(image, images) for image in images]
    return Storage(
        images=tuple(sorted(images, key=lambda image: (-image.last_used, image.id))),
        bases=tuple(info for info in bases.values() if info is not None),
        others=tuple(info for identifier, info in found.items() if identifier not in ours),
    )


def _inherit_use(image: StoredImage, images: Iterable[StoredImage]) -> StoredImage:
    """Return a Dockerfile's image with the last use of the environments on it: it is not run itself."""
    if image.kind != "dockerfile":
        return image
    uses = (other.last_used for other in images if image.is_below(other))
    return replace(image, last_used=max(uses, default=image.last_used))


class States:
    """Tells whether a run would use an image, from the current files of its projects; no registry is contacted.

    :param here: identity and rootdir of the current project.
    :param recipe: returns the current recipe of a project, by its rootdir, for an image and the options of pytest that
        the image was built for; None if it is unknown.
    """

    def __init__(
        self, engine: Engine, *, here: tuple[str, Path], recipe: Callable[[Path, StoredImage], Recipe | None]
    ) -> None:
        self._engine = engine
        self._here, self._rootdir = here
        self._recipe = recipe
        self._bases: dict[tuple[str, str], ImageInfo | None] = {}

    def read(self, image: StoredImage) -> State:
        """Return an image's state: "current" if any of the projects that used it would use it now."""
        rootdirs = {use.rootdir for use in image.uses.values()}
        if image.is_of(self._here):
            rootdirs.add(self._rootdir)
        present = [rootdir for rootdir in rootdirs if rootdir.is_dir()]
        if rootdirs and not present:
            return "project is gone"
        reference = image.tag.reference
        if not reference:
            return "made by another version"
        key = reference, image.info.platform
        if key not in self._bases:
            base = self._engine.find_image(reference)
            if base is not None and base.platform != image.info.platform:  # pulled for another platform since
                base = self._engine.find_image(image.base)
            self._bases[key] = base
        recipes = [recipe for rootdir in present if (recipe := self._recipe(rootdir, image)) is not None]
        return _compare(image, self._bases[key], recipes)


def _compare(image: StoredImage, base: ImageInfo | None, recipes: Sequence[Recipe]) -> State:
    if base is None:
        return "base image is not here"
    if any(_builds(recipe, base, image) for recipe in recipes):
        return "current"
    if base.id != image.base:
        return "base image changed since"
    if not recipes:
        return "unknown"
    request = image.info.labels.get(REQUEST_LABEL)
    same = any(hash_request(recipe) == request for recipe in recipes)
    return "made by another version" if same else "requirements changed since"


def _builds(recipe: Recipe, base: ImageInfo, image: StoredImage) -> bool:
    """Return whether a recipe builds this very image on its base image."""
    names = {recipe.name_image(base)}
    if recipe.dockerfile is not None:
        names.add(name_dockerfile_image(recipe.dockerfile, base))
    return not names.isdisjoint(map(strip_registry, image.references))
