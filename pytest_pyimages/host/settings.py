"""What the user asked for, read once from pytest's configuration."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import captures_nothing, measures
from pytest_pyimages.host.option_table import OWN_OPTIONS
from pytest_pyimages.host.workers import Workers, workers_of

INSIDE = "PYIMAGES_INSIDE"  # set in every container: there the plugin does nothing

PullPolicy = Literal["missing", "always", "never"]
FailFast = Literal["", "image", "session"]
POLICIES: tuple[PullPolicy, ...] = ("missing", "always", "never")

# What of the host's environment the suite sees; everything else stays here.
PASSED_ENVIRONMENT = ("CI", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_THEME")


def passed_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of the host's variables the suite may see."""
    return {name: environ[name] for name in PASSED_ENVIRONMENT if name in environ}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """How pytest was called, and the suite's own configuration, before the host forgot what is not its business."""

    args: tuple[str, ...]  # as typed
    all_args: tuple[str, ...]  # with those of the ini file and PYTEST_ADDOPTS before them
    ini: Mapping[str, str | list[str]]
    inipath: Path | None
    rootdir: Path
    cwd: Path
    module: bool  # called as ``python -m pytest``
    command: bool  # called as ``pyimages``
    environment: Mapping[str, str]  # what of the host's variables the suite sees
    host_options: frozenset[str] = frozenset()  # of the host's other plugins, which it obeys
    host_plugins: frozenset[str] = frozenset()  # modules that the suite must not load, whatever its settings say
    host_args: tuple[str, ...] = ()  # the words that name these on the command line

    @property
    def typed_first(self) -> tuple[str, ...]:
        """The arguments of the ini file and of PYTEST_ADDOPTS."""
        return self.all_args[: len(self.all_args) - len(self.args)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides a session over images."""

    invocation: Invocation
    specs: tuple[str, ...]
    specs_origin: str  # "--py-images", or the ini key and its file
    registry: str
    registry_origin: str
    engine: str  # endpoint, or empty for the engine's own rules
    reports: tuple[Path, ...]
    baseline: str  # label of the image that the others are measured by; empty for none
    baseline_is_typed: bool
    measures_coverage: bool  # whether pytest-cov may be active inside
    coverage_contexts: bool  # whether they carry the image's label
    github: bool  # whether GitHub Actions is to be told
    source: Literal["auto", "overlay", "copy"]
    pull: PullPolicy
    fail_fast: FailFast  # empty: as -x and --maxfail say
    jobs: int | None  # containers at once; None for what the engine's processors bear
    workers: Workers | None  # of -n; None where each suite is one process
    shard: tuple[int, int] | None  # (1, 3): the first of three parts of the tests; None for all of them
    lock_file: Path | None  # of images
    passed_output: bool
    collect_only: bool
    live_output: bool  # -s: what the suite prints is shown as it comes
    seed: int = 0  # for suites that use pytest-randomly; known when plugins are configured
    terminal: str | None = None  # the kind (TERM) of the one that a debugger in the suite may have

    @classmethod
    def from_config(cls, config: pytest.Config, invocation: Invocation) -> Settings:
        """Read the options; raise ConfigurationError for values that make no sense."""
        specs, specs_origin = _specs(config, invocation)
        registry, registry_origin = _registry(config, invocation)
        return cls(
            invocation=invocation,
            specs=specs,
            specs_origin=specs_origin,
            registry=registry,
            registry_origin=registry_origin,
            engine=_last(config, "--py-images-engine"),
            reports=_reports(config, invocation.cwd),
            baseline=_last(config, "--py-images-baseline") or _text_of("py_images_baseline", invocation),
            baseline_is_typed=bool(_last(config, "--py-images-baseline")),
            measures_coverage=measures(invocation.all_args),
            coverage_contexts=_coverage_contexts(config, invocation),
            github=tells_github("--py-images-github", _last(config, "--py-images-github") or "auto"),
            source=_source(config),
            pull=_pull(config, invocation),
            fail_fast=_fail_fast(config, invocation),
            jobs=_jobs(config, invocation),
            workers=workers_of(invocation.all_args, OWN_OPTIONS, environ=os.environ),
            shard=_shard(config),
            lock_file=_lock_file(invocation),
            passed_output=_wants_passed_output(config),
            collect_only=bool(config.getoption("collectonly", default=False)),
            live_output=captures_nothing(invocation.all_args, OWN_OPTIONS),
        )

    @property
    def wants_details(self) -> bool:
        """Whether anybody wants more of a test than its outcome."""
        return bool(self.reports) or self.github or bool(self.baseline)

    @property
    def container_environment(self) -> dict[str, str]:
        """The variables that the suite sees on top of the image's own."""
        return {**self.invocation.environment, INSIDE: "1"}


REPORT_SUFFIXES = (".json", ".html", ".md")


def _last(config: pytest.Config, name: str) -> str:
    values: Sequence[str] = config.getoption(name) or []
    return values[-1].strip() if values else ""


def _specs(config: pytest.Config, invocation: Invocation) -> tuple[tuple[str, ...], str]:
    typed: Sequence[str] = config.getoption("--py-images") or []
    if typed:
        return tuple(typed), "--py-images"
    origin = _ini_origin("py_images", invocation)
    value = invocation.ini.get("py_images", "")
    entries = value if isinstance(value, list) else [value]
    for entry in entries:
        if not isinstance(entry, str):  # TOML reads 3.10 as the number 3.1
            raise ConfigurationError(f"{origin}: {entry!r} is not a text", 'quote it: py_images = ["3.10", "3.12"]')
    return ("\n".join(entries),), origin


def _registry(config: pytest.Config, invocation: Invocation) -> tuple[str, str]:
    typed = _last(config, "--py-images-registry")
    if typed:
        return typed, "--py-images-registry"
    if os.environ.get("PY_IMAGES_REGISTRY"):
        return os.environ["PY_IMAGES_REGISTRY"], "PY_IMAGES_REGISTRY"
    origin = _ini_origin("py_images_registry", invocation)
    value = invocation.ini.get("py_images_registry", "")
    if not isinstance(value, str):
        raise ConfigurationError(f"{origin}: one text is wanted", 'for example "localhost:5000/library"')
    return value.strip(), origin


def _ini_origin(key: str, invocation: Invocation) -> str:
    return f"{key} in {invocation.inipath.name}" if invocation.inipath is not None else key


def _reports(config: pytest.Config, cwd: Path) -> tuple[Path, ...]:
    """Return the files to write: those of the command line, of which an empty one takes the former back."""
    names: Sequence[str] = config.getoption("--py-images-report") or []
    last_empty = max((place for place, name in enumerate(names) if not name.strip()), default=-1)
    given = names[last_empty + 1 :]
    return tuple(dict.fromkeys(report_file("--py-images-report", name.strip(), cwd) for name in given))


def report_file(option: str, name: str, cwd: Path) -> Path:
    """Return the report file of this name; raise ConfigurationError if there cannot be one."""
    path = cwd / name
    if path.suffix not in REPORT_SUFFIXES:
        hint = f"name a file that ends in {', '.join(REPORT_SUFFIXES)}"
        raise ConfigurationError(f"{option}: {name} has no known suffix", hint)
    if path.is_dir():
        raise ConfigurationError(f"{option}: {name} is a folder", "name a file")
    return path


def _coverage_contexts(config: pytest.Config, invocation: Invocation) -> bool:
    value, origin = _last(config, "--py-images-cov-context"), "--py-images-cov-context"
    if not value:
        value, origin = _text_of("py_images_cov_context", invocation), _ini_origin("py_images_cov_context", invocation)
    if value not in ("", "image", "none"):
        raise ConfigurationError(f'{origin}: "{value}" is none of image, none')
    return value == "image"


def tells_github(option: str, value: str) -> bool:
    """Whether GitHub Actions is to be told, by the value of an option; raise ConfigurationError for a wrong one."""
    if value not in ("auto", "no"):
        raise ConfigurationError(f'{option}: "{value}" is none of auto, no')
    return value == "auto" and os.environ.get("GITHUB_ACTIONS") == "true"


def _source(config: pytest.Config) -> Literal["auto", "overlay", "copy"]:
    value = _last(config, "--py-images-source") or "auto"
    if value in ("auto", "overlay", "copy"):
        return cast("Literal['auto', 'overlay', 'copy']", value)
    raise ConfigurationError(f'--py-images-source: "{value}" is none of auto, overlay, copy')


def _pull(config: pytest.Config, invocation: Invocation) -> PullPolicy:
    value, origin = _last(config, "--py-images-pull"), "--py-images-pull"
    if not value:
        value, origin = _text_of("py_images_pull", invocation), _ini_origin("py_images_pull", invocation)
    for policy in POLICIES:
        if value in (policy, ""):
            return policy
    near = difflib.get_close_matches(value, POLICIES, n=1)
    hint = f"did you mean {near[0]}?" if near else ""
    raise ConfigurationError(f'{origin}: "{value}" is none of {", ".join(POLICIES)}', hint)


def _fail_fast(config: pytest.Config, invocation: Invocation) -> FailFast:
    value, origin = _last(config, "--py-images-fail-fast"), "--py-images-fail-fast"
    if not value:
        value, origin = _text_of("py_images_fail_fast", invocation), _ini_origin("py_images_fail_fast", invocation)
    if value in ("", "image", "session"):
        return cast("FailFast", value)
    raise ConfigurationError(f'{origin}: "{value}" is none of image, session')


def _jobs(config: pytest.Config, invocation: Invocation) -> int | None:
    value, origin = _last(config, "--py-images-jobs"), "--py-images-jobs"
    if not value:
        configured: object = invocation.ini.get("py_images_jobs", "")  # a TOML file may have a number
        value, origin = str(configured).strip(), _ini_origin("py_images_jobs", invocation)
    if not value:
        return None
    if value.isdecimal() and int(value) > 0:
        return int(value)
    raise ConfigurationError(f'{origin}: "{value}" is no number of containers', "name one from 1 on")


_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


def _shard(config: pytest.Config) -> tuple[int, int] | None:
    value = _last(config, "--py-images-shard")
    if not value:
        return None
    match = _SHARD.fullmatch(value)
    if match is None:
        raise ConfigurationError(
            f'--py-images-shard: "{value}" is not of the form K/N', "1/3 is the first of three parts"
        )
    index, of = int(match[1]), int(match[2])
    if of < 1:
        raise ConfigurationError(f'--py-images-shard: "{value}": there is at least one part', "1/1 is all tests")
    if not 1 <= index <= of:
        raise ConfigurationError(f'--py-images-shard: "{value}": the parts are 1/{of} to {of}/{of}')
    return index, of


def _lock_file(invocation: Invocation) -> Path | None:
    name = _text_of("py_images_lock", invocation)
    return invocation.rootdir / name if name else None


def _text_of(key: str, invocation: Invocation) -> str:
    value = invocation.ini.get(key, "")
    if not isinstance(value, str):
        raise ConfigurationError(f"{_ini_origin(key, invocation)}: one text is wanted", "write it without brackets")
    return value.strip()


def _wants_passed_output(config: pytest.Config) -> bool:
    """Whether -rP, -rA or junit's logging need what passed tests printed."""
    chars = str(config.getoption("reportchars", ""))
    logging = str(config.getini("junit_logging")) if config.pluginmanager.hasplugin("junitxml") else "no"
    return "P" in chars or "A" in chars or (bool(config.getoption("xmlpath", None)) and logging != "no")
