"""Run a command in one environment image, built if needed: what ``pyimages shell``, ``run`` and ``--pdb`` share."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from pytest_pyimages.cli.builds import build_images, connect_engine
from pytest_pyimages.cli.project import Place
from pytest_pyimages.containers import Lease
from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import ConfigurationError, PyimagesError
from pytest_pyimages.images import BaseImages, BuiltImage, ImagePlan, Listener
from pytest_pyimages.results import disarm_commands
from pytest_pyimages.runs import HostTerminal, attend
from pytest_pyimages.session import LastFailed, Schedule, SessionPlan, make_job, make_services

IMAGE_HELP = "the image, such as 3.14-slim (default: the ini key py_images, if it names one)"


def run_in_image(  # noqa: PLR0913 - everything that its container is given
    place: Place,
    plan: SessionPlan,
    command: tuple[str, ...],
    terminal: HostTerminal | None,
    *,
    greet: bool = False,
    last_failed: LastFailed | None = None,
    shard: Mapping[str, Any] | None = None,
) -> int:
    """Run a command in the one requested image, as its tests would be run; return the command's exit status.

    :param plan: of a single image.
    :param command: empty for pytest itself, with the arguments of this invocation.
    :param terminal: where the command is shown and typed to; None for plain output and no input.
    :param greet: whether to print which image this is.
    :param last_failed: the last-failed cache for pytest.
    :param shard: the part of the tests to run, see runs.job.
    :raises PyimagesError: if the command could not be started.
    """
    settings = place.settings
    image_plan = select_plan(plan, "only one image at a time can use the terminal")
    with connect_engine(place) as engine:
        image = build_image(place, engine, plan)
        if greet:
            text = f"{image_plan.tag.label}: Python {image.python} at {settings.invocation.cwd} · changes are discarded"
            sys.stderr.write(f"{text}\n")
        label = image_plan.tag.label
        job = make_job(
            settings,
            image_plan,
            image,
            memory=None if last_failed is None else last_failed.cache_values([label]).get(label),
            shard=shard,
        )
        job = replace(job, command=command, terminal=terminal.kind if terminal else None)
        sys.stdout.flush()
        service_images = BaseImages(engine, Listener(report=_report_stage), policy=settings.pull)
        with Lease() as lease, make_services(engine, lease, image_plan, service_images) as services:
            services.wait(lambda _: None)
            sys.stderr.writelines(f"{line}\n" for line in services.notes)
            return attend(engine, lease, plan.source, replace(job, network=services.network), terminal)


def select_plan(plan: SessionPlan, problem: str) -> ImagePlan:
    """Return the plan of the only image.

    :raises ConfigurationError: if there are several; its message begins with the problem.
    """
    if len(plan.plans) != 1:
        labels = ", ".join(image.tag.label for image in plan.plans)
        raise ConfigurationError(f"{problem}, not {labels}", "name one image")
    return plan.plans[0]


def _report_stage(label: str, text: str) -> None:
    sys.stderr.write(f"{label}: {text}\n")


def build_image(place: Place, engine: Engine, plan: SessionPlan) -> BuiltImage:
    """Return the environment image of a plan of one image; build it if needed.

    :raises PyimagesError: if it cannot be built.
    """
    with closing(Schedule([engine], place.settings, plan.source, build_only=True)) as schedule:
        (build,) = build_images(schedule, plan)
    sys.stderr.write(f"{disarm_commands(build.log, os.environ)}\n" if build.log else "")
    if build.error is not None or build.image is None:
        raise build.error or PyimagesError("the image was not built")
    return build.image
