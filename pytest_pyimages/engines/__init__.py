"""Container engines behind one protocol; only ``docker`` and the modules that it imports know docker-py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.engines.base import (
        STDOUT,
        BuildContext,
        ContainerSpec,
        ContainerStream,
        Engine,
        EngineSettings,
        ImageInfo,
        Leftover,
        Mount,
    )
    from pytest_pyimages.engines.builds import list_context_files
    from pytest_pyimages.engines.docker import connect

__all__ = [
    "STDOUT",
    "BuildContext",
    "ContainerSpec",
    "ContainerStream",
    "Engine",
    "EngineSettings",
    "ImageInfo",
    "Leftover",
    "Mount",
    "connect",
    "list_context_files",
]
__getattr__ = lazy_names(
    __name__,
    {
        "base": "BuildContext ContainerSpec ContainerStream Engine EngineSettings ImageInfo Leftover Mount STDOUT",
        "builds": "list_context_files",
        "docker": "connect",
    },
)
