"""Package indexes: how this host reaches them, and what of that a build gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.indexes.access import IndexAccess, prepare_access
    from pytest_pyimages.indexes.network import HostNetwork, read_network
    from pytest_pyimages.indexes.places import MEMORY
    from pytest_pyimages.indexes.redaction import Redaction
    from pytest_pyimages.indexes.refusals import find_refusals, is_about_packages

__all__ = [
    "MEMORY",
    "HostNetwork",
    "IndexAccess",
    "Redaction",
    "find_refusals",
    "is_about_packages",
    "prepare_access",
    "read_network",
]
__getattr__ = lazy_names(
    __name__,
    {
        "access": "IndexAccess prepare_access",
        "network": "HostNetwork read_network",
        "places": "MEMORY",
        "redaction": "Redaction",
        "refusals": "find_refusals is_about_packages",
    },
)
