"""How to install a project and its test requirements, read from its own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.project.configuration import Configuration, ImageConfiguration
    from pytest_pyimages.project.files import get_table, read_toml
    from pytest_pyimages.project.known_plugins import KNOWN_PLUGINS, Plugin, matches
    from pytest_pyimages.project.lockfiles.locks import Lock, describe_fate
    from pytest_pyimages.project.plugins import Ini, defines_option, find_plugin
    from pytest_pyimages.project.project import Project, find_project, find_source_root, list_build_sources
    from pytest_pyimages.project.requirements import parse_requirement

__all__ = [
    "KNOWN_PLUGINS",
    "Configuration",
    "ImageConfiguration",
    "Ini",
    "Lock",
    "Plugin",
    "Project",
    "defines_option",
    "describe_fate",
    "find_plugin",
    "find_project",
    "find_source_root",
    "get_table",
    "list_build_sources",
    "matches",
    "parse_requirement",
    "read_toml",
]
__getattr__ = lazy_names(
    __name__,
    {
        "configuration": "Configuration ImageConfiguration",
        "files": "get_table read_toml",
        "known_plugins": "KNOWN_PLUGINS Plugin matches",
        "lockfiles.locks": "Lock describe_fate",
        "plugins": "Ini defines_option find_plugin",
        "project": "Project find_project find_source_root list_build_sources",
        "requirements": "parse_requirement",
    },
)
