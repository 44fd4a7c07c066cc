"""Read what the sessions of a noxfile.py install for the tests, without running it.

Only literals are read: words of ``session.install``, and of the installers that ``session.run`` starts.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from pytest_pyimages.project.files import ProjectFiles, get_table
from pytest_pyimages.project.metadata import Metadata
from pytest_pyimages.project.requirements import RequirementSource, find_own_extras, parse_requirement, rank_name

_FILE = "noxfile.py"
_RUNS = frozenset({"run", "run_always", "run_install"})
_INSTALLERS = (
    *(("uv", "sync"), ("uv", "run"), ("uv", "pip", "install"), ("pip", "install"), ("python", "-m", "pip", "install")),
    *(("poetry", "install"), ("poetry", "sync"), ("pdm", "install"), ("pdm", "sync")),
)
_GROUPS = frozenset({"--group", "--only-group", "-G"})
_EXTRAS = frozenset({"--extra", "--extras", "-E"})
# Options whose value is no requirement.
_OTHERS = frozenset(
    "-c --constraint -p --python -i --index-url --extra-index-url --index --default-index -f --find-links --with "
    "--project --directory --package --no-binary --only-binary --upgrade-package --refresh-package".split()
)


def find_nox_sources(files: ProjectFiles, metadata: Metadata) -> list[RequirementSource]:
    """Return the sessions that run the tests, nearest to "test" first; empty without a readable noxfile.py."""
    try:
        tree = ast.parse((files.root / _FILE).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    constants = dict(_read_constants(tree))
    found = []
    for function in tree.body:
        name = _read_session_name(function)
        if name and isinstance(function, ast.FunctionDef):
            commands = list(_list_commands(function, constants))
            rank = rank_name(name)
            if rank is not None or any("pytest" in command and "install" not in command for command in commands):
                source = _make_source(name, commands, files, metadata, rank=rank or 0)
                found.append((999 if rank is None else rank, source))
    return [source for _, source in sorted(found, key=lambda pair: pair[0])]


def _read_constants(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """Yield the module's names of lists of strings."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Tuple):
            words = list(_read_words(node.value.elts, {}))
            yield from ((target.id, words) for target in node.targets if isinstance(target, ast.Name))


def _read_session_name(node: ast.stmt) -> str:
    """Return the name of a function that is a session: with the decorator ``nox.session``; else empty."""
    for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == "session":
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
            given = [
                word.value.value for word in keywords if word.arg == "name" and isinstance(word.value, ast.Constant)
            ]
            return str(given[0]) if given else getattr(node, "name", "")
    return ""


def _list_commands(function: ast.FunctionDef, constants: Mapping[str, list[str]]) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command of a session; ``session.install`` as ``pip install``."""
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            if call.func.attr == "install":
                yield ("pip", "install", *_read_words(call.args, constants))
            elif call.func.attr in _RUNS:
                yield tuple(_read_words(call.args, constants))


def _read_words(nodes: Iterable[ast.expr], constants: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield literal words; an empty one for each expression that only nox could evaluate."""
    for node in nodes:
        value = node.value if isinstance(node, ast.Starred) else node
        if isinstance(value, ast.Constant):
            yield value.value if isinstance(value.value, str) else ""
        elif isinstance(value, ast.List | ast.Tuple):
            yield from _read_words(value.elts, constants)
        elif isinstance(value, ast.Name) and value.id in constants:
            yield from constants[value.id]
        elif isinstance(value, ast.Call) and getattr(value.func, "attr", "") == "dependency_groups":
            for group in _read_words(value.args[1:], constants):  # nox.project.dependency_groups(pyproject, *groups)
                yield from ("--group", group)
        else:
            yield ""


def _make_source(
    name: str, commands: Iterable[tuple[str, ...]], files: ProjectFiles, metadata: Metadata, *, rank: int
) -> RequirementSource:
    extras: list[str] = []
    groups: list[str] = []
    requirements: list[str] = []
    paths: list[Path] = []
    known_groups = {canonicalize_name(group) for group in get_table(files.pyproject, "dependency-groups")}
    for option, value in (pair for command in commands for pair in _split_command(command)):
        own = find_own_extras(value, root=files.root.resolve(), name=canonicalize_name(metadata.name))
        if option in _GROUPS:  # pdm has one option for both
            (groups if canonicalize_name(value) in known_groups else extras).append(value)
        elif option in _EXTRAS:
            extras += value.split()  # poetry's are separated by spaces
        elif option == "--all-extras":
            extras += metadata.extras or ()
        elif option in {"-r", "--requirement"}:
            paths.append(files.root / value)
        elif own is not None:
            extras += own
        elif option == "" and parse_requirement(value) is not None:
            requirements.append(value)
    for group in groups:
        requirements += files.expand_group(group)
    return RequirementSource(
        origin=f"nox session {name} ({_FILE})",
        rank=rank,
        extras=tuple(dict.fromkeys(extras)),
        groups=tuple(dict.fromkeys(groups)),
        requirements=tuple(dict.fromkeys(requirements)),
        requirement_files=tuple(path for path in dict.fromkeys(paths) if path.is_file()),
    )


def _split_command(command: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield option (or nothing) and value of an installer's arguments; nothing for other programs."""
    program = next((each for each in _INSTALLERS if command[: len(each)] == each), None)
    words = iter(command[len(program) :] if program else ())
    for word in words:
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if option in _GROUPS | _EXTRAS | _OTHERS | {"-r", "--requirement", "-e", "--editable"}:
            value = value if equals else next(words, "")
            if value:
                yield option, value
        elif word.startswith("-"):
            yield word, ""
        elif program == ("uv", "run"):
            return  # the program that it runs
        elif word:
            yield "", word
