"""Everything that is known about single pytest plugins, in one table.

It is a Python module and not a TOML file because each run over images reads it first: parsing TOML of this size takes
8 ms, loading this module 3 ms.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple


class Plugin(NamedTuple):
    """One plugin; names are separated by spaces, and a ``*`` stands for any characters."""

    options: str = ""  # command line options that require the plugin
    ini: str = ""  # ini keys that require it
    modules: str = ""  # names for -p
    values: str = ""  # options whose value may be the next word
    # Options that draw on the terminal or write files. The plugin on the host handles them for all images at once;
    # without it the containers would handle them, and their results would be lost.
    host_flags: str = ""
    host_values: str = ""  # the same, with a value
    works_on_host: bool = True
    lost: str = "its report"  # what would stay in the containers; empty for options that only draw
    instead: str = ""  # what to use without the plugin
    shared: str = ""  # options that both the host and the containers handle
    # Options, some with a value, that let a suite rewrite files of the project, such as snapshots.
    updates: str = ""
    # Options whose value is a file or folder that a suite writes; after a colon, the path of those without a value.
    writes: str = ""
    refused: str = ""  # options that cannot work with images
    reason: str = ""  # why not
    not_repeated: str = ""  # options that the offered rerun command omits

    @property
    def host_options(self) -> tuple[str, ...]:
        """The options that the host's plugin handles for all images."""
        return (*self.host_flags.split(), *self.host_values.split())


