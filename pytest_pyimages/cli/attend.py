"""Show pytest's own output of a container: ``pytest --py-images=3.12 --pdb``, or ``--markers``.

One image at a time has the output, and only one has the terminal.
"""

from __future__ import annotations

import sys

import pytest
from _pytest.config import create_terminal_writer

from pytest_pyimages.cli.environment import run_in_image
from pytest_pyimages.cli.project import Place
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import FOREIGN_OPTIONS, Invocation, Settings
from pytest_pyimages.results import pick_worst_status
from pytest_pyimages.runs import HostTerminal
from pytest_pyimages.session import Durations, LastFailed, connect, plan_session


def attend_suite(config: pytest.Config, invocation: Invocation, terminal: HostTerminal | None) -> int | None:
    """Run pytest on the output of this process; return the worst exit status, or None if reports are to be replayed.

    :raises ConfigurationError: if a debugger is requested for several images.
    :raises PyimagesError: if the image cannot be built or started.
    """
    settings = Settings.from_config(config, invocation)
    line = invocation.command_line
    debugger = line.debugger
    option = debugger or line.attended
    plan = plan_session(config, settings)
    plans = plan.plans
    files = [name for name, value in _files(config, settings) if value]
    if not option and (len(plans) != 1 or files):
        return None  # -s: the output is replayed live; no input is needed
    if debugger and len(plans) != 1:
        labels = ", ".join(image.tag.label for image in plans)
        raise ConfigurationError(
            f"{debugger}: only one image at a time can use the terminal, not {labels}",
            f"select one: --py-images={plans[0].tag.label}",
        )
    if files:
        sys.stderr.write(f"py-images: {', '.join(files)} is ignored with {option}\n")
    last_failed, durations = _open_caches(config, invocation)
    shard = durations.shard(settings)
    statuses = []
    for image in plans:
        if len(plans) > 1:
            create_terminal_writer(config).sep("=", image.tag.label)
        place = Place(config=config, settings=settings, connecting=connect(config, settings))
        only = plan._replace(plans=(image,))
        status = run_in_image(place, only, (), terminal, last_failed=last_failed, shard=shard)
        statuses.append(0 if image.tag.allowed_to_fail and status == pytest.ExitCode.TESTS_FAILED else status)
    return pick_worst_status(statuses)


def _open_caches(config: pytest.Config, invocation: Invocation) -> tuple[LastFailed | None, Durations]:
    """Open the caches, before pytest creates its own; a run on the terminal only reads them."""
    if not config.pluginmanager.hasplugin("cacheprovider"):
        return None, Durations(None, invocation)
    cache = pytest.Cache.for_config(config, _ispytest=True)
    return LastFailed(cache, invocation), Durations(cache, invocation)


def _files(config: pytest.Config, settings: Settings) -> tuple[tuple[str, object], ...]:
    others = [
        name
        for name in sorted(settings.invocation.host_options)
        if name in FOREIGN_OPTIONS and FOREIGN_OPTIONS[name][1].lost
    ]
    return (
        ("--py-images-report", settings.reports),
        ("--junitxml", config.getoption("xmlpath", None)),
        *((name, True) for name in others),
    )
