"""``pytest --py-images=3.12 --pdb``: the suite of one image, on the terminal of this host."""

from __future__ import annotations

import sys

import pytest

from pytest_pyimages.cli.environment import run_in_image
from pytest_pyimages.cli.project import Place
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host import OWN_OPTIONS, REPORTERS, Invocation, Settings, debugs
from pytest_pyimages.runs import HostTerminal
from pytest_pyimages.session import Durations, Memory, connect, planned


def attend_suite(config: pytest.Config, invocation: Invocation, terminal: HostTerminal) -> int | None:
    """Run the suite as pytest alone would inside; return its exit status, or None if it does not need the terminal.

    :raises ConfigurationError: if a debugger is asked for, and not a single image.
    :raises PyimagesError: if the image cannot be built or started.
    """
    settings = Settings.from_config(config, invocation)
    debugger = debugs(invocation.all_args, OWN_OPTIONS)
    plans = planned(config, settings).plans
    files = [name for name, value in _files(config, settings) if value]
    if not debugger and (len(plans) != 1 or files):
        return None  # -s: what is printed is shown as it comes, and nothing is typed
    if len(plans) != 1:
        labels = ", ".join(plan.tag.label for plan in plans)
        raise ConfigurationError(
            f"{debugger}: one image at a time can have the terminal, and these are several: {labels}",
            f"name one: --py-images={plans[0].tag.label}",
        )
    if files:
        sys.stderr.write(f"py-images: {', '.join(files)} is not written with {debugger}\n")
    place = Place(config=config, settings=settings, connecting=connect(config, settings))
    memory, durations = _kept(config, invocation)
    status = run_in_image(place, (), terminal, memory=memory, shard=durations.shard(settings))
    return 0 if plans[0].tag.allowed_to_fail and status == pytest.ExitCode.TESTS_FAILED else status


def _kept(config: pytest.Config, invocation: Invocation) -> tuple[Memory | None, Durations]:
    """Return what is remembered, before pytest would make its cache; a run on a terminal adds nothing to it."""
    if not config.pluginmanager.hasplugin("cacheprovider"):
        return None, Durations(None, invocation)
    cache = pytest.Cache.for_config(config, _ispytest=True)
    return Memory(cache, invocation), Durations(cache, invocation)


def _files(config: pytest.Config, settings: Settings) -> tuple[tuple[str, object], ...]:
    others = [name for name in sorted(settings.invocation.host_options) if name in REPORTERS and REPORTERS[name].loss]
    return (
        ("--py-images-report", settings.reports),
        ("--junitxml", config.getoption("xmlpath", None)),
        *((name, True) for name in others),
    )
