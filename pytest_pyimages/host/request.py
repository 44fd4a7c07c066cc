"""The checks that every pytest makes: does this run concern us at all? Nothing else is imported for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, MutableMapping
from typing import Any

import pytest

from pytest_pyimages.host.option_table import OPTION_NAMES, OPTIONS

INSIDE = "PYIMAGES_INSIDE"  # set in each container: there the plugin does nothing
_NEARLY_OURS = ("--py-im", "--pyim")


def may_want_images(config: pytest.Config) -> bool:
    """Return whether the option, the variable or the ini key occurs in any form; whether it counts is seen later."""
    images = OPTIONS["py_images"]
    inicfg = read_inicfg(config)
    addopts = inicfg.get("addopts", "")
    texts = (
        *map(str, config.invocation_params.args),
        os.environ.get("PYTEST_ADDOPTS", ""),
        str(getattr(addopts, "value", addopts)),
    )
    return images.ini in inicfg or images.environment in os.environ or any(images.name in text for text in texts)


def has_misspelt_option(words: Iterable[str]) -> bool:
    """Return whether some word looks like an option of ours and is none."""
    return any(word.startswith(_NEARLY_OURS) and word.partition("=")[0] not in OPTION_NAMES for word in words)


def read_inicfg(config: pytest.Config) -> MutableMapping[str, Any]:
    """Return pytest's ini values: ``inicfg`` until pytest 8, ``_inicfg`` since 9."""
    found: MutableMapping[str, Any] | None = getattr(config, "_inicfg", None)
    return config.inicfg if found is None else found
