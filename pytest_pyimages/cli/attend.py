"""Run the tests of one image on the host's terminal: ``pytest --py-images=3.12 --pdb``."""

from __future__ import annotations

import sys

import pytest

from pytest_pyimages.cli.environment import run_in_image
from pytest_pyimages.cli.project import Place
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import FOREIGN_OPTIONS, Invocation, Settings
from pytest_pyimages.runs import HostTerminal
from pytest_pyimages.session import Durations, LastFailed, connect, plan_session


def attend_suite(config: pytest.Config, invocation: Invocation, terminal: HostTerminal) -> int | None:
    """Run pytest on the terminal; return its exit status, or None if the terminal is not needed.

    :raises ConfigurationError: if a debugger is requested for several images.
    :raises PyimagesError: if the image cannot be built or started.
    """
    settings = Settings.from_config(config, invocation)
    debugger = invocation.command_line.debugger
    plan = plan_session(config, settings)
    plans = plan.plans
    files = [name for name, value in _files(config, settings) if value]
    if not debugger and (len(plans) != 1 or files):
        return None  # -s: the output is replayed live; no input is needed
    if len(plans) != 1:
        labels = ", ".join(image.tag.label for image in plans)
        raise ConfigurationError(
            f"{debugger}: only one image at a time can use the terminal, not {labels}",
            f"select one: --py-images={plans[0].tag.label}",
        )
    if files:
        sys.stderr.write(f"py-images: {', '.join(files)} is ignored with {debugger}\n")
    place = Place(config=config, settings=settings, connecting=connect(config, settings))
    last_failed, durations = _open_caches(config, invocation)
    status = run_in_image(place, plan, (), terminal, last_failed=last_failed, shard=durations.shard(settings))
    return 0 if plans[0].tag.allowed_to_fail and status == pytest.ExitCode.TESTS_FAILED else status


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
