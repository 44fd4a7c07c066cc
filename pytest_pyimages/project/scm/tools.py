"""Find the tool that takes a project's version number from git tags, and its options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from packaging.utils import canonicalize_name

from pytest_pyimages.project.files import ProjectFiles, Table, get_strings, get_table, split_lines
from pytest_pyimages.project.requirements import find_distributions
from pytest_pyimages.project.scm.versions import is_certain

SETUPTOOLS_SCM = frozenset({"setuptools-scm", "hatch-vcs", "flit-scm"})  # the others run it
_DUNAMAI = frozenset({"poetry-dynamic-versioning", "uv-dynamic-versioning"})
# The variable that sets each tool's number, from its documentation; versioningit, setuptools-git-versioning and
# versioneer have none.
_VARIABLES = {
    **dict.fromkeys(SETUPTOOLS_SCM, "SETUPTOOLS_SCM_PRETEND_VERSION"),
    "pdm-backend": "PDM_BUILD_SCM_VERSION",
    "pbr": "PBR_VERSION",
    "poetry-dynamic-versioning": "POETRY_DYNAMIC_VERSIONING_BYPASS",
    "uv-dynamic-versioning": "UV_DYNAMIC_VERSIONING_BYPASS",
}


class Tool(NamedTuple):
    """A tool that computes a version number, and its options in the project's files."""

    name: str  # of its distribution
    options: Table
    is_certain: bool  # the options are all literals, and our formula is the tool's

    def variables(self, project: str) -> tuple[str, ...]:
        """Return the variables that set its number, those for this project alone first.

        :param project: name of the project's distribution; empty if it is not known.
        """
        general = _VARIABLES.get(self.name)
        if general is None:
            return ()
        if not project or self.name not in SETUPTOOLS_SCM:
            return (general,)
        # Versions of setuptools-scm before 8 leave dots and doubled dashes as they are.
        spellings = (canonicalize_name(project).replace("-", "_").upper(), project.upper().replace("-", "_"))
        return (*dict.fromkeys(f"{general}_FOR_{spelling}" for spelling in spellings), general)

    @property
    def hint(self) -> str:
        """What the user can do where neither our formula nor git in the container gives the number."""
        variable = _VARIABLES.get(self.name)
        return "add git to py_images_apt" + (f", or set {variable} by py_images_env" if variable else "")

    @property
    def match(self) -> tuple[str, ...]:
        """The arguments that make ``git describe`` consider the tags that the tool considers."""
        if self.name in SETUPTOOLS_SCM:
            return tuple(_match_setuptools_scm(self.options))
        if self.name in _DUNAMAI:
            return tuple(_match_dunamai(self.options))
        globs = {"pdm-backend": (str(self.options.get("tag_filter") or "*.*"),), "pbr": ("[0-9]*", "[vV][0-9]*")}
        return tuple(f"--match={glob}" for glob in globs.get(self.name, ("*",)))


def _match_setuptools_scm(options: Table) -> Iterator[str]:
    command = get_table(options, "scm", "git").get("describe_command") or options.get("git_describe_command")
    if command:
        yield from _selecting_arguments(command)
    else:
        tags = get_table(options, "tag")
        yield f"--match={tags.get('prefix', '')}" + ("*[0-9]*.*[0-9]*" if tags.get("strict") else "*[0-9]*")


def _match_dunamai(options: Table) -> Iterator[str]:
    pattern, prefix = str(options.get("pattern", "default")), str(options.get("pattern-prefix") or "")
    if "?P<base>" in pattern:  # what it begins with, as far as that is plain text
        found = re.match(r"\^?([\w/-]*)(?![?*+{|])", f"^{prefix}{pattern.removeprefix('^')}")
        yield f"--match={found[1] if found else ''}*"
        return
    yield f"--match={prefix}v[0-9]*"
    if pattern == "default-unprefixed":
        yield f"--match={prefix}[0-9]*"


def find_tool(files: ProjectFiles) -> Tool | None:
    """Return the tool that takes the project's version number from git tags; None if no known tool does."""
    if "version" in get_table(files.pyproject, "project"):
        return None
    return next(_find_tools(files), None)


