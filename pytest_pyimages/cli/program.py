"""The ``pyimages`` command line: parse it and run one command."""

from __future__ import annotations

import argparse
import errno
import io
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

import pytest

import pytest_pyimages
from pytest_pyimages.cli import (
    base_images,
    build,
    completion,
    doctor,
    export,
    list_images,
    lock_images,
    prune,
    run_command,
    run_tests,
    shell,
)
from pytest_pyimages.cli.ci import workflow
from pytest_pyimages.cli.project import add_engine_argument
from pytest_pyimages.cli.reports import history, merge
from pytest_pyimages.cli.watching import watch
from pytest_pyimages.errors import ConfigurationError, PyimagesError, make_read_error
from pytest_pyimages.matrix import parse_matrix
from pytest_pyimages.text import find_similar, suggest

PROGRAM = "pyimages"


class Command(Protocol):
    """The interface of a command's module."""

    SUMMARY: str  # one line, for the list of commands
    DESCRIPTION: str  # several lines, for the command's own help

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add arguments and options; ``--engine`` and pytest's arguments after ``--`` are added by the program."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the command; return a pytest exit code.

        :raises PyimagesError: shown to the user.
        """


COMMANDS: Mapping[str, Command] = {
    "test": run_tests,
    "watch": watch,
    "shell": shell,
    "run": run_command,
    "build": build,
    "export": export,
    "list": list_images,
    "images": base_images,
    "prune": prune,
    "lock": lock_images,
    "ci": workflow,
    "merge": merge,
    "history": history,
    "doctor": doctor,
    "completion": completion,
}

_OUTPUT_ERRORS = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
FILES_ONLY = ("history", "completion")  # commands that use neither an engine nor pytest

# The arguments after ``--``.
AFTER_DASHES = {
    "run": ("command", "after --: the command and its own arguments"),
    "pytest": (
        "arguments of pytest",
        (
            "after --, such as -c FILE, --rootdir=FOLDER, -o KEY=VALUE or an option of this plugin; they select the"
            " project's configuration as they do in a run"
        ),
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return a pytest exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    _prepare_output()
    try:
        status = _main(words)
        sys.stdout.flush()  # here, so that a closed pipe or a full disk is caught below
    except PyimagesError as error:
        return _report(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return int(pytest.ExitCode.INTERRUPTED)
    except OSError as error:
        if isinstance(error, PermissionError) and error.filename is not None:
            return _report(make_read_error(error.filename, error))
        if error.errno not in _OUTPUT_ERRORS or error.filename is not None:
            raise
        # Python must not flush at exit (docs: "Note on SIGPIPE").
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno != errno.EPIPE:  # the reader has closed the pipe, and has what it wants
            sys.stderr.write(f"ERROR: the output cannot be written ({error.strerror})\n")
        return int(pytest.ExitCode.TESTS_FAILED)
    return status


def _report(error: PyimagesError) -> int:
    """Print an error; return its exit status."""
    sys.stderr.write(f"ERROR: {_format_error(error)}\n")
    failed = not isinstance(error, ConfigurationError)
    return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.USAGE_ERROR)


def _main(words: list[str]) -> int:
    own, pytest_arguments = _split_at_dashes(words)
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
        raise _unknown_argument(arguments, [*unknown, "--"])
    arguments.pytest_arguments = pytest_arguments
    return command.run(arguments)


class _Parser(argparse.ArgumentParser):
    """Raises ConfigurationError with one line instead of printing the usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{self.prog}: {message}", f"see {self.prog} --help")

    @property
    def options(self) -> tuple[str, ...]:
        return tuple(name for action in self._actions for name in action.option_strings)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        allow_abbrev=False,
        description="Build, inspect and clean up the images that pytest-pyimages uses.",
        epilog="Commands work on the project in the current folder. Exit status: 0 success, 1 failure, 2 interrupted,"
        " 4 usage error.",
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
            one.add_argument_group(*AFTER_DASHES["run" if name == "run" else "pytest"])
        one.set_defaults(options=one.options)
    commands.choices["completion"].set_defaults(
        all_options={name: one.options for name, one in commands.choices.items()}
    )
    return parser


def _split_at_dashes(words: list[str]) -> tuple[list[str], list[str]]:
    """Split the command line into the program's own arguments and those of pytest, after ``--``."""
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end + 1 :]


def _check_command(words: Sequence[str]) -> None:
    name = next((word for word in words if not word.startswith("-")), None)
    if name is not None and name not in COMMANDS:
        raise ConfigurationError(f'{PROGRAM}: unknown command "{name}"', suggest(name, COMMANDS))


def _unknown_argument(arguments: argparse.Namespace, words: Sequence[str]) -> ConfigurationError:
    """Return the error for the arguments that argparse does not know.

    :param words: these arguments; the first one is named.
    """
    command, word = f"{PROGRAM} {arguments.command}", words[0]
    kind = "unknown option" if word.startswith("-") else "unexpected argument"
    return ConfigurationError(f'{command}: {kind} "{word}"', _suggest_argument(command, arguments, words))


def _suggest_argument(command: str, arguments: argparse.Namespace, words: Sequence[str]) -> str:
    help_hint, word = f"see {command} --help", words[0]
    option, _, value = word.partition("=")
    if option == "--py-images" and hasattr(arguments, "spec"):
        return f"images need no option: {command} {shlex.quote(value or arguments.spec or 'SPEC')}"
    if option == "--py-images-engine":
        return "the option is --engine"
    if arguments.command in FILES_ONLY:
        return suggest(word.partition("=")[0], arguments.options, otherwise=help_hint)
    near = find_similar(word.partition("=")[0], arguments.options) if word.startswith("-") else ""
    spec: str = getattr(arguments, "spec", None) or ""
    if near or (spec and not word.startswith("-") and _is_image(word)):
        return f"did you mean {near}?" if near else f"separate images with commas: {spec},{word}"
    if arguments.command in ("run", "test", "watch"):
        after = shlex.join(word for word in words if word != "--")
        what = "the command" if arguments.command == "run" else "arguments of pytest"
        return f"put {what} after --: {' '.join(filter(None, (command, spec, '--', after)))}"
    return "options of pytest go after --" if word.startswith("-") else help_hint


def _is_image(word: str) -> bool:
    try:
        return word[:1].isdigit() and bool(parse_matrix([word]))
    except ConfigurationError:
        return False


def _format_error(error: PyimagesError) -> str:
    """Format an error with the names that this program's options have."""
    return re.sub('(?<!")--py-images-engine', "--engine", str(error).removeprefix("--py-images: "))  # not as typed


def _prepare_output() -> None:
    """Escape characters that the output's encoding lacks; discard output to a closed stream (``>&-``)."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
