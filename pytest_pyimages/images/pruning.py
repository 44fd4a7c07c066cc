"""Removing environment images: which, in what order, and never what is not ours or is being used."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from pytest_pyimages.engines import Engine
from pytest_pyimages.engines.labels import LABEL, ROOT_LABEL
from pytest_pyimages.errors import EngineError
from pytest_pyimages.images.last_used import LastUsed
from pytest_pyimages.images.storage import Storage, StoredImage, read_storage

DAY = 24 * 3600.0
SUPERSEDED_AFTER = 30 * DAY  # what no branch has gone back to for that long


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to remove, and what of it has to stay."""

    removed: tuple[StoredImage, ...]
    kept: Mapping[str, str]  # image id -> why


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may stay."""

    unused: float = 0.0  # seconds: what was used since stays
    storage: int | None = None  # bytes: the last used stay, as long as they take no more than that
    is_stale: Callable[[StoredImage], bool] | None = None  # what is not stays


def chosen(
    storage: Storage,
    scope: Iterable[StoredImage],
    limits: Limits,
    *,
    blocked: Mapping[str, str],
    now: float,
) -> Choice:
    """Return what of the images in scope is to be removed.

    :param blocked: image ids that must stay, and why.
    """
    scope = tuple(scope)
    candidates = [
        image
        for image in sorted(scope, key=lambda image: image.last_used)
        if now - image.last_used >= limits.unused and (limits.is_stale is None or limits.is_stale(image))
    ]
    if limits.storage is not None:
        candidates = _until_small_enough(storage, scope, candidates, limits.storage, blocked)
    kept = {image.id: blocked[image.id] for image in candidates if image.id in blocked}
    removed = {image.id: image for image in candidates if image.id not in blocked}
    for image in candidates:
        # A Dockerfile's image goes with the last environment that stands on it: the next build of one would want it.
        if image.kind == "dockerfile" and any(other.id not in removed for other in storage.stands_on(image)):
            removed.pop(image.id, None)
    return Choice(removed=tuple(removed.values()), kept=kept)


def _until_small_enough(
    storage: Storage,
    scope: Collection[StoredImage],
    candidates: Iterable[StoredImage],
    limit: int,
    blocked: Mapping[str, str],
) -> list[StoredImage]:
    """Return the first of the candidates, up to the one with which the rest of the scope takes no more than a limit."""
    rest = {image.id: image for image in scope}
    taken = []
    for image in candidates:
        if storage.on_disk(rest.values()) <= limit:
            break
        taken.append(image)
        if image.id not in blocked:
            del rest[image.id]
    return taken


def in_use(engine: Engine, *, without: Collection[str] = ()) -> dict[str, str]:
    """Return the images that have a container, and why they must stay.

    :param without: ids of containers that do not count.
    """
    return {
        entry.image: f"in use by the container {entry.name}"
        for entry in engine.leftovers(LABEL)  # a container has its image's labels: these are not only our sessions'
        if entry.image and entry.id not in without
    }


def remove(engine: Engine, images: Iterable[StoredImage], last_used: LastUsed) -> Mapping[str, str]:
    """Remove images; return the ids of those that could not be, and why.

    Only the names that we gave are removed, and never by force: an image with a container or with another name stays.
    What one stood on goes with it where it has no name any more and is ours.
    """
    failed: dict[str, str] = {}
    for image in sorted(images, key=lambda image: -len(image.info.layers)):  # what stands on others goes first
        try:
            for reference in image.references:
                engine.remove_image(reference, parents=False)
            if engine.find_image(image.id) is None:
                _remove_nameless(engine, image.info.parent, base=image.base)
        except EngineError as error:
            failed[image.id] = error.message
            continue
        last_used.forget(image.id)
    return failed


def _remove_nameless(engine: Engine, identifier: str, *, base: str) -> None:
    """Remove an image that nothing stands on any more, and what it stands on itself, down to the base image."""
    while base and identifier and identifier != base:
        info = engine.find_image(identifier)
        if info is None or info.tags or info.digests:
            return
        try:
            engine.remove_image(identifier, parents=False)
        except EngineError:  # something else stands on it
            return
        identifier = info.parent


def prune_superseded(engine: Engine, last_used: LastUsed, image: str) -> str:
    """Remove what a newly built image takes the place of, if nobody has used it for a month.

    That is images of the same project, made for the same tag.

    :return: what was removed, in words; empty if nothing was.
    """
    new = engine.find_image(image)
    root = new.labels.get(ROOT_LABEL, "") if new is not None else ""
    if not root:
        return ""
    storage = read_storage(engine, last_used, root=root)
    made = next((stored for stored in storage.images if stored.id == image), None)
    if made is None:
        return ""
    same = (made.tag, made.identity)
    scope = [stored for stored in storage.images if stored.id != image and (stored.tag, stored.identity) == same]
    now = time.time()
    if not any(now - stored.last_used >= SUPERSEDED_AFTER for stored in scope):
        return ""
    choice = chosen(storage, scope, Limits(unused=SUPERSEDED_AFTER), blocked=in_use(engine), now=now)
    failed = remove(engine, choice.removed, last_used)
    removed = [stored for stored in choice.removed if stored.id not in failed]
    if not removed:
        return ""
    count = f"{len(removed)} former images" if len(removed) > 1 else "the former image"
    return f"removed {count} of {made.tag.label} that nothing has used for a month"
