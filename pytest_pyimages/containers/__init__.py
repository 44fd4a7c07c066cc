"""The lifecycle of a container: its source, its start and end, its removal, and the session's lease on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.containers.job import HOST_ONLY, encode_job
    from pytest_pyimages.containers.leases import Lease, make_state_directory
    from pytest_pyimages.containers.process import (
        ContainerProcess,
        SourceNotVisibleError,
        StoppedError,
        run_with_source,
    )
    from pytest_pyimages.containers.skipped_folders import BUILD_OUTPUT, NO_SOURCE, VERSION_CONTROL
    from pytest_pyimages.containers.source import Source, Witness, choose_witnesses, is_empty

__all__ = [
    "BUILD_OUTPUT",
    "HOST_ONLY",
    "NO_SOURCE",
    "VERSION_CONTROL",
    "ContainerProcess",
    "Lease",
    "Source",
    "SourceNotVisibleError",
    "StoppedError",
    "Witness",
    "choose_witnesses",
    "encode_job",
    "is_empty",
    "make_state_directory",
    "run_with_source",
]
__getattr__ = lazy_names(
    __name__,
    {
        "job": "HOST_ONLY encode_job",
        "leases": "Lease make_state_directory",
        "process": "ContainerProcess SourceNotVisibleError StoppedError run_with_source",
        "skipped_folders": "BUILD_OUTPUT NO_SOURCE VERSION_CONTROL",
        "source": "Source Witness is_empty choose_witnesses",
    },
)
