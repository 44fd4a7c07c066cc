"""What a project's own files say about installing it and running its tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.project.configuration import Configuration, ImageConfiguration
    from pytest_pyimages.project.files import parsed, read_toml, table
    from pytest_pyimages.project.lockfiles.fate import fate_note
    from pytest_pyimages.project.lockfiles.locks import Lock
    from pytest_pyimages.project.plugins import Ini, defines_option, ini_words, plugin_of
    from pytest_pyimages.project.project import Project, build_sources, find_project
    from pytest_pyimages.project.source_root import find_source_root

__all__ = [
    "Configuration",
    "ImageConfiguration",
    "Ini",
    "Lock",
    "Project",
    "build_sources",
    "defines_option",
    "fate_note",
    "find_project",
    "find_source_root",
    "ini_words",
    "parsed",
    "plugin_of",
    "read_toml",
    "table",
]
__getattr__ = lazy_names(
    __name__,
    {
        "configuration": "Configuration ImageConfiguration",
        "files": "parsed read_toml table",
        "lockfiles.fate": "fate_note",
        "lockfiles.locks": "Lock",
        "plugins": "Ini defines_option ini_words plugin_of",
        "project": "Project build_sources find_project",
        "source_root": "find_source_root",
    },
)
