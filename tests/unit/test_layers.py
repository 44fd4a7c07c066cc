"""Who may import whom: read off the syntax trees, so that late imports and those for types alone count as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import pytest_pyimages

ROOT = Path(pytest_pyimages.__file__).parent
PACKAGE = ROOT.name
# From the bottom to the top; what shares a line may import each other, though not in circles.
LAYERS = (
    ("errors",),
    ("engines",),
    ("matrix", "images", "runs", "results"),
    (
        *("commandline", "parallel", "options", "settings", "barehost", "hookspecs", "again", "reporters"),
        *("selection", "signals", "slips"),
    ),
    ("durations", "memory", "planning", "concurrency", "random_order", "messages", "schedule", "coverage"),
    ("ending",),
    ("session",),
    ("plugin", "connecting", "commands", "cli"),
)
ENTRIES = LAYERS[-1]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# What a pytest that nobody asks for images would have to pay for.
WORKER = "runs.worker"
HEAVY = ("docker", "requests", "rich", "filelock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import of a module, and whether it happens when the importing module is loaded."""

    importer: str  # dotted, below the package: "engines.docker"
    imported: str  # dotted and absolute; of "from a import b" both a and a.b, where a.b is a module
    at_load: bool
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


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
    tree = ast.parse(MODULES[importer].read_text(encoding="utf-8"))
    late = {id(node) for each in ast.walk(tree) if _is_late(each) for node in ast.walk(each)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            is_inside = importer.startswith(f"{WORKER}.")  # inside a container it has another name
            assert node.level <= is_inside, f"{importer}:{node.lineno}: hides where it leads"
            source = f"{PACKAGE}.{WORKER}.{node.module}" if node.level else str(node.module)
            inner = [f"{source}.{alias.name}" for alias in node.names]
            targets = [source, *(name for name in inner if name.removeprefix(f"{PACKAGE}.") in MODULES)]
        else:
            continue
        for target in targets:
            yield Import(importer=importer, imported=target, at_load=id(node) not in late, line=node.lineno)


def _is_late(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


IMPORTS = tuple(found for name in MODULES for found in imports_of(name))
INTERNAL = tuple(each for each in IMPORTS if each.imported.startswith(f"{PACKAGE}."))


def layer(module: str) -> str:
    """Return the first part of a module's name: that of its package, or its own."""
    return module.removeprefix(f"{PACKAGE}.").split(".")[0]


def loaded_with(module: str) -> set[str]:
    """Return all that loading a module loads, as far as the package's own modules lead to it."""
    seen: set[str] = set()
    waiting = [f"{PACKAGE}.{module}"]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        below = name.removeprefix(f"{PACKAGE}.")
        if below in MODULES:
            # Importing a.b.c loads a and a.b first.
            waiting += [name.rpartition(".")[0]] if "." in below else []
            waiting += [each.imported for each in IMPORTS if each.importer == below and each.at_load]
    return seen


def test_every_module_has_a_layer() -> None:
    assert {layer(name) for name in MODULES if name} == set(RANK)


def test_imports_point_downwards() -> None:
    known = [each for each in INTERNAL if {layer(each.importer), layer(each.imported)} <= set(RANK)]
    assert len(known) > 50  # the tree was read at all
    assert [str(each) for each in known if RANK[layer(each.imported)] > RANK[layer(each.importer)]] == []


def test_engines_are_used_through_their_protocol() -> None:
    """Only the entry points choose an engine; all others know base, the labels, and the rules of build contexts."""
    foreign = [each for each in INTERNAL if layer(each.imported) == "engines" and layer(each.importer) != "engines"]
    rules = {f"{PACKAGE}.engines.builds", f"{PACKAGE}.engines.builds.context_files"}
    public = {f"{PACKAGE}.engines.base", f"{PACKAGE}.engines.labels", *rules}
    assert {
        str(each) for each in foreign if each.imported not in public and layer(each.importer) not in ENTRIES
    } == set()


def test_packages_do_not_import_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    for each in INTERNAL:
        if layer(each.importer) != layer(each.imported):
            graph.setdefault(layer(each.importer), set()).add(layer(each.imported))
    assert _circle(graph) == []


def test_modules_do_not_load_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    for each in INTERNAL:
        if each.at_load:
            graph.setdefault(each.importer, set()).add(each.imported.removeprefix(f"{PACKAGE}."))
    assert _circle(graph) == []


def _circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_only_the_engines_import_docker() -> None:
    importers = {each.importer for each in IMPORTS if each.imported.split(".")[0] == "docker"}
    assert {layer(name) for name in importers} == {"engines"}


def test_the_entry_point_loads_nothing_heavy() -> None:
    loaded = loaded_with("plugin")
    assert f"{PACKAGE}.settings" in loaded  # the closure is not empty for a wrong reason
    assert {name for name in loaded if name.split(".")[0] in HEAVY or layer(name) in ("session", "engines")} == set()


@pytest.mark.parametrize(
    "module",
    [
        "runs.attendant",
        "runs.coverage_worker",
        "runs.shard_plugin",
        "images.installer",
        "images.installer_bytecode",
        "images.installer_lock",
        "images.installer_project",
    ],
)
def test_what_runs_inside_imports_nothing_of_the_package(module: str) -> None:
    assert [each.imported for each in INTERNAL if each.importer == module] == []


def test_the_worker_imports_nothing_of_the_rest() -> None:
    assert len([name for name in MODULES if name.startswith(f"{WORKER}.")]) > 5
    assert [
        str(each)
        for each in INTERNAL
        if each.importer.startswith(f"{WORKER}.") and not each.imported.startswith(f"{PACKAGE}.{WORKER}.")
    ] == []


def test_modules_are_named_by_what_they_hold() -> None:
    drawers = {"util", "utils", "helper", "helpers", "manager", "misc", "common"}
    assert [name for name in MODULES if drawers & set(name.split("."))] == []
