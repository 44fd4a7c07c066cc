"""The settings of a session over images, read once from pytest's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from pytest_pyimages.host.invocation import Invocation
from pytest_pyimages.host.values.parsing import (
    parse_count,
    parse_reports,
    parse_seconds,
    parse_shard,
    parse_user,
    read_cluster,
    read_container_options,
    read_registries,
    split_lines,
)
from pytest_pyimages.host.values.reading import Values, parse_choice, reports_to_github
from pytest_pyimages.host.workers import Workers
from pytest_pyimages.images import Registries
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.results import check_writable

PullPolicy = Literal["missing", "always", "never"]
FailFast = Literal["", "image", "session"]
SourceMode = Literal["auto", "overlay", "copy"]
SuitePrivileges = Literal["reduced", "engine"]


class Settings(Immutable):
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
            engines=split_lines(values.read("py_images_engine")) or ("",),
            cluster=read_cluster(values),
            reports=parse_reports(values.read("py_images_report"), invocation.cwd),
            baseline=baseline.text,
            baseline_is_typed=baseline.origin == baseline.option.name,
            keep_changes=keep_changes.text,
            keep_changes_is_typed=keep_changes.origin == keep_changes.option.name,
            artifacts=split_lines(values.read("py_images_artifacts")),
            measures_coverage=line.measures_coverage,
            coverage_contexts=parse_choice(values.read("py_images_cov_context")) == "image",
            github=reports_to_github(values.read("py_images_github")),
            source=cast("SourceMode", parse_choice(values.read("py_images_source"))),
            copy=split_lines(values.read("py_images_copy")),
            exclude=split_lines(values.read("py_images_exclude")),
            source_root=values.read("py_images_root").text,
            privileges=cast("SuitePrivileges", parse_choice(values.read("py_images_privileges"))),
            user=parse_user(values.read("py_images_user")),
            pull=cast("PullPolicy", parse_choice(values.read("py_images_pull"))),
            registries=read_registries(values),
            fail_fast=cast("FailFast", parse_choice(values.read("py_images_fail_fast"))),
            jobs=parse_count(values.read("py_images_jobs")),
            workers=Workers.requested(line, os.environ),
            container_options=read_container_options(values),
            timeout=parse_seconds(values.read("py_images_timeout")),
            silence=parse_seconds(values.read("py_images_silence")),
            shard=parse_shard(values.read("py_images_shard")),
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


def _wants_passed_output(config: pytest.Config) -> bool:
    """Return whether -rP, -rA or junit's logging need what passed tests printed."""
    chars = str(config.getoption("reportchars", ""))
    logging = str(config.getini("junit_logging")) if config.pluginmanager.hasplugin("junitxml") else "no"
    return "P" in chars or "A" in chars or (bool(config.getoption("xmlpath", None)) and logging != "no")
