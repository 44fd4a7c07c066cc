"""Where a benchmark works, and what comes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tools.bench.clock import Command, Timing

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
PYIMAGES = (sys.executable, "-m", "pytest_pyimages.cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where a benchmark works."""

    folder: Path
    engine: str  # DOCKER_HOST
    rounds: int
    say: Callable[[str], None] = field(repr=False)

    @property
    def output(self) -> Path:
        """Where a measured process prints to."""
        return self.folder / "output"

    def command(self, words: tuple[str, ...], project: Path, expected: tuple[str, int], engine: str = "") -> Command:
        """Return a process that works in a project and finds the engine."""
        return Command(words=words, cwd=project, environment={"DOCKER_HOST": engine or self.engine}, expected=expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a benchmark."""

    title: str
    timing: Timing
    limit: float
    notes: tuple[str, ...] = ()
    exceeds: bool = False  # another limit than that of the ratio; a note says which
