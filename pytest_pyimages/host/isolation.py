"""Makes the host's pytest leave alone what is the container's business.

The host may have nothing of the project: not its plugins, not its packages, not its pytest version. pytest reads the
ini file, ``addopts`` included, before any plugin is loaded; the first thing that a plugin can do is
``pytest_addoption``, called while it is being registered. From there on the project's configuration is taken out of the
host's pytest, which keeps the keys and options that the controller obeys (``commandline``). What pytest refuses before
that moment (a missing ``-p`` plugin, a ``minversion``, with pytest 9.2 a warning about ``filterwarnings`` that is an
error) is refused by pytest; ``pyimages test`` never shows it the project's ini file.

This is the one module that touches pytest's private attributes: ``Config.inicfg`` (8.x) or ``_inicfg`` (9.x),
``_inicache``, ``known_args_namespace`` and ``findpaths.determine_setup``. tests/plugin/test_bare_host.py holds them.
"""

from __future__ import annotations

import copy
import inspect
import os
import shlex
import sys
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_pyimages.host.command_line import HOST_INI, host_arguments, options, without
from pytest_pyimages.host.foreign_options import REPORTERS, SHARED
from pytest_pyimages.host.option_table import OWN_OPTIONS
from pytest_pyimages.host.settings import Invocation, passed_environment


def invocation_of(config: pytest.Config) -> Invocation:
    """Return how this pytest was called; to be asked before ``forget_project``."""
    args = tuple(str(arg) for arg in config.invocation_params.args)
    ini = _plain(_inicfg(config))
    typed_first = [*_words(ini.get("addopts", "")), *shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))]
    return Invocation(
        args=args,
        all_args=(*typed_first, *args),
        ini=ini,
        inipath=config.inipath,
        rootdir=config.rootpath,
        cwd=config.invocation_params.dir,
        module=called_as_module(sys.argv),
        command=False,
        environment=passed_environment(os.environ),
    )


def invocation_from(args: Sequence[str], cwd: Path) -> Invocation:
    """Return the same without a configured pytest, from pytest's own search for the rootdir and the ini file."""
    from _pytest.config.findpaths import determine_setup

    env_args = shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    typed = options([*env_args, *args], OWN_OPTIONS)
    last = {option.name: option.value for option in typed}
    words = [word for word in [*env_args, *args] if not word.startswith("-")]
    given: dict[str, Any] = {
        "inifile": last.get("-c") or last.get("--config-file"),
        "args": words,
        "rootdir_cmd_arg": last.get("--rootdir"),
        "invocation_dir": cwd,
        "override_ini": [option.value for option in typed if option.name in ("-o", "--override-ini") and option.value],
    }
    accepted = inspect.signature(determine_setup).parameters
    rootdir, inipath, inicfg, *_ = determine_setup(**{name: value for name, value in given.items() if name in accepted})
    ini = _plain(inicfg)
    return Invocation(
        args=tuple(args),
        all_args=(*_words(ini.get("addopts", "")), *env_args, *args),
        ini=ini,
        inipath=inipath,
        rootdir=rootdir,
        cwd=cwd,
        module=False,
        command=True,
        environment=passed_environment(os.environ),
    )


def wants_images(invocation: Invocation) -> bool:
    """Whether the option or the ini key asks for images; if neither does, pytest stays exactly as it is."""
    if any(option.name == "--py-images" for option in options(invocation.all_args, OWN_OPTIONS)):
        return True
    return bool(invocation.ini.get("py_images"))


def forget_project(config: pytest.Config) -> None:
    """Take out of the host's configuration all that speaks to the suite."""
    inicfg = _inicfg(config)
    if config.inipath is not None:  # pytest 9 has put them on sys.path already: the project could hide our own imports
        for entry in _words(_plain(inicfg).get("pythonpath", "")):
            folder = str(config.inipath.parent / entry)
            if folder in sys.path:
                sys.path.remove(folder)
    for key in list(inicfg):
        if not key.startswith(HOST_INI):
            del inicfg[key]
    config._inicache.clear()  # noqa: SLF001 - see above


