"""Find the plugins that a suite's pytest configuration or the command line requires.

They are recognised by options and ini keys that only they define.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.requirements import parse_requirement

Ini = Mapping[str, str | list[str]]

# Distribution: its command line options ("--mypy*": and all that start so), its ini keys after a "|".
_PLUGINS = {
    "allure-pytest": "--alluredir",
    "anyio": "| anyio_mode",
    "inline-snapshot": "--inline-snapshot",
    "nbval": "--nbval*",
    "pytest-aiohttp": "--aiohttp-fast --aiohttp-loop --aiohttp-enable-loop-debug",
    "pytest-arraydiff": "--arraydiff*",
    "pytest-asyncio": "--asyncio-mode --asyncio-debug | asyncio_mode asyncio_debug asyncio_default_fixture_loop_scope"
    " asyncio_default_test_loop_scope",
    "pytest-base-url": "--base-url --verify-base-url | base_url",
    "pytest-bdd": "--gherkin-terminal-reporter --cucumberjson | bdd_features_base_dir",
    "pytest-beartype": "--beartype-packages | beartype_packages",
    "pytest-benchmark": "--benchmark-*",
    "pytest-black": "--black",
    "pytest-checkdocs": "--checkdocs",
    "pytest-codspeed": "--codspeed*",
    "pytest-cov": "--cov* --no-cov*",
    "pytest-django": "--ds --dc --reuse-db --create-db --nomigrations --no-migrations --migrations --django-*"
    " --fail-on-template-vars | DJANGO_SETTINGS_MODULE DJANGO_CONFIGURATION FAIL_INVALID_TEMPLATE_VARS"
    " django_find_project django_debug_mode",
    "pytest-doctestplus": "--doctest-plus* --doctest-rst --doctest-only --doctest-ufunc | doctest_plus"
    " doctest_plus_atol doctest_plus_rtol doctest_rst doctest_norecursedirs doctest_subpackage_requires",
    "pytest-env": "| env",
    "pytest-flake8": "--flake8 | flake8-max-line-length flake8-ignore",
    "pytest-forked": "--forked --boxed",
    "pytest-html": "--html --self-contained-html | render_collapsed max_asset_filename_length",
    "pytest-instafail": "--instafail",
    "pytest-isort": "--isort | isort_ignore",
    "pytest-json-report": "--json-report*",
    "pytest-memray": "--memray*",
    "pytest-mock": "| mock_use_standalone_module mock_traceback_monkeypatch",
    "pytest-mpl": "--mpl* | mpl-results-path mpl-baseline-path mpl-use-full-test-name",
    "pytest-mypy": "--mypy --mypy-config-file --mypy-ignore-missing-imports --mypy-report-style --mypy-xfail",
    "pytest-mypy-plugins": "--mypy-ini-file --mypy-pyproject-toml-file --mypy-testing-base --mypy-only-local-stub"
    " --mypy-same-process --mypy-extension-hook --mypy-closed-schema",
    "pytest-picked": "--picked",
    "pytest-playwright": "--headed --slowmo --browser-channel",
    "pytest-pylint": "--pylint*",
    "pytest-pycodestyle": "--pycodestyle",
    "pytest-pydocstyle": "--pydocstyle",
    "pytest-qt": "--no-qt-log --qt-log* | qt_api qt_log_level_fail qt_no_exception_capture",
    "pytest-randomly": "--randomly-*",
    "pytest-random-order": "--random-order*",
    "pytest-recording": "--record-mode --block-network --disable-recording",
    "pytest-regressions": "--force-regen --regen-all --with-test-class-names",
    "pytest-remotedata": "--remote-data | remote_data_strict",
    "pytest-repeat": "--count --repeat-scope",
    "pytest-reportlog": "--report-log",
    "pytest-rerunfailures": "--reruns* --only-rerun --rerun-except --rerun-show-tracebacks --fail-on-flaky | reruns"
    " reruns_delay",
    "pytest-ruff": "--ruff*",
    "pytest-run-parallel": "--parallel-threads --skip-thread-unsafe --mark-*-as-unsafe"
    " | thread_unsafe_functions thread_unsafe_fixtures",
    "pytest-socket": "--disable-socket --enable-socket --allow-hosts --force-enable-socket --allow-unix-socket",
    "pytest-split": "--splits --splitting-algorithm --store-durations --durations-path",
    "pytest-testmon": "--testmon*",
    "pytest-timeout": "--timeout* --session-timeout | timeout timeout_method timeout_func_only session_timeout",
    "pytest-trio": "--trio* | trio_mode trio_run",
    "pytest-twisted": "--reactor",
    "pytest-vcr": "--vcr-record* --disable-vcr",
    "pytest-xdist": "-n* --numprocesses --dist --maxprocesses --max-worker-restart --tx --rsyncdir --px --looponfail"
    " --maxschedchunk --testrunuid | looponfailroots rsyncdirs rsyncignore xdist_*",
    "pytest-xvfb": "--no-xvfb --xvfb-* | xvfb_width xvfb_height xvfb_colordepth xvfb_args",
    "hypothesis": "--hypothesis-*",
    "syrupy": "--snapshot-*",
    "typeguard": "--typeguard-* | typeguard-packages",
    "xdoctest": "--xdoctest* --xdoc*",
}
# Modules after -p that are not the project's own.
_MODULES = {
    **{f"pytest_{name}": f"pytest-{name}" for name in "asyncio cov django env html mock randomly timeout trio".split()},
    **{name: f"pytest-{name}" for name in "asyncio django randomly timeout xdist trio".split()},
    "xdist.plugin": "pytest-xdist",
    "pytest_cov.plugin": "pytest-cov",
    "pytest_asyncio.plugin": "pytest-asyncio",
    "anyio.pytest_plugin": "anyio",
    "pytest_benchmark.plugin": "pytest-benchmark",
    "benchmark": "pytest-benchmark",
    "hypothesis.extra.pytestplugin": "hypothesis",
    "syrupy": "syrupy",
}
_CONFTESTS = ("conftest.py", "tests/conftest.py", "test/conftest.py", "testing/conftest.py", "src/conftest.py")


RequiredPlugins = tuple[tuple[str, str], ...]  # requirement, and the option or key that requires it


def find_ini_plugins(ini: Ini, *, root: Path, present: Iterable[str]) -> RequiredPlugins:
    """Return the plugins that the configuration requires and that are not present, each with the reason.

    :param ini: pytest's configuration.
    :param root: the project's folder; options that a conftest there adds are its own.
    :param present: normalised names of the distributions that are installed anyway.
    :raises ConfigurationError: for required_plugins or addopts that cannot be read.
    """
    options = ((requirement, "addopts") for requirement, _ in _find_by_options(split_ini_value(ini, "addopts"), root))
    return _drop_present((*_read_required_plugins(ini), *options, *_find_by_keys(ini)), present)


def find_option_plugins(words: Sequence[str], *, root: Path, present: Iterable[str]) -> RequiredPlugins:
    """Return the plugins that options on the command line or in PYTEST_ADDOPTS require and that are not present.

    Sorted: the same options in another order require the same image.

    :param words: the options without their values, but -p.
    :param root: as for ``find_ini_plugins``, and ``present``, too.
    """
    return _drop_present(sorted(_find_by_options(words, root), key=lambda plugin: plugin[0]), present)


def _drop_present(plugins: Iterable[tuple[str, str]], present: Iterable[str]) -> RequiredPlugins:
    have = set(present)
    found = []
    for requirement, reason in plugins:
        parts = parse_requirement(requirement)
        name = canonicalize_name(parts.name if parts else requirement)
        if name not in have:
            have.add(name)
            found.append((requirement, reason))
    return tuple(found)


def _read_required_plugins(ini: Ini) -> Iterator[tuple[str, str]]:
    for word in split_ini_value(ini, "required_plugins"):
        if parse_requirement(word) is None:
            raise ConfigurationError(
                f'required_plugins: "{word}" is not a requirement', "write pytest-xdist>=3, no spaces"
            )
        yield word, "required_plugins"


def _find_by_options(words: Sequence[str], root: Path) -> Iterator[tuple[str, str]]:
    """Yield the plugins of options, each with the option."""
    conftests = _read_conftests(root) if words else ""
    for place, word in enumerate(words):
        if word.startswith("-p"):
            module = word[2:].lstrip("= ") or (words[place + 1] if place + 1 < len(words) else "")
            if module in _MODULES:
                yield _MODULES[module], f"-p {module}"
            continue
        option = word.partition("=")[0]
        if _is_quoted(option, conftests):
            continue
        for distribution, known in _PLUGINS.items():
            if _matches(option, known.partition("|")[0]):
                yield distribution, option


def _find_by_keys(ini: Ini) -> Iterator[tuple[str, str]]:
    for key in ini:
        for distribution, known in _PLUGINS.items():
            if _matches(key, known.partition("|")[2]):
                yield distribution, key


def defines_option(folder: Path, option: str) -> bool:
    """Whether a conftest in a folder's usual places seems to add an option of this name."""
    return _is_quoted(option, _read_conftests(folder))


def _read_conftests(folder: Path) -> str:
    return "".join(_text(folder / name) for name in _CONFTESTS)


def _is_quoted(option: str, text: str) -> bool:
    return f'"{option}"' in text or f"'{option}'" in text


def find_plugin(option: str) -> str:
    """Return the plugin that defines an option; empty if it is unknown."""
    known = (name for name, patterns in _PLUGINS.items() if _matches(option, patterns.partition("|")[0]))
    return next(known, "")


def _matches(word: str, patterns: str) -> bool:
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), word) is not None for pattern in patterns.split())


def split_ini_value(ini: Ini, key: str) -> list[str]:
    """Return the words of a value as pytest splits them: a list, or one text in the syntax of a shell."""
    value = ini.get(key, "")
    if not isinstance(value, str):
        return [str(word) for word in value]
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ConfigurationError(f"{key}: {error}", "close the quotation") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
