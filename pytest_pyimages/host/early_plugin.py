"""Start the host's pytest without the project's configuration, as a plugin that is loaded before pytest reads it.

The host's pytest gets an empty configuration file, our plugin, and those plugins of ``-p`` and PYTEST_PLUGINS that are
the host's; ``isolation`` adds the options that the host handles once the installed plugins are loaded. What only the
containers can satisfy is therefore never checked on the host: ``minversion``, ``required_plugins``, modules of ``-p``,
classes of ``filterwarnings``, strict configuration.

``startup`` adds this module to ``_pytest.config.default_plugins``. Where Python does not run it (``python -S``, ``pip
install --target``, a program that calls ``pytest.main``), the plugin itself removes the configuration: ``isolation``.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import CommandLine
from pytest_pyimages.host.host_plugins import choose_host_plugins
from pytest_pyimages.host.option_table import OPTION_NAMES
from pytest_pyimages.host.request import is_inside, is_switched_off
from pytest_pyimages.startup import collect_garbage_as_usual, mentions_images

if TYPE_CHECKING:
    from pytest_pyimages.host.invocation import Invocation

_HELP = ("-h", "--help", "-V", "--version")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_parse(
    pluginmanager: pytest.PytestPluginManager, args: list[str]
) -> Generator[None, pytest.Config, pytest.Config]:
    """Start without the project's configuration if this run requests images."""
    config: pytest.Config | None = pluginmanager.get_plugin("pytestconfig")
    invocation = None if config is None else _read_request(config)
    if config is None or invocation is None:
        collect_garbage_as_usual()
        return (yield)
    with start_without_project(config, args, invocation):
        return (yield)


def _read_request(config: pytest.Config) -> Invocation | None:
    """Return how pytest was called if it is to run in images, else None."""
    words = [str(word) for word in config.invocation_params.args]
    known = hasattr(config, "pyimages_invocation") or config.pluginmanager.is_blocked("pyimages")
    if known or is_inside() or is_switched_off() or not mentions_images(words):
        return None
    from pytest_pyimages.host.invocation import Invocation

    try:
        invocation = Invocation.from_arguments(words, config.invocation_params.dir, command=False)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    except (pytest.UsageError, FileNotFoundError):  # pytest 8.0 opens an ini file that does not exist
        return None  # pytest will say the same
    line = invocation.command_line
    blocked = "no:pyimages" in line.values("-p") or line.has(*_HELP)
    return invocation if invocation.wants_images and not blocked else None


@contextmanager
def start_without_project(config: pytest.Config, args: list[str], invocation: Invocation) -> Iterator[None]:
    """While pytest parses its command line: hide the project's configuration, which only our plugin gets.

    :param args: of which ours and ``--noconftest`` are kept; changed in place.
    """
    from pytest_pyimages.host.invocation import make_rootdir_option

    config.pyimages_invocation = invocation  # type: ignore[attr-defined]  # see request.read_request
    try:
        host_plugins = choose_host_plugins(config, invocation)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    rootdir = make_rootdir_option(invocation.rootdir, invocation.cwd)
    args[:] = [
        *("-c", os.devnull, "--rootdir=." if "$" in rootdir else rootdir, "-p", "pyimages"),  # take_over sets it
        *(word for name in host_plugins for word in ("-p", name)),
        *invocation.command_line.select(("--disable-plugin-autoload",)).words,
        *CommandLine.parse(args).select((*OPTION_NAMES, "--noconftest")).words,
    ]
    hidden = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