def _find_tools(files: ProjectFiles) -> Iterator[Tool]:
    backend = files.backend.partition(".")[0]
    if backend == "hatchling":
        yield from _find_hatch_tools(files)
    elif backend == "pdm":
        options = get_table(files.tool, "pdm", "version")
        if options.get("source") == "scm":
            yield _make_tool("pdm-backend", options)
    elif backend == "poetry_dynamic_versioning":
        options = get_table(files.tool, "poetry-dynamic-versioning")
        if options.get("enable"):
            yield _make_tool("poetry-dynamic-versioning", options)
    elif backend == "flit_scm":
        yield _make_tool("flit-scm", _get_scm_table(files))
    elif backend == "scikit_build_core":
        provider = get_table(files.tool, "scikit-build", "metadata", "version").get("provider")
        if str(provider).endswith("setuptools_scm"):
            yield _make_tool("setuptools-scm", _get_scm_table(files))
    else:
        yield from _find_setuptools_tools(files, backend)


def _find_hatch_tools(files: ProjectFiles) -> Iterator[Tool]:
    version = get_table(files.hatch, "version")
    source = version.get("source")
    if source == "vcs":
        options = dict(get_table(version, "raw-options"))
        for key, option in (("tag-pattern", "tag_regex"), ("fallback-version", "fallback_version")):
            if version.get(key):
                options[option] = version[key]
        yield _make_tool("hatch-vcs", options)
    elif source in {"uv-dynamic-versioning", "versioningit"}:
        yield _make_tool(str(source), get_table(files.tool, str(source)))


def _find_setuptools_tools(files: ProjectFiles, backend: str) -> Iterator[Tool]:
    script = files.setup_script
    metadata = files.setup_cfg.get("metadata", {})
    if "pbr" in script.keywords or backend == "pbr":
        yield _make_tool("pbr", metadata)
    if "version" in metadata or script.get_text("version"):
        return
    if "use_scm_version" in script.keywords:
        value = script.arguments.get("use_scm_version")
        combined = {**_get_scm_table(files), **(value if isinstance(value, Mapping) else {})}
        yield _make_tool("setuptools-scm", combined, is_complete="use_scm_version" in script.complete)
    required = find_distributions(_list_build_requirements(files))
    if "setuptools-scm" in required:
        yield _make_tool("setuptools-scm", _get_scm_table(files))
    for name in ("versioningit", "setuptools-git-versioning"):
        options = get_table(files.tool, name)
        if name.replace("-", "_") in script.keywords or (
            name in required and name in files.tool and options.get("enabled", True)
        ):
            yield _make_tool(name, options)
    if "versioneer" in files.setup_cfg or get_table(files.tool, "versioneer"):
        yield _make_tool("versioneer", {})


def _get_scm_table(files: ProjectFiles) -> Table:
    """Return setuptools-scm's options, which have one of two names since version 10."""
    return get_table(files.tool, "setuptools_scm") or get_table(files.tool, "vcs-versioning")


def _make_tool(name: str, options: Table, *, is_complete: bool = True) -> Tool:
    return Tool(name=name, options=options, is_certain=is_complete and is_certain(name, options))


def _list_build_requirements(files: ProjectFiles) -> Iterator[str]:
    yield from get_strings(get_table(files.pyproject, "build-system").get("requires"))
    yield from split_lines(files.setup_cfg.get("options", {}).get("setup_requires", ""))
    yield from files.setup_script.get_strings("setup_requires")


def _selecting_arguments(command: object) -> Iterator[str]:
    """Yield the arguments of a configured ``git describe`` that select tags: nothing else of it is run."""
    try:
        words = shlex.split(command) if isinstance(command, str) else list(get_strings(command))
    except ValueError:  # a quotation without its end
        words = []
    if words[:2] != ["git", "describe"]:
        yield "--match=*[0-9]*"
        return
    waiting = iter(words[2:])
    for word in waiting:
        if word in {"--match", "--exclude"}:
            yield f"{word}={next(waiting, '')}"
        elif word.startswith(("--match=", "--exclude=")) or word == "--first-parent":
            yield word
