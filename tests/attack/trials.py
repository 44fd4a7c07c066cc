"""Trials of a battery, counted until its time is up."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Battery:
    """The counts of one battery.

    :param planned: number of trials.
    """

    name: str
    planned: int
    trials: int = 0
    faults: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0  # seconds that a session needed to end
    seconds: float = 0.0

    @property
    def has_passed(self) -> bool:
        return not self.faults and self.trials >= self.planned

    def count(self, trial: str, faults: Iterable[str]) -> None:
        """Count a trial; print its faults at once.

        :param trial: what repeats it.
        """
        self.trials += 1
        for fault in faults:
            self.add_fault(f"{trial}: {fault}")

    def add_fault(self, fault: str) -> None:
        self.faults.append(fault)
        sys.stdout.write(f"  FAULT {self.name}: {fault}\n")
        sys.stdout.flush()


class Clock:
    """The time that all batteries have together."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def is_up(self) -> bool:
        return time.monotonic() > self._end


def format_table(batteries: Iterable[Battery]) -> str:
    """Return the summary, one battery a line."""
    lines = [f" {'battery':<16} {'planned':>8} {'trials':>8} {'faults':>7} {'longest end':>12} {'time':>8}  others"]
    for battery in batteries:
        others = ", ".join(f"{number} {name}" for name, number in battery.figures.items())
        longest = f"{battery.longest:.1f} s" if battery.longest else ""
        lines.append(
            f" {battery.name:<16} {battery.planned:>8} {battery.trials:>8} {len(battery.faults):>7} {longest:>12}"
            f" {battery.seconds:>6.0f} s  {others}".rstrip()
        )
    return "\n".join(lines) + "\n"
