"""The order of the packages, read from the syntax trees, so that late imports and those for type checkers count too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import pytest_pyimages

ROOT = Path(pytest_pyimages.__file__).parent
REPOSITORY = Path(__file__).parents[2]
PACKAGE = ROOT.name
# From the bottom to the top. A package imports only from those in the lines above its own.
LAYERS = (
    ("errors", "text", "toml", "immutable", "atomic_write", "facade", "startup"),
    ("checked_fields",),
    ("engines",),
    ("cluster",),
    ("containers",),
    ("matrix",),
    ("indexes",),
    ("project",),
    ("images", "runs"),
    ("results",),
    ("host",),
    ("session",),
    ("cli",),
    ("hookspecs",),
    ("plugin",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
ISLAND = "inside"  # what containers run: imports nothing of the package, and nothing imports it
# Modules of plain values, imported by name: a facade of 38 event classes would only repeat the module.
VOCABULARIES = {"engines.labels", "runs.events"}
FACADES = [name for name in [*RANK, ISLAND] if (ROOT / name).is_dir()]
MODULES_PER_FOLDER = 20
# What a pytest that was not asked for images must not pay for.
HEAVY = ("docker", "requests", "filelock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported name, and whether importing the module imports it."""

    importer: str  # dotted, below the package: "engines.docker"
    module: str  # dotted and absolute: the "a" of "from a import b"
    name: str  # the "b" of "from a import b"; empty for "import a"
    at_load: bool
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.module}{'.' if self.name else ''}{self.name}"

    @property
    def below(self) -> str:
        """The module's name below the package."""
        return self.module.removeprefix(PACKAGE).removeprefix(".")

    @property
    def is_internal(self) -> bool:
        """Whether the module is one of this package."""
        return self.module == PACKAGE or self.module.startswith(f"{PACKAGE}.")


def modules() -> dict[str, Path]:
    """Return the package's modules by their dotted names below it; a package is its ``__init__``."""
    names = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = modules()


def imports_of(importer: str) -> Iterator[Import]:
    """Yield everything that a module imports anywhere."""
    path = MODULES[importer]
    statements = [*_statements(ast.parse(path.read_text(encoding="utf-8")))]
    stub = path.with_suffix(".pyi")
    if stub.exists():  # of a facade, which loads a module when one of its names is used
        statements += _statements(ast.parse(stub.read_text(encoding="utf-8")), at_load=False)
    for node, at_load in statements:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer=importer, module=alias.name, name="", at_load=at_load, line=node.lineno)
        elif isinstance(node, ast.ImportFrom):
            # In a container the island's packages have other names.
            assert node.level <= importer.startswith(f"{ISLAND}."), f"{importer}:{node.lineno}: is a relative import"
            module = f"{PACKAGE}.{importer.rpartition('.')[0]}.{node.module}" if node.level else str(node.module)
            for alias in node.names:
                yield Import(importer=importer, module=module, name=alias.name, at_load=at_load, line=node.lineno)


