"""``pyimages``: what there is to do beside a run. Each command is a module of ``pytest_pyimages.cli``."""

from __future__ import annotations

import argparse
import difflib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn, Protocol

import pytest

import pytest_pyimages
from pytest_pyimages.cli import build, list_images, lock_images, merge, prune, run_command, run_tests, shell
from pytest_pyimages.cli.project import add_engine_argument
from pytest_pyimages.errors import ConfigurationError, PyimagesError

PROGRAM = "pyimages"


class Command(Protocol):
    """What the module of a command has."""

    SUMMARY: str  # one line, for the list of commands
    DESCRIPTION: str  # a few, for its own help

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add arguments and options; ``--engine`` and pytest's arguments after ``--`` are there already."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; return pytest's own numbers, raise PyimagesError for what people are to be told."""


COMMANDS: Mapping[str, Command] = {
    "test": run_tests,
    "shell": shell,
    "run": run_command,
    "build": build,
    "list": list_images,
    "prune": prune,
    "lock": lock_images,
    "merge": merge,
}

FILES_ONLY = ("merge",)  # of the commands, what has no engine and no pytest

# What stands after ``--``.
BEHIND_DASHES = {
    "run": ("command", "after --: the command and its own arguments"),
    "pytest": (
        "arguments of pytest",
        (
            "after --, such as -c FILE, --rootdir=FOLDER, -o KEY=VALUE or an option of this plugin: they decide what"
            " the project's configuration is, as in a run"
        ),
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status, pytest's own numbers."""
    words = list(sys.argv[1:] if argv is None else argv)
    _replace_what_cannot_be_encoded()
    try:
        status = _main(words)
        sys.stdout.flush()  # here, where a reader that has gone is caught
    except PyimagesError as error:
        sys.stderr.write(f"ERROR: {_line(error)}\n")
        failed = not isinstance(error, ConfigurationError)
        return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.USAGE_ERROR)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return int(pytest.ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has gone; nothing is to be written when Python ends (docs: "Note on SIGPIPE").
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(pytest.ExitCode.TESTS_FAILED)
    return status


def _main(words: list[str]) -> int:
    own, pytest_arguments = _split(words)
    parser = _parser()
    if not own:
        parser.print_help(sys.stderr)
        return int(pytest.ExitCode.USAGE_ERROR)
    _check_command(own)
    try:
        arguments, unknown = parser.parse_known_args(own)
    except SystemExit as ended:  # --help and --version
        return int(ended.code or 0)
    command = COMMANDS[arguments.command]
    if unknown or (pytest_arguments and arguments.command in FILES_ONLY):
        raise _unknown(arguments, (*unknown, "--")[0])
    arguments.pytest_arguments = pytest_arguments
    return command.run(arguments)


class _Parser(argparse.ArgumentParser):
    """Raises what is wrong, in one line, instead of printing the usage and leaving."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{self.prog}: {message}", f"see {self.prog} --help")

    @property
    def options(self) -> tuple[str, ...]:
        return tuple(name for action in self._actions for name in action.option_strings)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        allow_abbrev=False,
        description="Environment images of Pythons for a project's tests: what there is to do beside a run.",
        epilog="The project is that of the current folder. Exit status: 0 done, 1 something failed, 4 wrong usage.",
    )
    version = f"pytest-pyimages {pytest_pyimages.__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        one = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(one)
        if name not in FILES_ONLY:
            add_engine_argument(one)
            one.add_argument_group(*BEHIND_DASHES["run" if name == "run" else "pytest"])
        one.set_defaults(options=one.options)
    return parser


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Return our own words, and pytest's: what stands behind ``--``."""
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end + 1 :]


def _check_command(words: Sequence[str]) -> None:
    name = next((word for word in words if not word.startswith("-")), None)
    if name is not None and name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(COMMANDS)}"
        raise ConfigurationError(f'{PROGRAM}: unknown command "{name}"', hint)


def _unknown(arguments: argparse.Namespace, word: str) -> ConfigurationError:
    command = f"{PROGRAM} {arguments.command}"
    if not word.startswith("-"):
        hint = "write several images as one: 3.12,3.13" if "spec" in arguments else f"see {command} --help"
        return ConfigurationError(f'{command}: one argument too many: "{word}"', hint)
    near = difflib.get_close_matches(word.partition("=")[0], arguments.options, n=1)
    behind = f"see {command} --help" if arguments.command in FILES_ONLY else "an option of pytest stands behind --"
    hint = f"did you mean {near[0]}?" if near else behind
    return ConfigurationError(f'{command}: unknown option "{word}"', hint)


def _line(error: PyimagesError) -> str:
    """Return an error in the words of this command, whose options have other names than pytest's."""
    return str(error).removeprefix("--py-images: ").replace("--py-images-engine", "--engine")


def _replace_what_cannot_be_encoded() -> None:
    """Let a name with characters that the output's encoding lacks be shown without them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
