"""The entry point: add the options, and hand over to the session if images are requested.

Loaded by every pytest of an environment, so it imports neither the session nor what parses the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages.errors import ConfigurationError, PyimagesError, make_read_error
from pytest_pyimages.host import INVOCATION, add_options, is_inside, read_request, refuse_misspelt_options

if TYPE_CHECKING:
    from pytest_pyimages.host import Invocation
    from pytest_pyimages.runs import HostTerminal

WATCHED = "pyimages-watched"  # the plugin in the sessions of a watch
TERMINAL = pytest.StashKey["HostTerminal | None"]()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_pyimages import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if is_inside():
        return  # in a container: the worker has the options, and they mean nothing there
    add_options(parser)
    config = pluginmanager.get_plugin("pytestconfig")
    if config is None or hasattr(config, "workerinput"):
        return
    with _usage_errors():
        invocation = read_request(config)
    if invocation is not None:
        config.stash[INVOCATION] = invocation


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Generator[None, None, None]:
    """Before any other plugin looks at the arguments, leave only what the host handles."""
    if not is_inside():
        invocation = early_config.stash.get(INVOCATION, None)
        words = args if invocation is None else invocation.command_line.words
        with _usage_errors():
            refuse_misspelt_options(early_config, words, invocation)
            if invocation is not None:
                from pytest_pyimages.host import take_over

                terminal = early_config.stash[TERMINAL] = _find_terminal()
                early_config.stash[INVOCATION] = take_over(
                    early_config, args, invocation, terminal=terminal is not None
                )
    return (yield)


def _find_terminal() -> HostTerminal | None:
    """Return the terminal, before pytest takes standard input: a debugger may want it."""
    from pytest_pyimages.runs import HostTerminal

    return HostTerminal.find()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Watch the project, or show pytest's own output of a container instead of replaying reports, if requested."""
    invocation = config.stash.get(INVOCATION, None)
    if invocation is None or _needs_no_images(config):
        return None
    terminal = config.stash.get(TERMINAL, None)
    try:
        if _is_watch(config, invocation):
            from pytest_pyimages.cli import watch_project

            return watch_project(_read_original(config), terminal)
        if not _is_attended(invocation, has_terminal=terminal is not None):
            from pytest_pyimages.session import announce_writes

            announce_writes(config)
            return None
        from pytest_pyimages.cli import attend_suite

        return attend_suite(config, invocation, terminal)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    except PyimagesError as error:
        sys.stderr.write(f"ERROR: --py-images: {error}\n\n")  # in the form of a UsageError, which has another status
        return int(pytest.ExitCode.TESTS_FAILED)


def _needs_no_images(config: pytest.Config) -> bool:
    """Return whether the host's pytest prints something and runs no tests."""
    return bool(config.option.help or config.option.version or config.getoption("cacheshow", None) is not None)


def _is_watch(config: pytest.Config, invocation: Invocation) -> bool:
    """Return whether this pytest is to start sessions and stay, and is not such a session."""
    from pytest_pyimages.host import requests_flag

    return requests_flag(config, invocation, "py_images_watch") and not config.pluginmanager.hasplugin(WATCHED)


def _read_original(config: pytest.Config) -> Invocation:
    """Return how this pytest was called, with the options of the host's plugins."""
    from pytest_pyimages.host import Invocation

    original: Invocation | None = getattr(config, "pyimages_invocation", None)  # see host.request
    params = config.invocation_params
    return original or Invocation.from_arguments([*map(str, params.args)], params.dir, command=False)


def _is_attended(invocation: Invocation, *, has_terminal: bool) -> bool:
    """Return whether the suite writes to the output itself; with --cov, -s only shows what the tests print.

    So it is if an editor needs the results.
    """
    from pytest_pyimages.host import has_editor

    line = invocation.command_line
    shows_output = line.shows_output and not (line.measures_coverage or has_editor(invocation))
    uses_terminal = line.debugger or shows_output
    return bool(line.attended or (has_terminal and uses_terminal))


def pytest_configure(config: pytest.Config) -> None:
    invocation = config.stash.get(INVOCATION, None)
    if invocation is None or _needs_no_images(config):
        return

    from pytest_pyimages.host import Settings
    from pytest_pyimages.session import connect_all

    with _usage_errors():
        settings = Settings.from_config(config, invocation)
        connecting = [] if settings.cluster else connect_all(config, settings, settings.engines)
        from pytest_pyimages.session import ImagesSession, plan_session  # while the threads connect

        plan = plan_session(config, settings)
        session = ImagesSession(config, settings, plan, connecting, config.stash.get(TERMINAL, None))
        session.register()


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Turn our errors into pytest's usage errors."""
    try:
        yield
    except PyimagesError as error:
        raise pytest.UsageError(str(error)) from None
    except PermissionError as error:  # also of Path.is_file, in a folder that this user may not enter
        if error.filename is None:
            raise
        raise pytest.UsageError(str(make_read_error(error.filename, error))) from None
