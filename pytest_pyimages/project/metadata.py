"""A project's metadata, as far as its files tell without building it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.specifiers import InvalidSpecifier
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.files import ProjectFiles, get_strings, get_table, split_lines
from pytest_pyimages.project.poetry import convert_constraint, convert_dependencies
from pytest_pyimages.project.requirements import join_lines, parse_requirement

# pbr takes the dependencies from these ("Requirements" in its documentation).
_PBR_FILES = ("requirements.txt", "requirements-py3.txt")
Extras = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What the project's distribution will say of itself; fields of the core metadata specification."""

    name: str = ""  # empty: not known
    requires_python: str = ""
    classifiers: tuple[str, ...] = ()
    dependencies: tuple[str, ...] | None = None  # None: only a build can tell
    extras: Extras | None = None  # as the project spells them; None: not known, or none
    extras_origin: str = "pyproject.toml"  # the file that the extras stand in
    files: tuple[Path, ...] = ()  # files beside the build configuration that hold parts of it

    def with_extras(self, extras: Iterable[str]) -> tuple[str, ...]:
        """Return what these extras ask for, extras of the project that they ask for included (``pkg[test]``)."""
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
    """Return what the files tell: [project] first, then what the build backend's own configuration adds."""
    found = _filled(_from_project(files), _from_hatch(files))
    if files.uses_setuptools:
        found = _filled(_filled(found, _from_setuptools(files)), _from_setup(files))
    found = _filled(_filled(found, _from_poetry(files)), _from_flit(files))
    return found if found.name else replace(found, name=_name_of_sdist(files.root))


def _name_of_sdist(root: Path) -> str:
    """Return the name in the metadata that an unpacked source distribution brings; empty if it is none."""
    try:
        text = (root / "PKG-INFO").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return next((line[5:].strip() for line in text.splitlines() if line.startswith("Name:")), "")


def _filled(first: Metadata, second: Metadata) -> Metadata:
    """Return the first, with what it does not know from the second."""
    return Metadata(
        name=first.name or second.name,
        requires_python=first.requires_python or second.requires_python,
        classifiers=first.classifiers or second.classifiers,
        dependencies=second.dependencies if first.dependencies is None else first.dependencies,
        extras=second.extras if first.extras is None else first.extras,
        extras_origin=second.extras_origin if first.extras is None else first.extras_origin,
        files=tuple(dict.fromkeys((*first.files, *second.files))),
    )


def _from_project(files: ProjectFiles) -> Metadata:
    """Read the [project] table (PEP 621): what it does not call dynamic is settled, by its absence, too."""
    project = get_table(files.pyproject, "project")
    if not project:
        return Metadata()
    open_fields = set(get_strings(project.get("dynamic")))
    if files.backend.startswith("poetry"):  # takes what is missing from its own table
        open_fields |= {"dependencies", "optional-dependencies"} - set(project)
    extras = {name: get_strings(value) for name, value in get_table(project, "optional-dependencies").items()}
    return Metadata(
        name=str(project.get("name", "")),
        requires_python=str(project.get("requires-python", "")),
        classifiers=get_strings(project.get("classifiers")),
        dependencies=None if "dependencies" in open_fields else get_strings(project.get("dependencies")),
        extras=None if "optional-dependencies" in open_fields and not extras else extras,
    )


def _from_setuptools(files: ProjectFiles) -> Metadata:
    """Read [tool.setuptools.dynamic]: requirements that stand in files of their own."""
    dynamic = get_table(files.tool, "setuptools", "dynamic")
    optional = get_table(dynamic, "optional-dependencies")
    extras = {name: get_strings(get_table(optional, name).get("file")) for name in optional}
    return _from_files(files.root, get_strings(get_table(dynamic, "dependencies").get("file")), extras)


def _from_hatch(files: ProjectFiles) -> Metadata:
    """Read what the plugin hatch-requirements-txt reads; the names are those of its documentation."""
    hook = get_table(files.hatch, "metadata", "hooks", "requirements_txt")
    optional = get_table(hook, "optional-dependencies")
    return _from_files(
        files.root, get_strings(hook.get("files")), {name: get_strings(optional[name]) for name in optional}
    )


def _from_files(root: Path, names: Iterable[str], extras: Mapping[str, Iterable[str]]) -> Metadata:
    dependencies, read = _listed(root, names)
    listed: dict[str, tuple[str, ...]] = {}
    for extra, extra_names in extras.items():
        found, more = _listed(root, extra_names)
        listed[extra] = found or ()
        read += more
    return Metadata(dependencies=dependencies, extras=listed or None, files=read)


def _listed(root: Path, names: Iterable[str]) -> tuple[tuple[str, ...] | None, tuple[Path, ...]]:
    """Return the requirements in files, and the files; None if there are none, or one is not there."""
    paths = tuple(root / name for name in names)
    if not paths or not all(path.is_file() for path in paths):
        return None, ()
    # Neither plugin takes options in these files, so each line is a requirement.
    found = (line for path in paths for _, line in join_lines(path.read_text(encoding="utf-8", errors="replace")))
    return tuple(found), paths


