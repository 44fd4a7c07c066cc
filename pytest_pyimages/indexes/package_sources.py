"""Where a project's own files say that packages come from, in uv's terms; and what each installer gets of that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from pytest_pyimages.immutable import Immutable
from pytest_pyimages.indexes.places import Places
from pytest_pyimages.indexes.uv_settings import (
    Table,
    ignores_projects,
    is_true,
    list_strings,
    list_tables,
    list_texts,
    replace_locations,
)
from pytest_pyimages.toml import format_toml

# Files of a build, below the memory folder.
MANIFEST = "sources/pyproject.toml"
CONSTRAINTS = "sources/constraints.txt"
PIP_CONSTRAINTS = "sources/pip-constraints.txt"
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class PackageSources(Immutable):
    """Where a project's packages come from.

    It may contain credentials, so the repr does not show it.
    """

    requirements: tuple[str, ...] = field(default=(), repr=False)  # PEP 508: those whose distribution has a table
    tables: Mapping[str, tuple[Table, ...]] = field(default_factory=dict, repr=False)  # as in [tool.uv.sources]
    indexes: tuple[Table, ...] = field(default=(), repr=False)  # as in [[tool.uv.index]]; the tables name them
    others: frozenset[str] = frozenset()  # names of those indexes that uv does not find in the project's files itself
    settings: Table = field(default_factory=dict, repr=False)  # keys of uv.toml
    origin: str = ""  # the files that say so, for messages

    @property
    def content(self) -> dict[str, object]:
        """The part that affects the installation."""
        tables = {name: [dict(table) for table in tables] for name, tables in self.tables.items()}
        found = {"requirements": self.requirements, "tables": tables, "indexes": self.indexes, **self.settings}
        return {key: value for key, value in found.items() if value}

    def expand_variables(self, environ: Mapping[str, str]) -> PackageSources:
        """Return a copy with the host's values for ``${NAME}`` in addresses, which pdm and Pipenv expand."""

        def expand(address: str) -> str:
            return _VARIABLE.sub(lambda found: environ.get(found[1], found[0]), address)

        return replace(
            self,
            indexes=tuple({**index, "url": expand(str(index.get("url", "")))} for index in self.indexes),
            settings=replace_locations(self.settings, expand, expand),
        )

    def list_strings(self) -> tuple[str, ...]:
        """Return all texts in it, which may name hosts and variables."""
        return tuple(list_strings([self.tables, self.indexes, self.settings]))

    def list_folders(self) -> dict[str, str]:
        """Return the distributions that come from files and folders of this host, by their URL."""
        found = ((name, table["path"]) for name, tables in self.tables.items() for table in tables if "path" in table)
        return {Path(str(path)).as_uri(): name for name, path in found}

    def write_files(self, places: Places, environ: Mapping[str, str]) -> None:
        """Write the files for the installers; none if the user disables sources, as uv's variable does."""
        if is_true(environ.get("UV_NO_SOURCES", "")):
            return
        free = set(environ.get("UV_NO_SOURCES_PACKAGE", "").split())
        addressed = [line for name in sorted(self.tables) if name not in free for line in self._list_addresses(name)]
        settings = {} if ignores_projects(environ) else self.settings
        limits = list_texts(settings.get("constraint-dependencies", []))
        # uv distinguishes branches, tags and revisions, which an address does not; the manifest has them.
        local = [line for line in addressed if " @ git+" not in line]
        for name, texts in (
            (CONSTRAINTS, local),
            (PIP_CONSTRAINTS, [*limits, *addressed]),
            (MANIFEST, [self._format_manifest(places)] if self.requirements else []),
        ):
            if texts:
                places.write(name, "".join(f"{text}\n" for text in texts))

    def list_uv_features(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Return what only uv does: limit an index to some packages, ask one before the others, override versions."""
        if is_true(environ.get("UV_NO_SOURCES", "")):
            return ()
        names = {canonicalize_name(re.split(r"[^\w.-]", text)[0]) for text in self.requirements}
        found = [f"{name} from the index {table['index']}" for name, table in self._list_tables() if name in names]
        settings = {} if ignores_projects(environ) else self.settings
        found += (
            f"the index {index.get('name', index.get('url'))} before all others"
            for index in list_tables(settings.get("index"))
            if not index.get("explicit") and not index.get("default")
        )
        found += (f"the override {text}" for text in list_texts(settings.get("override-dependencies", [])))
        return tuple(dict.fromkeys(found))

    def _list_tables(self) -> Iterator[tuple[str, Table]]:
        """Yield the tables that name an index, each with its distribution."""
        for name, tables in self.tables.items():
            yield from ((name, table) for table in tables if "index" in table)

    def _format_manifest(self, places: Places) -> str:
        project = {"name": "pyimages-sources", "version": "0", "dependencies": list(self.requirements)}
        indexes = [{**index, "url": places.map_index(str(index["url"]))} for index in self.indexes]
        uv: dict[str, Any] = {
            "sources": {name: list(tables) for name, tables in self.tables.items()},
            "index": [index for index in indexes if index["url"] is not None],
        }
        return f"project = {format_toml(project)}\ntool = {format_toml({'uv': uv})}"

    def _list_addresses(self, name: str) -> Iterator[str]:
        """Yield the PEP 508 strings of a distribution that does not come from an index."""
        for table in self.tables[name]:
            address = ""
            if "path" in table:
                address = Path(str(table["path"])).as_uri()
            elif "url" in table:
                address = str(table["url"])
            elif "git" in table:
                git = str(table["git"])
                revision = next((f"@{table[key]}" for key in ("rev", "tag", "branch") if key in table), "")
                address = (git if git.startswith("git+") else f"git+{git}") + revision
            if address:
                address += f"#subdirectory={table['subdirectory']}" if "subdirectory" in table else ""
                yield f"{name} @ {address}" + (f" ; {table['marker']}" if "marker" in table else "")
