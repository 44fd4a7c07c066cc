"""Format the lines of pytest's report header."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from pytest_pyimages.containers import Source, is_environment
from pytest_pyimages.engines import Engine
from pytest_pyimages.host import CommandLine
from pytest_pyimages.images import ImagePlan
from pytest_pyimages.project import Project, find_commit
from pytest_pyimages.runs import format_services
from pytest_pyimages.session.placement.backends import Backend
from pytest_pyimages.session.placement.concurrency import Concurrency
from pytest_pyimages.text import clean_line

if TYPE_CHECKING:
    from pytest_pyimages.cluster import Cluster

MOST_LINKS = 5  # links, or files, that are named

NO_BREAKPOINTS = (
    "a debugger controls pytest on this host, but tests run in containers: breakpoints are not hit · to debug there,"
    " use --pdb with a single image in a terminal; to debug here, set PYIMAGES=0"
)


def format_images(plans: Sequence[ImagePlan], left_out: Mapping[str, str]) -> str:
    """Return the images' names, and those that are left out with the reason."""
    names = ", ".join(plan.tag.label + ("?" if plan.tag.allowed_to_fail else "") for plan in plans)
    return names + "".join(f" ({label}: {reason})" for label, reason in left_out.items())


def format_engines(
    backends: Sequence[Backend], *, shows_workers: bool, cluster: Cluster | None = None
) -> tuple[str, list[str]]:
    """Return the end of the first line, and the last lines: the engines, and how their containers get the source."""
    if cluster is not None:
        return str(cluster), []
    engines = [
        f"{each.engine.info} · source: {format_source(each.source)}"
        + (format_workers(each.concurrency) if shows_workers else "")
        for each in backends
    ]
    if len(engines) == 1:
        return engines[0], format_copy(backends[0].source)
    lines = ([f"engine: {engine}", *format_copy(each.source)] for engine, each in zip(engines, backends, strict=True))
    return f"{len(engines) or 'no'} engines", [line for group in lines for line in group]


def format_late_copies(backends: Sequence[Backend], printed: Collection[str]) -> list[str]:
    """Return the lines on copied source that were not known in time for the header.

    :param printed: addresses of the engines for which the header has these lines.
    """
    lines = []
    for each in backends:
        prefix = f"{each.address}: " if len(backends) > 1 else ""
        lines += [prefix + line for line in format_copy(each.source) if each.address not in printed]
    return lines


def format_plans(plans: Sequence[ImagePlan], source: Source) -> list[str]:
    """Return the lines on what the images get, and what their containers see of the source."""
    return [
        *format_origins(plans),
        *format_service_lines(plans),
        *format_sockets(plans),
        *format_links(source),
        *format_hidden(source),
    ]


def format_workers(concurrency: Concurrency) -> str:
    """Return how many xdist workers run in how many containers; empty without ``-n``."""
    if not concurrency.workers:
        return ""
    workers = "1 worker" if concurrency.workers == 1 else f"{concurrency.workers} workers"
    return f" · {workers} in " + (
        "1 container" if concurrency.suites == 1 else f"{concurrency.suites} containers at once"
    )


def format_source(source: Source) -> str:
    """Return how containers get the source, as far as it is decided."""
    return "auto" if source.decision is None else source.mode


def format_copy(source: Source) -> list[str]:
    """Return why the source is copied and how much it is, and what is left out, without caches and environments."""
    if source.mode == "overlay":
        return []
    copied, reason = source.copied, f" ({source.reason})" if source.reason else ""
    files = "1 file" if copied.count == 1 else f"{copied.count:,} files"
    size = f"{copied.size / 1e6:,.1f} MB" if copied.size >= 1e5 else f"{copied.size / 1e3:.1f} kB"
    return [f"source: copy{reason}, {files}, {size}", *_format_left_out(copied.left_out)]


def _format_left_out(left_out: Sequence[str]) -> list[str]:
    if not left_out:
        return []
    named = ", ".join(clean_line(path) for path in left_out[:MOST_LINKS])
    more = f" and {len(left_out) - MOST_LINKS} more" if len(left_out) > MOST_LINKS else ""
    return [f"not copied: {named}{more} · --py-images-copy=GLOB copies what matches"]


