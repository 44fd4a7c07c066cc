"""Runs in a container: the job that it gets, the wire that it reports on, its events and coverage data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.runs.attended import attend
    from pytest_pyimages.runs.coverage_data import NOTHING, CoverageFiles
    from pytest_pyimages.runs.job import CoverageJob, Job, make_shard_job
    from pytest_pyimages.runs.run import Run, RunEnd
    from pytest_pyimages.runs.terminal import HostTerminal, Size

__all__ = [
    "NOTHING",
    "CoverageFiles",
    "CoverageJob",
    "HostTerminal",
    "Job",
    "Run",
    "RunEnd",
    "Size",
    "attend",
    "make_shard_job",
]
__getattr__ = lazy_names(
    __name__,
    {
        "attended": "attend",
        "coverage_data": "CoverageFiles NOTHING",
        "job": "CoverageJob Job make_shard_job",
        "run": "Run RunEnd",
        "terminal": "HostTerminal Size",
    },
)
