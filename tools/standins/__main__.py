"""The command line: ``python -m tools.standins {engine,images,remote,run,stop}``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tools.standins.engine import ensure_engine, stop_engine
from tools.standins.images import ensure_images
from tools.standins.plan import make_reference
from tools.standins.remote import ensure_remote_engine, remote_state
from tools.standins.state import StandinError, default_state, say

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a shell reports of a program that SIGINT has ended.
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says and return the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.command == "stop":
            stopped = [stop_engine(remote_state(default_state().home)), stop_engine()]
            say("the engine is stopped" if any(stopped) else "no engine of ours runs")
            return 0
        docker_host = (asked.engine if asked.command == "remote" else "") or ensure_engine()
        if asked.command != "engine" and not (asked.command == "remote" and asked.engine):
            ensure_images(docker_host, asked.tags)
        if asked.command == "remote":
            docker_host = ensure_remote_engine(docker_host, asked.tags, group=asked.group)
    except StandinError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    if asked.command in ("engine", "remote"):
        sys.stdout.write(f"{docker_host}\n")
        return 0
    if asked.command == "images":
        sys.stdout.writelines(f"{make_reference(tag)}\n" for tag in asked.tags)
        return 0
    return _run(asked.program, docker_host)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.standins", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("engine", help="have an engine and print its DOCKER_HOST")
    images = commands.add_parser("images", help="have an image python:TAG for every TAG, or pypy:3.11")
    images.add_argument("tags", nargs="+", metavar="TAG")
    what = "have an engine that does not see this host's files, with these images, and print its DOCKER_HOST"
    remote = commands.add_parser("remote", help=what)
    remote.add_argument("--engine", default="", metavar="URL", help="an engine that has the images")
    remote.add_argument("--group", type=int, metavar="GID", help="the group that may use its socket")
    remote.add_argument("tags", nargs="*", metavar="TAG")
    run = commands.add_parser("run", help="run a program with an engine and images, and end with its exit status")
    run.add_argument("--images", dest="tags", type=_tags, default=(), metavar="TAG,TAG")
    run.add_argument("program", nargs="+", metavar="-- PROGRAM")
    commands.add_parser("stop", help="stop the engine that was started here")
    return parser


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in text.split(",") if tag.strip())


def _run(program: Sequence[str], docker_host: str) -> int:
    """Run a program that finds the engine in its environment."""
    try:
        process = subprocess.Popen(program, env={**os.environ, "DOCKER_HOST": docker_host})
    except OSError as error:
        say(f"{program[0]}: {error.strerror}")
        return 127
    while True:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            # The terminal has sent it to the program as well: its exit status is the answer.
            continue
        return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
