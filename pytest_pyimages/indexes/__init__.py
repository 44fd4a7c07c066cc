"""How this host reaches package indexes, and what of that a build is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.indexes.access import WayIn, way_in
    from pytest_pyimages.indexes.network import HostNetwork, host_network
    from pytest_pyimages.indexes.places import MEMORY
    from pytest_pyimages.indexes.redaction import Redaction
    from pytest_pyimages.indexes.refusals import index_faults, is_about_packages

__all__ = ["MEMORY", "HostNetwork", "Redaction", "WayIn", "host_network", "index_faults", "is_about_packages", "way_in"]
__getattr__ = lazy_names(
    __name__,
    {
        "access": "WayIn way_in",
        "network": "HostNetwork host_network",
        "places": "MEMORY",
        "redaction": "Redaction",
        "refusals": "index_faults is_about_packages",
    },
)
