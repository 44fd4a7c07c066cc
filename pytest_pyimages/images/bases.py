"""The images that environment images stand on: there already, pulled, or pinned to a digest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Literal

from pytest_pyimages.engines import Engine, ImageInfo
from pytest_pyimages.errors import BuildError, ImageNotFound
from pytest_pyimages.matrix import ImageTag, nearest_tags

if TYPE_CHECKING:
    from pytest_pyimages.images.pins import ImageLock

PullPolicy = Literal["missing", "always", "never"]
PULL_SECONDS = 0.1  # between two words on how far a pull has come


class BaseImages:
    """Finds each image once in a session. May be used from several threads at once.

    :param policy: "missing" asks no registry about an image that the engine has; "always" asks about each; "never"
        about none.
    :param lock: what references are pinned to. An image that is pinned is what it is: no registry is asked about it
        while it is there.
    :param say: called with (label, text) when a pull begins.
    :param progress: called with (label, text) as it goes on.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        policy: PullPolicy = "missing",
        lock: ImageLock | None = None,
        say: Callable[[str, str], None],
        progress: Callable[[str, str], None],
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._lock = lock
        self._say = say
        self._progress = progress
        self._guard = threading.Lock()
        self._found: dict[str, Future[ImageInfo]] = {}

    def resolve(self, tag: ImageTag) -> ImageInfo:
        """Return the image that a tag means in this session; all who ask for the same reference get the same.

        :raises BuildError: if it cannot be had.
        :raises EngineError: where the engine or the registry fails.
        """
        with self._guard:
            known = self._found.get(tag.reference)
            mine: Future[ImageInfo] = Future()
            if known is None:
                self._found[tag.reference] = mine
        if known is not None:
            return known.result()
        try:
            mine.set_result(self._resolved(tag))
        except BaseException as error:
            mine.set_exception(error)
            raise
        return mine.result()

    def check(self, tags: Iterable[ImageTag]) -> None:
        """Return if what is there is what the lock file says; what is not there yet is pulled by its digest.

        :raises ConfigurationError: for a reference that is not pinned, or pinned to something else.
        """
        if self._lock is None:
            return
        for tag in tags:
            pinned = self._lock.pinned_reference(tag.reference)
            present = self._engine.find_image(tag.reference)
            if present is not None and self._engine.find_image(pinned) is None:
                self._lock.check(tag.reference, present)

    def _resolved(self, tag: ImageTag) -> ImageInfo:
        reference = tag.reference
        if self._lock is not None:
            pin, pinned = self._lock.pin(reference), self._lock.pinned_reference(reference)
            present = self._engine.find_image(pinned) or self._engine.find_image(pin)
            if present is not None:
                return present
            reference = pinned
        present = self._engine.find_image(reference)
        if self._policy == "never" and present is None:
            raise BuildError(
                f"{reference} is not here, and --py-images-pull=never", f"`docker pull {reference}`, or leave it out"
            )
        if present is None or (self._policy == "always" and self._lock is None):
            return self.pulled(tag, reference)
        return present

    def pulled(self, tag: ImageTag, reference: str) -> ImageInfo:
        """Ask the registry for an image, whether or not it is there; return it.

        :raises BuildError: if the registry does not have it.
        :raises EngineError: if the registry cannot be asked, or refuses.
        """
        self._say(tag.label, f"pulling {reference}")
        told = 0.0
        try:
            for pulled in self._engine.pull(reference):
                if time.monotonic() - told >= PULL_SECONDS:
                    told = time.monotonic()
                    self._progress(tag.label, str(pulled))
        except ImageNotFound as error:
            near = nearest_tags(tag.label) if ":" not in tag.label and "/" not in tag.label else ()
            hint = f"nearest: {', '.join(near)}" if near else ""
            raise BuildError(f"no such image: {reference}", hint, log=error.message) from error
        found = self._engine.find_image(reference)
        if found is None:
            raise BuildError(f"{reference} was pulled and is not there", "try again")
        return found
