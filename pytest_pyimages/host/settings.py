"""The settings of a session over images, read once from pytest's configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.invocation import Invocation, drop_none
from pytest_pyimages.host.option import Option
from pytest_pyimages.host.option_table import OPTIONS, TRUE
from pytest_pyimages.host.workers import Workers
from pytest_pyimages.images import Registries
from pytest_pyimages.matrix import parse_repository
from pytest_pyimages.project import OPTION_KEYS, check_project_option, parse_user, read_container_option
from pytest_pyimages.results import check_writable
from pytest_pyimages.text import find_similar

PullPolicy = Literal["missing", "always", "never"]
FailFast = Literal["", "image", "session"]
SourceMode = Literal["auto", "overlay", "copy"]
SuitePrivileges = Literal["reduced", "engine"]
REPORT_SUFFIXES = (".json", ".html", ".md")
_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides a session over images."""

    invocation: Invocation
    specs: tuple[str, ...]
    specs_origin: str  # "--py-images", or the variable, or the ini key and its file
    registry: str
    registry_origin: str
    platform: str  # of images that name none; empty for the engine's own
    platform_origin: str
    engines: tuple[str, ...]  # addresses, or names of Docker contexts; one empty text if none is set
    cluster: str  # address of Dask's scheduler, instead of the engines; empty for none
    reports: tuple[Path, ...]
    baseline: str  # label of the image that the others are compared with; empty for none
    baseline_is_typed: bool
    keep_changes: str  # label of the image whose changed files are written back; empty for none
    keep_changes_is_typed: bool
    artifacts: tuple[str, ...]  # patterns of files that every image's folder gets
    measures_coverage: bool  # whether pytest-cov may be active in the containers
    coverage_contexts: bool  # whether they carry the image's label
    github: bool  # whether to annotate failures in GitHub Actions
    source: SourceMode
    copy: tuple[str, ...]  # patterns of files that are copied, or after "!" not, where the source is copied
    exclude: tuple[str, ...]  # patterns of files that containers must not see, or after "!" see
    source_root: str  # the folder that containers get, relative to the rootdir; empty to find it
    privileges: SuitePrivileges
    user: str  # of the command line or the variable; empty for each image's configured one, or its own
    pull: PullPolicy
    registries: Registries  # that environment images are found in and pushed to
    fail_fast: FailFast  # empty: as -x and --maxfail say
    jobs: int | None  # containers at once; None for one per processor of the engine
    workers: Workers | None  # of -n; None where each suite is one process
    container_options: Mapping[str, Any]  # of ContainerOptions, from the command line and variables
    timeout: float | None  # seconds that the suite of an image may take
    silence: float | None  # seconds that it may report nothing
    shard: tuple[int, int] | None  # (1, 3): the first of three parts of the tests; None for all of them
    lock_file: Path | None  # of images
    passed_output: bool
    has_short_tracebacks: bool  # because of --tb
    collect_only: bool
    live_output: bool  # -s: what the tests print is shown as it comes
    seed: int = 0  # for suites that use pytest-randomly; known when plugins are configured
    terminal: str | None = None  # the kind (TERM) of the one that a debugger in the suite may have

    @classmethod
    def from_config(cls, config: pytest.Config, invocation: Invocation) -> Settings:
        """Read all settings.

        :raises ConfigurationError: for an invalid value.
        """
        values, line = Values(config, invocation), invocation.command_line
        specs, registry, baseline = (values.read(f"py_images{key}") for key in ("", "_registry", "_baseline"))
        lock_file = values.read("py_images_lock").text
        platform, keep_changes = (values.read(f"py_images_{key}") for key in ("platform", "keep_changes"))
        if config.getoption("xmlpath", None):
            xml_file = Path(os.path.expandvars(config.getoption("xmlpath"))).expanduser()
            check_writable("--junitxml", invocation.cwd / xml_file)
        return cls(
            invocation=invocation,
            specs=specs.texts,
            specs_origin=specs.origin,
            registry=registry.text,
            registry_origin=registry.origin,
            platform=platform.text or os.environ.get("DOCKER_DEFAULT_PLATFORM", "").strip(),
            platform_origin=platform.origin if platform.text else "DOCKER_DEFAULT_PLATFORM",
            engines=_split_lines(values.read("py_images_engine")) or ("",),
            cluster=values.read("py_images_cluster").text,
            reports=_parse_reports(values.read("py_images_report"), invocation.cwd),
            baseline=baseline.text,
            baseline_is_typed=baseline.origin == baseline.option.name,
            keep_changes=keep_changes.text,
            keep_changes_is_typed=keep_changes.origin == keep_changes.option.name,
            artifacts=_split_lines(values.read("py_images_artifacts")),
            measures_coverage=line.measures_coverage,
            coverage_contexts=parse_choice(values.read("py_images_cov_context")) == "image",
            github=reports_to_github(values.read("py_images_github")),
            source=cast("SourceMode", parse_choice(values.read("py_images_source"))),
            copy=_split_lines(values.read("py_images_copy")),
            exclude=_split_lines(values.read("py_images_exclude")),
            source_root=values.read("py_images_root").text,
            privileges=cast("SuitePrivileges", parse_choice(values.read("py_images_privileges"))),
            user=_parse_user(values.read("py_images_user")),
            pull=cast("PullPolicy", parse_choice(values.read("py_images_pull"))),
            registries=_read_registries(values),
            fail_fast=cast("FailFast", parse_choice(values.read("py_images_fail_fast"))),
            jobs=_parse_count(values.read("py_images_jobs")),
            workers=Workers.requested(line, os.environ),
            container_options=_read_container_options(values),
            timeout=_parse_seconds(values.read("py_images_timeout")),
            silence=_parse_seconds(values.read("py_images_silence")),
            shard=_parse_shard(values.read("py_images_shard")),
            lock_file=invocation.rootdir / lock_file if lock_file else None,
            passed_output=_wants_passed_output(config),
            has_short_tracebacks=config.getoption("tbstyle", "auto") not in ("auto", "long"),
            collect_only=bool(config.getoption("collectonly", default=False)),
            live_output=line.shows_output,
        )

    @property
    def wants_details(self) -> bool:
        """Whether more of a test than its outcome is needed."""
        return bool(self.reports) or self.github or bool(self.baseline)


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


