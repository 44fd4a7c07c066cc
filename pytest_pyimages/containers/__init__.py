"""One container's life, for everything that starts one: its source, its leases, its removal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.containers.leases import Lease, state_directory
    from pytest_pyimages.containers.skipped_folders import BUILD_OUTPUT, NO_SOURCE, VERSION_CONTROL
    from pytest_pyimages.containers.source import Source, Witness, is_empty, refused_mount, witnesses

__all__ = [
    "BUILD_OUTPUT",
    "NO_SOURCE",
    "VERSION_CONTROL",
    "Lease",
    "Source",
    "Witness",
    "is_empty",
    "refused_mount",
    "state_directory",
    "witnesses",
]
__getattr__ = lazy_names(
    __name__,
    {
        "leases": "Lease state_directory",
        "skipped_folders": "BUILD_OUTPUT NO_SOURCE VERSION_CONTROL",
        "source": "Source Witness is_empty refused_mount witnesses",
    },
)
