"""Choose and remove environment images, but never an image that is in use or that this plugin did not build."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping

from pytest_pyimages.engines import Engine
from pytest_pyimages.engines.labels import LABEL, ROOT_LABEL
from pytest_pyimages.errors import EngineError
from pytest_pyimages.images.last_used import LastUsed
from pytest_pyimages.images.storage import Storage, StoredImage, read_storage
from pytest_pyimages.immutable import Immutable

DAY = 24 * 3600.0
SUPERSEDED_AFTER = 30 * DAY


class Choice(Immutable):
    """The images to remove, and those of them that have to stay."""

    removed: tuple[StoredImage, ...]
    kept: Mapping[str, str]  # image id -> reason


class Limits(Immutable):
    """The images that may stay."""

    unused: float = 0.0  # seconds: images that were used since stay
    storage: int | None = None  # bytes: the last used images stay, up to this size
    is_stale: Callable[[StoredImage], bool] | None = None  # images that are not stale stay


def choose_images(
    storage: Storage,
    scope: Iterable[StoredImage],
    limits: Limits,
    *,
    blocked: Mapping[str, str],
    now: float,
) -> Choice:
    """Choose the images in scope that exceed the limits.

    :param blocked: ids of images that must stay, and the reason.
    """
    scope = tuple(scope)
    candidates = [
        image
        for image in sorted(scope, key=lambda image: image.last_used)
        if now - image.last_used >= limits.unused and (limits.is_stale is None or limits.is_stale(image))
    ]
    if limits.storage is not None:
        candidates = _limit_storage(storage, scope, candidates, limits.storage, blocked)
    kept = {image.id: blocked[image.id] for image in candidates if image.id in blocked}
    removed = {image.id: image for image in candidates if image.id not in blocked}
    for image in candidates:
        # A Dockerfile's image is removed with the last environment on it: the next environment would be built on it.
        if image.kind == "dockerfile" and any(other.id not in removed for other in storage.list_dependents(image)):
            removed.pop(image.id, None)
    return Choice(removed=tuple(removed.values()), kept=kept)


def _limit_storage(
    storage: Storage,
    scope: Collection[StoredImage],
    candidates: Iterable[StoredImage],
    limit: int,
    blocked: Mapping[str, str],
) -> list[StoredImage]:
    """Return the first candidates, until the rest of the scope is no larger than the limit."""
    rest = {image.id: image for image in scope}
    chosen = []
    for image in candidates:
        if storage.measure(rest.values()) <= limit:
            break
        chosen.append(image)
        if image.id not in blocked:
            del rest[image.id]
    return chosen


def find_used_images(engine: Engine, *, without: Collection[str] = ()) -> dict[str, str]:
    """Return the ids of images that have a container, and the reason why they must stay.

    :param without: ids of containers to ignore.
    """
    return {
        entry.image: f"in use by the container {entry.name}"
        for entry in engine.leftovers(LABEL)  # a container inherits its image's labels, whoever started it
        if entry.image and entry.id not in without
    }


def remove_images(engine: Engine, images: Iterable[StoredImage], last_used: LastUsed) -> Mapping[str, str]:
    """Remove images; return the ids of those that could not be removed, and the reason.

    Only the names that this plugin gave are removed, and never by force: an image with a container or another name
    stays. Our untagged images below a removed one are removed, too.
    """
    failed: dict[str, str] = {}
    for image in sorted(images, key=lambda image: -len(image.info.layers)):  # dependents first
        try:
            for reference in image.references:
                engine.remove_image(reference, parents=False)
            if engine.find_image(image.id) is None:
                _remove_untagged(engine, image.info.parent, base=image.base)
        except EngineError as error:
            failed[image.id] = error.message
            continue
        last_used.forget(image.id)
    return failed


def _remove_untagged(engine: Engine, identifier: str, *, base: str) -> None:
    """Remove an untagged image without dependents, and its untagged parents down to the base image."""
    while base and identifier and identifier != base:
        info = engine.find_image(identifier)
        if info is None or info.tags or info.digests:
            return
        try:
            engine.remove_image(identifier, parents=False)
        except EngineError:  # another image is built on it
            return
        identifier = info.parent


def prune_superseded(engine: Engine, last_used: LastUsed, image: str) -> str:
    """Remove the former images of the same project and tag as a new image, if they were not used for a month.

    :return: a message on what was removed; empty if nothing was.
    """
    info = engine.find_image(image)
    root = info.labels.get(ROOT_LABEL, "") if info is not None else ""
    if not root:
        return ""
    storage = read_storage(engine, last_used, root=root)
    new = next((stored for stored in storage.images if stored.id == image), None)
    if new is None:
        return ""
    key = (new.tag, new.identity)
    scope = [stored for stored in storage.images if stored.id != image and (stored.tag, stored.identity) == key]
    now = time.time()
    if not any(now - stored.last_used >= SUPERSEDED_AFTER for stored in scope):
        return ""
    limits = Limits(unused=SUPERSEDED_AFTER)
    choice = choose_images(storage, scope, limits, blocked=find_used_images(engine), now=now)
    failed = remove_images(engine, choice.removed, last_used)
    count = len(choice.removed) - len(failed)
    if not count:
        return ""
    images = f"{count} former images" if count > 1 else "the former image"
    return f"removed {images} of {new.tag.label}, unused for a month"