def parse_report_file(origin: str, name: str, cwd: Path) -> Path:
    """Return the report file of this name.

    :raises ConfigurationError: if it cannot be one.
    """
    path = cwd / name
    if path.suffix not in REPORT_SUFFIXES:
        *others, last = REPORT_SUFFIXES
        raise ConfigurationError(f'{origin}: unknown format "{name}"', f"must end in {', '.join(others)} or {last}")
    if path.is_dir():
        raise ConfigurationError(f"{origin}: {name} is a directory", "name a file")
    return path


def _parse_reports(value: Value, cwd: Path) -> tuple[Path, ...]:
    """Return the files to write; an empty name on the command line discards those before it."""
    names = [name.strip() for text in value.texts for name in text.split("\n")]
    if value.origin == value.option.name and "" in names:
        names = names[len(names) - names[::-1].index("") :]
    paths = dict.fromkeys(parse_report_file(value.origin, name, cwd) for name in names if name)
    for path in paths:
        check_writable(value.origin, path)
    return tuple(paths)


def _split_lines(value: Value) -> tuple[str, ...]:
    lines = "\n".join(value.texts).split("\n")
    return tuple(dict.fromkeys(filter(None, map(str.strip, lines))))


def _read_registries(values: Values) -> Registries:
    """Return the repositories of environment images; the project's files may not name any.

    Who names one trusts it with what other projects on the engine run, and with what this host's logins installed.
    """
    found = {}
    for ini in ("py_images_cache_from", "py_images_cache_to"):
        value = values.read(ini)
        name, variable = value.option.name, value.option.environment
        origin = f"{name} in addopts" if values.invocation.addopts.has(name) else value.origin
        if value.text and origin not in (name, variable):
            problem = f"{origin}: a project may not name a registry for the images of this host"
            raise ConfigurationError(problem, f"only the command line ({name}) or {variable} may")
        found[ini] = tuple(parse_repository(origin, line) for line in _split_lines(value))
    sources, target = found.values()
    return Registries(sources, "".join(target[-1:]), is_offline=values.read("py_images_pull").text == "never")


def _read_container_options(values: Values) -> dict[str, Any]:
    """Return what the command line and variables set, which overrides take no part in."""
    found = {}
    for key in OPTION_KEYS:
        option = OPTIONS[f"py_images_{key}"]
        if not option.ini_only:
            value = values.read(option.ini)
            if value.origin in (option.name, option.environment):
                found[key] = read_container_option(key, _list_lines(value.texts), value.origin)
            _check_addopts(option, values.invocation)
    return found


def _check_addopts(option: Option, invocation: Invocation) -> None:
    """Check that an option in the ini file's addopts grants tests no more than the project's other settings may."""
    line = invocation.addopts
    if not line.has(option.name):
        return
    key, texts = option.ini.removeprefix("py_images_"), line.values(option.name)
    where = f"{option.name} in addopts"
    granted = TRUE[:1] if option.kind == "flag" else _list_lines(texts)
    check_project_option(key, read_container_option(key, granted, where), where, invocation.rootdir)


def _list_lines(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in text.split("\n")]


def _parse_count(value: Value) -> int | None:
    if not value.text:
        return None
    if not value.text.isdecimal() or int(value.text) < 1:
        raise value.error("must be 1 or more")
    return int(value.text)


def _parse_seconds(value: Value) -> float | None:
    if not value.text:
        return None
    try:
        seconds = float(value.text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise value.error("must be a number of seconds")
    return seconds


def _parse_user(value: Value) -> str:
    user = parse_user(value.text, value.origin)
    return user if value.origin in (value.option.name, value.option.environment) else ""


def _parse_shard(value: Value) -> tuple[int, int] | None:
    if not value.text:
        return None
    match = _SHARD.fullmatch(value.text)
    if match is None:
        raise value.error("must be K/N, such as 1/3 for the first of three parts")
    index, parts = int(match[1]), int(match[2])
    if parts < 1:
        raise value.error("the number of parts must be 1 or more")
    if not 1 <= index <= parts:
        raise value.error(f"must be from 1/{parts} to {parts}/{parts}")
    return index, parts


def _wants_passed_output(config: pytest.Config) -> bool:
    """Return whether -rP, -rA or junit's logging need what passed tests printed."""
    chars = str(config.getoption("reportchars", ""))
    logging = str(config.getini("junit_logging")) if config.pluginmanager.hasplugin("junitxml") else "no"
    return "P" in chars or "A" in chars or (bool(config.getoption("xmlpath", None)) and logging != "no")
