"""Read what the user configures for images: ini keys for all of them, overrides for some, and py_images_install."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from pytest_pyimages.engines import NO_OPTIONS, ContainerOptions
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.project.files import ProjectFiles, Table, expand_group, get_table, read_toml
from pytest_pyimages.project.metadata import Metadata
from pytest_pyimages.project.plugins import Ini
from pytest_pyimages.project.requirements import (
    RequirementSource,
    convert_pdm_entry,
    find_local_package,
    find_own_extras,
    parse_requirement,
)
from pytest_pyimages.project.settings.checks import (
    check_keys,
    read_strings,
    read_tables,
    read_variables,
    resolve_variables,
)
from pytest_pyimages.project.settings.container_options import OPTION_KEYS, check_project_option, read_container_option
from pytest_pyimages.project.settings.services import Service, read_services
from pytest_pyimages.project.settings.variants import VARIANT_KEYS, VARIANTS_TABLE, read_variants_table
from pytest_pyimages.text import find_similar, suggest

PREFIX = "py_images"
TABLE = "[[tool.pyimages.overrides]]"
_TABLES = ("overrides", "variants")
_INSTALL = "py_images_install"
_INSTALL_FORMS = (
    "write .[extra], --group NAME, -r FILE, -e FOLDER or a requirement such as pytest-mock>=3; "
    "anything else goes into a -r FILE"
)
_INSTALL_OPTIONS = {"-r": "-r", "--requirement": "-r", "-e": "-e", "--editable": "-e", "--group": "--group"}
_OVERRIDE_KEYS = (
    *"select install setup apt args env dockerfile build-in allow-failure skip services user smoke".split(),
    *(key.replace("_", "-") for key in OPTION_KEYS),
)
_LIKELY_TYPO = re.compile(r"(pytest[-_]?)?py[-_]?images?", re.IGNORECASE)  # likely typos of the table's name
_USER = re.compile(r"[0-9]{1,9}(:[0-9]{1,9})?")
# Debian Policy 5.6.1 for names, with apt's ":architecture" and "=version"; apk's names are among them but for "_".
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*(:[a-z0-9-]+)?([=<>~]+[A-Za-z0-9.+:~_-]+)?")


class ImageConfiguration(Immutable):
    """The configuration of one image."""

    install: tuple[str, ...] | None = None  # arguments of pip, instead of the discovered requirements
    setup: tuple[str, ...] = ()  # shell commands, run in the project's folder before anything is installed
    apt: tuple[str, ...] = ()  # system packages, of Debian or of Alpine
    env: Mapping[str, str | None] = field(default_factory=dict)  # None: the host's value, which is stored nowhere
    dockerfile: Path | None = None
    build_in: str = ""  # "full": build wheels in the full image of the same Python; empty: in the image itself
    user: str = ""  # that the tests run as, see ``parse_user``; empty for the image's own
    args: tuple[str, ...] = ()  # further arguments for pytest
    allow_failure: bool | None = None  # None: as in the matrix
    skip: bool = False
    services: tuple[Service, ...] = ()  # servers beside the suite
    options: ContainerOptions = NO_OPTIONS  # what its container may use
    smoke: bool | None = None  # None: as on the command line
    constraints: tuple[str, ...] = ()  # of a variant: requirements that limit versions, and install nothing
    resolution: str = ""  # of a variant, uv's: "lowest", "lowest-direct", "highest"

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables with their values, without those of the host that the host does not have."""
        return resolve_variables(self.env, environ)


