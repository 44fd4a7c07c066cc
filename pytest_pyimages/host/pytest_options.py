"""pytest's own options and ini keys, and where each one acts if the tests run in images.

Containers get the project's configuration and all arguments but ours; this table says what the host's pytest gets as
well. tests/unit/host/test_pytest_options.py compares it with the installed pytest, from 8.0 on.
"""

from __future__ import annotations

from typing import Literal

Place = Literal["host", "both", "container", "attended", "debugger", "nowhere"]

# A name that ends in "=" takes a value, one that ends in "=?" may take one.
_OPTIONS: dict[Place, str] = {
    # What draws the results and writes them to files, and what ends before tests are collected.
    "host": """
        --color= --code-highlight= -r= --report-chars= --no-header --no-summary --no-fold-skipped --force-short-summary
        --durations= --durations-min= --xfail-tb --junitxml= --junit-xml= --junit-prefix= --junitprefix=
        --cache-show=? -h --help -V --version
    """,
    # What decides where pytest stops, how much it says, and which configuration it reads.
    "both": """
        -x --exitfirst --maxfail= -v --verbose -q --quiet --verbosity= --tb= --show-capture= --full-trace --fulltrace
        --disable-warnings --disable-pytest-warnings --collect-only --collectonly --co -c= --config-file= --rootdir=
        -o= --override-ini=
    """,
    # What selects tests and changes how they run; the last-failed cache of each image is kept by ``session``. Warnings
    # are counted per image, as by hand.
    "container": """
        -k= -m= -p= -W= --pythonwarnings= --max-warnings= --disable-plugin-autoload --strict --strict-config
        --strict-markers --pyargs --noconftest --confcutdir= --ignore= --ignore-glob= --deselect= --keepduplicates
        --keep-duplicates --collect-in-virtualenv --continue-on-collection-errors --import-mode= --assert= --runxfail
        --capture= -s -l --showlocals --no-showlocals --basetemp= --debug=? --pdbcls=
        --lf --last-failed --ff --failed-first --nf --new-first --lfnf= --last-failed-no-failures= --cache-clear
        --sw --stepwise --sw-skip --stepwise-skip --sw-reset --stepwise-reset
        --doctest-modules --doctest-report= --doctest-glob= --doctest-ignore-import-errors
        --doctest-continue-on-failure --lsof --runpytest=
        --log-level= --log-format= --log-date-format= --log-cli-level= --log-cli-format= --log-cli-date-format=
        --log-file= --log-file-mode= --log-file-level= --log-file-format= --log-file-date-format= --log-auto-indent=
        --log-disable=
    """,
    # What pytest in the container writes to its output instead of, or between, results; one image after the other.
    "attended": """
        --fixtures --funcargs --fixtures-per-test --markers --setup-show --setupshow --setup-only --setuponly
        --setup-plan --setupplan --trace-config --traceconfig
    """,
    "debugger": "--pdb --trace",  # the same, with a terminal
    "nowhere": "--pastebin=",
}
_INI_KEYS: dict[Place, str] = {
    "host": """
        cache_dir console_output_style junit_duration_report junit_family junit_log_passing_tests junit_logging
        junit_suite_name
    """,
    "both": """
        verbosity_assertions verbosity_subtests verbosity_test_cases truncation_limit_chars truncation_limit_lines
    """,
    # addopts is divided by the options' own places.
    "container": """
        addopts assertion_text_diff_style collect_imported_tests consider_namespace_packages
        disable_test_id_escaping_and_forfeit_all_rights_to_community_support doctest_encoding doctest_optionflags
        empty_parameter_set_mark enable_assertion_pass_hook faulthandler_exit_on_timeout faulthandler_timeout
        filterwarnings log_auto_indent log_cli log_cli_date_format log_cli_format log_cli_level log_date_format log_file
        log_file_date_format log_file_format log_file_level log_file_mode log_format log_level markers max_warnings
        minversion norecursedirs parametrize_long_str_id_strategy python_classes python_files python_functions
        pythonpath required_plugins strict strict_config strict_markers strict_parametrization_ids strict_xfail
        testpaths tmp_path_retention_count tmp_path_retention_policy usefixtures xfail_strict
    """,
}
REFUSALS = {"--pastebin": "it would upload a report of many images"}


def _split(name: str) -> tuple[str, str]:
    plain = name.rstrip("=?")
    return plain, name.removeprefix(plain)


_FORMS = dict(_split(name) for names in _OPTIONS.values() for name in names.split())
PLACES = {_split(name)[0]: place for place, names in _OPTIONS.items() for name in names.split()}
INI_PLACES = {name: place for place, names in _INI_KEYS.items() for name in names.split()}
FLAGS = frozenset(name for name, form in _FORMS.items() if not form)
VALUES = frozenset(name for name, form in _FORMS.items() if form == "=")
OPTIONAL_VALUES = frozenset(name for name, form in _FORMS.items() if form == "=?")
HOST_OPTIONS = frozenset(name for name, place in PLACES.items() if place in ("host", "both"))
ATTENDED = frozenset(name for name, place in PLACES.items() if place == "attended")
DEBUGGERS = frozenset(name for name, place in PLACES.items() if place == "debugger")
HOST_INI_KEYS = frozenset(name for name, place in INI_PLACES.items() if place in ("host", "both"))
