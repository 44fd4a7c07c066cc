"""Jobs as the host sends them to a container."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_pyimages.containers import SourceJob
from pytest_pyimages.runs.job import Job


def make_job(root: Path, *args: str) -> Job:
    """Return a job that runs a project's suite with these arguments of pytest, and nothing else."""
    return Job(
        image="sha256:0",
        python=sys.executable,
        token="secret",
        args=args,
        project=str(root),
        cwd=str(root),
        cwd_on_path=True,
        environment={},
        source=SourceJob(root=str(root), owner=(0, 0, 0o755)),
        passed_output=False,
        own_options=(),
        own_ini=(),
        memory=None,
        seed=1,
        host_plugins=(),
        shard=None,
        coverage=False,
        changes=None,
        terminal=None,
    )
