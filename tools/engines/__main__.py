"""The command line: ``python -m tools.engines [--only KIND] [--images TAG,TAG] -- PROGRAM``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tools.engines.kinds import KINDS, Kind, describe
from tools.standins.engine import ensure_engine
from tools.standins.images import ensure_images
from tools.standins.state import StandinError, say

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run the program with each kind; return 0 if it ended with 0 for all of them."""
    options = _parser().parse_args(arguments)
    tags = [tag for tag in options.images.split(",") if tag]
    try:
        ensure_images(ensure_engine(), tags)
        rows = [_run(KINDS[name], tags, options.program) for name in options.only or KINDS]
    except StandinError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    sys.stdout.write("\n")
    for name, engine, status, seconds in rows:
        sys.stdout.write(
            f"{name:<12} {engine:<60} {'passed' if status == 0 else f'exit status {status}'}, {seconds:.0f} s\n"
        )
    return int(any(status for _, _, status, _ in rows))


def _parser() -> argparse.ArgumentParser:
    kinds = "; ".join(f"{kind.name}: {kind.summary}" for kind in KINDS.values())
    parser = argparse.ArgumentParser(prog="python -m tools.engines", description=__doc__, epilog=kinds)
    parser.add_argument("--only", action="append", choices=KINDS, metavar="KIND", help="may be repeated; default: all")
    parser.add_argument("--images", default="", metavar="TAG,TAG", help="what each engine has, of python:TAG")
    parser.add_argument("program", nargs="+", metavar="-- PROGRAM")
    return parser


def _run(kind: Kind, tags: Sequence[str], program: Sequence[str]) -> tuple[str, str, int, float]:
    """Return the kind's name, the engine's description, the program's exit status and its seconds."""
    with kind.start(tags) as url:
        engine = describe(url)
        say(f"{kind.name}: {engine}")
        before = time.monotonic()
        status = subprocess.run(program, check=False, env={**os.environ, "DOCKER_HOST": url}).returncode
        return kind.name, engine, status, time.monotonic() - before


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
