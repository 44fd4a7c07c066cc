"""Build environment images for a command and report each stage on stderr."""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from pytest_pyimages.cli.project import Place
from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import BuildError, PyimagesError
from pytest_pyimages.images import INDEX_WAIT, BuiltImage
from pytest_pyimages.matrix import ImageTag
from pytest_pyimages.session import (
    ImageBuilt,
    ImageEnded,
    InterruptHandler,
    Progressed,
    Schedule,
    SessionPlan,
    StageChanged,
)

WAIT_SECONDS = 30.0  # between two lines about images that wait for the engine


@dataclass(slots=True)
class Build:
    """The outcome of one image's build."""

    tag: ImageTag
    image: BuiltImage | None = None
    error: PyimagesError | None = None

    @property
    def failed(self) -> bool:
        return self.image is None or self.error is not None

    @property
    def log(self) -> str:
        """The installer's output, if the build failed and has one."""
        return self.error.log if isinstance(self.error, BuildError) else ""


@contextmanager
def connect_engine(place: Place) -> Iterator[Engine]:
    """Yield the engine, with the first SIGINT, SIGTERM or SIGHUP raised as KeyboardInterrupt meanwhile."""
    with closing(place.engine()) as engine, InterruptHandler():
        yield engine


def build_images(schedule: Schedule, plan: SessionPlan) -> Iterator[Build]:
    """Build the images of a plan; yield each build as it ends.

    :param schedule: with ``build_only``; the caller closes it.
    """
    builds = {image.tag.label: Build(tag=image.tag) for image in plan.plans}
    schedule.start(plan.plans)
    waiting, listed = set(builds), time.monotonic()
    while waiting:
        if time.monotonic() - listed >= WAIT_SECONDS:
            listed = time.monotonic()
            for label, text in schedule.list_waits().items():
                sys.stderr.write(f"{label}: {text}\n")
        try:
            message = schedule.outbox.messages.get(timeout=1)
        except queue.Empty:
            continue
        build = builds[message.label]
        if isinstance(message, StageChanged) or (isinstance(message, Progressed) and INDEX_WAIT in message.text):
            sys.stderr.write(f"{message.label}: {message.text}\n")
        elif isinstance(message, ImageBuilt):
            build.image = message.image
        elif isinstance(message, ImageEnded):
            waiting.discard(message.label)
            build.error = message.error
            yield build
