"""How pytest was called, and the project's own configuration of it."""

from __future__ import annotations

import inspect
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.host.command_line import CommandLine
from pytest_pyimages.host.option_table import OPTION_TABLE, OPTIONS
from pytest_pyimages.host.request import read_inicfg

# What the tests see of the host's environment.
PASSED_ENVIRONMENT = ("CI", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_THEME")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """How pytest was called, read before the project's configuration is removed from the host's pytest."""

    addopts: CommandLine  # of the ini file
    environment_addopts: CommandLine  # of PYTEST_ADDOPTS
    typed: CommandLine
    ini: Mapping[str, str | list[str]]
    inipath: Path | None
    rootdir: Path
    cwd: Path
    module: bool  # called as ``python -m pytest``
    command: bool  # called as ``pyimages``
    environment: Mapping[str, str]  # the host's variables that the tests see
    variables: Mapping[str, str]  # the host's variables that are options of ours
    host_options: frozenset[str] = frozenset()  # of the host's other plugins, which handle them
    host_plugins: frozenset[str] = frozenset()  # modules that containers must not load, whatever the settings say
    host_args: tuple[str, ...] = ()  # the words that name these modules on the command line

    @property
    def configured(self) -> CommandLine:
        """The arguments of the ini file and of PYTEST_ADDOPTS, which precede the typed ones."""
        return self.addopts + self.environment_addopts

    @property
    def command_line(self) -> CommandLine:
        """All arguments."""
        return self.configured + self.typed

    @property
    def wants_images(self) -> bool:
        """Whether the option, the variable or the ini key selects images; if none does, pytest stays as it is."""
        images = OPTIONS["py_images"]
        return (
            self.command_line.has(images.name)
            or bool(self.variables.get(images.environment))
            or bool(self.ini.get(images.ini))
        )

    @classmethod
    def from_config(cls, config: pytest.Config) -> Invocation:
        """Return how this pytest was called; only before ``forget_project``."""
        return cls._make(
            config.invocation_params.args,
            read_inicfg(config),
            inipath=config.inipath,
            rootdir=config.rootpath,
            cwd=config.invocation_params.dir,
            command=False,
        )

    @classmethod
    def from_arguments(cls, args: Sequence[str], cwd: Path) -> Invocation:
        """Return the same without a configured pytest, by pytest's own search for the rootdir and the ini file."""
        from _pytest.config.findpaths import determine_setup

        line = CommandLine.parse([*_environment_addopts(), *args])
        given: dict[str, Any] = {
            "inifile": line.last("-c", "--config-file") or None,
            "args": list(line.positions),
            "rootdir_cmd_arg": line.last("--rootdir") or None,
            "invocation_dir": cwd,
            "override_ini": [value for value in line.values("-o", "--override-ini") if value],
        }
        accepted = inspect.signature(determine_setup).parameters
        rootdir, inipath, inicfg, *_ = determine_setup(
            **{name: value for name, value in given.items() if name in accepted}
        )
        return cls._make(args, inicfg, inipath=inipath, rootdir=rootdir, cwd=cwd, command=True)

    @classmethod
    def _make(cls, args: Sequence[object], inicfg: Mapping[str, Any], *, command: bool, **places: Any) -> Invocation:
        ini = plain_values(inicfg)
        variables = {option.environment: os.environ.get(option.environment, "") for option in OPTION_TABLE}
        return cls(
            addopts=CommandLine.parse(split_words(ini.get("addopts", ""))),
            environment_addopts=CommandLine.parse(_environment_addopts()),
            typed=CommandLine.parse(map(str, args)),
            ini=ini,
            module=not command and _is_module(sys.argv),
            command=command,
            environment={name: os.environ[name] for name in PASSED_ENVIRONMENT if name in os.environ},
            variables={name: value for name, value in variables.items() if value.strip()},
            **places,
        )


def plain_values(inicfg: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return the values of ini keys; pytest 9 wraps each in a ConfigValue."""
    return {key: getattr(value, "value", value) for key, value in inicfg.items()}


def split_words(value: str | list[str]) -> list[str]:
    """Return the words of an ini value as pytest splits them."""
    return list(value) if isinstance(value, list) else shlex.split(value)


def _environment_addopts() -> list[str]:
    return shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))


def _is_module(argv: Sequence[str]) -> bool:
    """Return whether this process was started as ``python -m pytest``, which has the working folder on sys.path."""
    return bool(argv) and Path(argv[0]).name == "__main__.py"
