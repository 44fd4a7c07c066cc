"""Read the values of options: the command line's, else the environment variable's, else the ini key's."""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.invocation import Invocation, drop_none
from pytest_pyimages.host.option import Option
from pytest_pyimages.host.option_table import OPTIONS, TRUE
from pytest_pyimages.text import find_similar


class Value(NamedTuple):
    """What is set for an option."""

    option: Option
    texts: tuple[str, ...]
    origin: str  # "--py-images-jobs", "PY_IMAGES_JOBS", "py_images_jobs in tox.ini"

    @property
    def text(self) -> str:
        """The only value, or the last one; empty if nothing is set."""
        return self.texts[-1].strip() if self.texts else ""

    def error(self, hint: str) -> ConfigurationError:
        """Return the error for an invalid value."""
        near = find_similar(self.text, self.option.choices)
        meant = f" (did you mean {near}?)" if near else ""
        return ConfigurationError(f'{self.origin}: invalid value "{self.text}"{meant}', hint)


class Values:
    """The values of all options: the command line's, else the environment variable's, else the ini key's."""

    def __init__(self, config: pytest.Config, invocation: Invocation) -> None:
        self._config = config
        self.invocation = invocation

    def read(self, ini: str) -> Value:
        """Return the value of an option by its ini key.

        :raises ConfigurationError: for an ini value of another type.
        """
        option = OPTIONS[ini]
        if not option.ini_only:
            typed = tuple(self._config.getoption(option.name) or ())
            typed = drop_none(typed) if option.kind == "images" else typed
            if option.kind == "engines":  # typed ones replace those of addopts
                typed = tuple(filter(str.strip, self.invocation.find_nearest_values(option.name) or typed))
            if typed and (option.is_list or typed[-1].strip()):
                return Value(option=option, texts=typed, origin=option.name)
            variable = self.invocation.variables.get(option.environment)
            if variable:
                return Value(option=option, texts=(variable,), origin=option.environment)
        return self._read_ini(option)

    def _read_ini(self, option: Option) -> Value:
        invocation = self.invocation
        origin = f"{option.ini} in {invocation.inipath.name}" if invocation.inipath is not None else option.ini
        if option.ini in invocation.table_keys:
            origin = f"{option.ini.removeprefix('py_images_').removeprefix('py_')} in pyproject.toml [tool.pyimages]"
        given: object = invocation.ini.get(option.ini, "")
        if isinstance(given, list) and not option.is_list:
            raise ConfigurationError(f"{origin}: must be one string", "remove the brackets")
        entries = given if isinstance(given, list) else [given]
        for entry in entries:
            # TOML reads 3.10 as the number 3.1.
            if not isinstance(entry, str) and option.kind not in ("count", "seconds", "flag"):
                quoted = f'["{option.example}"]' if option.is_list else f'"{entry}"'
                key = origin.partition(" ")[0]  # as it is written there
                raise ConfigurationError(f"{origin}: {entry!r} is not a string", f"quote it: {key} = {quoted}")
        return Value(option=option, texts=("\n".join(map(str, entries)),), origin=origin)


def parse_choice(value: Value) -> str:
    """Return one of the choices, or the default.

    :raises ConfigurationError: for anything else.
    """
    option = value.option
    if value.text in option.choices:
        return value.text
    if not value.text:
        return option.default if option.default in option.choices else ""
    raise value.error(f"choose {', '.join(option.choices[:-1])} or {option.choices[-1]}")


def requests_flag(config: pytest.Config, invocation: Invocation, ini: str) -> bool:
    """Return whether a flag is set, by its ini key; overrides of images may say otherwise.

    :raises ConfigurationError: for a value that is neither true nor false.
    """
    value = Values(config, invocation).read(ini)
    text = value.text.lower()
    if text not in (*TRUE, "", "0", "false", "no", "off"):
        raise value.error("must be true or false")
    return text in TRUE


def reports_to_github(value: Value) -> bool:
    """Return whether to annotate failures: where this process runs in GitHub Actions, unless that is switched off.

    :raises ConfigurationError: for an invalid value.
    """
    return parse_choice(value) == "auto" and os.environ.get("GITHUB_ACTIONS") == "true"