class Configuration:
    """The configuration of all images of a session.

    :param ini: the suite's pytest configuration.
    :param rootdir: pytest's; its pyproject.toml holds the overrides, and relative paths start there.
    :param known: all ini keys that this plugin has.
    :raises ConfigurationError: for an unknown key or an invalid value.
    """

    def __init__(self, ini: Ini, rootdir: Path, *, known: Collection[str]) -> None:
        self._rootdir = rootdir
        check_keys([key for key in ini if key.startswith(PREFIX)], tuple(known), where="pytest's configuration")
        read_own_table(rootdir, known)
        keys = ("setup", "apt", "env", "dockerfile", "build_in", "services", "user")
        common = {key: self._convert(key, ini.get(f"{PREFIX}_{key}"), f"{PREFIX}_{key}") for key in keys}
        options = {key: self._convert(key, ini.get(f"{PREFIX}_{key}"), f"{PREFIX}_{key}") for key in OPTION_KEYS}
        self._common = ImageConfiguration(**common, options=ContainerOptions(**options))
        self._overrides = tuple(self._read_overrides())
        self._variants = {
            name: {
                key.replace("-", "_"): value if key in VARIANT_KEYS else self._convert(key, value, f"{where}: {key}")
                for key, value in keys.items()
            }
            for name, keys, where in read_variants_table(rootdir / "pyproject.toml", others=_OVERRIDE_KEYS)
        }

    def for_image(self, label: str, variant: str = "") -> ImageConfiguration:
        """Return an image's configuration: of several overrides the last wins, key by key, variable by variable.

        :param variant: its keys win over those of overrides, which may select the image with or without its name.
        :raises ConfigurationError: for an unknown variant.
        """
        labels = (label, label.replace(f"+{variant}", "", 1) if variant else label)
        applied = [
            changes
            for selectors, changes in self._overrides
            if any(fnmatchcase(name, selector) for selector in selectors for name in labels)
        ]
        if variant and variant not in self._variants:
            hint = suggest(variant, self._variants, otherwise=f"add {VARIANTS_TABLE} to pyproject.toml")
            raise ConfigurationError(f'--py-images: {label}: unknown variant "{variant}"', hint)
        found = self._common
        for changes in (*applied, self._variants.get(variant, {})):
            options = {key: value for key, value in changes.items() if key in OPTION_KEYS}
            others = {key: value for key, value in changes.items() if key not in OPTION_KEYS}
            changed = replace(found, **others, options=replace(found.options, **options))
            found = replace(changed, env={**found.env, **changed.env})
        return found

    def _read_overrides(self) -> Iterable[tuple[tuple[str, ...], dict[str, Any]]]:
        path = self._rootdir / "pyproject.toml"
        document = read_toml(path)
        for name in get_table(document, "tool"):
            if name != "pyimages" and _LIKELY_TYPO.fullmatch(name):
                raise ConfigurationError(f"{path.name}: unknown table [tool.{name}]", "write [tool.pyimages]")
        for number, entry in enumerate(read_tables(document, "overrides", path), start=1):
            yield self._read_override(entry, f"{path.name} {TABLE} number {number}")

    def _read_override(self, entry: Table, where: str) -> tuple[tuple[str, ...], dict[str, Any]]:
        check_keys(entry, _OVERRIDE_KEYS, where=where)
        selectors = read_strings(entry.get("select"), f"{where}: select")
        if not selectors:
            raise ConfigurationError(f"{where} has no select", 'name the images that it applies to: select = "3.15*"')
        values = {key: value for key, value in entry.items() if key != "select"}
        return selectors, {
            key.replace("-", "_"): self._convert(key, value, f"{where}: {key}") for key, value in values.items()
        }

    def _convert(self, key: str, value: object, where: str) -> Any:
        """Return the value of an ini key or of an override's key, checked."""
        key = key.replace("-", "_")
        if key in OPTION_KEYS:
            option = read_container_option(key, value, where)
            check_project_option(key, option, where, self._rootdir)
            return option
        return self._convert_other(key, value, where)

    def _convert_other(self, key: str, value: object, where: str) -> Any:
        if key in {"allow_failure", "skip", "smoke"}:
            if not isinstance(value, bool):
                raise ConfigurationError(f"{where} is {value!r}", "write true or false")
            return value
        if key == "build_in":
            if value not in (None, "", "image", "full"):  # a list is not hashable
                raise ConfigurationError(f"{where}: {value!r} must be image or full")
            return "full" if value == "full" else ""
        if key in {"env", "user"}:
            return read_variables(value, where) if key == "env" else parse_user(value or "", where)
        if key == "services":
            return read_services(value, self._rootdir, where)
        strings = read_strings(value, where)
        if key == "dockerfile":
            return self._check_dockerfile(strings, where)
        if key == "args":
            _check_arguments(strings, where)
        return _check_packages(strings, where) if key == "apt" else strings

    def _check_dockerfile(self, paths: tuple[str, ...], where: str) -> Path | None:
        if not paths:
            return None
        path = self._rootdir / paths[0]
        if len(paths) > 1 or not path.is_file():
            raise ConfigurationError(f"{where}: {path} does not exist", "name one file, relative to the rootdir")
        return path


def parse_user(value: object, where: str) -> str:
    """Return the user that tests run as, for ``inside/worker/user.py``; empty for the image's own.

    :raises ConfigurationError: for anything but UID[:GID], host or root.
    """
    text = str(value).strip()
    if text == "host" and hasattr(os, "getuid"):
        return f"host {os.getuid()}:{os.getgid()}"
    if text == "root":
        return "0:0"
    if text and not _USER.fullmatch(text):
        near = find_similar(text, ("host", "root"))
        meant = f" (did you mean {near}?)" if near else ""
        raise ConfigurationError(f'{where}: invalid value "{text}"{meant}', "must be UID[:GID], host or root")
    return text


def read_own_table(rootdir: Path, known: Collection[str]) -> dict[str, Any]:
    """Return the settings of ``[tool.pyimages]`` by the keys that they have in pytest's configuration.

    A project may use it instead, since a pytest without this plugin warns of unknown keys in its own configuration.

    :param known: all ini keys that this plugin has.
    :raises ConfigurationError: for an unknown key.
    """
    path = rootdir / "pyproject.toml"
    ours = get_table(get_table(read_toml(path), "tool"), "pyimages")
    names = {_name_in_table(key): key for key in known}
    where = f"{path.name} [tool.pyimages]"
    for key in ours:
        if key in known:
            raise ConfigurationError(f'{where}: unknown key "{key}"', f"write {_name_in_table(key)}")
    settings = {key.replace("-", "_"): value for key, value in ours.items() if key not in _TABLES}
    check_keys(settings, (*names, *_TABLES), where=where)
    return {names[key]: value for key, value in settings.items()}


