"""Find environment images in registries, and push new ones to one, so that other machines need not build them.

Their tag there is the digest of the recipe and that of this host's choices of packages: the engine's own name of an
image does not contain the latter, because it is for one host.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, NamedTuple, cast

from pytest_pyimages.engines import Engine, ImageInfo, PullProgress
from pytest_pyimages.engines.labels import (
    EXECUTABLE_LABEL,
    INDEXES_LABEL,
    KIND_LABEL,
    LABEL,
    LAYERS_LABEL,
    PYTHON_LABEL,
    RECIPE_LABEL,
)
from pytest_pyimages.errors import BuildError, EngineError, ImageNotFound
from pytest_pyimages.images.bases import Listener, show_progress
from pytest_pyimages.images.labels import name_in_registry, strip_registry
from pytest_pyimages.images.plan import ImagePlan
from pytest_pyimages.images.recipe import hash_text
from pytest_pyimages.matrix import is_same_platform

if TYPE_CHECKING:
    from collections.abc import Generator

_VERSION = re.compile(r"[0-9]+(\.[0-9A-Za-z+]+){1,9}")
_LABEL_CHARACTERS = 1 << 16  # of all our labels; a registry is not trusted to limit them


class Registries(NamedTuple):
    """The repositories that a session uses, without a tag: "registry.example/team/tests"."""

    sources: tuple[str, ...] = ()  # that images are looked for in, the first one first
    target: str = ""  # that images are pushed to; empty for none
    is_offline: bool = False  # whether no registry may be contacted


def hash_choices(plan: ImagePlan, *, can_mount: bool) -> str:
    """Return the digest of this host's settings that decide which packages a plan's build finds, 16 hex digits."""
    from pytest_pyimages.indexes import describe_choices  # a session that finds its images here needs none of it

    return hash_text(describe_choices(plan.read_network(os.environ), can_mount=can_mount))[:16]


class ImageRegistries:
    """Pulls and pushes environment images. May be used from several threads at once.

    No failure keeps an image from being built and tested, since a registry only saves time; it is not asked again for
    the rest of the session. Who may not read may still push: some registries deny access to what does not exist yet.
    """

    def __init__(self, engine: Engine, listener: Listener, registries: Registries) -> None:
        self._engine = engine
        self._listener = listener
        self._registries = registries
        self._given_up: set[str] = set()  # options, and "pull REPOSITORY" or "push REPOSITORY"
        self._lock = threading.Lock()
        self.is_aborted = False

    def find(self, plan: ImagePlan, base: ImageInfo, reference: str, *, can_mount: bool) -> ImageInfo | None:
        """Return the image of a plan after pulling it and giving it its name here; None if it has to be built.

        :param reference: its name in the engine.
        :param can_mount: whether the engine can mount the host's folders.
        :raises BuildError: if the session is stopped.
        """
        sources = self._registries.sources
        if not sources or self._is_offline("--py-images-cache-from"):
            return None
        choices = hash_choices(plan, can_mount=can_mount)
        for repository in sources:
            remote = name_in_registry(repository, reference.rpartition(":")[2], choices)
            is_lost = f"pull {repository}" in self._given_up
            found = None if is_lost else self._pull(plan, base, remote, reference)
            if found is not None:
                self._listener.report(plan.tag.label, f"found in {repository}")
                return found
        return None

    def _pull(self, plan: ImagePlan, base: ImageInfo, remote: str, reference: str) -> ImageInfo | None:
        """Pull an image and give it its name here; None if the registry does not have it, or something else."""
        label, repository = plan.tag.label, remote.rpartition(":")[0]
        self._listener.report(label, f"looking for it in {repository}")
        try:
            self._show(label, self._engine.pull(remote, platform=plan.tag.platform))
            image = self._engine.find_image(remote)
            problem = "it was removed at once" if image is None else _find_problem(image, plan, base, remote)
            if not problem:
                self._engine.tag(remote, reference)
                return self._engine.find_image(reference)
            self._engine.remove_image(remote, parents=False)
            self._listener.note(f"{label}: {remote} is not used: {problem}")
        except ImageNotFound:
            self._listener.progress(label, "")
        except EngineError as error:
            self._give_up(
                f"pull {repository}", f"environment images are not looked for in {repository} ({error.message})"
            )
        return None

    def push(self, plan: ImagePlan, image: ImageInfo) -> None:
        """Push an image, unless the engine knows that the registry has it.

        :raises BuildError: if the session is stopped.
        """
        repository, choices = self._registries.target, image.labels.get(INDEXES_LABEL)
        if not repository or not choices or f"push {repository}" in self._given_up:
            return
        remote, label = name_in_registry(repository, image.labels[RECIPE_LABEL], choices), plan.tag.label
        if _is_known(image, remote) or self._is_offline("--py-images-cache-to"):
            return
        self._listener.report(label, f"pushing to {repository}")
        try:
            self._engine.tag(image.id, remote)
            try:
                self._show(label, self._engine.push(remote))
            except BaseException:
                with suppress(EngineError):  # that of the push is reported
                    self._engine.remove_image(remote, parents=False)  # the name is for images that the registry has
                raise
        except EngineError as error:
            self._give_up(f"push {repository}", f"environment images are not pushed to {repository} ({error.message})")
        else:
            self._listener.report(label, f"pushed to {repository}")

    def _show(self, label: str, progress: Iterator[PullProgress]) -> None:
        show_progress(self._listener, label, self._until_aborted(progress))

    def _until_aborted(self, progress: Iterator[PullProgress]) -> Iterator[PullProgress]:
        # The engine cancels a transfer whose progress is not read to its end.
        with closing(cast("Generator[PullProgress, None, None]", progress)):
            for each in progress:
                if self.is_aborted:
                    raise BuildError("stopped while it was transferred")
                yield each

    def _is_offline(self, option: str) -> bool:
        if self._registries.is_offline:
            self._give_up(option, f"{option} has no effect with --py-images-pull=never")
        return self._registries.is_offline

    def _give_up(self, subject: str, note: str) -> None:
        with self._lock:
            is_first = subject not in self._given_up
            self._given_up.add(subject)
        if is_first:
            self._listener.note(note)


def _is_known(image: ImageInfo, remote: str) -> bool:
    """Return whether the engine has pushed or pulled an image under this reference."""
    repository = remote.rpartition(":")[0]
    known = {strip_registry(digest).partition("@")[0] for digest in image.digests}
    return strip_registry(remote) in map(strip_registry, image.tags) and strip_registry(repository) in known


def _find_problem(image: ImageInfo, plan: ImagePlan, base: ImageInfo, remote: str) -> str:
    """Return why a pulled image is not the one that its name says; empty if it is.

    Whoever may push to the repository decides what runs in the image, as with any other. This finds mistakes, and what
    this host would have to believe without a container: the labels that are printed, and the base image.
    """
    labels = {name: value for name, value in image.labels.items() if name.startswith(LABEL)}
    expected = remote.rpartition(":")[2].split("-")
    named = labels.get(KIND_LABEL), labels.get(RECIPE_LABEL), labels.get(INDEXES_LABEL)
    if named != ("environment", *expected):
        return "its labels are those of another image"
    if not is_same_platform(image.platform, base.platform):
        return f"it is for {image.platform}"
    if plan.recipe.dockerfile is None and image.layers[: len(base.layers)] != base.layers:
        return "it is not built on the base image"
    texts = "".join(labels.values())
    are_valid = (
        texts.replace("\n", "").isprintable()
        and len(texts) <= _LABEL_CHARACTERS
        and labels.get(LAYERS_LABEL, "").isdecimal()
        and labels.get(EXECUTABLE_LABEL, "").startswith("/")
        and _VERSION.fullmatch(labels.get(PYTHON_LABEL, ""))
    )
    return "" if are_valid else "its labels are invalid"