def format_links(source: Source) -> list[str]:
    """Return a line with the symbolic links that lead out of the source; none if there are none."""
    links = [
        f"{clean_line(path.link)} -> {clean_line(str(path.source))}" for path in source.linked if not path.is_repository
    ]
    more = f" and {len(links) - MOST_LINKS} more" if len(links) > MOST_LINKS else ""
    return [f"links: {', '.join(links[:MOST_LINKS])}{more} (read-only)"] if links else []


def format_hidden(source: Source) -> list[str]:
    """Return a line with what containers do not see of the source, but for environments and installed metadata."""
    hidden = source.hidden
    named = [
        clean_line(path)
        for path in hidden.paths
        if path not in hidden.extensions and not path.endswith(".egg-info") and not is_environment(source.root / path)
    ]
    if hidden.extensions:
        count, first = len(hidden.extensions), clean_line(hidden.extensions[0])
        named.insert(0, first if count == 1 else f"{count} extension modules ({first}, …)")
    more = f" and {len(named) - MOST_LINKS} more" if len(named) > MOST_LINKS else ""
    return [f"hidden: {', '.join(named[:MOST_LINKS])}{more} (py_images_exclude)"] if named else []


def format_service_lines(plans: Sequence[ImagePlan]) -> list[str]:
    """Return a line for each group of images that have the same services; none if there are none."""
    groups: dict[str, list[str]] = {}
    for plan in plans:
        groups.setdefault(format_services(plan.services), []).append(plan.tag.label)
    if len(groups) == 1:
        return [f"services: {services}" for services in groups if services]
    return [f"services: {services} ({', '.join(labels)})" for services, labels in groups.items() if services]


def format_sockets(plans: Sequence[ImagePlan]) -> list[str]:
    """Return a line if tests have the engine's socket."""
    labels = [plan.tag.label for plan in plans if plan.options.socket]
    some = f" ({', '.join(labels)})" if len(labels) < len(plans) else ""
    return [f"socket: tests control the engine and its machine{some}"] if labels else []


def format_origins(plans: Sequence[ImagePlan]) -> list[str]:
    """Return a line for each group of images that get the same requirements."""
    groups: dict[str, list[str]] = {}
    for plan in plans:
        groups.setdefault(plan.project.origin or "pytest", []).append(plan.tag.label)
    if len(groups) == 1:
        return [f"installs: {origin}" for origin in groups]
    return [f"installs: {origin} ({', '.join(labels)})" for origin, labels in groups.items()]


def describe_session(config: pytest.Config, project: Project, engines: Sequence[Engine]) -> dict[str, str]:
    """Return the description of the whole session for a report; texts that are not known are empty."""
    from pytest_pyimages.indexes import Redaction

    line, cwd = CommandLine.parse(map(str, config.invocation_params.args)), config.invocation_params.dir
    return {
        "project": clean_line(project.name),
        "commit": find_commit(project.root, os.environ),
        "command": clean_line(f"pytest {Redaction().redact(line.format_without_foreign_values(cwd))}".rstrip()),
        "engine": ", ".join(str(engine.info) for engine in engines),
        "source": locate_source(config.rootpath, os.environ),
    }


def locate_source(rootdir: Path, environ: Mapping[str, str]) -> str:
    """Return the URL of a folder, with a slash at its end: in a CI's repository if that is known, else on this host.

    Source of the variables: "Variables reference" of GitHub Actions, "Predefined CI/CD variables" of GitLab.
    """
    for server, revision, checkout, path in (
        (
            "/".join(filter(None, (environ.get("GITHUB_SERVER_URL"), environ.get("GITHUB_REPOSITORY")))),
            environ.get("GITHUB_SHA"),
            environ.get("GITHUB_WORKSPACE"),
            "blob",
        ),
        (environ.get("CI_PROJECT_URL"), environ.get("CI_COMMIT_SHA"), environ.get("CI_PROJECT_DIR"), "-/blob"),
    ):
        if server and revision and checkout and rootdir.is_relative_to(checkout):
            folder = rootdir.relative_to(checkout).as_posix()
            return f"{server}/{path}/{revision}/" + ("" if folder == "." else f"{quote(folder)}/")
    return f"{rootdir.as_uri()}/"
