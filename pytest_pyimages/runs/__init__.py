"""Runs in a container: the job that it gets, the wire that it reports on, its events and coverage data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.runs.attended import Attended, attend
    from pytest_pyimages.runs.coverage_data import NOTHING, CoverageFiles, coverage_worker_source
    from pytest_pyimages.runs.run import CoverageJob, Run, RunEnd, RunSpec
    from pytest_pyimages.runs.shard import shard_job
    from pytest_pyimages.runs.terminal import HostTerminal, Size

__all__ = [
    "NOTHING",
    "Attended",
    "CoverageFiles",
    "CoverageJob",
    "HostTerminal",
    "Run",
    "RunEnd",
    "RunSpec",
    "Size",
    "attend",
    "coverage_worker_source",
    "shard_job",
]
__getattr__ = lazy_names(
    __name__,
    {
        "attended": "Attended attend",
        "coverage_data": "CoverageFiles NOTHING coverage_worker_source",
        "run": "CoverageJob Run RunEnd RunSpec",
        "shard": "shard_job",
        "terminal": "HostTerminal Size",
    },
)
