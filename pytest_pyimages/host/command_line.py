"""Whose business each of pytest's command line options is: the controller's on the host, or the suite's inside.

The container gets every argument as it was typed, except ours. The host keeps what it needs to show results, to count
failures and to write its files, and nothing else: an option of the suite's own conftest or of a plugin that the host
lacks is unknown to it, and even a known one (``-n``, ``--cov``, ``-W error::project.Warning``) must not act here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pytest_pyimages.host.foreign_options import VALUES as PLUGIN_VALUES

# pytest's options that the host obeys (it draws, counts and writes); the rest of pytest's own are listed only where
# their form matters for reading the command line: short ones, and those that take a value.
HOST_FLAGS = frozenset(
    "-x --exitfirst -v --verbose -q --quiet --no-header --no-summary --no-fold-skipped --force-short-summary"
    " --disable-warnings --disable-pytest-warnings --full-trace --fulltrace --xfail-tb -h --help -V --version"
    " --collect-only --collectonly --co".split()
)
HOST_VALUES = frozenset(
    "--maxfail --verbosity -r --report-chars --tb --show-capture --color --code-highlight --durations --durations-min"
    " --junitxml --junit-xml --junit-prefix --junitprefix --max-warnings -c --config-file --rootdir -o"
    " --override-ini".split()
)
INSIDE_FLAGS = frozenset("-s -l -d".split())
INSIDE_VALUES = frozenset(
    "-k -m -p -W --pythonwarnings --confcutdir --basetemp --ignore --ignore-glob --deselect --import-mode --capture"
    " --log-level --log-disable --assert --pdbcls --doctest-glob --doctest-report"
    " --lfnf --last-failed-no-failures"
    # of pytest-xdist
    " -n --numprocesses --maxprocesses --max-worker-restart --dist --tx --px --rsyncdir --rsyncignore --testrunuid"
    " --maxschedchunk"
    # of pytest-cov
    " --cov-report --cov-config --cov-fail-under --cov-context --cov-precision".split()
)
INSIDE_MAY_HAVE_VALUE = frozenset(("--cov",))  # the next word, if that is no option
# How -p can name this plugin; inside there is none.
OUR_PLUGINS = ("pyimages", "pytest_pyimages.plugin")
# ini keys that the host obeys; -o is passed to it for these only.
HOST_INI = ("cache_dir", "junit_", "console_output_style", "verbosity_", "truncation_", "py_images")

_TERMINAL = "it needs a terminal, and standard input or output is none"
_PRINTS = "it shows what is installed inside, and tests nothing · install the suite here and leave --py-images out"
REFUSED = {
    "--fixtures": _PRINTS,
    "--funcargs": _PRINTS,
    "--fixtures-per-test": _PRINTS,
    "--markers": _PRINTS,
    "--cache-show": _PRINTS,
    "--setup-show": _PRINTS,
    "--setupshow": _PRINTS,
    "--setup-only": _PRINTS,
    "--setuponly": _PRINTS,
    "--setup-plan": _PRINTS,
    "--setupplan": _PRINTS,
    "-f": "it never ends, and a container does not see later changes of files",
    "--looponfail": "it never ends, and a container does not see later changes of files",
    "--pastebin": "it would send a report of many images to the network",
}


_ELSEWHERE = "it runs tests elsewhere or by another Python than the image's · use -n"
_EACH = "every test would count several times on one image · -n divides them, and images are named by --py-images"
# Where xdist starts processes of the Python that it is run by: "popen", "3*popen//chdir=/tmp".
_POPEN = re.compile(r"(\d+\*)?popen(?!.*//(python|via)=)(//.*)?")

POSITION = ""  # the name of what is no option
END = "--"  # behind it there are only positions


@dataclass(frozen=True, slots=True)
class Option:
    """One option as it was typed: ``tokens`` are the words it consists of."""

    name: str
    value: str | None
    tokens: tuple[str, ...]


def options(args: Sequence[str], own: Sequence[tuple[str, bool]]) -> list[Option]:
    """Return the options among the arguments, with their values as far as their form is known; positions are left out.

    :param own: this plugin's options, and whether each takes a value.
    """
    return [piece for piece in pieces(args, own) if piece.name not in (POSITION, END)]


def pieces(args: Sequence[str], own: Sequence[tuple[str, bool]]) -> list[Option]:
    """Return all arguments in their order: options, and positions, whose name is ``POSITION``."""
    takes_value = HOST_VALUES | INSIDE_VALUES | PLUGIN_VALUES | {name for name, valued in own if valued}
    found: list[Option] = []
    words = iter(args)
    for word in words:
        if word == END:
            found.append(Option(END, None, (word,)))
            found += [Option(POSITION, position, (position,)) for position in words]
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            if equals or name not in takes_value:
                found.append(Option(name, value if equals else None, (word,)))
            else:
                following = next(words, None)
                found.append(Option(name, following, (word,) if following is None else (word, following)))
        elif word.startswith("-") and len(word) > 1:
            found.extend(_short(word, words, takes_value))
        elif found and found[-1].tokens[0] in INSIDE_MAY_HAVE_VALUE and found[-1].value is None:
            found[-1] = Option(found[-1].name, word, (*found[-1].tokens, word))
        else:
            found.append(Option(POSITION, word, (word,)))
    return found


def _short(word: str, words: object, takes_value: frozenset[str] | set[str]) -> list[Option]:
    """Take apart ``-xvs``, ``-rA`` and ``-k expression``; an unknown letter makes the rest somebody else's."""
    found = []
    for position, letter in enumerate(word[1:], start=1):
        name = "-" + letter
        rest = word[position + 1 :]
        if name in takes_value:
            if rest:
                found.append(Option(name, rest.removeprefix("="), (name + rest,)))
            else:
                following = next(words, None)  # type: ignore[call-overload]  # the iterator over the words
                found.append(Option(name, following, (name,) if following is None else (name, following)))
            break
        if name not in HOST_FLAGS | INSIDE_FLAGS:
            found.append(Option(name, None, (name + rest,)))
            break
        found.append(Option(name, None, (name,)))
    return found


