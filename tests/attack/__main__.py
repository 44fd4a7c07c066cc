"""Run all batteries: ``python tests/attack/__main__.py --seed 7``; ``tox -e attack`` does."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# After the installed packages, whose wheel is tested: this folder has the source as well.
sys.path[0:1] = []
sys.path.append(str(Path(__file__).parents[2]))

from tests.attack.cheats import let_suites_cheat  # noqa: E402 - see above
from tests.attack.engine_signals import interrupt_containers  # noqa: E402
from tests.attack.interruptions import interrupt_sessions  # noqa: E402
from tests.attack.kill_points import SIGNALS, STEPS, stop_at_steps  # noqa: E402
from tests.attack.streams import damage_streams, forge_records, show_streams  # noqa: E402
from tests.attack.suites import list_cheats  # noqa: E402
from tests.attack.trials import Battery, Clock, format_table  # noqa: E402
from tests.support.signals import restore_defaults_in_children  # noqa: E402

Run = Callable[[Battery, random.Random, Clock, Path], None]
MINUTES = 10.0
# The longest first.
BATTERIES: dict[str, tuple[int, Run]] = {
    "signals": (500, interrupt_sessions),
    "kill points": (len(STEPS) * len(SIGNALS), stop_at_steps),
    "suites": (len(list_cheats()), let_suites_cheat),
    "engine": (15, interrupt_containers),
    "terminal": (130, show_streams),
    "streams": (3000, damage_streams),
    "records": (1000, forge_records),
}


def main() -> int:
    """Run the requested batteries; return 0 if all planned trials were made and none found a fault."""
    parser = argparse.ArgumentParser(description=__doc__, prog="attack")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="repeats a run")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="no trial begins later (default: %(default)s)")
    parser.add_argument("--percent", type=float, default=100, help="of the trials of each battery (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="batteries at once (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=BATTERIES, metavar="NAME", help=", ".join(BATTERIES))
    options = parser.parse_args()
    restore_defaults_in_children()
    sys.stdout.write(f"attack --seed {options.seed}\n")
    names = options.only or list(BATTERIES)
    if "engine" in names and "DOCKER_HOST" not in os.environ:
        sys.stdout.write("engine: left out, since DOCKER_HOST is not set\n")
        names.remove("engine")
    clock = Clock(options.minutes * 60)
    batteries = [
        Battery(name=name, planned=max(round(BATTERIES[name][0] * options.percent / 100), 1)) for name in names
    ]
    with ThreadPoolExecutor(options.jobs) as pool:  # each of them mostly waits for processes
        list(pool.map(lambda battery: _run(battery, options.seed, clock), batteries))
    sys.stdout.write(f"\n{format_table(batteries)}attack --seed {options.seed}\n")
    has_passed = all(battery.has_passed for battery in batteries)
    if not has_passed:
        sys.stdout.write("FAILED: faults, or fewer trials than planned\n")
    return not has_passed


def _run(battery: Battery, seed: int, clock: Clock) -> None:
    run = BATTERIES[battery.name][1]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="attack-", ignore_cleanup_errors=True) as folder:
        run(battery, random.Random(f"{seed} {battery.name}"), clock, Path(folder) / "host")
    battery.seconds = time.monotonic() - began
    sys.stdout.write(format_table([battery]).splitlines()[1] + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