def _from_setup(files: ProjectFiles) -> Metadata:
    """Read setup.py and setup.cfg; what setup() is given goes before setup.cfg."""
    script, sections = files.setup_script, files.setup_cfg
    if script is None and "metadata" not in sections:
        return Metadata()
    metadata, options = sections.get("metadata", {}), sections.get("options", {})
    of_script = _extras(script.arguments.get("extras_require")) if script else {}
    of_config = {name: _cfg_list(value) for name, value in sections.get("options.extras_require", {}).items()}
    extras = of_script or _extras(of_config)
    classifiers = metadata.get("classifiers", metadata.get("classifier", ""))
    mentioned = script.mentions if script else ()
    if _uses_pbr(files):
        mentioned = (*mentioned, *_PBR_FILES)
    return Metadata(
        name=(script.text("name") if script else "") or _cfg_text(metadata.get("name", "")),
        requires_python=(script.text("python_requires") if script else "")
        or options.get("python_requires", "").strip(),
        classifiers=(script.texts("classifiers") if script else ()) or _cfg_list(classifiers),
        dependencies=_setup_dependencies(files),
        extras={name: found for name, found in extras.items() if name},
        extras_origin="setup.py" if of_script else "setup.cfg",
        files=tuple(files.root / name for name in mentioned if (files.root / name).is_file()),
    )


def _setup_dependencies(files: ProjectFiles) -> tuple[str, ...] | None:
    script, options = files.setup_script, files.setup_cfg.get("options", {})
    by_marker: tuple[str, ...] = ()
    if _uses_pbr(files):
        return None
    if script is not None:
        if not script.is_closed or not {"install_requires", "extras_require"} & script.keywords <= script.complete:
            return None
        by_marker = _extras(script.arguments.get("extras_require")).get("", ())
        if "install_requires" in script.keywords:
            return (*script.texts("install_requires"), *by_marker)
    value = options.get("install_requires", "")
    return None if value.startswith("file:") else (*_cfg_list(value), *by_marker)


def _uses_pbr(files: ProjectFiles) -> bool:
    script = files.setup_script
    return files.backend.startswith("pbr") or (script is not None and "pbr" in script.keywords)


def _extras(value: object) -> dict[str, tuple[str, ...]]:
    """Return extras_require without markers in its keys (``test:python_version < '3.8'``), which setuptools allows."""
    found: dict[str, tuple[str, ...]] = {}
    for key, entry in value.items() if isinstance(value, Mapping) else ():
        name, _, marker = str(key).partition(":")
        requirements = tuple(entry.splitlines()) if isinstance(entry, str) else get_strings(entry)
        requirements = tuple(text.strip() for text in requirements if text.strip())
        if marker:
            requirements = tuple(_marked(text, marker) for text in requirements)
        found[name.strip()] = (*found.get(name.strip(), ()), *requirements)
    return found


def _marked(requirement: str, marker: str) -> str:
    text, _, own = requirement.partition(";")
    return f"{text.strip()} ; ({own.strip()}) and ({marker})" if own.strip() else f"{text.strip()} ; {marker}"


def _cfg_text(value: str) -> str:
    return "" if value.startswith(("file:", "attr:")) else value.strip()


def _cfg_list(value: str) -> tuple[str, ...]:
    """Return a list in setup.cfg: a line each, or separated by semicolons on a single line."""
    if value.startswith("file:"):
        return ()
    return split_lines(value if "\n" in value else value.replace(";", "\n"))


def _from_poetry(files: ProjectFiles) -> Metadata:
    poetry = get_table(files.tool, "poetry")
    if not poetry:
        return Metadata()
    dependencies = get_table(poetry, "dependencies")
    where = f"{files.root / 'pyproject.toml'} [tool.poetry.dependencies]"
    known = {canonicalize_name(name): spec for name, spec in dependencies.items()}
    extras = {}
    for extra, names in get_table(poetry, "extras").items():
        chosen = {
            name: known[canonicalize_name(name)] for name in get_strings(names) if canonicalize_name(name) in known
        }
        extras[extra] = convert_dependencies(chosen, where=where, root=files.root, optional=True)
    return Metadata(
        name=str(poetry.get("name", "")),
        requires_python=_poetry_python(dependencies.get("python"), where),
        classifiers=get_strings(poetry.get("classifiers")),
        dependencies=convert_dependencies(dependencies, where=where, root=files.root),
        extras=extras,
    )


def _poetry_python(constraint: object, where: str) -> str:
    try:
        return convert_constraint(constraint) if isinstance(constraint, str) else ""
    except (InvalidSpecifier, InvalidVersion) as error:
        raise ConfigurationError(f"{where}: python: {error}", "correct the constraint") from error


def _from_flit(files: ProjectFiles) -> Metadata:
    """Read [tool.flit.metadata], which flit used before there was a [project] table."""
    metadata = get_table(files.tool, "flit", "metadata")
    if not metadata:
        return Metadata()
    extras = {name: get_strings(value) for name, value in get_table(metadata, "requires-extra").items()}
    return Metadata(
        name=str(metadata.get("dist-name", metadata.get("module", ""))),
        requires_python=str(metadata.get("requires-python", "")),
        classifiers=get_strings(metadata.get("classifiers")),
        dependencies=get_strings(metadata.get("requires")),
        extras=extras,
    )
