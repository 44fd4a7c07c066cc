"""Read a project's metadata from its files, without building it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import ProjectFiles, Table, get_strings, get_table, split_lines
from pytest_pyimages.project.requirements import join_lines, parse_requirement

# pbr takes the dependencies from these ("Requirements" in its documentation).
_PBR_FILES = ("requirements.txt", "requirements-py3.txt")
Extras = Mapping[str, tuple[str, ...]]


class Metadata(NamedTuple):
    """Fields of the core metadata specification, as the distribution will have them."""

    name: str = ""  # empty: not known
    requires_python: str = ""
    classifiers: tuple[str, ...] = ()
    dependencies: tuple[str, ...] | None = None  # None: only a build knows them
    extras: Extras | None = None  # as the project spells them; None: not known, or none
    extras_origin: str = "pyproject.toml"  # the file that declares the extras
    are_extras_known: bool = True  # there are no others, which only a build knows
    files: tuple[Path, ...] = ()  # files beside the build configuration that hold parts of it

    def expand_extras(self, extras: Iterable[str]) -> tuple[str, ...]:
        """Return the requirements of these extras and of the project's extras that they request (``pkg[test]``)."""
        own, known = canonicalize_name(self.name), {canonicalize_name(key): key for key in self.extras or {}}
        found: list[str] = []
        waiting, seen = [canonicalize_name(extra) for extra in extras], set[str]()
        while waiting:
            extra = waiting.pop(0)
            if extra in seen or extra not in known:
                continue
            seen.add(extra)
            for text in (self.extras or {})[known[extra]]:
                requirement = parse_requirement(text)
                if requirement is not None and own and canonicalize_name(requirement.name) == own:
                    waiting += sorted(canonicalize_name(name) for name in requirement.extras)
                else:
                    found.append(text)
        return tuple(dict.fromkeys(found))


def read_metadata(files: ProjectFiles) -> Metadata:
    """Return the metadata: [project] first, then what the build backend's own configuration adds."""
    found = _fill(_read_project(files), _read_hatch(files))
    if files.uses_setuptools:
        found = _fill(_fill(found, _read_setuptools(files)), _read_setup(files))
    found = _fill(_fill(found, _read_poetry(files)), _read_flit(files))
    return found if found.name else found._replace(name=_read_sdist_name(files.root))


def _read_sdist_name(root: Path) -> str:
    """Return the name in the PKG-INFO of an unpacked source distribution; empty if there is none."""
    try:
        text = (root / "PKG-INFO").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return next((line[5:].strip() for line in text.splitlines() if line.startswith("Name:")), "")


def _fill(first: Metadata, second: Metadata) -> Metadata:
    """Return the first, with unknown fields from the second."""
    return Metadata(
        name=first.name or second.name,
        requires_python=first.requires_python or second.requires_python,
        classifiers=first.classifiers or second.classifiers,
        dependencies=second.dependencies if first.dependencies is None else first.dependencies,
        extras=second.extras if first.extras is None else first.extras,
        extras_origin=second.extras_origin if first.extras is None else first.extras_origin,
        are_extras_known=second.are_extras_known if first.extras is None else first.are_extras_known,
        files=tuple(dict.fromkeys((*first.files, *second.files))),
    )


def _read_project(files: ProjectFiles) -> Metadata:
    """Read the [project] table (PEP 621): a field that is not dynamic is final, even if it is missing."""
    project = get_table(files.pyproject, "project")
    if not project:
        return Metadata()
    open_fields = set(get_strings(project.get("dynamic")))
    if files.backend.startswith("poetry"):  # takes what is missing from its own table
        open_fields |= {"dependencies", "optional-dependencies"} - set(project)
    extras = _get_lists(project, "optional-dependencies")
    return Metadata(
        name=str(project.get("name", "")),
        requires_python=str(project.get("requires-python", "")),
        classifiers=get_strings(project.get("classifiers")),
        dependencies=None if "dependencies" in open_fields else get_strings(project.get("dependencies")),
        extras=None if "optional-dependencies" in open_fields and not extras else extras,
    )


def _read_setuptools(files: ProjectFiles) -> Metadata:
    """Read [tool.setuptools.dynamic]: requirements in files of their own."""
    dynamic = get_table(files.tool, "setuptools", "dynamic")
    optional = get_table(dynamic, "optional-dependencies")
    extras = {name: get_strings(get_table(optional, name).get("file")) for name in optional}
    return _read_requirements(files.root, get_strings(get_table(dynamic, "dependencies").get("file")), extras)


def _read_hatch(files: ProjectFiles) -> Metadata:
    """Read what the plugin hatch-requirements-txt reads; the names are those of its documentation."""
    hook = get_table(files.hatch, "metadata", "hooks", "requirements_txt")
    return _read_requirements(files.root, get_strings(hook.get("files")), _get_lists(hook, "optional-dependencies"))


def _read_requirements(root: Path, names: Iterable[str], extras: Mapping[str, Iterable[str]]) -> Metadata:
    dependencies, read = _read_files(root, names)
    listed: dict[str, tuple[str, ...]] = {}
    for extra, extra_names in extras.items():
        found, more = _read_files(root, extra_names)
        listed[extra] = found or ()
        read += more
    return Metadata(dependencies=dependencies, extras=listed or None, files=read)


def _read_files(root: Path, names: Iterable[str]) -> tuple[tuple[str, ...] | None, tuple[Path, ...]]:
    """Return the requirements in files, and the files; None if there are none, or one does not exist."""
    paths = tuple(root / name for name in names)
    if not paths or not all(path.is_file() for path in paths):
        return None, ()
    # Neither plugin takes options in these files, so each line is a requirement.
    found = (line for path in paths for _, line in join_lines(path.read_text(encoding="utf-8", errors="replace")))
    return tuple(found), paths