def rewrite_arguments(
    config: pytest.Config, args: list[str], invocation: Invocation, host_options: Collection[str]
) -> None:
    """Leave in the host's arguments only what it is to obey; it imports no conftest.

    :param host_options: those of other plugins that are among it.
    """
    _forget_config_warnings(config)
    config._inipath = invocation.inipath  # noqa: SLF001 - `pyimages test` gave pytest none; the header shows the real one
    given = host_arguments(invocation.all_args, OWN_OPTIONS, others=host_options)
    args[:] = ["--noconftest", *given]
    parser = config._parser  # noqa: SLF001 - see above
    config.known_args_namespace = parser.parse_known_args(args, namespace=copy.copy(config.option))


def divided(config: pytest.Config, invocation: Invocation) -> Invocation:
    """Return the invocation as the suite is to get it: without what plugins of the host do, and without those plugins.

    A plugin that implements hooks of this one is the host's.
    """
    named = {option.name for option in options(invocation.all_args, OWN_OPTIONS)} & {*REPORTERS, *SHARED}
    words = {f"{name}=1" if name in SHARED or REPORTERS[name].valued else name: name for name in named}
    unknown = unknown_arguments(config, list(words)) if words else []
    known = frozenset(name for word, name in words.items() if word not in unknown)
    hosts = frozenset(_modules_with_our_hooks(config))
    if not hosts and not known - SHARED:
        return replace(invocation, host_options=known)

    def left(args: Sequence[str]) -> list[str]:
        return without(args, OWN_OPTIONS, known - SHARED, plugins=hosts)

    environment = dict(invocation.environment)
    if "PYTEST_ADDOPTS" in environment:
        environment["PYTEST_ADDOPTS"] = shlex.join(left(shlex.split(environment["PYTEST_ADDOPTS"])))
    if "PYTEST_PLUGINS" in environment:
        plugins = environment["PYTEST_PLUGINS"].split(",")
        environment["PYTEST_PLUGINS"] = ",".join(plugin for plugin in plugins if plugin not in hosts)
    args = left(invocation.args)
    return replace(
        invocation,
        args=tuple(args),
        all_args=(*invocation.typed_first, *args),
        environment=environment,
        host_options=known,
        host_plugins=hosts,
        host_args=tuple(
            word
            for option in options(invocation.args, OWN_OPTIONS)
            if option.name == "-p" and (option.value or "").strip() in hosts
            for word in option.tokens
        ),
    )


def _modules_with_our_hooks(config: pytest.Config) -> Iterator[str]:
    for _, plugin in config.pluginmanager.list_name_plugin():
        if isinstance(plugin, ModuleType) and any(name.startswith("pytest_pyimages_") for name in vars(plugin)):
            yield plugin.__name__


def unknown_arguments(config: pytest.Config, args: Sequence[str]) -> list[str]:
    """Return those of the arguments, options with "=" or without a value, that no plugin loaded so far knows."""
    parser = config._parser  # noqa: SLF001 - see above
    return [word for word in args if word in parser.parse_known_and_unknown_args([word])[1]]


def _forget_config_warnings(config: pytest.Config) -> None:
    """Take back what pytest said of the project's settings, such as a warning class that exists inside only."""
    history = getattr(config.hook.pytest_warning_recorded, "_call_history", None)
    if history:
        history[:] = [
            call for call in history if not issubclass(call[0]["warning_message"].category, pytest.PytestConfigWarning)
        ]


def called_as_module(argv: Sequence[str]) -> bool:
    """Whether this process was started as ``python -m pytest``, which has the working folder on sys.path."""
    return bool(argv) and Path(argv[0]).name == "__main__.py"


def _inicfg(config: pytest.Config) -> MutableMapping[str, Any]:
    found: MutableMapping[str, Any] | None = getattr(config, "_inicfg", None)
    return config.inicfg if found is None else found


def _plain(inicfg: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return plain values; pytest 9 wraps each in a ConfigValue."""
    return {key: getattr(value, "value", value) for key, value in inicfg.items()}


def _words(value: str | list[str]) -> list[str]:
    return list(value) if isinstance(value, list) else shlex.split(value)
