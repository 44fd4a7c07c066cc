"""Make what judges results by the project's files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages.host import Invocation, find_other_images
from pytest_pyimages.session.planning import SessionPlan

if TYPE_CHECKING:
    from pytest_pyimages.results import IniFile, Judge


def make_judge(plan: SessionPlan, invocation: Invocation, labels: Sequence[str], rootdir: str) -> Judge:
    """Return the judge of a session's results.

    :param labels: of the images.
    :param rootdir: the host's.
    """
    from pytest_pyimages.results import Judge, MissingModules

    missing = MissingModules(
        {image.tag.label: image.project for image in plan.plans},
        _make_ini_file(invocation),
        source=plan.source.root,
        overridden=[image.tag.label for image in plan.plans if image.project.install != plan.project.install],
    )
    return Judge(
        missing, labels=list(labels), other_images=find_other_images(invocation, list(labels)), rootdir=rootdir
    )


def describe_refused_connections(
    terminal: pytest.TerminalReporter, plan: SessionPlan, invocation: Invocation
) -> list[str]:
    """Return a note if tests could not connect to a server, and no image has one beside it."""
    reports = [*terminal.stats.get("failed", ()), *terminal.stats.get("error", ())]
    if not reports or any(image.services for image in plan.plans):
        return []
    from pytest_pyimages.results import describe_missing_services

    texts = (getattr(report, "longreprtext", "") for report in reports)
    note = describe_missing_services(texts, _make_ini_file(invocation), plan.project.root)
    return [note] if note else []


def _make_ini_file(invocation: Invocation) -> IniFile:
    from pytest_pyimages.results import IniFile

    return IniFile(ini=invocation.ini, inipath=invocation.inipath, rootdir=invocation.rootdir)