def _read_setup(files: ProjectFiles) -> Metadata:
    """Read setup.py and setup.cfg; the arguments of setup() take precedence."""
    script, sections = files.setup_script, files.setup_cfg
    if not script.is_present and "metadata" not in sections:
        return Metadata()
    metadata, options = sections.get("metadata", {}), sections.get("options", {})
    script_extras = _read_extras(script.arguments.get("extras_require"))
    config_extras = {name: _split_cfg_list(value) for name, value in sections.get("options.extras_require", {}).items()}
    extras = script_extras or _read_extras(config_extras)
    classifiers = metadata.get("classifiers", metadata.get("classifier", ""))
    mentions = (*script.mentions, *_PBR_FILES) if _uses_pbr(files) else script.mentions
    name = metadata.get("name", "").strip()
    return Metadata(
        name=script.get_text("name") or ("" if name.startswith(("file:", "attr:")) else name),
        requires_python=script.get_text("python_requires") or options.get("python_requires", "").strip(),
        classifiers=script.get_strings("classifiers") or _split_cfg_list(classifiers),
        dependencies=_read_setup_dependencies(files, options, script_extras.get("", ())),
        extras={name: found for name, found in extras.items() if name},
        extras_origin="setup.py" if script_extras else "setup.cfg",
        are_extras_known=not script.is_present
        or "extras_require" in script.complete
        or (script.is_closed and "extras_require" not in script.keywords),
        files=tuple(files.root / name for name in mentions if (files.root / name).is_file()),
    )


def _read_setup_dependencies(
    files: ProjectFiles, options: Mapping[str, str], with_markers: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Return the dependencies; None if only a build knows them.

    :param options: the section [options] of setup.cfg.
    :param with_markers: what extras_require adds to them under a marker alone.
    """
    script = files.setup_script
    if _uses_pbr(files):
        return None
    if script.is_present:
        if not script.is_closed or not {"install_requires", "extras_require"} & script.keywords <= script.complete:
            return None
        if "install_requires" in script.keywords:
            return (*script.get_strings("install_requires"), *with_markers)
    value = options.get("install_requires", "")
    return None if value.startswith("file:") else (*_split_cfg_list(value), *with_markers)


def _uses_pbr(files: ProjectFiles) -> bool:
    return files.backend.startswith("pbr") or "pbr" in files.setup_script.keywords


def _read_extras(value: object) -> dict[str, tuple[str, ...]]:
    """Return extras_require without markers in its keys (``test:python_version < '3.8'``), which setuptools allows."""
    found: dict[str, tuple[str, ...]] = {}
    for key, entry in value.items() if isinstance(value, Mapping) else ():
        name, _, marker = str(key).partition(":")
        requirements = tuple(entry.splitlines()) if isinstance(entry, str) else get_strings(entry)
        requirements = tuple(text.strip() for text in requirements if text.strip())
        if marker:
            requirements = tuple(_add_marker(text, marker) for text in requirements)
        found[name.strip()] = (*found.get(name.strip(), ()), *requirements)
    return found


def _add_marker(requirement: str, marker: str) -> str:
    text, _, own = requirement.partition(";")
    return f"{text.strip()} ; ({own.strip()}) and ({marker})" if own.strip() else f"{text.strip()} ; {marker}"


def _split_cfg_list(value: str) -> tuple[str, ...]:
    """Return a list in setup.cfg: a line each, or separated by semicolons on a single line."""
    if value.startswith("file:"):
        return ()
    return split_lines(value if "\n" in value else value.replace(";", "\n"))


def _read_poetry(files: ProjectFiles) -> Metadata:
    poetry = get_table(files.tool, "poetry")
    if not poetry:
        return Metadata()
    from pytest_pyimages.project.poetry import convert_dependencies

    dependencies = get_table(poetry, "dependencies")
    where = f"{files.root / 'pyproject.toml'} [tool.poetry.dependencies]"
    known = {canonicalize_name(name): spec for name, spec in dependencies.items()}
    extras = {}
    for extra, names in _get_lists(poetry, "extras").items():
        chosen = {name: known[canonicalize_name(name)] for name in names if canonicalize_name(name) in known}
        extras[extra] = convert_dependencies(chosen, where=where, root=files.root, optional=True)
    return Metadata(
        name=str(poetry.get("name", "")),
        requires_python=_read_poetry_python(dependencies.get("python"), where),
        classifiers=get_strings(poetry.get("classifiers")),
        dependencies=convert_dependencies(dependencies, where=where, root=files.root),
        extras=extras,
    )


def _read_poetry_python(constraint: object, where: str) -> str:
    from pytest_pyimages.project.poetry import convert_constraint

    try:
        return convert_constraint(constraint) if isinstance(constraint, str) else ""
    except ValueError as error:
        raise ConfigurationError(f"{where}: python: {error}", "fix the constraint") from error


def _read_flit(files: ProjectFiles) -> Metadata:
    """Read [tool.flit.metadata], which flit used before there was a [project] table."""
    metadata = get_table(files.tool, "flit", "metadata")
    if not metadata:
        return Metadata()
    return Metadata(
        name=str(metadata.get("dist-name", metadata.get("module", ""))),
        requires_python=str(metadata.get("requires-python", "")),
        classifiers=get_strings(metadata.get("classifiers")),
        dependencies=get_strings(metadata.get("requires")),
        extras=_get_lists(metadata, "requires-extra"),
    )


def _get_lists(document: Table, key: str) -> dict[str, tuple[str, ...]]:
    return {name: get_strings(value) for name, value in get_table(document, key).items()}
