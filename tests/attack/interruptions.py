"""Signals at random moments of a whole session: it ends soon, with the right status, and leaves nothing."""

from __future__ import annotations

import random
import signal
from pathlib import Path

from tests.attack.hosts import HANG_SECONDS, Ended, Host
from tests.attack.trials import Battery, Clock

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDING = (signal.SIGQUIT, signal.SIGKILL)  # of which no process cleans up


def interrupt_sessions(battery: Battery, source: random.Random, clock: Clock, folder: Path) -> None:
    """Count one signal as a trial; some sessions get up to four.

    An eighth of the sessions are ended by SIGQUIT or SIGKILL, so that the next one has to remove what they leave.
    """
    hosts = [Host(folder / workers, workers) for workers in ("real", "scripted")]
    whole = {host.workers: host.run().seconds for host in hosts}
    session = 0
    while battery.trials < battery.planned and not clock.is_up:
        session += 1
        host = hosts[session % 3 == 0]
        signals = choose_signals(source, whole[host.workers])
        names = " ".join(f"{delay:.3f}:{signal.Signals(number).name}" for delay, number in signals)
        ended = host.run(signals=signals)
        is_killed = ended.status in {-number for number in ENDING}
        faults = find_faults(ended) + host.find_remains(is_killed=is_killed)
        battery.figures["sessions"] += 1
        battery.figures["killed"] += is_killed
        if not ended.signals:  # the load of this machine changes
            whole[host.workers] = ended.seconds
            battery.figures["ended before"] += 1
            continue
        battery.longest = max(battery.longest, ended.seconds)
        battery.trials += ended.signals - 1
        battery.count(f"session {session} ({names})", [f"{fault}\n{ended.out}" for fault in faults])
        if is_killed:
            after = host.run()
            left = [] if after.status == 0 else [f"the next session ended with {after.status}"]
            left += [f"after the next session: {remains}" for remains in host.find_remains(after_killed=True)]
            battery.count(f"session {session} ({names})", left)
            battery.trials -= 1  # of the same signal
        if faults or is_killed:
            host.reset()


def choose_signals(source: random.Random, whole: float) -> list[tuple[float, int]]:
    """Return up to four signals; the first within the time that a whole session takes."""
    if source.random() < 1 / 8:
        return [(source.uniform(0.0, whole), int(source.choice(ENDING)))]
    delays = [source.uniform(0.0, whole)]
    delays += [source.choice((0.0, 0.01, source.uniform(0.0, 0.3))) for _ in range(source.randrange(4))]
    return [(delay, int(source.choice(HANDLED))) for delay in delays]


def find_faults(ended: Ended) -> list[str]:
    """Return what is wrong with the end of an interrupted session."""
    faults = []
    if ended.status is None:
        faults.append(f"did not end in {HANG_SECONDS:.0f} s")
    if "INTERNALERROR" in ended.out or ended.status == 3:
        faults.append("an internal error")
    if ended.status == 0 and not ended.has_finished:
        faults.append("the exit status is 0, and not all tests have passed")
    if ended.signals and ended.steps and not ended.has_finished and ended.status not in STATUSES:
        faults.append(f"the exit status is {ended.status}")
    return faults


# pytest's for an interrupted session, and those of a process that a signal has ended.
STATUSES = {2, None, *(-number for number in (*HANDLED, *ENDING))}
