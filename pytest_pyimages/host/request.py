"""Find out whether a run requests images. Every pytest does, so nothing else is loaded for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages import startup
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.option_table import INI_KEYS, OPTIONS, has_misspelt_option
from pytest_pyimages.host.pytest_input import expand_argument_files, read_inicfg, split_words

if TYPE_CHECKING:
    from pytest_pyimages.host.invocation import Invocation

_WORKER = Path("/opt/pyimages/worker")  # part of every environment image
INVOCATION = pytest.StashKey["Invocation"]()  # of a pytest that requests images
SWITCH = "PYIMAGES"  # "0": no images, whatever the configuration and the command line say
_NEARLY_KEYS = ("py_im", "pyim")


def is_inside() -> bool:
    """Return whether this process runs in a container of an environment image: there the plugin does nothing."""
    return "PYIMAGES_INSIDE" in os.environ or _WORKER.exists()


def read_request(config: pytest.Config) -> Invocation | None:
    """Return how pytest was called if it is to run in images, and remove the project's configuration from the host's.

    Return None if no images are requested; then pytest stays as it is.
    """
    invocation: Invocation | None = getattr(config, "pyimages_invocation", None)  # of the early plugin
    if invocation is None and (is_switched_off() or not _mentions_images(config)):
        return None
    from pytest_pyimages.host.unrewritten import UnrewrittenFinder

    UnrewrittenFinder.install()
    from pytest_pyimages.host.invocation import Invocation
    from pytest_pyimages.host.isolation import forget_project

    invocation = invocation or Invocation.from_config(config)
    if not invocation.wants_images:
        config.pyimages_idle = invocation.idle_option  # type: ignore[attr-defined]  # refused if nothing is misspelt
        return None
    forget_project(config, invocation)
    return invocation


def is_switched_off() -> bool:
    """Return whether the environment asks for a pytest without images."""
    return os.environ.get(SWITCH) == "0"


def refuse_misspelt_options(config: pytest.Config, words: Sequence[str], invocation: Invocation | None) -> None:
    """Refuse ``--py-image`` before conftests are loaded: if one of them fails, pytest would report that only.

    Refuse the ini key ``py_image`` as well, of which pytest only warns, and an option that has no effect.

    :param invocation: None if no images are requested.
    :raises ConfigurationError: with the option or the key that was meant.
    """
    given = config if invocation is None else invocation  # without the project's configuration, or with it
    ini = read_inicfg(config) if invocation is None else invocation.ini
    keys = [key for key in ini if key.replace("-", "_").lower().startswith(_NEARLY_KEYS) and key not in INI_KEYS]
    if keys:
        from pytest_pyimages.host.typos import check_keys

        place = "the configuration" if given.inipath is None else given.inipath.name
        check_keys(keys, [config.rootpath, config.invocation_params.dir], place)
    words = expand_argument_files(words)
    if has_misspelt_option(words):
        from pytest_pyimages.host.command_line import CommandLine
        from pytest_pyimages.host.isolation import find_unknown_options
        from pytest_pyimages.host.typos import check_options

        folders = [config.rootpath, config.invocation_params.dir]
        check_options(CommandLine.parse(words), folders, lambda names: find_unknown_options(config, names))
    idle = getattr(config, "pyimages_idle", "")
    if idle:
        raise ConfigurationError(f"{idle} has no effect without images", "add --py-images=SPEC, or set py_images")


def _mentions_images(config: pytest.Config) -> bool:
    """Return whether the option, the variable or the ini key occurs in any form; whether it counts is seen later."""
    images = OPTIONS["py_images"]
    inicfg = read_inicfg(config)
    own_file = str(config.rootpath / "pyproject.toml")
    if images.ini in inicfg or images.environment in os.environ or startup.mentions(own_file):
        return True
    addopts = inicfg.get("addopts", "")
    words = [
        *map(str, config.invocation_params.args),
        *split_words(os.environ.get("PYTEST_ADDOPTS", ""), "PYTEST_ADDOPTS"),
        *split_words(getattr(addopts, "value", addopts), "addopts"),
    ]
    return any(images.name in word for word in expand_argument_files(words))
