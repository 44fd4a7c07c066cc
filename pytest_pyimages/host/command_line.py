"""pytest's command line, parsed once: which arguments the host handles, and which are forwarded to the containers.

Containers get every argument as typed, except ours. The host keeps what it needs to show results, to count failures and
to write its files, and nothing else: an option of the project's conftest or of a plugin that the host lacks is unknown
here, and even a known one (``-n``, ``--cov``, ``-W error::project.Warning``) must not act here.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.host.option_table import FLAG_NAMES, OPTION_NAMES
from pytest_pyimages.host.pytest_options import (
    ATTENDED,
    DEBUGGERS,
    FLAGS,
    HOST_INI_KEYS,
    HOST_OPTIONS,
    OPTIONAL_VALUES,
    PLACES,
    REFUSALS,
    VALUES,
)
from pytest_pyimages.project import KNOWN_PLUGINS, matches

_XDIST_FLAGS = ("-d", "-f")
_MAY_TAKE_VALUE = OPTIONAL_VALUES | {"--cov"}  # the next word, unless that is an option
_NEEDS_VALUE = frozenset(OPTION_NAMES).difference(FLAG_NAMES)
_TAKES_VALUE = _NEEDS_VALUE.union(
    VALUES, *(f"{plugin.values} {plugin.host_values}".split() for plugin in KNOWN_PLUGINS.values())
)
_TAKES_NO_VALUE = frozenset({*FLAGS, *FLAG_NAMES, *_XDIST_FLAGS, "--", ""}).union(
    *(plugin.host_flags.split() for plugin in KNOWN_PLUGINS.values())
)
_SHORT_FLAGS = frozenset(name for name in (*FLAGS, *_XDIST_FLAGS) if not name.startswith("--"))
# How -p can name this plugin; in containers there is none.
OUR_PLUGINS = ("pyimages", "pytest_pyimages.plugin")
# Beginnings of the ini keys that the host uses; it gets -o only for these.
HOST_INI = (*HOST_INI_KEYS, "py_images")
_OVERRIDE_INI = ("-o", "--override-ini")

# pytest 4.6 knows these options by their older names only; to it, the newer ones are ambiguous or unknown.
_OLDEST_NAMES = {"--co": "--collect-only", "--config-file": "-c"}

_NO_TERMINAL = "it needs a terminal, and standard input or output is not one"
REFUSED = {
    **REFUSALS,
    **{option: plugin.reason for plugin in KNOWN_PLUGINS.values() for option in plugin.refused.split()},
}
_ELSEWHERE = "it runs tests on another host or with another Python than the image's · use -n"
_EACH = "it would count each test several times per image · use -n to distribute tests, --py-images to select images"
# Where xdist starts workers with its own Python: "popen", "3*popen//chdir=/tmp".
_POPEN = re.compile(r"(\d+\*)?popen(?!.*//(python|via)=)(//.*)?")

# Whether the word after an option of the suite is its value; None if that is not known.
TakesValue = Callable[[str, str], bool | None]

POSITION = ""  # the name of an argument that is not an option
HIDDEN = "…"
END = "--"  # after it there are only positions


class Argument(NamedTuple):
    """An option with its value, or a position."""

    name: str
    value: str | None
    words: tuple[str, ...]  # as typed; of options that were typed together (-xvs) each has its own
    may_be_value: bool = False  # a position that may be the value of the option before it, which only the suite knows

    @property
    def may_precede_value(self) -> bool:
        """Whether the next word may be the value of this option."""
        return self.words == (self.name,) and self.value is None and self.name not in _TAKES_NO_VALUE

    @property
    def may_precede_values(self) -> bool:
        """Whether all words until the next option may be its values, since only the suite knows it (``nargs``)."""
        is_open = self.words[0] == self.name and self.name not in _TAKES_NO_VALUE
        return is_open and self.name not in _TAKES_VALUE and self.name not in OPTIONAL_VALUES


def _is_foreign(option: str) -> bool:
    """Return whether an option is none of pytest's, of this plugin's or of a known plugin's."""
    is_ours = option in PLACES or option in OPTION_NAMES or not option.startswith("--") or option == END
    return not is_ours and not any(matches(option, plugin.options) for plugin in KNOWN_PLUGINS.values())


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Parsed arguments in their order."""

    arguments: tuple[Argument, ...] = ()

    @classmethod
    def parse(cls, words: Iterable[str], takes_value: TakesValue = lambda _option, _word: None) -> CommandLine:
        """Return the arguments that pytest's parser would see, as far as the form of the options is known."""
        found: list[Argument] = []
        remaining = iter(words)
        for word in remaining:
            if word == END:
                found.append(Argument(END, None, (word,)))
                found += [Argument(POSITION, position, (position,)) for position in remaining]
            elif word.startswith("--"):
                name, equals, value = word.partition("=")
                if equals or name not in _TAKES_VALUE:
                    found.append(Argument(name, value if equals else None, (word,)))
                else:
                    found.append(_with_next(name, remaining))
            elif word.startswith("-") and len(word) > 1:
                found.extend(_split_short(word, remaining))
            elif found and found[-1].may_precede_value:
                name = found[-1].name
                is_value = name in _MAY_TAKE_VALUE or takes_value(name, word)
                if is_value:
                    found[-1] = Argument(name, word, (name, word))
                else:
                    found.append(Argument(POSITION, word, (word,), may_be_value=is_value is None))
            else:
                found.append(Argument(POSITION, word, (word,)))
        return cls(tuple(found))

    def __add__(self, other: CommandLine) -> CommandLine:
        return CommandLine(self.arguments + other.arguments)

    @property
    def words(self) -> tuple[str, ...]:
        """The words to pass to a program."""
        return tuple(word for argument in self.arguments for word in argument.words)

    def format_without_foreign_values(self, cwd: Path) -> str:
        """Return the words for a shell, without what may be a password: values of options that only the suite knows.

        :param cwd: the words that exist there after such an option are paths, not its value.
        """
        shown = []
        for argument in self.arguments:
            if argument.value is not None and _is_foreign(argument.name):
                shown.append(f"{argument.name}={HIDDEN}")
            elif argument.may_be_value and not exists(cwd / argument.words[0].partition("::")[0]):
                shown.append(HIDDEN)
            else:
                shown += argument.words
        return " ".join(word if word.endswith(HIDDEN) else shlex.quote(word) for word in shown)

    @property
    def positions(self) -> tuple[str, ...]:
        """Paths and node ids, and what may be one or the value of an option."""
        return tuple(argument.words[0] for argument in self.arguments if argument.name == POSITION)

    @property
    def paths(self) -> tuple[str, ...]:
        """The positions that cannot be values."""
        return tuple(
            argument.words[0] for argument in self.arguments if argument.name == POSITION and not argument.may_be_value
        )

    @property
    def apparent_paths(self) -> tuple[str, ...]:
        """The words that pytest takes for paths while it knows its own options only."""
        core = VALUES | OPTIONAL_VALUES
        return tuple(
            argument.words[-1]
            for argument in self.arguments
            if argument.name == POSITION or (len(argument.words) > 1 and argument.name not in core)
        )

    @property
    def options(self) -> tuple[Argument, ...]:
        """All arguments that are no positions."""
        return tuple(argument for argument in self.arguments if argument.name not in (POSITION, END))

    def has(self, *names: str) -> bool:
        """Return whether one of these options is present."""
        return any(argument.name in names for argument in self.options)

    def values(self, *names: str) -> tuple[str, ...]:
        """Return the values of an option, which may have several names."""
        return tuple(argument.value or "" for argument in self.options if argument.name in names)

    def last(self, *names: str) -> str:
        """Return the value of an option that counts; empty if there is none."""
        return self.values(*names)[-1] if self.has(*names) else ""

    def select(self, names: Collection[str]) -> CommandLine:
        """Return the options of these names only."""
        return CommandLine(tuple(argument for argument in self.options if argument.name in names))

    def without(self, names: str | Collection[str], *, plugins: Collection[str] = ()) -> CommandLine:
        """Return the command line without some options.

        :param names: their names, where ``--cov*`` stands for all that begin so.
        :param plugins: modules whose ``-p`` is left out, too.
        """
        patterns = names if isinstance(names, str) else " ".join(names)
        return CommandLine(
            tuple(
                argument
                for argument in self.arguments
                if argument.name in (POSITION, END)
                or not (matches(argument.name, patterns) or (argument.name == "-p" and _module(argument) in plugins))
            )
        )

    def replacing_positions(self, change: Callable[[str], str]) -> CommandLine:
        """Return the command line with other positions."""
        return CommandLine(
            tuple(
                argument._replace(words=(change(argument.words[0]),)) if argument.name == POSITION else argument
                for argument in self.arguments
            )
        )

    def adding(self, *options: str) -> tuple[str, ...]:
        """Return the words with further options after the others, so that these win, but before a ``--``."""
        names = [argument.name for argument in self.arguments]
        end = names.index(END) if END in names else len(names)
        return (*CommandLine(self.arguments[:end]).words, *options, *CommandLine(self.arguments[end:]).words)

    def host_arguments(self, others: Collection[str] = ()) -> list[str]:
        """Return the words that the host's pytest gets.

        :param others: options of the host's plugins that it handles as well.
        """
        handled = {*HOST_OPTIONS, *OPTION_NAMES, *others}
        return [
            word
            for argument in self.options
            if argument.name in handled
            and (argument.name not in _OVERRIDE_INI or (argument.value or "").startswith(HOST_INI))
            for word in argument.words
        ]

    def container_arguments(self) -> CommandLine:
        """Return what containers get: everything but our own options, which xdist's workers would not know."""
        line = self.without(OPTION_NAMES, plugins=OUR_PLUGINS)
        return CommandLine(tuple(map(_use_oldest_name, line.arguments)))

    def find_missing_value(self) -> str:
        """Return the first option of ours that has no value, or another option in its place; empty if there is none."""
        return next((one.name for one in self.options if one.name in _NEEDS_VALUE and _lacks_value(one)), "")

    @property
    def debugger(self) -> str:
        """The option that starts a debugger; empty if there is none."""
        return next((argument.name for argument in self.options if argument.name in DEBUGGERS), "")

    @property
    def attended(self) -> str:
        """The option whose output is that of pytest in one container; empty if there is none."""
        return next((argument.name for argument in self.options if argument.name in ATTENDED), "")

    @property
    def shows_output(self) -> bool:
        """Whether capturing is off (``-s``)."""
        given = [argument for argument in self.options if argument.name in ("-s", "--capture")]
        return bool(given) and (given[-1].name == "-s" or given[-1].value == "no")

    @property
    def measures_coverage(self) -> bool:
        """Whether pytest-cov may be active."""
        return any(argument.name.startswith("--cov") for argument in self.options) and not self.has("--no-cov")

    def find_refused(self, *, terminal: bool) -> tuple[str, str] | None:
        """Return the first option that cannot work with images, and the reason.

        :param terminal: whether there is one.
        """
        for argument in self.options:
            if argument.name in DEBUGGERS and not terminal:
                return argument.name, _NO_TERMINAL
            if argument.name in REFUSED:
                return argument.name, REFUSED[argument.name]
            if argument.name in ("--tx", "--px") and not _POPEN.fullmatch(argument.value or ""):
                return argument.name, _ELSEWHERE
            if argument.name == "--dist" and argument.value == "each":
                return "--dist=each", _EACH
        return None


