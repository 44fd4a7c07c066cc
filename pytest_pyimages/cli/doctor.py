"""``pyimages doctor``: show what a run would use, and which problems it would have."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

import pytest_pyimages
from pytest_pyimages.cli.base_images import describe_state
from pytest_pyimages.cli.list_images import list_current
from pytest_pyimages.cli.project import SPEC_HELP, Place, pytest_arguments, run_at_project
from pytest_pyimages.cli.quantities import format_size
from pytest_pyimages.cli.stored import Stored, read_stored
from pytest_pyimages.engines import Engine
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.images import BaseImages, ImagePlan, Listener, read_pins
from pytest_pyimages.indexes import PYPI, find_refusals
from pytest_pyimages.matrix import is_image_id
from pytest_pyimages.session import SessionPlan

T = TypeVar("T")

SUMMARY = "show what a run would use, and which problems it would have"
DESCRIPTION = """\
Show versions, the container engine and where its address comes from, disk space, the images, how containers get the
source, the package indexes, and what a run would install and why. Configured indexes are requested; registries are
not. Exits with 1 if something would keep a run from working."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=SPEC_HELP)


def run(arguments: Namespace) -> int:
    return run_at_project(pytest_arguments(arguments, arguments.spec), _examine, on_each_engine=True)


def _examine(place: Place) -> int:
    problems: list[str] = []
    invocation = place.settings.invocation
    _say("versions", f"pytest-pyimages {pytest_pyimages.__version__}, pytest {pytest.__version__}, {_python()}")
    _say("project", f"{invocation.project_folder}, configured in {invocation.inipath or 'no file'}")
    plan = _try(problems, "images", place.plan)
    engine = _try(problems, "engine", place.engine)
    if plan is not None:
        reason = f" ({plan.source.reason})" if plan.source.reason else ""
        _say("source", f"{plan.source.root}, {plan.source.mode}{reason}")
        for note in plan.notes:
            _say("note", note)
        for line in _list_indexes(plan, problems):
            _say("index", line)
    if engine is not None:
        with closing(engine):
            _say("engine", f"{engine.info}, API {engine.info.api_version}, {engine.processors()} processors")
            _say("address", f"from {_find_origin(place, engine)}")
            stored = _try(problems, "images", lambda: read_stored(place, engine))
            if stored is not None:
                _try(problems, "disk", lambda: _show_disk(stored))
            if plan is not None:
                _try(problems, "images", lambda: _show_images(place, engine, plan.plans))
            if stored is not None:
                _try(problems, "images", lambda: _show_installation(stored))
    for problem in problems:
        sys.stdout.write(f"PROBLEM: {problem}\n")
    return int(pytest.ExitCode.TESTS_FAILED if problems else pytest.ExitCode.OK)


def _say(name: str, text: str) -> None:
    sys.stdout.write(f"{name:<10}{text}\n")


def _python() -> str:
    return f"{platform.python_implementation()} {platform.python_version()} on {platform.platform(terse=True)}"


def _try(problems: list[str], name: str, ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except PyimagesError as error:
        problems.append(f"{name}: {error}")
        return None


def _find_origin(place: Place, engine: Engine) -> str:
    """Return what has named the engine's address."""
    if engine.info.is_own:
        return "`podman system service`, since no engine has a socket"
    if any(place.settings.engines):
        return "--engine or the configuration"
    names = [name for name in ("DOCKER_HOST", "DOCKER_CONTEXT") if os.environ.get(name)]
    return names[0] if names else "docker's current context, or the first socket that answers"


def _list_indexes(plan: SessionPlan, problems: list[str]) -> Iterator[str]:
    network = plan.plans[0].read_network(os.environ)
    if not network.indexes:
        yield f"{PYPI} (the installers' default)"
    for index in network.indexes:
        yield f"{network.redaction.redact(index.url)} ({index.origin})"
    for name, value in network.settings.proxies.items():
        yield f"{name}={network.redaction.redact(value)}"
    problems += [f"index: {problem} · {hint}" for problem, hint in find_refusals(network)]


def _show_disk(stored: Stored) -> None:
    mine = stored.scope(everything=False)
    size, engine = format_size(stored.storage.measure(mine)), stored.engine
    folder = engine.data_folder() if engine.info.endpoint.startswith("unix:") else ""
    # An engine in a virtual machine has a disk of its own.
    free = f"; {format_size(shutil.disk_usage(folder).free)} free at {folder}" if Path(folder or "-").is_dir() else ""
    _say("disk", f"{size} in {len(mine)} {'image' if len(mine) == 1 else 'images'} of this project{free}")


def _show_images(place: Place, engine: Engine, plans: Sequence[ImagePlan]) -> None:
    """Show the base images that a run would use.

    :raises PyimagesError: if one of them is not available as the settings require.
    """
    lock_file, policy = place.settings.lock_file, place.settings.pull
    pins = read_pins(lock_file) if lock_file is not None else None
    bases = BaseImages(engine, Listener(), policy=policy, pins=pins)
    for tag in (plan.tag for plan in plans):
        present = bases.find_present(tag)
        pin = f" pinned to {pins.get(tag.reference)}" if pins is not None and not is_image_id(tag.reference) else ""
        _say("image", f"{tag.label}: {tag.reference}{pin}, {describe_state(present, None)}")
        if present is None and policy == "never":
            bases.resolve(tag)  # raises the error of a run
    bases.check_pins(plan.tag for plan in plans)


def _show_installation(stored: Stored) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in list_current(stored)))