KNOWN_PLUGINS = {
    "allure-pytest": Plugin(options="--alluredir", values="--alluredir", writes="--alluredir"),
    "anyio": Plugin(ini="anyio_mode", modules="anyio.pytest_plugin"),
    "inline-snapshot": Plugin(
        options="--inline-snapshot",
        values="--inline-snapshot",
        updates=" ".join(f"--inline-snapshot={flag}" for flag in ("create", "fix", "trim", "update")),
    ),
    "nbval": Plugin(options="--nbval*"),
    "pytest": Plugin(
        host_values="--log-file",
        works_on_host=False,
        writes="--basetemp --debug:pytestdebug.log",
        lost="its file",
        instead="failures show what was logged; -s --log-cli-level shows all",
        not_repeated="--junitxml --junit-xml --lf --last-failed --ff --failed-first --nf --new-first --sw --stepwise"
        " -x --exitfirst --maxfail",
    ),
    "pytest-aiohttp": Plugin(options="--aiohttp-fast --aiohttp-loop --aiohttp-enable-loop-debug"),
    "pytest-arraydiff": Plugin(options="--arraydiff*"),
    "pytest-asyncio": Plugin(
        options="--asyncio-mode --asyncio-debug",
        ini="asyncio_mode asyncio_debug asyncio_default_fixture_loop_scope asyncio_default_test_loop_scope",
        modules="pytest_asyncio asyncio pytest_asyncio.plugin",
        values="--asyncio-mode",
    ),
    "pytest-base-url": Plugin(options="--base-url --verify-base-url", ini="base_url"),
    "pytest-bdd": Plugin(options="--gherkin-terminal-reporter --cucumberjson", ini="bdd_features_base_dir"),
    "pytest-beartype": Plugin(options="--beartype-packages", ini="beartype_packages"),
    "pytest-benchmark": Plugin(
        options="--benchmark-*",
        modules="pytest_benchmark.plugin benchmark",
        values="--benchmark-min-time --benchmark-max-time --benchmark-min-rounds --benchmark-timer"
        " --benchmark-calibration-precision --benchmark-sort --benchmark-group-by --benchmark-columns --benchmark-name"
        " --benchmark-storage --benchmark-warmup-iterations --benchmark-compare-fail --benchmark-time-unit",
        # --benchmark-csv and --benchmark-histogram may stand alone; a value follows "=" only
        host_flags="--benchmark-autosave --benchmark-csv --benchmark-histogram",
        host_values="--benchmark-json --benchmark-save --benchmark-cprofile-dump",
        works_on_host=False,
        lost="its files",
        instead="each image's table is shown at the end",
    ),
    "pytest-black": Plugin(options="--black"),
    "pytest-checkdocs": Plugin(options="--checkdocs"),
    "pytest-codspeed": Plugin(options="--codspeed*"),
    "pytest-cov": Plugin(
        options="--cov* --no-cov*",
        modules="pytest_cov pytest_cov.plugin",
        values="--cov-report --cov-config --cov-fail-under --cov-context --cov-precision",
        not_repeated="--cov* --no-cov-on-fail",
    ),
    "pytest-django": Plugin(
        options="--ds --dc --reuse-db --create-db --nomigrations --no-migrations --migrations --django-*"
        " --fail-on-template-vars",
        ini="DJANGO_SETTINGS_MODULE DJANGO_CONFIGURATION FAIL_INVALID_TEMPLATE_VARS django_find_project"
        " django_debug_mode",
        modules="pytest_django django",
    ),
    "pytest-doctestplus": Plugin(
        options="--doctest-plus* --doctest-rst --doctest-only --doctest-ufunc",
        ini="doctest_plus doctest_plus_atol doctest_plus_rtol doctest_rst doctest_norecursedirs"
        " doctest_subpackage_requires",
    ),
    "pytest-dotenv": Plugin(values="--envfile"),
    "pytest-env": Plugin(ini="env", modules="pytest_env"),
    "pytest-flake8": Plugin(options="--flake8", ini="flake8-max-line-length flake8-ignore"),
    "pytest-forked": Plugin(options="--forked --boxed"),
    "pytest-github-actions-annotate-failures": Plugin(host_flags="--exclude-warning-annotations", lost=""),
    "pytest-html": Plugin(
        options="--html --self-contained-html",
        ini="render_collapsed max_asset_filename_length",
        modules="pytest_html",
        host_flags="--self-contained-html",
        host_values="--html --css",
        instead="--py-images-report=FILE.html",
    ),
    "pytest-instafail": Plugin(options="--instafail", host_flags="--instafail", lost=""),
    "pytest-isort": Plugin(options="--isort", ini="isort_ignore"),
    "pytest-json-report": Plugin(
        options="--json-report*",
        host_flags="--json-report --json-report-summary",
        host_values="--json-report-file --json-report-indent --json-report-omit --json-report-verbosity",
        instead="--py-images-report=FILE.json",
    ),
    "pytest-json-ctrf": Plugin(options="--ctrf", values="--ctrf", writes="--ctrf"),
    "pytest-md": Plugin(host_values="--md", instead="--py-images-report=FILE.md"),
    "pytest-memray": Plugin(options="--memray*"),
    "pytest-mock": Plugin(ini="mock_use_standalone_module mock_traceback_monkeypatch", modules="pytest_mock"),
    "pytest-mpl": Plugin(options="--mpl*", ini="mpl-results-path mpl-baseline-path mpl-use-full-test-name"),
    "pytest-mypy": Plugin(
        options="--mypy --mypy-config-file --mypy-ignore-missing-imports --mypy-report-style --mypy-xfail"
    ),
    "pytest-mypy-plugins": Plugin(
        options="--mypy-ini-file --mypy-pyproject-toml-file --mypy-testing-base --mypy-only-local-stub"
        " --mypy-same-process --mypy-extension-hook --mypy-closed-schema"
    ),
    "pytest-order": Plugin(values="--order-scope"),
    "pytest-picked": Plugin(options="--picked"),
    "pytest-playwright": Plugin(options="--headed --slowmo --browser-channel"),
    "pytest-pylint": Plugin(options="--pylint*"),
    "pytest-pycodestyle": Plugin(options="--pycodestyle"),
    "pytest-pydocstyle": Plugin(options="--pydocstyle"),
    "pytest-qt": Plugin(options="--no-qt-log --qt-log*", ini="qt_api qt_log_level_fail qt_no_exception_capture"),
    "pytest-randomly": Plugin(
        options="--randomly-*",
        modules="pytest_randomly randomly",
        values="--randomly-seed",
        shared="--randomly-seed",
    ),
    "pytest-random-order": Plugin(options="--random-order*"),
    "pytest-recording": Plugin(options="--record-mode --block-network --disable-recording"),
    "pytest-regressions": Plugin(
        options="--force-regen --regen-all --with-test-class-names", updates="--force-regen --regen-all"
    ),
    "pytest-remotedata": Plugin(options="--remote-data", ini="remote_data_strict"),
    "pytest-repeat": Plugin(options="--count --repeat-scope", values="--count --repeat-scope"),
    "pytest-reportlog": Plugin(
        options="--report-log",
        host_flags="--report-log-exclude-logs-on-passed-tests",
        host_values="--report-log",
    ),
    "pytest-rerunfailures": Plugin(
        options="--reruns* --only-rerun --rerun-except --rerun-show-tracebacks --fail-on-flaky",
        ini="reruns reruns_delay",
        values="--reruns --reruns-delay --only-rerun --rerun-except",
    ),
    "pytest-ruff": Plugin(options="--ruff*"),
    "pytest-run-parallel": Plugin(
        options="--parallel-threads --skip-thread-unsafe --mark-*-as-unsafe",
        ini="thread_unsafe_functions thread_unsafe_fixtures",
    ),
    "pytest-socket": Plugin(
        options="--disable-socket --enable-socket --allow-hosts --force-enable-socket --allow-unix-socket"
    ),
    "pytest-split": Plugin(
        options="--splits --splitting-algorithm --store-durations --durations-path", updates="--store-durations"
    ),
    "pytest-sugar": Plugin(
        host_flags="--force-sugar --old-summary --sugar-no-trace", host_values="--sugar-trace-dir", lost=""
    ),
    "pytest-testmon": Plugin(
        options="--testmon*",
        writes="--testmon:.testmondata --testmon-noselect:.testmondata --testmon-forceselect:.testmondata",
    ),
    "pytest-timeout": Plugin(
        options="--timeout* --session-timeout",
        ini="timeout timeout_method timeout_func_only session_timeout",
        modules="pytest_timeout timeout",
        values="--timeout --timeout-method --session-timeout",
    ),
    "pytest-trio": Plugin(options="--trio*", ini="trio_mode trio_run", modules="pytest_trio trio"),
    "pytest-twisted": Plugin(options="--reactor"),
    "pytest-vcr": Plugin(options="--vcr-record* --disable-vcr"),
    "pytest-xdist": Plugin(
        options="-n* --numprocesses --dist --maxprocesses --max-worker-restart --tx --rsyncdir --px --looponfail"
        " --maxschedchunk --testrunuid",
        ini="looponfailroots rsyncdirs rsyncignore xdist_*",
        modules="xdist xdist.plugin",
        values="-n --numprocesses --maxprocesses --max-worker-restart --dist --tx --px --rsyncdir --rsyncignore"
        " --testrunuid --maxschedchunk",
        refused="-f --looponfail",
        reason="it never ends, and a container does not see later changes of files",
    ),
    "pytest-xvfb": Plugin(options="--no-xvfb --xvfb-*", ini="xvfb_width xvfb_height xvfb_colordepth xvfb_args"),
    "hypothesis": Plugin(
        options="--hypothesis-*",
        modules="hypothesis.extra.pytestplugin",
        values="--hypothesis-profile --hypothesis-seed --hypothesis-verbosity",
    ),
    "syrupy": Plugin(options="--snapshot-*", modules="syrupy", updates="--snapshot-update"),
    "teamcity-messages": Plugin(host_flags="--teamcity --no-teamcity --jb-swapdiff", lost=""),
    "typeguard": Plugin(options="--typeguard-*", ini="typeguard-packages"),
    "xdoctest": Plugin(options="--xdoctest* --xdoc*"),
}


def find_plugins(*, option: str = "", ini_key: str = "", module: str = "") -> Iterator[str]:
    """Yield the distributions that have this command line option, ini key or module."""
    for name, plugin in KNOWN_PLUGINS.items():
        for word, patterns in ((option, plugin.options), (ini_key, plugin.ini), (module, plugin.modules)):
            if word and matches(word, patterns):
                yield name


def matches(word: str, patterns: str) -> bool:
    """Return whether a word is one of the names of a table entry."""
    return any(_matches(word, pattern) for pattern in patterns.split())


def _matches(word: str, pattern: str) -> bool:
    start, star, _ = pattern.partition("*")
    if not star:
        return word == pattern
    return word.startswith(start) and fnmatchcase(word, pattern)  # which compiles the pattern