def exists(path: Path) -> bool:
    """Return whether a path exists; a word of the command line may be longer than a path may be."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises an error then


def _use_oldest_name(argument: Argument) -> Argument:
    name = _OLDEST_NAMES.get(argument.name)
    return argument if name is None else Argument(name, argument.value, (name, *filter(None, (argument.value,))))


def _lacks_value(argument: Argument) -> bool:
    """Return whether argparse would refuse what follows an option: it takes negative numbers and texts with spaces."""
    if argument.value is None:
        return True
    is_next = len(argument.words) > 1
    return is_next and bool(re.fullmatch(r"-(?!\d)[^ ]+", argument.value))


def _module(argument: Argument) -> str:
    return (argument.value or "").strip()


def _with_next(name: str, remaining: Iterator[str]) -> Argument:
    following = next(remaining, None)
    return Argument(name, following, (name,) if following is None else (name, following))


def _split_short(word: str, remaining: Iterator[str]) -> Iterator[Argument]:
    """Split ``-xvs``, ``-rA`` and ``-k expression``; after an unknown letter the rest belongs to that option."""
    for place, letter in enumerate(word[1:], start=2):
        name, rest = "-" + letter, word[place:]
        if name in _TAKES_VALUE:
            yield Argument(name, rest.removeprefix("="), (name + rest,)) if rest else _with_next(name, remaining)
            return
        if name not in _SHORT_FLAGS:
            yield Argument(name, None, (name + rest,))
            return
        yield Argument(name, None, (name,))
