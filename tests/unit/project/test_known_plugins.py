"""The table of known plugins has no contradictions."""

from __future__ import annotations

from itertools import chain

import pytest
from packaging.utils import canonicalize_name

from pytest_pyimages.project.known_plugins import KNOWN_PLUGINS, Plugin, find_plugins, matches

OPTION_FIELDS = ("options", "values", "host_flags", "host_values", "shared", "refused", "not_repeated")


@pytest.mark.parametrize("name", KNOWN_PLUGINS)
def test_names_have_the_right_form(name: str) -> None:
    plugin = KNOWN_PLUGINS[name]
    assert canonicalize_name(name) == name
    for field in OPTION_FIELDS:
        assert all(option.startswith("-") for option in getattr(plugin, field).split()), field
    assert not any(word.startswith("-") for word in (*plugin.ini.split(), *plugin.modules.split()))
    assert bool(plugin.refused) == bool(plugin.reason)
    assert not set(plugin.host_flags.split()) & {*plugin.values.split(), *plugin.host_values.split()}


def test_every_option_of_the_host_says_what_helps() -> None:
    for name, plugin in KNOWN_PLUGINS.items():
        assert not plugin.host_options or plugin.works_on_host or plugin.instead, name


@pytest.mark.parametrize("field", ["host_flags", "host_values", "modules", "ini"])
def test_a_name_belongs_to_one_plugin(field: str) -> None:
    names = list(chain.from_iterable(getattr(plugin, field).split() for plugin in KNOWN_PLUGINS.values()))
    assert len(names) == len(set(names))


def test_find_plugins() -> None:
    assert list(find_plugins(option="--cov-report")) == ["pytest-cov"]
    assert list(find_plugins(ini_key="timeout")) == ["pytest-timeout"]
    assert list(find_plugins(module="xdist.plugin")) == ["pytest-xdist"]
    assert list(find_plugins(option="--strict-markers")) == []


def test_matches() -> None:
    assert matches("--mark-x-as-unsafe", "--count --mark-*-as-unsafe")
    assert not matches("--mark-x-as-safe", "--count --mark-*-as-unsafe")
    assert not matches("--counts", "--count")
    assert Plugin(host_flags="-a", host_values="-b").host_options == ("-a", "-b")
