"""``pyimages completion``: print the completion of this command for a shell."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

SUMMARY = "print a script that completes commands in a shell"
DESCRIPTION = """\
Print what a shell needs to complete commands and options. Add to the shell's start file:

  bash, zsh:  eval "$(pyimages completion bash)"
  fish:       pyimages completion fish | source"""
SHELLS = ("bash", "zsh", "fish")
_BASH = """\
{zsh}_pyimages() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" words="{commands}"
  if [ "$COMP_CWORD" -gt 1 ]; then
    case "${{COMP_WORDS[1]}}" in
{cases}
    *) words="" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _pyimages pyimages
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS)


def run(arguments: Namespace) -> int:
    sys.stdout.write(make_script(arguments.shell, arguments.all_options))
    return 0


def make_script(shell: str, options: Mapping[str, tuple[str, ...]]) -> str:
    """Return the script for a shell.

    :param options: by command.
    """
    if shell == "fish":
        commands = " ".join(options)
        first = f"complete -c pyimages -n __fish_use_subcommand -f -a '{commands}'\n"
        lines = (
            f"complete -c pyimages -n '__fish_seen_subcommand_from {command}' -l {name.removeprefix('--')}\n"
            for command, names in options.items()
            for name in names
            if name.startswith("--")
        )
        return first + "".join(lines)
    words = {command: " ".join(names) for command, names in options.items()}
    cases = "\n".join(f'    {command}) words="{names}" ;;' for command, names in words.items())
    zsh = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return _BASH.format(zsh=zsh, commands=" ".join(options), cases=cases)