def _statements(node: ast.AST, *, at_load: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield all statements below a node, each with whether it is executed when the module is loaded."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child, at_load
        if not isinstance(child, ast.expr):  # no expression holds a statement
            yield from _statements(child, at_load=at_load and not _is_late(child))


def _is_late(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


IMPORTS = tuple(found for name in MODULES for found in imports_of(name))
INTERNAL = tuple(each for each in IMPORTS if each.is_internal and each.below)


def top(module: str) -> str:
    """Return the first part of a module's name below the package."""
    return module.split(".", maxsplit=1)[0]


def crossing() -> list[Import]:
    """Return the imports that lead from one layer's package to another's."""
    return [each for each in INTERNAL if top(each.importer) != top(each.below)]


def test_every_module_has_a_layer() -> None:
    assert {top(name) for name in MODULES if name} == {*RANK, ISLAND}


def test_imports_point_downwards() -> None:
    """Siblings, which share a line, do not import each other either."""
    known = [each for each in crossing() if {top(each.importer), top(each.below)} <= set(RANK)]
    assert len(known) > 100  # the tree was read at all
    assert [str(each) for each in known if RANK[top(each.below)] >= RANK[top(each.importer)]] == []


def test_packages_are_imported_by_their_facades() -> None:
    foreign = [each for each in crossing() if top(each.below) in FACADES and each.below not in VOCABULARIES]
    assert len(foreign) > 100
    assert [str(each) for each in foreign if "." in each.below] == []
    exported = {name: set(import_module(f"{PACKAGE}.{name}").__all__) for name in FACADES if name != ISLAND}
    assert [str(each) for each in foreign if each.name not in exported[each.below]] == []


@pytest.mark.parametrize("name", [name for name in FACADES if name != ISLAND])
def test_a_facade_names_what_others_import_and_can_load_it(name: str) -> None:
    """The facade's stub has the names of others' imports, each can be loaded, and none is there for nothing."""
    facade = import_module(f"{PACKAGE}.{name}")
    typed = {
        each.name: each.module
        for each in IMPORTS
        if each.importer == name and each.is_internal and each.below != "facade"
    }
    assert set(typed) == set(facade.__all__)
    for export, module in typed.items():
        assert getattr(facade, export) is getattr(import_module(module), export)
    assert not {export for export in typed if f"{name}.{export}" in MODULES}, "a module would hide the name"
    used = {each.name for each in crossing() if each.below == name}
    assert set(typed) - used <= PUBLIC.get(name, set())


PUBLIC = {"cli": {"main"}}  # used by the entry points of pyproject.toml


def test_a_facade_does_not_know_other_names() -> None:
    engines = import_module(f"{PACKAGE}.engines")
    with pytest.raises(AttributeError, match=r"'pytest_pyimages\.engines' has no attribute 'Engines'"):
        engines.__getattr__("Engines")


def test_modules_do_not_import_in_circles() -> None:
    """Neither when they are loaded, nor later, nor for types."""
    graph: dict[str, set[str]] = {}
    for each in INTERNAL:
        inner = f"{each.below}.{each.name}"
        graph.setdefault(each.importer, set()).add(inner if inner in MODULES else each.below)
    assert _circle(graph) == []


def _circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_only_the_engines_import_docker() -> None:
    importers = {each.importer for each in IMPORTS if top(each.module) == "docker"}
    assert {top(name) for name in importers} == {"engines"}


def test_the_island_has_no_bridge() -> None:
    """The worker's modules import each other; the other files of the island stand alone."""
    assert len([name for name in MODULES if name.startswith(f"{ISLAND}.")]) > 15
    bridges = [each for each in INTERNAL if ISLAND in {top(each.importer), top(each.below)}]
    assert [str(each) for each in bridges if not each.below.startswith(each.importer.rpartition(".")[0])] == []


def test_the_entry_point_loads_nothing_heavy() -> None:
    """Importing the plugin, as every pytest of an environment does, loads neither the session nor docker."""
    seen: set[str] = set()
    waiting = [f"{PACKAGE}.plugin"]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            below = name.removeprefix(f"{PACKAGE}.")
            if below in MODULES:
                waiting += [each.module for each in IMPORTS if each.importer == below and each.at_load]
                waiting += [name.rpartition(".")[0]]
                waiting += [_origin(each) for each in IMPORTS if each.importer == below and each.at_load]
    assert f"{PACKAGE}.host.option_table" in seen  # the closure is not empty for a wrong reason
    late = tuple(f"{PACKAGE}.{name}" for name in ("session", "engines", "project", "host.command_line"))
    assert {name for name in seen if top(name) in HEAVY or name.startswith(late)} == set()


def _origin(each: Import) -> str:
    """Return the module that an import from a facade loads."""
    if each.is_internal and each.below in FACADES:
        for listed in IMPORTS:
            if listed.importer == each.below and listed.name == each.name:
                return listed.module
    return f"{each.module}.{each.name}" if f"{each.below}.{each.name}" in MODULES else each.module


def test_folders_and_modules_stay_small() -> None:
    folders = {path.parent for path in MODULES.values()}
    crowded = {str(folder.relative_to(ROOT)): len([*folder.glob("*.py")]) - 1 for folder in folders}
    assert {name: count for name, count in crowded.items() if count > MODULES_PER_FOLDER} == {}


def test_modules_are_named_by_what_they_hold() -> None:
    drawers = {"util", "utils", "helper", "helpers", "manager", "misc", "common"}
    assert [name for name in MODULES if drawers & set(name.split("."))] == []


def layer_table() -> str:
    """Return the table of CONTRIBUTING.md: the layers from the top down, with what each package is for."""
    rows = ["| package | purpose |", "|---|---|"]
    for names in [*reversed(LAYERS), (ISLAND,)]:
        for name in names:
            doc = ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))
            assert doc, name
            rows.append(f"| `{name}` | {doc.splitlines()[0]} |")
    return "\n".join(rows)


BEGIN, END = "<!-- layers: tests/unit/test_layers.py writes this table -->\n", "\n<!-- end of layers -->"


def test_the_table_in_contributing_is_current() -> None:
    """``python -m tests.unit.test_layers`` writes it."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == layer_table()


if __name__ == "__main__":
    target = REPOSITORY / "CONTRIBUTING.md"
    before, _, rest = target.read_text(encoding="utf-8").partition(BEGIN)
    target.write_text(f"{before}{BEGIN}{layer_table()}{END}{rest.partition(END)[2]}", encoding="utf-8")
    sys.exit()