def host_arguments(args: Sequence[str], own: Sequence[tuple[str, bool]], *, others: Collection[str] = ()) -> list[str]:
    """Return what of the arguments the host's pytest is to see.

    :param others: options of the host's other plugins that it is to obey, too.
    """
    obeyed = HOST_FLAGS | HOST_VALUES | {name for name, _ in own} | {*others}
    kept: list[str] = []
    for option in options(args, own):
        if option.name in ("-o", "--override-ini"):
            if option.value is not None and option.value.startswith(HOST_INI):
                kept += option.tokens
        elif option.name in obeyed:
            kept += option.tokens
    return kept


def container_arguments(args: Sequence[str], own: Sequence[tuple[str, bool]]) -> list[str]:
    """Return the arguments as typed, without ours: inner xdist workers would not know them."""
    valued = dict(own)
    kept: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            kept += [word, *words]
        elif word == "-p" or (word.startswith("-p") and not word.startswith("--")):
            plugin = next(words, "") if word == "-p" else word[2:]
            if plugin.strip() not in OUR_PLUGINS:
                kept += [word, plugin] if word == "-p" else [word]
        elif word.partition("=")[0] not in valued:
            kept.append(word)
        elif "=" not in word and valued[word]:
            next(words, None)
    return kept


def with_options(words: Sequence[str], options: Sequence[str]) -> tuple[str, ...]:
    """Return the words with further options, which come last and so win, but before a ``--``."""
    end = words.index(END) if END in words else len(words)
    return (*words[:end], *options, *words[end:])


def without(
    args: Sequence[str], own: Sequence[tuple[str, bool]], names: Collection[str], *, plugins: Collection[str] = ()
) -> list[str]:
    """Return the arguments without the options of these names, and without ``-p`` for these plugins."""
    found: list[str] = []
    for piece in pieces(args, own):
        if piece.name not in names and not (piece.name == "-p" and (piece.value or "").strip() in plugins):
            found += piece.tokens
    return found


DEBUGGERS = frozenset(("--pdb", "--trace"))


def debugs(args: Sequence[str], own: Sequence[tuple[str, bool]]) -> str:
    """Return the option that brings a debugger, or an empty text."""
    return next((option.name for option in options(args, own) if option.name in DEBUGGERS), "")


def refused(args: Sequence[str], own: Sequence[tuple[str, bool]], *, terminal: bool) -> tuple[str, str] | None:
    """Return the first option that cannot work with images, and the reason.

    :param terminal: whether there is one.
    """
    for option in options(args, own):
        if option.name in DEBUGGERS and not terminal:
            return option.name, _TERMINAL
        if option.name in REFUSED:
            return option.name, REFUSED[option.name]
        if option.name in ("--tx", "--px") and not _POPEN.fullmatch(option.value or ""):
            return option.name, _ELSEWHERE
        if option.name == "--dist" and option.value == "each":
            return "--dist=each", _EACH
    return None


def measures(args: Sequence[str]) -> bool:
    """Whether pytest-cov may measure."""
    return any(word.startswith("--cov") for word in args) and "--no-cov" not in args


def captures_nothing(args: Sequence[str], own: Sequence[tuple[str, bool]]) -> bool:
    """Whether the suite's output is to be seen as it comes (``-s``)."""
    result = False
    for option in options(args, own):
        if option.name == "-s":
            result = True
        elif option.name == "--capture":
            result = option.value == "no"
    return result
