"""Ages and sizes, as people write and read them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from pytest_pyimages.errors import ConfigurationError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
# As docker shows and reads sizes: powers of ten; with an "i" those of two.
BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_NAMES = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_AGES = (("days", 24 * 3600), ("hours", 3600), ("min", 60))


def parse_age(text: str) -> float:
    """Return seconds: ``30d``, ``12h``, ``1d12h``; raise ConfigurationError for anything else."""
    parts = re.fullmatch(r"\s*((?:\d+(?:\.\d+)?[smhdw])+)\s*", text.lower())
    if parts is None:
        raise ConfigurationError(f'"{text}" is not an age', "write 30d, 12h or 2w")
    return sum(float(number) * SECONDS[unit] for number, unit in re.findall(r"([\d.]+)([smhdw])", parts[1]))


def parse_size(text: str) -> int:
    """Return bytes: ``10GB``, ``500M``, ``1.5GiB``; raise ConfigurationError for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", text.lower())
    if found is None:
        raise ConfigurationError(f'"{text}" is not a size', "write 10GB, 500MB or 1.5GiB")
    return int(float(found[1]) * BYTES[found[2] or ""])


def size_text(size: int) -> str:
    """Return a size in the largest unit in which it is one or more: ``312 MB``."""
    for name, unit in _NAMES:
        if size >= 0.9995 * unit:
            return f"{size / unit:.1f} {name}" if size < 10 * unit else f"{size / unit:.0f} {name}"
    return f"{size} B"


def age_text(seconds: float) -> str:
    """Return how long ago something was: ``40 days ago``."""
    for name, unit in _AGES:
        count = int(max(seconds, 0.0) // unit)
        if count:
            return f"{count} {name if count > 1 or name == 'min' else name[:-1]} ago"
    return "just now"


def iso_time(seconds: float) -> str:
    """Return a time in UTC (RFC 3339)."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