def _name_in_table(key: str) -> str:
    return "images" if key == PREFIX else key.removeprefix(f"{PREFIX}_")


def _check_arguments(words: tuple[str, ...], where: str) -> None:
    for word in words:
        if word == "--cov" or word.startswith("--cov="):  # there is one report for all images
            raise ConfigurationError(
                f"{where} has {word}, but coverage is measured on all images or none",
                "move it to addopts, and add --no-cov to the args of images to leave out",
            )


def _check_packages(entries: tuple[str, ...], where: str) -> tuple[str, ...]:
    names = tuple(name for entry in entries for name in re.split(r"[,\s]+", entry) if name)
    for name in names:
        if not _PACKAGE.fullmatch(name):
            raise ConfigurationError(f'{where}: invalid package name "{name}"', "write a name such as libpq-dev")
    return names


def read_install_source(ini: Ini, files: ProjectFiles, metadata: Metadata) -> RequirementSource | None:
    """Return the requirements of py_images_install, which replace all discovery; None if the key is not set.

    :raises ConfigurationError: for an invalid argument, or a file, group or extra that does not exist.
    """
    if _INSTALL not in ini:
        return None
    entries = read_install_entries(ini)
    extras: list[str] = []
    groups: list[str] = []
    requirements: list[str] = []
    paths: list[Path] = []
    for option, value in (pair for entry in entries for pair in _split_entry(entry)):
        own = find_own_extras(value, root=files.root.resolve(), name=canonicalize_name(metadata.name))
        if option == "-r":
            paths.append(files.root / value)
            if not paths[-1].is_file():
                hint = f"fix the path; it is relative to {files.root}"
                raise ConfigurationError(f"{_INSTALL}: {paths[-1]} does not exist", hint)
        elif option == "--group":  # [PATH:]NAME, as pip takes it
            folder, colon, name = value.rpartition(":")
            path = files.root / folder if colon else files.root / "pyproject.toml"
            groups.append(value)
            requirements += expand_group(read_toml(path), name, path=path)
        elif own is not None:
            extras += _check_extras(own, metadata)
        elif option == "-e" and find_local_package(f"-e {value}", root=files.root) is not None:
            requirements.append(convert_pdm_entry(f"-e {value}", root=files.root))
        elif option == "-e" or parse_requirement(value) is None:
            raise ConfigurationError(f'{_INSTALL}: invalid entry "{_redact(value)}"', _INSTALL_FORMS)
        else:
            requirements.append(value)
    return RequirementSource(
        origin=f"{_redact(', '.join(entries)) or 'nothing'} ({_INSTALL})",
        extras=tuple(dict.fromkeys(extras)),
        groups=tuple(dict.fromkeys(groups)),
        requirements=tuple(dict.fromkeys(requirements)),
        requirement_files=tuple(dict.fromkeys(paths)),
    )


def read_install_entries(ini: Ini) -> tuple[str, ...]:
    """Return the entries of py_images_install; an option and its value may be two entries of a list."""
    words = iter(read_strings(ini[_INSTALL], _INSTALL))
    entries = []
    for word in words:
        value = next(words, "") if word in _INSTALL_OPTIONS else ""
        entries.append(f"{word} {shlex.quote(value) if ' ' in value else value}".rstrip())
    return tuple(entries)


def _split_entry(entry: str) -> Iterator[tuple[str, str]]:
    """Yield option (or nothing) and value of each argument in an entry."""
    if parse_requirement(entry) is not None:  # markers have spaces and quotes
        yield "", entry
        return
    try:
        words = iter(shlex.split(entry))
    except ValueError as error:
        raise ConfigurationError(f"{_INSTALL}: {_redact(entry)}: {error}", "close the quotation") from error
    for word in words:
        option, equals, value = word.partition("=")
        if not word.startswith("-"):
            yield "", word
            continue
        if word[:2] in {"-r", "-e"}:
            option, value = word[:2], word[2:].lstrip("=")
        elif option not in _INSTALL_OPTIONS:
            raise ConfigurationError(f'{_INSTALL}: invalid entry "{_redact(word)}"', _INSTALL_FORMS)
        if not value and not (equals and len(option) > 2):
            value = next(words, "")
            if not value:
                raise ConfigurationError(f"{_INSTALL}: {word} has no value", _INSTALL_FORMS)
        yield _INSTALL_OPTIONS[option], value


def _check_extras(extras: Sequence[str], metadata: Metadata) -> Sequence[str]:
    known = {canonicalize_name(extra) for extra in metadata.extras or {}}
    for extra in extras:
        if metadata.extras is not None and metadata.are_extras_known and canonicalize_name(extra) not in known:
            hint = suggest(canonicalize_name(extra), metadata.extras, otherwise="" if known else "add it")
            raise ConfigurationError(f'{_INSTALL}: the project has no extra "{extra}"', hint)
    return extras


def _redact(text: str) -> str:
    from pytest_pyimages.indexes import Redaction

    return Redaction().redact(text)
