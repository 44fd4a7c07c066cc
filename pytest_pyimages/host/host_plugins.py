"""Choose the plugins of the host's pytest among those that the project's settings and the command line name.

A module that is found outside the project is the host's, as for any pytest. A module of the project is the containers',
which have its dependencies, unless it implements our hooks. The project's own packages neither hide those of the host
nor are they loaded as installed plugins: ``python -m pytest`` puts the current folder on sys.path, where the project of
a plugin may have its ``*.egg-info`` with an entry point.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_pyimages.host.command_line import OUR_PLUGINS
from pytest_pyimages.host.invocation import Invocation
from pytest_pyimages.host.pytest_input import split_words

_OUR_HOOKS = b"pytest_pyimages_"
_DEBUGGERS = ("debugpy", "pydevd")  # of VS Code and of PyCharm
_SITE_PACKAGES = Path(pytest.__file__).parents[1]


def choose_host_plugins(config: pytest.Config, invocation: Invocation) -> list[str]:
    """Return the values of ``-p`` for the host; until pytest ends, the project's folders are the last on sys.path.

    Entry points that only these folders provide are blocked.
    """
    path = list(sys.path)
    config.add_cleanup(lambda: sys.path.__setitem__(slice(None), path))
    folders = _move_project_to_end(invocation)
    provided, named = _find_entry_points(folders), [name for name in list_named_plugins(invocation) if name]
    # An environment may have hundreds of distributions.
    installed = _find_entry_points(sys.path[: len(sys.path) - len(folders)]) if provided or named else set()
    blocked = provided - installed - {*OUR_PLUGINS}
    for name in blocked:
        config.pluginmanager.set_blocked(name)
    if invocation.inipath is not None:
        entries = split_words(invocation.ini.get("pythonpath", ""), "pythonpath")
        folders = [*(str(invocation.inipath.parent / entry) for entry in entries), *folders]
    names = [name for name in named if name not in {*blocked, *OUR_PLUGINS}]
    return [name for name in names if name.startswith("no:") or name in installed or _is_hosts(name, folders)]


def _move_project_to_end(invocation: Invocation) -> list[str]:
    """Move what ``python -m`` and PYTHONPATH put on sys.path of the project to its end; return these entries."""
    first = sys.path[:1] if invocation.module and Path(sys.path[0]).absolute() == invocation.cwd else []
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry in sys.path[1:]]
    others = [entry for entry in entries if Path(entry).absolute().is_relative_to(invocation.rootdir)]
    folders = [entry for entry in dict.fromkeys([*first, *others]) if Path(entry) != _SITE_PACKAGES]
    for entry in folders:
        sys.path.remove(entry)
    sys.path += folders
    return folders


def find_outside_modules(invocation: Invocation) -> list[str]:
    """Return the modules of ``-p`` and PYTEST_PLUGINS that this host finds outside of the project, through PYTHONPATH.

    An editor adds its plugin so. Containers have neither that folder nor a use for it.
    """
    entries = [*map(Path, filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))]
    folders = [entry for entry in entries if entry.is_absolute() and not entry.is_relative_to(invocation.rootdir)]
    inside = [invocation.cwd, invocation.rootdir]
    if invocation.inipath is not None:
        inside += [
            invocation.inipath.parent / entry
            for entry in split_words(invocation.ini.get("pythonpath", ""), "pythonpath")
        ]
    names = (name for name in list_named_plugins(invocation) if name and not name.startswith("no:"))
    return [
        name
        for name in names
        if any(_find_source(folder, name) for folder in folders)
        and not any(_find_source(folder, name) for folder in inside)
    ]


def has_editor(invocation: Invocation) -> bool:
    """Return whether an editor has started pytest and gets the results through a plugin of its own."""
    return "TEAMCITY_VERSION" in os.environ or bool(find_outside_modules(invocation))  # which PyCharm sets


def has_debugger() -> bool:
    """Return whether a debugger controls this process, such as an editor's."""
    return any(name in sys.modules for name in _DEBUGGERS)


def list_named_plugins(invocation: Invocation) -> list[str]:
    """Return the values of ``-p`` and PYTEST_PLUGINS."""
    named = (*invocation.command_line.values("-p"), *invocation.environment.get("PYTEST_PLUGINS", "").split(","))
    return [name.strip() for name in named]


def _find_source(folder: str | Path, name: str) -> Path | None:
    module = Path(folder, *name.split("."))
    files = (module / "__init__.py", module.with_suffix(".py"))
    return next((file for file in files if os.path.isfile(file)), None)  # noqa: PTH113 - any text


def _find_entry_points(path: Sequence[str]) -> set[str]:
    """Return the names of the pytest plugins that the distributions in these folders provide."""
    points = (point for found in distributions(path=[*path]) for point in found.entry_points)
    return {point.name for point in points if point.group == "pytest11"}


def _is_hosts(name: str, folders: Sequence[str]) -> bool:
    """Return whether a module, or one of pytest's own plugins, is to be loaded on the host.

    If it is the project's, it is imported: pytest might find another one of that name first.

    :param folders: of the project.
    """
    for folder in folders:
        source = _find_source(folder, name)
        if source is not None:
            return _OUR_HOOKS in source.read_bytes() and _import_first(name, folders)
    try:
        return (find_spec(f"_pytest.{name}") or find_spec(name)) is not None
    except ImportError:  # the host has not even its package
        return False


def _import_first(name: str, folders: Sequence[str]) -> bool:
    sys.path[:0] = folders
    try:
        import_module(name)
    except Exception as error:
        raise pytest.UsageError(f'Error importing plugin "{name}": {error}') from error
    finally:
        del sys.path[: len(folders)]
    return True
