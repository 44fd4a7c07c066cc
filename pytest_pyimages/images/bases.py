"""Find the base images: in the engine, in a registry, or by their pins."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_pyimages.engines import Engine, ImageInfo, PullProgress
from pytest_pyimages.errors import BaseImageMissingError, BuildError, ImageNotFound, RegistryUnreachableError
from pytest_pyimages.matrix import ImageTag, is_image_id, is_same_platform, is_windows, nearest_tags

if TYPE_CHECKING:
    from pytest_pyimages.images.pins import Pins

PullPolicy = Literal["missing", "always", "never"]
# The repositories of our own images, as images/recipe.py and images/labels.py name them, on the default registry.
_BUILT = re.compile(r"((\w+[.-])?docker\.io/|localhost/)?pytest-pyimages/(environment|dockerfile)([:@].*)?")
SLOW_SECONDS = 5.0  # of an attempt to reach a registry; engines give it up after 15 s or more
PROGRESS_SECONDS = 0.1  # between two reports of a pull's progress


def _ignore(*_: str) -> None:
    pass


class Listener(NamedTuple):
    """Callbacks of pulls and builds; they are called from any thread."""

    report: Callable[[str, str], None] = _ignore  # label, text: a stage begins
    progress: Callable[[str, str], None] = _ignore  # label, text: the stage goes on
    note: Callable[[str], None] = _ignore  # text to show at the end of the session


def show_progress(listener: Listener, label: str, progress: Iterable[PullProgress]) -> None:
    """Report the progress of a pull or a push until it ends."""
    reported = 0.0
    for each in progress:
        if each.is_problem:
            listener.note(f"{label}: {each.remark}")
        if each.remark or time.monotonic() - reported >= PROGRESS_SECONDS:
            reported = time.monotonic()
            listener.progress(label, str(each))


def _find_host(reference: str) -> str:
    """Return the host of a reference's registry; empty for the engine's default one."""
    host, slash, _ = reference.partition("/")
    return host if slash and (any(mark in host for mark in ".:[") or host == "localhost") else ""


class BaseImages:
    """Finds each base image once per session. May be used from several threads at once.

    :param policy: "missing" contacts a registry for images that the engine lacks, "always" for all, "never" for none.
    :param pins: digests of the references; no registry is contacted for a pinned image that the engine has.
    """

    def __init__(
        self, engine: Engine, listener: Listener, *, policy: PullPolicy = "missing", pins: Pins | None = None
    ) -> None:
        self.engine = engine
        self.listener = listener
        self._policy = policy
        self._pins = pins
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Future[ImageInfo]] = {}
        self._turns: dict[str, threading.Lock] = {}
        self._unreachable: dict[str, RegistryUnreachableError] = {}  # by the registry's host

    def resolve(self, tag: ImageTag) -> ImageInfo:
        """Return the image of a tag; the same for all calls with the same reference.

        :raises BuildError: if the image is not available.
        :raises EngineError: if the engine or the registry fails.
        """
        with self._lock:
            known = self._found.get((tag.reference, tag.platform))
            future: Future[ImageInfo] = Future()
            if known is None:
                self._found[tag.reference, tag.platform] = future
        if known is not None:
            return known.result()
        try:
            future.set_result(self._find(tag))
        except BaseException as error:
            future.set_exception(error)
            raise
        return future.result()

    def check_pins(self, tags: Iterable[ImageTag]) -> None:
        """Check that the images in the engine are those that their references are pinned to.

        :raises ConfigurationError: for a reference without a pin, or with another one.
        """
        if self._pins is None:
            return
        for tag in tags:
            if is_image_id(tag.reference):
                continue
            pinned = self._pins.pin(tag.reference)
            present = self.engine.find_image(tag.reference)
            if present is not None and self.engine.find_image(pinned) is None:
                self._pins.check(tag.reference, present)

    def _find(self, tag: ImageTag) -> ImageInfo:
        reference = tag.reference
        if is_windows(reference):  # an engine of Windows is refused
            raise BuildError(
                f"{reference} is an image of Windows, and the engine runs Linux containers",
                f"remove {tag.label}, and run pytest without images on Windows: a matrix of your CI has it",
            )
        if is_image_id(reference):
            present = self.engine.find_image(reference)
            if present is None:
                hint = "`docker images` lists those that it has"
                raise BaseImageMissingError(f"the engine has no image {reference}", hint)
            return present
        if _BUILT.fullmatch(reference):  # a pull could put another image there for the project that builds it
            raise BuildError(f"{reference} is a name of images that are built here", "select the image below it")
        present = self.find_present(tag)
        if self._pins is not None:
            reference = self._pins.pin(reference)
        platform, option = (f" for {tag.platform}", f"--platform={tag.platform} ") if tag.platform else ("", "")
        if self._policy == "never" and present is None:
            raise BaseImageMissingError(
                f"the engine does not have {reference}{platform}, and --py-images-pull=never",
                f"run `docker pull {option}{reference}`, or remove {tag.label}",
            )
        if present is None or (self._policy == "always" and self._pins is None):
            return self.pull(tag, reference)
        return present

    def find_present(self, tag: ImageTag) -> ImageInfo | None:
        """Return the image that a run would use without a pull: the pinned one, for the requested platform.

        :raises ConfigurationError: for a reference without a pin.
        """
        if self._pins is None or is_image_id(tag.reference):
            present = self.engine.find_image(tag.reference)
        else:
            present = self._pins.find(self.engine, tag.reference)
        return present if present is not None and self._is_for(tag, present) else None

    def _is_for(self, tag: ImageTag, image: ImageInfo) -> bool:
        """Return whether an image is for the platform of a tag.

        Without one, the image of a registry must be for the engine's own: another session may have pulled another one.
        """
        requested = tag.platform or (self.engine.info.platform if image.digests else "")
        return is_same_platform(image.platform, requested) if requested else True

    def pull(self, tag: ImageTag, reference: str) -> ImageInfo:
        """Pull an image, even if the engine has it; return it.

        :raises BuildError: if the registry does not have it.
        :raises EngineError: if the registry cannot be reached, or denies access.
        """
        with self._lock:
            turn = self._turns.setdefault(reference, threading.Lock())
        with turn:  # a reference is one image in the engine: that of the platform that was pulled last
            return self._pull(tag, reference)

    def _pull(self, tag: ImageTag, reference: str) -> ImageInfo:
        self.listener.report(tag.label, f"pulling {reference}")
        host = _find_host(reference)
        if host in self._unreachable:  # all images of a session would wait for it in turn
            error = self._unreachable[host]
            raise RegistryUnreachableError(error.message, error.hint)
        began = time.monotonic()
        try:
            show_progress(self.listener, tag.label, self.engine.pull(reference, platform=tag.platform))
        except ImageNotFound as error:
            near = nearest_tags(tag.label) if ":" not in tag.label and "/" not in tag.label else ()
            hint = f"nearest: {', '.join(near)}" if near else ""
            raise BaseImageMissingError(f"no such image: {reference}", hint, log=error.message) from error
        except RegistryUnreachableError as error:
            if time.monotonic() - began > SLOW_SECONDS:
                self._unreachable[host] = error
            raise
        found = self.engine.find_image(reference)
        if found is None:
            raise BuildError(f"{reference} was pulled, but the engine does not have it", "try again")
        if tag.platform and not is_same_platform(found.platform, tag.platform):
            raise BuildError(f"{reference} is for {found.platform}, not for {tag.platform}", f"remove {tag.label}")
        return found
