"""Read where poetry, pdm, Pipenv, hatch and pixi get packages from, in uv's terms (the tools' own references)."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from pytest_pyimages.indexes import make_absolute
from pytest_pyimages.project.files import ProjectFiles, Table, get_strings, get_table, read_toml
from pytest_pyimages.project.uv import Tables, expand_patterns

_PUBLIC = re.compile(r"https://pypi\.(?:python\.)?org/simple/?")
_HATCH_VARIABLES = {  # of pip and uv: the default index, further ones, folders and pages of links
    **dict.fromkeys(("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"), "default"),
    **dict.fromkeys(("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX"), "further"),
    **dict.fromkeys(("PIP_FIND_LINKS", "UV_FIND_LINKS"), "links"),
}


class ToolSources:
    """The sum of what the tools say.

    :param names: normalised names of all requirements, for patterns to match.
    """

    def __init__(self, files: ProjectFiles, names: Collection[str]) -> None:
        self.tables: Tables = {}
        self.indexes: list[Table] = []
        self.links: list[str] = []
        self.origins: list[str] = []
        self._files = files
        self._names = names
        for origin, read in (
            ("pyproject.toml [tool.poetry]", self._read_poetry),
            ("pyproject.toml [tool.pdm]", self._read_pdm),
            ("Pipfile", self._read_pipfile),
            ("pyproject.toml [tool.hatch]", self._read_hatch),
            ("pyproject.toml [tool.pixi]", self._read_pixi),
        ):
            before = len(self.indexes), len(self.tables), len(self.links)
            read()
            if before != (len(self.indexes), len(self.tables), len(self.links)):
                self.origins.append(origin)

    def _add_index(self, name: str, url: object, **keys: object) -> None:
        if isinstance(url, str) and url:
            named = {"name": _clean_name(name)} if name else {}
            self.indexes.append({**named, "url": make_absolute(url, self._files.root), **keys})

    def _read_poetry(self) -> None:
        """Read [[tool.poetry.source]] ("Package sources") and where dependencies come from."""
        poetry = get_table(self._files.tool, "poetry")
        primary: list[Table] = []
        has_public = False
        for source in _get_tables(poetry.get("source")):
            name = str(source.get("name", ""))
            priority = str(source.get("priority", "supplemental" if source.get("secondary") else "primary"))
            if name.lower() == "pypi":
                has_public = has_public or priority in {"primary", "default"}
            elif priority in {"primary", "default"}:
                primary.append(source)
            else:
                # A name in one of ours and in the public index is never a stranger's.
                self._add_index(name, source.get("url"), **({"explicit": True} if priority == "explicit" else {}))
        for source in primary:  # with one of these, the public index is asked only if it is listed
            is_last = source is primary[-1] and not has_public
            self._add_index(str(source.get("name", "")), source.get("url"), **({"default": True} if is_last else {}))
        for table in _list_poetry_tables(poetry):
            self._add_dependencies(table, editable="develop", index="source")

    def _read_pdm(self) -> None:
        """Read [[tool.pdm.source]] ("Configure the package indexes")."""
        for source in _get_tables(get_table(self._files.tool, "pdm").get("source")):
            name, url = str(source.get("name", "")), source.get("url")
            patterns = [canonicalize_name(text) for text in get_strings(source.get("include_packages"))]
            if source.get("type") == "find_links":
                self._add_index(name, url, format="flat", **({"explicit": True} if patterns else {}))
            elif name.lower() == "pypi":
                self._add_default(name, url)
            else:
                self._add_index(name, url, **({"explicit": True} if patterns else {}))
            for found in self._names:
                if any(fnmatchcase(found, pattern) for pattern in patterns):
                    self.tables[found] = ({"index": self.indexes[-1]["name"]},)

    def _read_pipfile(self) -> None:
        """Read [[source]]: packages that name no other come from the first ("Specifying Package Indexes")."""
        document = read_toml(self._files.root / "Pipfile")
        for number, source in enumerate(_get_tables(document.get("source"))):
            name, url = str(source.get("name", "")), source.get("url")
            if number == 0:
                self._add_default(name, url)
            else:
                self._add_index(name, url, explicit=True)
        for key in ("packages", "dev-packages"):
            self._add_dependencies(get_table(document, key), editable="editable", index="index")

    def _add_default(self, name: str, url: object) -> None:
        """Add a default index; the host's own, perhaps a mirror, replaces the public one."""
        if isinstance(url, str) and not _PUBLIC.fullmatch(url):
            self._add_index(name, url, default=True)

    def _read_hatch(self) -> None:
        """Read the variables of the environments ("env-vars") that name indexes, and the members of workspaces."""
        environments = get_table(self._files.hatch, "envs")
        for name in ("default", "hatch-test", "test", "tests", "dev"):
            members = get_table(environments, name, "workspace").get("members", ())
            paths = [str(member.get("path", "")) if isinstance(member, Mapping) else member for member in members]
            for path in expand_patterns(self._files.root, paths):
                project = get_table(read_toml(path / "pyproject.toml"), "project")
                if isinstance(project.get("name"), str):
                    self.tables[canonicalize_name(project["name"])] = ({"path": str(path), "editable": True},)
            for variable, value in get_table(environments, name, "env-vars").items():
                kind = _HATCH_VARIABLES.get(variable, "")
                for text in re.split(r"[\s,]+", re.sub(r"\{env:(\w+)\}", r"${\1}", str(value))) if kind else ():
                    label, equals, url = text.partition("=")
                    label, url = (label, url) if equals and "/" not in label else ("", text)
                    if kind == "links":
                        self.links.append(make_absolute(url, self._files.root))
                    elif kind == "default":
                        self._add_default(label, url)
                    else:
                        self._add_index(label, url)

    def _read_pixi(self) -> None:
        """Read pypi-options and pypi-dependencies, of features as well ("pixi manifest")."""
        for document in (get_table(self._files.tool, "pixi"), read_toml(self._files.root / "pixi.toml")):
            features = get_table(document, "feature")
            for part in (document, *(get_table(features, name) for name in features)):
                options = get_table(part, "pypi-options")
                self._add_default("", options.get("index-url"))
                for url in get_strings(options.get("extra-index-urls")):
                    self._add_index("", url)
                for link in _get_tables(options.get("find-links")):
                    self.links.append(make_absolute(str(link.get("url", link.get("path", ""))), self._files.root))
                self._add_dependencies(get_table(part, "pypi-dependencies"), editable="editable", index="index")

    def _add_dependencies(self, dependencies: Table, *, editable: str, index: str) -> None:
        """Add the tables of dependencies that say where they come from.

        :param editable: the tool's key for an editable installation.
        :param index: its key for an index: a name, or a URL.
        """
        for name, value in dependencies.items():
            entries = list(_get_tables(value if isinstance(value, list) else [value]))
            tables = tuple(filter(None, (self._convert(entry, editable, index) for entry in entries)))
            if tables:
                self.tables[canonicalize_name(name)] = tables

    def _convert(self, entry: Table, editable: str, index: str) -> Table:
        table: dict[str, Any] = {}
        path = entry.get("path", entry.get("file"))
        if "git" in entry:
            keys = {"rev": "rev", "ref": "rev", "tag": "tag", "branch": "branch", "subdirectory": "subdirectory"}
            table = {"git": entry["git"], **{ours: entry[key] for key, ours in keys.items() if key in entry}}
        elif path is not None and "://" not in str(path):
            table = {"path": os.path.normpath(self._files.root / Path(str(path)))}
            table |= {"editable": True} if entry.get(editable) is True else {}
        elif "url" in entry or path is not None:
            table = {"url": entry.get("url", path)}
        elif isinstance(entry.get(index), str) and entry[index].lower() != "pypi":
            table = {"index": self._name_index(entry[index])}
        if not table:
            return table
        from pytest_pyimages.project.poetry import make_marker  # few projects have such tables

        marker = make_marker(entry)
        return {**table, "marker": marker} if marker else table

    def _name_index(self, index: str) -> str:
        """Return the name of an index; one that is given by its URL is added under a name of its own."""
        if "://" not in index:
            return _clean_name(index)
        known = {str(entry["url"]): str(entry["name"]) for entry in self.indexes if "name" in entry}
        name = known.setdefault(index, f"index-{len(self.indexes)}")
        if index not in {entry["url"] for entry in self.indexes if "name" in entry}:
            self._add_index(name, index, explicit=True)
        return name


def _list_poetry_tables(poetry: Table) -> tuple[Table, ...]:
    """Return all tables of dependencies in [tool.poetry]."""
    groups = get_table(poetry, "group")
    main = (get_table(poetry, "dependencies"), get_table(poetry, "dev-dependencies"))
    return (*main, *(get_table(groups, name, "dependencies") for name in groups))


def _clean_name(name: str) -> str:
    """Return the name of an index with uv's characters only."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)


def _get_tables(value: object) -> Iterator[Table]:
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        yield from (entry for entry in value if isinstance(entry, Mapping))
