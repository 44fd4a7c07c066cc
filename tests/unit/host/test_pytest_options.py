"""The table of pytest's options and ini keys, compared with the installed pytest; its parser is private."""

from __future__ import annotations

from typing import Any

import pytest
from _pytest.config import get_config

from pytest_pyimages.host.command_line import HOST_INI
from pytest_pyimages.host.pytest_options import (
    FLAGS,
    INI_PLACES,
    OPTIONAL_VALUES,
    PLACES,
    REFUSALS,
    VALUES,
)

# What came after 8.0; the newest pytest has all of it.
NEWER_OPTIONS = set(
    "--disable-plugin-autoload --force-short-summary --log-file-mode --max-warnings --no-fold-skipped --report-chars"
    " --stepwise-reset --sw-reset --xfail-tb".split()
)
NEWER_KEYS = set(
    "assertion_text_diff_style collect_imported_tests consider_namespace_packages faulthandler_exit_on_timeout"
    " log_file_mode max_warnings parametrize_long_str_id_strategy strict strict_config strict_markers"
    " strict_parametrization_ids strict_xfail truncation_limit_chars truncation_limit_lines verbosity_subtests"
    " verbosity_test_cases".split()
)
OF_PYTESTER = {"--lsof", "--runpytest"}
OF_PARSING = {"addopts", "minversion", "pythonpath", "required_plugins"}  # added when a command line is parsed


def make_parser() -> Any:
    return get_config()._parser


def find_options() -> dict[str, Any]:
    """Return the value that the installed pytest's options take, as argparse's nargs, by their names."""
    parser = make_parser()
    optparser = getattr(parser, "optparser", None) or parser._getparser()
    return {name: action.nargs for action in optparser._actions for name in action.option_strings}


def find_keys() -> set[str]:
    parser = make_parser()
    return {*parser._inidict, *getattr(parser, "_ini_aliases", {}), *OF_PARSING}


def test_options_are_those_of_pytest() -> None:
    installed = set(find_options())
    assert installed <= set(PLACES)
    lacking = set(PLACES) - installed - OF_PYTESTER
    assert lacking <= (set() if pytest.version_tuple >= (9, 2) else NEWER_OPTIONS)


def test_the_form_of_each_option_is_that_of_pytest() -> None:
    forms = {0: FLAGS, "?": OPTIONAL_VALUES, None: VALUES}
    assert {name for name, nargs in find_options().items() if name not in forms[nargs]} == set()


def test_ini_keys_are_those_of_pytest() -> None:
    installed = find_keys()
    assert installed <= set(INI_PLACES)
    assert set(INI_PLACES) - installed <= (set() if pytest.version_tuple >= (9, 2) else NEWER_KEYS)


def test_the_host_gets_its_keys_only() -> None:
    assert {key for key, place in INI_PLACES.items() if place in ("host", "both")} == {
        key for key in INI_PLACES if key.startswith(HOST_INI)
    }


def test_each_refusal_has_a_reason() -> None:
    assert {name for name, place in PLACES.items() if place == "nowhere"} == set(REFUSALS)
