"""Find out where the packages of a project come from, by the tables of its tools; see ``indexes.PackageSources``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from packaging.utils import canonicalize_name

from pytest_pyimages.indexes import PackageSources
from pytest_pyimages.project.files import ProjectFiles, Table, get_strings, get_table, read_project_files
from pytest_pyimages.project.kind import decide_kind
from pytest_pyimages.project.requirements import LocalPackage, RequirementSource, find_distributions, parse_requirement
from pytest_pyimages.project.tool_sources import ToolSources
from pytest_pyimages.project.uv import Tables, Workspace, find_workspace, read_indexes, read_settings, read_sources


class FoundSources(NamedTuple):
    """The sources, and what of this host's file system they name."""

    sources: PackageSources
    packages: tuple[LocalPackage, ...] = ()
    folders: tuple[Path, ...] = ()  # further ones that installers read


def describe_packages(packages: Iterable[LocalPackage], environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the variables that set the versions of packages in folders, by normalised name of the distribution.

    Packages whose name only a build knows have the empty name.
    """
    from pytest_pyimages.project.scm.versioning import find_versioning

    found: dict[str, dict[str, str]] = {}
    for folder in dict.fromkeys(package.path for package in packages if package.path.is_dir()):
        files = read_project_files(folder)
        versioning = find_versioning(files, files.declared_name)
        version = None if versioning is None else versioning.version(environ)
        variables = versioning.variables if versioning is not None and version is not None else ()
        found[files.declared_name] = {variable: str(version) for variable in variables}
    return found


def find_package_sources(
    files: ProjectFiles, requirements: Iterable[str], *, name: str, extras: Collection[str], groups: Collection[str]
) -> FoundSources:
    """Return where the packages of a project come from.

    :param requirements: PEP 508: all known requirements, the project's own dependencies among them.
    :param name: the project's own distribution name, normalised; its source is its folder.
    :param extras: of the project, which are installed with it; its groups likewise.
    :raises ConfigurationError: for a file that cannot be read.
    """
    requirements = tuple(dict.fromkeys(requirements))
    workspace = find_workspace(files)
    settings, file = read_settings(files, workspace)
    tools = ToolSources(files, find_distributions(requirements))
    conditions = {"extras": set(map(canonicalize_name, extras)), "groups": set(map(canonicalize_name, groups))}
    tables: Tables = {**tools.tables, **read_sources(files, workspace, **conditions)}
    for member in _list_installed_members(files, workspace):
        tables = {**read_sources(read_project_files(member), workspace, **conditions), **tables}
    tables.pop(canonicalize_name(name), None)
    named = {str(table["index"]) for found in tables.values() for table in found if "index" in table}
    of_uv = tuple(read_indexes(files, workspace))
    indexes = [*tools.indexes, *of_uv]
    merged, overrides = _merge_settings(settings, tools, tables)
    sources = PackageSources(
        requirements=tuple(_select_requirements([*requirements, *overrides], tables)),
        tables=tables,
        indexes=tuple(index for index in indexes if index.get("name") in named),
        others=frozenset(str(index.get("name")) for index in tools.indexes)
        - {str(index.get("name")) for index in of_uv},
        settings=merged,
        origin=" and ".join([*tools.origins, *([str(file)] if file else [])]),
    )
    return FoundSources(
        sources=sources,
        packages=tuple(
            LocalPackage(Path(str(table["path"])), is_editable=table.get("editable") is True)
            for found in tables.values()
            for table in found
            if "path" in table
        ),
        folders=(workspace.root,) if workspace is not None else (),
    )


def _merge_settings(settings: Table, tools: ToolSources, tables: Tables) -> tuple[Table, list[str]]:
    """Return uv's settings with the indexes of other tools, and the overrides of distributions that have a source.

    uv would take such an override from the public index; as a requirement, it keeps its source.
    """
    merged: dict[str, Any] = dict(settings)
    if tools.indexes:
        merged["index"] = [*tools.indexes, *merged.get("index", ())]
    if tools.links:
        merged["find-links"] = [*tools.links, *get_strings(merged.get("find-links"))]
    overrides = get_strings(merged.get("override-dependencies"))
    sourced = [text for text in overrides if find_distributions([text]) & set(tables)]
    if sourced:
        merged["override-dependencies"] = [text for text in overrides if text not in sourced]
    return merged, sourced


def _select_requirements(requirements: Iterable[str], tables: Tables) -> Iterator[str]:
    """Yield the requirements whose distribution has a source; one with an address only if that is to be editable."""
    for text in requirements:
        requirement = parse_requirement(text)
        found = tables.get(canonicalize_name(requirement.name), ()) if requirement is not None else ()
        if requirement is not None and found:
            if requirement.url is None:
                yield text
            elif any("editable" in table for table in found):
                yield requirement.name + (f" ; {requirement.marker}" if requirement.marker else "")


def _list_installed_members(files: ProjectFiles, workspace: Workspace | None) -> tuple[Path, ...]:
    """Return the members of a workspace whose root is no project of its own; none of any other."""
    if workspace is None or workspace.root != files.root or not workspace.is_virtual:
        return ()
    return tuple(workspace.members.values())


def find_member_sources(files: ProjectFiles) -> Iterator[RequirementSource]:
    """Yield the members of a uv workspace whose root is no project, with their default groups: uv installs all."""
    members = _list_installed_members(files, find_workspace(files))
    requirements: list[str] = []
    for path in members:
        member = read_project_files(path)
        if decide_kind(member) == "none":
            requirements += get_strings(get_table(member.pyproject, "project").get("dependencies"))
        else:
            requirements.append(f"-e {path}")
        uv, groups = get_table(member.tool, "uv"), get_table(member.pyproject, "dependency-groups")
        for group in get_strings(uv.get("default-groups", "dev")):
            requirements += member.expand_group(group) if group in groups else ()
        requirements += get_strings(uv.get("dev-dependencies"))
    if requirements:
        names = ", ".join(path.relative_to(files.root).as_posix() for path in members)
        yield RequirementSource(origin=f"workspace members {names} (pyproject.toml)", requirements=tuple(requirements))
