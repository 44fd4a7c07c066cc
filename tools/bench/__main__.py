"""``python -m tools.bench [CASE...]``: prints ratios of wall times, and fails only where it could not measure."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tools.bench.cases import CASES
from tools.bench.clock import NotMeasuredError
from tools.bench.workshop import Result, Workshop

ROUNDS = 5


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for, by default everything; return 1 if something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"one of {', '.join(CASES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each side is run (default: %(default)s)")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.cases) - set(CASES))
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}")
    engine = os.environ.get("DOCKER_HOST", "")
    if not engine:
        parser.error("DOCKER_HOST is not set: `tox -e bench` does it")
    python = f"Python {platform.python_version()}, pytest {version('pytest')}, docker-py {version('docker')}"
    say(f"{os.cpu_count()} cores, {python}")
    say(f"wall times of whole processes in seconds, in turns, medians of {asked.rounds}")
    results, failed = [], False
    for name in asked.cases or CASES:
        say(f"\n{name}: {CASES[name].__doc__} Load {load()}.")
        with tempfile.TemporaryDirectory(prefix="pyimages-bench-") as folder:
            try:
                result = CASES[name](Workshop(folder=Path(folder), engine=engine, rounds=asked.rounds, say=say))
            except NotMeasuredError as error:
                say(f"  NOT MEASURED: {error}")
                failed = True
                continue
        for mark, seconds in (
            ("ours", result.timing.ours),
            ("theirs", result.timing.theirs),
            ("tox -p", result.timing.tox),
        ):
            if seconds:
                say(f"  {mark:<6}  {'  '.join(f'{each:.2f}' for each in seconds)}")
        for note in result.notes:
            say(f"  {note}")
        results.append(result)
    say(table(results))
    return int(failed)


def table(results: Sequence[Result]) -> str:
    """Return a row for each benchmark."""
    rows = [f"\n{'':<58}{'ours':>8}{'theirs':>8}{'ratio':>7}{'tox -p':>8}  at most"]
    for result in results:
        ours, theirs = (statistics.median(each) for each in (result.timing.ours, result.timing.theirs))
        verdict = "  EXCEEDED" if result.exceeds or result.timing.ratio > result.limit else ""
        tox, spreads = "", f"ours {_spread(result.timing.ours)}, theirs {_spread(result.timing.theirs)}"
        if result.timing.tox:
            tox = f"{statistics.median(result.timing.tox):.2f}s"
            spreads += f", tox -p {_spread(result.timing.tox)}"
        rows.append(
            f"{result.title:<58}{ours:>7.2f}s{theirs:>7.2f}s{result.timing.ratio:>7.2f}{tox:>8}"
            f"  {result.limit}{verdict}  ({spreads})"
        )
    return "\n".join(rows)


def _spread(seconds: Sequence[float]) -> str:
    return f"{min(seconds):.2f} to {max(seconds):.2f}"


def load() -> str:
    """Return the machine's load averages of the last 1, 5 and 15 minutes."""
    return " ".join(f"{each:.1f}" for each in os.getloadavg())


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
