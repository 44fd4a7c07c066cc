"""How pytest was called, and the project's own configuration of it."""

from __future__ import annotations

import inspect
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.host.command_line import HOST_INI, CommandLine, TakesValue
from pytest_pyimages.host.option_table import INI_KEYS, NO_IMAGES, OPTION_NAMES, OPTION_TABLE, OPTIONS
from pytest_pyimages.host.pytest_input import expand_argument_files, plain_values, read_inicfg, split_words
from pytest_pyimages.host.suite_options import SuiteOptions
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.project import find_project_folder, read_own_table

# What the tests see of the host's environment.
PASSED_ENVIRONMENT = ("CI", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_THEME")


class Invocation(Immutable):
    """How pytest was called, read before the project's configuration is removed from the host's pytest."""

    addopts: CommandLine  # of the ini file
    environment_addopts: CommandLine  # of PYTEST_ADDOPTS
    typed: CommandLine
    ini: Mapping[str, str | list[str]]  # of pytest's configuration, and ours of [tool.pyimages]
    table_keys: frozenset[str]  # the ini keys that are from [tool.pyimages]
    host_ini: Mapping[str, Any]  # the entries that the host uses, as pytest keeps them
    inipath: Path | None
    rootdir: Path
    cwd: Path
    module: bool  # called as ``python -m pytest``
    command: bool  # called as ``pyimages``
    environment: Mapping[str, str]  # the host's variables that the tests see
    variables: Mapping[str, str]  # the host's variables that are options of ours
    container_options: tuple[str, ...] = ()  # for pytest to find in containers what was found on the host
    host_options: frozenset[str] = frozenset()  # of the host's other plugins, which handle them
    host_plugins: frozenset[str] = frozenset()  # modules that containers must not load, whatever the settings say
    host_args: tuple[str, ...] = ()  # the words that name these modules on the command line

    @property
    def configured(self) -> CommandLine:
        """The arguments of the ini file and of PYTEST_ADDOPTS, which precede the typed ones."""
        return self.addopts + self.environment_addopts

    @property
    def command_line(self) -> CommandLine:
        """All arguments."""
        return self.configured + self.typed

    def find_nearest_values(self, name: str) -> tuple[str, ...]:
        """Return the values that an option has on the command line, else in PYTEST_ADDOPTS, else in ``addopts``."""
        lines = (self.typed, self.environment_addopts, self.addopts)
        return next((line.values(name) for line in lines if line.has(name)), ())

    @property
    def wants_images(self) -> bool:
        """Whether the option, the variable or the ini key selects images; if none does, pytest stays as it is."""
        return bool(drop_none(self._image_values))

    @property
    def _image_values(self) -> Sequence[str]:
        images = OPTIONS["py_images"]
        typed = self.command_line.values(images.name)
        given = typed or self.variables.get(images.environment) or self.ini.get(images.ini) or []
        return given if isinstance(given, list | tuple) else [given]  # a number in TOML is refused later

    def find_text(self, ini: str) -> str:
        """Return the value of an option of this plugin that takes one value, by its ini key; empty if it is not set."""
        option = OPTIONS[ini]
        given = self.command_line.last(option.name) or self.variables.get(option.environment) or self.ini.get(ini, "")
        return str(given).strip()

    @property
    def idle_option(self) -> str:
        """An option of ours that is typed where nothing says whether to use images; empty if there is none.

        Commands such as ``pyimages prune`` use ``--engine`` without images.
        """
        idle = self.typed.select(OPTION_NAMES).arguments
        return idle[0].name if idle and not (self.command or self._image_values) else ""

    def parse(self, words: Sequence[str]) -> CommandLine:
        """Parse arguments of this project's pytest."""
        return CommandLine.parse(words, SuiteOptions(self.cwd).takes_value)

    @property
    def project_folder(self) -> Path:
        """The folder that the project is looked for in."""
        if self.ini.get("py_images_install"):  # its paths are relative to that of the ini file
            return self.rootdir
        paths = (self.cwd / path.partition("::")[0] for path in self.typed.paths)
        # os.path: of any text, which may be longer than a path, or in a folder that this user may not enter
        existing = (path for path in paths if os.path.exists(path))  # noqa: PTH110
        folders = [path if path.is_dir() else path.parent for path in existing]
        near = Path(os.path.commonpath(folders)) if folders else self.cwd
        return find_project_folder(self.rootdir, Path(os.path.normpath(near)))

    @classmethod
    def from_config(cls, config: pytest.Config) -> Invocation:
        """Return how this pytest was called; only before ``forget_project``."""
        args, cwd = config.invocation_params.args, config.invocation_params.dir
        setup = _Setup(config.rootpath, config.inipath, read_inicfg(config))
        return cls._make(args, cwd, setup, command=False)

    @classmethod
    def from_arguments(cls, args: Sequence[str], cwd: Path, *, command: bool = True) -> Invocation:
        """Return the same without a configured pytest, by pytest's own search for the rootdir and the ini file.

        :param command: whether the arguments are those of ``pyimages``.
        """
        return cls._make(args, cwd, None, command=command)

    @classmethod
    def _make(cls, args: Sequence[object], cwd: Path, setup: _Setup | None, *, command: bool) -> Invocation:
        environment = {name: os.environ[name] for name in PASSED_ENVIRONMENT if name in os.environ}
        takes_value = SuiteOptions(cwd).takes_value
        environment_addopts, has_files = _parse(
            split_words(environment.get("PYTEST_ADDOPTS", ""), "PYTEST_ADDOPTS"), takes_value
        )
        if has_files:
            environment["PYTEST_ADDOPTS"] = shlex.join(environment_addopts.words)
        typed, _ = _parse([*map(str, args)], takes_value)
        line = environment_addopts + typed
        if setup is None or line.apparent_paths != line.paths:
            setup = _find_setup(line, line.paths, cwd)
        container_options = _find_again(setup, line.without(OPTION_NAMES), cwd)
        ini = plain_values(setup.inicfg)
        own = read_own_table(setup.rootdir, INI_KEYS)
        for key in own.keys() & ini.keys():
            origin = setup.inipath.name if setup.inipath else "the configuration"
            raise ConfigurationError(f"{key} is set in {origin}, and in pyproject.toml [tool.pyimages]", "remove one")
        addopts, has_files = _parse(split_words(ini.get("addopts", ""), "addopts"), takes_value)
        if has_files:
            ini["addopts"] = list(addopts.words)
            container_options += ("-o", f"addopts={shlex.join(addopts.words)}")
        _check_values(addopts + environment_addopts + typed)
        variables = {name: os.environ.get(name, "") for name in (option.environment for option in OPTION_TABLE)}
        return cls(
            addopts=addopts,
            environment_addopts=environment_addopts,
            typed=typed,
            ini={**ini, **own},
            table_keys=frozenset(own),
            host_ini={key: value for key, value in setup.inicfg.items() if key.startswith(HOST_INI)},
            inipath=setup.inipath,
            rootdir=setup.rootdir,
            cwd=cwd,
            module=not command and _is_module(sys.argv),
            command=command,
            environment=environment,
            variables={name: value for name, value in variables.items() if value.strip()},
            container_options=container_options,
        )


def _check_values(line: CommandLine) -> None:
    """Refuse an option of ours without its value: argparse would name the empty file that pytest is started with.

    :raises ConfigurationError: with an example.
    """
    name = line.find_missing_value()
    if name:
        option = OPTIONS[name.lstrip("-").replace("-", "_")]
        example = option.example or next(iter(option.choices), option.metavar)
        raise ConfigurationError(f"{name}: expected one argument", f"such as {name}={example}")


def drop_none(values: Sequence[str]) -> tuple[str, ...]:
    """Return the values of ``--py-images`` after the last "none", which discards those before it."""
    nones = [number for number, value in enumerate(values, start=1) if str(value).strip() == NO_IMAGES]
    return tuple(values[nones[-1] if nones else 0 :])


def _parse(words: Sequence[str], takes_value: TakesValue) -> tuple[CommandLine, bool]:
    """Return the parsed arguments, and whether argument files changed them."""
    expanded = expand_argument_files(words)
    line = CommandLine.parse(expanded, takes_value)
    if not any(position.startswith("@") for position in line.positions):
        return line, expanded != list(words)
    # The host's pytest is older than these files and takes them for paths; a newer one in a container shall do so, too.
    return line.replacing_positions(lambda word: f"./{word}" if word.startswith("@") else word), True


class _Setup(NamedTuple):
    """The result of pytest's search."""

    rootdir: Path
    inipath: Path | None
    inicfg: Mapping[str, Any]


def _find_setup(line: CommandLine, paths: Sequence[str], cwd: Path) -> _Setup:
    """Search for the rootdir and the ini file as pytest does, where it takes these words for paths."""
    from _pytest.config.findpaths import determine_setup

    rootdir = line.last("--rootdir")
    literal = Path(cwd, rootdir) if "$" in rootdir and Path(cwd, rootdir).is_dir() else None
    given: dict[str, Any] = {
        "inifile": line.last("-c", "--config-file") or None,
        "args": list(paths),
        "rootdir_cmd_arg": None if literal else rootdir or None,
        "invocation_dir": cwd,
        "override_ini": [value for value in line.values("-o", "--override-ini") if value],
    }
    accepted = inspect.signature(determine_setup).parameters
    found = _Setup(*determine_setup(**{name: value for name, value in given.items() if name in accepted})[:3])
    if "override_ini" not in accepted:  # pytest 8 keeps them elsewhere, from arguments that the host's pytest lacks
        overrides = dict(value.split("=", 1) for value in given["override_ini"] if "=" in value)
        found = found._replace(inicfg={**found.inicfg, **overrides})
    return found._replace(rootdir=literal) if literal else found


def _find_again(setup: _Setup, line: CommandLine, cwd: Path) -> tuple[str, ...]:
    """Return the options without which pytest in a container would find another rootdir or ini file.

    It searches before it knows the options of plugins and conftests, and takes their values for paths.
    """
    misled = line.apparent_paths != line.paths
    if not misled or _find_setup(line, line.apparent_paths, cwd)[:2] == setup[:2]:
        return ()
    return make_rootdir_option(setup.rootdir, cwd), "-c", str(setup.inipath or os.devnull)


def make_rootdir_option(rootdir: Path, cwd: Path) -> str:
    """Return pytest's option for a rootdir; pytest replaces variables in its value, and ``$`` cannot be quoted there.

    :param cwd: the current folder, usually the rootdir or below it: a relative path lacks the names of both.
    """
    relative = os.path.relpath(rootdir, cwd)
    return f"--rootdir={relative if '$' in str(rootdir) and '$' not in relative else rootdir}"


def _is_module(argv: Sequence[str]) -> bool:
    """Return whether this process was started as ``python -m pytest``, which has the working folder on sys.path."""
    return bool(argv) and Path(argv[0]).name == "__main__.py"
