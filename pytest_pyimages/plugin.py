"""The entry point: options, and the hand-over to the controller where images are asked for.

Loaded by every pytest of an environment, so it imports neither docker nor the controller at load.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages.errors import ConfigurationError, PyimagesError
from pytest_pyimages.host import (
    INI_KEYS,
    INSIDE,
    OPTIONS,
    OWN_OPTIONS,
    Invocation,
    Settings,
    captures_nothing,
    debugs,
    divided,
    forget_project,
    invocation_of,
    measures,
    options,
    refusal,
    refused,
    rewrite_arguments,
    unknown_arguments,
    wants_images,
)
from pytest_pyimages.session import connect

if TYPE_CHECKING:
    from pytest_pyimages.runs import HostTerminal

INVOCATION = pytest.StashKey[Invocation]()
TERMINAL = pytest.StashKey["HostTerminal | None"]()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_pyimages import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if os.environ.get(INSIDE):
        return  # in a container: the worker has the options, and they mean nothing there
    group = parser.getgroup("pyimages", "run the suite in containers of Python images")
    for name, metavar, text in OPTIONS:
        group.addoption(name, action="append", default=[], metavar=metavar, help=text)
    for key, text in INI_KEYS:
        parser.addini(key, text, type="linelist")
    config = pluginmanager.get_plugin("pytestconfig")
    if config is None or hasattr(config, "workerinput"):
        return
    invocation = getattr(config, "pyimages_invocation", None) or invocation_of(config)
    if wants_images(invocation):
        config.stash[INVOCATION] = invocation
        forget_project(config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Generator[None, None, None]:
    """Before any other plugin looks at the arguments, leave only what is the host's business."""
    if not os.environ.get(INSIDE):
        _check_spelling(early_config, args)
    invocation = early_config.stash.get(INVOCATION, None)
    if invocation is not None:
        terminal = _terminal()
        early_config.stash[TERMINAL] = terminal
        shared = early_config.stash[INVOCATION] = divided(early_config, invocation)
        reason = refused(invocation.all_args, OWN_OPTIONS, terminal=terminal is not None)
        typed = [option.name for option in options(invocation.args, OWN_OPTIONS)]
        reason = reason or refusal(typed, shared.host_options)
        if reason is not None:
            raise pytest.UsageError(f"{reason[0]} cannot be used with --py-images: {reason[1]}")

        from pytest_pyimages.host import check_positions

        try:
            check_positions(invocation)
        except PyimagesError as error:
            raise pytest.UsageError(str(error)) from None
        rewrite_arguments(early_config, args, invocation, shared.host_options)
    return (yield)


def _check_spelling(early_config: pytest.Config, args: list[str]) -> None:
    """Refuse ``--py-image`` before conftests are loaded: where they cannot be, nobody would hear of the slip."""
    invocation = early_config.stash.get(INVOCATION, None)
    words = args if invocation is None else [*invocation.all_args]
    nearly_ours = [word for word in words if word.startswith(("--py-im", "--pyim"))]
    if not nearly_ours:
        return

    from pytest_pyimages.host import check_options

    unknown = unknown_arguments(early_config, nearly_ours)
    try:
        check_options(nearly_ours, unknown, [early_config.rootpath, early_config.invocation_params.dir])
    except PyimagesError as error:
        raise pytest.UsageError(str(error)) from None


def _terminal() -> HostTerminal | None:
    """Return the terminal, before pytest takes standard input: a debugger may want it."""
    from pytest_pyimages.runs import HostTerminal

    return HostTerminal.find()


def _runs_on_terminal(invocation: Invocation) -> bool:
    """Whether all of a suite wants the terminal: a debugger or -s.

    What is measured has to come back: with --cov, -s shows what the suite prints, and no more.
    """
    args = invocation.all_args
    return bool(debugs(args, OWN_OPTIONS)) or (captures_nothing(args, OWN_OPTIONS) and not measures(args))


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Give the terminal to the suite of a single image that wants it, instead of replaying what comes from it."""
    terminal = config.stash.get(TERMINAL, None)
    if terminal is None or config.option.help or config.option.version:
        return None
    invocation = config.stash[INVOCATION]
    if not _runs_on_terminal(invocation):
        return None
    from pytest_pyimages.cli import attend_suite

    try:
        return attend_suite(config, invocation, terminal)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    except PyimagesError as error:
        raise pytest.exit.Exception(f"--py-images: {error}", int(pytest.ExitCode.TESTS_FAILED)) from None


def pytest_configure(config: pytest.Config) -> None:
    invocation = config.stash.get(INVOCATION, None)
    if invocation is None or config.option.help or config.option.version:
        return
    try:
        settings = Settings.from_config(config, invocation)
        connecting = connect(config, settings)
        from pytest_pyimages.session import ImagesSession, plan_session

        plan = plan_session(config, settings)
        session = ImagesSession(config, settings, plan, connecting, config.stash.get(TERMINAL, None))
    except PyimagesError as error:
        raise pytest.UsageError(str(error)) from None
    session.register()
