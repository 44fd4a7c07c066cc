"""One environment image, built if need be, and a command in it: what ``pyimages shell`` and ``pyimages run`` share."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from pytest_pyimages.cli.project import Place
from pytest_pyimages.cli.run_tests import NO_IMAGES
from pytest_pyimages.containers import Lease, Source
from pytest_pyimages.errors import BuildError, ConfigurationError, PyimagesError
from pytest_pyimages.host import OWN_INI, OWN_OPTIONS, Invocation, wants_images
from pytest_pyimages.images import BuiltImage, ImagePlan
from pytest_pyimages.project import find_source_root
from pytest_pyimages.runs import Attended, HostTerminal, attend
from pytest_pyimages.session import Built, Ended, Interruptions, Memory, Said, Schedule, planned

IMAGE_HELP = "the image, such as 3.14-slim (default: the ini key py_images, if it names one)"


def run_in_image(  # noqa: PLR0913 - all that its container is told
    place: Place,
    command: tuple[str, ...],
    terminal: HostTerminal | None,
    *,
    greet: bool = False,
    memory: Memory | None = None,
    shard: Mapping[str, Any] | None = None,
) -> int:
    """Run a command in the one image that is asked for, as its suite would be run; return its exit status.

    :param command: empty for pytest itself, with the arguments that it was called with here.
    :param terminal: where it is shown and typed to; None for plain output and no input.
    :param memory: what failed before, for pytest.
    :param shard: which of the tests it is to run.
    :param greet: whether to say where one is.
    :raises PyimagesError: if it could not be started.
    """
    settings = place.settings
    invocation = settings.invocation
    if not wants_images(invocation):
        raise NO_IMAGES
    asked = planned(place.config, settings)
    if len(asked.plans) != 1:
        labels = ", ".join(plan.tag.label for plan in asked.plans)
        raise ConfigurationError(f"one image at a time has the terminal, and these are several: {labels}", "name one")
    (plan,) = asked.plans
    engine = place.engine()
    source = Source(
        find_source_root(asked.project, invocation.rootdir, invocation.cwd),
        None if settings.source == "auto" else settings.source,
    )
    interruptions = Interruptions()
    interruptions.install()
    try:
        image = _built(Schedule(engine, settings, source, build_only=True), plan)
        if greet:
            text = f"{plan.tag.label}: Python {image.python} at {invocation.cwd} · what is changed here is thrown away"
            sys.stderr.write(f"{text}\n")
        job = Attended(
            image=image.id,
            python=image.executable,
            command=command,
            pytest=None if command else {**_pytest(plan, image, invocation, memory), "shard": shard},
            project=str(plan.project.root),
            cwd=str(invocation.cwd),
            environment={**plan.environment, **settings.container_environment},
        )
        sys.stdout.flush()
        with Lease() as lease:
            return attend(engine, lease, source, job, terminal)
    finally:
        engine.close()
        interruptions.restore()


def _pytest(plan: ImagePlan, image: BuiltImage, invocation: Invocation, memory: Memory | None) -> dict[str, Any]:
    """Return what the worker is told of a pytest that has the terminal; as Run tells it of any other."""
    return {
        "args": list(plan.args),
        "program": f"{image.executable.rpartition('/')[0]}/pytest",
        "cwd_on_path": invocation.module,
        "memory": None if memory is None else memory.given_to([plan.tag.label]).get(plan.tag.label),
        "own_options": [list(option) for option in OWN_OPTIONS],
        "own_ini": list(OWN_INI),
        "host_plugins": sorted(invocation.host_plugins),
    }


def _built(schedule: Schedule, plan: ImagePlan) -> BuiltImage:
    image: BuiltImage | None = None
    error: PyimagesError | None = None
    try:
        schedule.start([plan])
        while True:
            message = schedule.messages.get()
            if isinstance(message, Said):
                sys.stderr.write(f"{message.label}: {message.text}\n")
            elif isinstance(message, Built):
                image = message.image
            elif isinstance(message, Ended):
                error = message.error
                break
    finally:
        schedule.close()
    if isinstance(error, BuildError) and error.log:
        sys.stderr.write(f"{error.log}\n")
    if error is not None or image is None:
        raise error or PyimagesError("the image was not built")
    return image
