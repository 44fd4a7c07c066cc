"""Whether an image of ours is what a run would use now, and if not, why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pytest_pyimages.engines import Engine, ImageInfo
from pytest_pyimages.engines.labels import REQUEST_LABEL
from pytest_pyimages.images.recipe import Recipe, environment_reference
from pytest_pyimages.images.storage import StoredImage, asked_for, dockerfile_reference, plain

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


class States:
    """Judges images by the files of their projects, as they are now; no registry is asked.

    :param here: the identity and the rootdir of the project that was asked about.
    :param recipe: returns what a project, by its rootdir, would build now in the place of an image, with the options of
        pytest that it was made for; None where it cannot be told.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        here: tuple[str, Path],
        recipe: Callable[[Path, StoredImage], Recipe | None],
    ) -> None:
        self._engine = engine
        self._here, self._rootdir = here
        self._recipe = recipe
        self._bases: dict[str, ImageInfo | None] = {}

    def of(self, image: StoredImage) -> State:
        """Return an image's state: "current" if any of the projects that it was used for would use it now."""
        rootdirs = {use.rootdir for use in image.uses.values()}
        if image.is_of(self._here):
            rootdirs.add(self._rootdir)
        present = [rootdir for rootdir in rootdirs if rootdir.is_dir()]
        if rootdirs and not present:
            return "project is gone"
        if not image.tag.reference:
            return "made by another version"
        recipes = [recipe for rootdir in present if (recipe := self._recipe(rootdir, image)) is not None]
        return _compared(image, self._base(image.tag.reference), recipes)

    def _base(self, reference: str) -> ImageInfo | None:
        if reference not in self._bases:
            self._bases[reference] = self._engine.find_image(reference)
        return self._bases[reference]


def _compared(image: StoredImage, base: ImageInfo | None, recipes: Sequence[Recipe]) -> State:
    if base is None:
        return "base image is not here"
    if any(_makes(recipe, base, image) for recipe in recipes):
        return "current"
    if base.id != image.base:
        return "base image changed since"
    if not recipes:
        return "unknown"
    asked = image.info.labels.get(REQUEST_LABEL)
    same = any(asked_for(recipe) == asked for recipe in recipes)
    return "made by another version" if same else "requirements changed since"


def _makes(recipe: Recipe, base: ImageInfo, image: StoredImage) -> bool:
    """Whether a recipe makes this very image of its base image."""
    wanted = {environment_reference(recipe, base)}
    if recipe.dockerfile is not None:
        wanted.add(dockerfile_reference(recipe.dockerfile, base))
    return not wanted.isdisjoint(map(plain, image.references))
