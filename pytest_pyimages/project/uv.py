"""Read what uv's own tables say about packages: sources, workspaces and settings ("Configuration" in its reference)."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from pytest_pyimages.indexes import make_absolute, select_settings
from pytest_pyimages.project.files import ProjectFiles, Table, get_strings, get_table, read_toml

Tables = dict[str, tuple[Table, ...]]  # by normalised name of the distribution


class Workspace(NamedTuple):
    """A uv workspace that the project is a member of."""

    root: Path
    document: Table  # its pyproject.toml
    members: Mapping[str, Path]  # by distribution, the root's own project among them

    @property
    def is_virtual(self) -> bool:
        """Whether the root is no project of its own: then uv installs all members."""
        return "project" not in self.document


def find_workspace(files: ProjectFiles) -> Workspace | None:
    """Return the workspace of a project; None if it is in none. The search ends with the checkout."""
    for folder in (files.root, *files.root.parents):
        if folder != files.root and folder == Path.home():
            break
        document = files.pyproject if folder == files.root else read_toml(folder / "pyproject.toml")
        table = get_table(document, "tool", "uv").get("workspace")
        if isinstance(table, Mapping):
            members = dict(_find_members(folder, document, table))
            return (
                Workspace(root=folder, document=document, members=members)
                if files.root in members.values() or (folder == files.root)
                else None
            )
        if (folder / ".git").exists():
            break
    return None


def _find_members(root: Path, document: Table, table: Table) -> Iterator[tuple[str, Path]]:
    excluded = set(expand_patterns(root, get_strings(table.get("exclude"))))
    found = [
        root,
        *(path for path in expand_patterns(root, get_strings(table.get("members"))) if path not in excluded),
    ]
    for path in dict.fromkeys(found):
        member = document if path == root else read_toml(path / "pyproject.toml")
        name = get_table(member, "project").get("name")
        if isinstance(name, str) and get_table(member, "tool", "uv").get("managed") is not False:
            yield canonicalize_name(name), path


def expand_patterns(root: Path, patterns: object) -> Iterator[Path]:
    """Yield the files and folders that a list of patterns matches, relative to a folder."""
    for pattern in get_strings(patterns):
        # Path.glob does not take "." and absolute patterns.
        for name in sorted(glob.glob(pattern, root_dir=root, recursive=True)):  # noqa: PTH207
            yield Path(os.path.normpath(root / name))


def read_sources(
    files: ProjectFiles, workspace: Workspace | None, *, extras: Collection[str], groups: Collection[str]
) -> Tables:
    """Return [tool.uv.sources] of a project, with absolute paths and those of the workspace where it has none.

    :param extras: normalised names of the installed extras; sources for others are left out.
    :param groups: the same of groups.
    """
    found: Tables = {}
    if workspace is not None:
        found = {name: ({"path": str(path), "editable": True},) for name, path in workspace.members.items()}
        found |= _read_tables(workspace.document, workspace.root, workspace, extras, groups)
    return found | _read_tables(files.pyproject, files.root, workspace, extras, groups)


def _read_tables(
    document: Table, folder: Path, workspace: Workspace | None, extras: Collection[str], groups: Collection[str]
) -> Tables:
    found: Tables = {}
    for name, value in get_table(document, "tool", "uv", "sources").items():
        entries = [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, Mapping)]
        tables = tuple(
            _resolve(entry, canonicalize_name(name), folder, workspace)
            for entry in entries
            if ("extra" not in entry or canonicalize_name(str(entry["extra"])) in extras)
            and ("group" not in entry or canonicalize_name(str(entry["group"])) in groups)
        )
        if tables:
            found[canonicalize_name(name)] = tables
    return found


def _resolve(entry: Table, name: str, folder: Path, workspace: Workspace | None) -> Table:
    """Return an entry without its condition, and with absolute paths; uv reports those that do not exist."""
    table = {key: value for key, value in entry.items() if key not in {"extra", "group"}}
    if entry.get("workspace") is True and workspace is not None and name in workspace.members:
        del table["workspace"]
        return {"editable": True, **table, "path": str(workspace.members[name])}
    if "path" in entry:
        table["path"] = os.path.normpath(folder / Path(str(entry["path"])).expanduser())
    return table


def read_indexes(files: ProjectFiles, workspace: Workspace | None) -> Iterator[Table]:
    """Yield [[tool.uv.index]] of a project and of its workspace, with absolute paths."""
    documents = {files.root: files.pyproject} | ({workspace.root: workspace.document} if workspace else {})
    for folder, document in documents.items():
        for entry in get_table(document, "tool", "uv").get("index", ()):
            if isinstance(entry, Mapping) and "url" in entry:
                yield {**entry, "url": make_absolute(str(entry["url"]), folder)}


def read_settings(files: ProjectFiles, workspace: Workspace | None) -> tuple[Table, Path | None]:
    """Return the settings of a project in uv's terms, and the file: uv.toml, or else pyproject.toml.

    uv looks in the workspace's root or in the project's folder, and from there upwards.
    """
    start = workspace.root if workspace is not None else files.root
    for folder in (start, *start.parents):
        if folder != start and folder == Path.home():
            break
        if (folder / "uv.toml").is_file():
            return select_settings(read_toml(folder / "uv.toml"), folder), folder / "uv.toml"
        table = get_table(read_toml(folder / "pyproject.toml"), "tool", "uv")
        if table:
            return select_settings(table, folder), folder / "pyproject.toml"
        if (folder / ".git").exists():
            break
    return {}, None
