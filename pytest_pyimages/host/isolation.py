"""Remove the settings and options that only concern the containers from the host's pytest.

The host may have nothing of the project: not its plugins, not its packages, not its pytest version. pytest reads the
ini file, ``addopts`` included, before it loads an installed plugin, so ``early_plugin`` starts it without that file. If
that could not act, pytest refuses what it checks before (a missing ``-p`` plugin, a ``minversion``); the first thing
that an installed plugin can do is ``pytest_addoption``, called while it is being registered. From there on the host's
pytest has only the keys and options that the controller uses (``command_line``).

pytest's private attributes are touched here, in ``pytest_input`` and in ``invocation`` only: ``Config.inicfg`` (8.x) or
``_inicfg`` (9.x), ``_inicache``, ``_inipath``, ``_rootpath``, ``known_args_namespace``, ``findpaths.determine_setup``.
tests/plugin/test_bare_host.py tests them.
"""

from __future__ import annotations

import copy
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import ModuleType

import pytest

from pytest_pyimages.host.foreign_options import FOREIGN_OPTIONS, SHARED, find_refused
from pytest_pyimages.host.host_plugins import find_outside_modules
from pytest_pyimages.host.invocation import Invocation
from pytest_pyimages.host.pytest_input import plain_values, read_inicfg, split_words
from pytest_pyimages.host.pytest_options import HOST_OPTIONS
from pytest_pyimages.host.typos import check_expressions, check_paths, check_positions


def forget_project(config: pytest.Config, invocation: Invocation) -> None:
    """Remove what concerns the tests from the host's configuration; leave what the host uses."""
    inicfg = read_inicfg(config)
    if config.inipath is not None:  # pytest 9 has put them on sys.path already: the project could hide our own imports
        for entry in split_words(plain_values(inicfg).get("pythonpath", ""), "pythonpath"):
            folder = str(config.inipath.parent / entry)
            if folder in sys.path:
                sys.path.remove(folder)
    inicfg.clear()
    inicfg.update(invocation.host_ini)
    config._inicache.clear()  # noqa: SLF001 - see above


def take_over(config: pytest.Config, args: list[str], invocation: Invocation, *, terminal: bool) -> Invocation:
    """Leave in the host's arguments only what it handles, and return the invocation for the containers.

    :param args: changed in place.
    :param terminal: whether there is one.
    :raises UsageError: for an option that cannot work with images.
    :raises ConfigurationError: for an image among the paths, a path that does not exist, or a wrong expression.
    """
    shared = _divide(config, invocation)
    reason = invocation.command_line.find_refused(terminal=terminal)
    reason = reason or find_refused([option.name for option in invocation.typed.options], shared.host_options)
    if reason is not None:
        raise pytest.UsageError(f"{reason[0]} cannot be used with --py-images: {reason[1]}")
    check_positions(invocation)
    check_paths(invocation)
    check_expressions(invocation)
    _forget_config_warnings(config)
    # The early plugin gave pytest an empty file, and values of our options may have misled its search.
    config._inipath, config._rootpath = invocation.inipath, invocation.rootdir  # noqa: SLF001 - see above
    # What pytest adds to the errors of its parser.
    config._parser.extra_info.update(rootdir=str(config.rootpath), inifile=str(config.inipath))  # noqa: SLF001
    lacking = find_unknown_options(config, HOST_OPTIONS)  # of a newer pytest, which containers may have
    args[:] = ["--noconftest", *invocation.command_line.without(lacking).host_arguments(others=shared.host_options)]
    parser = config._parser  # noqa: SLF001 - see above
    config.known_args_namespace = parser.parse_known_args(args, namespace=copy.copy(config.option))
    return shared


# How pytest shows results, whatever has run the tests.
_DISPLAY = frozenset(
    "-r --report-chars -v --verbose -q --quiet --verbosity --color --disable-warnings --disable-pytest-warnings"
    " --no-summary --no-fold-skipped --force-short-summary".split()
)


def adopt_display_options(config: pytest.Config, invocation: Invocation) -> None:
    """Let the host's pytest show results as the project's configuration and the command line request."""
    line = invocation.command_line.select(_DISPLAY).without(find_unknown_options(config, _DISPLAY))
    parser = config._parser  # noqa: SLF001 - see above
    config.option = parser.parse_known_args(list(line.words), namespace=copy.copy(config.option))


def _divide(config: pytest.Config, invocation: Invocation) -> Invocation:
    """Return the invocation for the containers: without the options of the host's plugins, and without those plugins.

    A plugin that implements our hooks is the host's, and so is one that an editor adds.
    """
    named = {option.name for option in invocation.command_line.options} & {*FOREIGN_OPTIONS, *SHARED}
    known = frozenset(named.difference(find_unknown_options(config, named)))
    ours = frozenset(_modules_with_our_hooks(config))
    hosts = ours.union(find_outside_modules(invocation))
    if not hosts and not known - SHARED:
        return replace(invocation, host_options=known)
    environment = dict(invocation.environment)
    if "PYTEST_ADDOPTS" in environment:
        left = invocation.environment_addopts.without(known - SHARED, plugins=hosts)
        environment["PYTEST_ADDOPTS"] = shlex.join(left.words)
    if "PYTEST_PLUGINS" in environment:
        plugins = environment["PYTEST_PLUGINS"].split(",")
        environment["PYTEST_PLUGINS"] = ",".join(plugin for plugin in plugins if plugin not in hosts)
    typed = invocation.typed
    return replace(
        invocation,
        typed=typed.without(known - SHARED, plugins=hosts),
        environment=environment,
        host_options=known,
        host_plugins=hosts,
        host_args=tuple(
            word
            for argument in typed.select(("-p",)).arguments
            if (argument.value or "").strip() in ours
            for word in argument.words
        ),
    )


def _modules_with_our_hooks(config: pytest.Config) -> Iterator[str]:
    for _, plugin in config.pluginmanager.list_name_plugin():
        if isinstance(plugin, ModuleType) and any(name.startswith("pytest_pyimages_") for name in vars(plugin)):
            yield plugin.__name__


def find_unknown_options(config: pytest.Config, names: Iterable[str]) -> list[str]:
    """Return the options that no plugin loaded so far knows."""
    parser = getattr(config._parser, "optparser", None)  # noqa: SLF001 - of newer pytests; a parse takes 0.2 ms
    known = getattr(parser, "_option_string_actions", None)
    return [name for name in names if not (_is_known(config, name) if known is None else name in known)]


def _is_known(config: pytest.Config, name: str) -> bool:
    parser = config._parser  # noqa: SLF001 - see above
    try:
        return name not in parser.parse_known_and_unknown_args([name])[1]
    except pytest.UsageError:  # its value is missing
        return True


def _forget_config_warnings(config: pytest.Config) -> None:
    """Withdraw pytest's warnings so far: about the project's settings, and from the import of the host's plugins.

    The first may be about a warning class that exists in the containers only; neither are warnings of the suite.
    """
    history = getattr(config.hook.pytest_warning_recorded, "_call_history", None)
    if history:
        history.clear()
