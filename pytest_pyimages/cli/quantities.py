"""Parse and format ages and sizes."""

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
    """Parse an age such as ``30d``, ``12h`` or ``1d12h``; return seconds.

    :raises ConfigurationError: if it is invalid.
    """
    parts = re.fullmatch(r"\s*((?:\d+(?:\.\d+)?[smhdw])+)\s*", text.lower())
    if parts is None:
        raise ConfigurationError(f'invalid age "{text}"', "examples: 30d, 12h, 2w")
    return sum(float(number) * SECONDS[unit] for number, unit in re.findall(r"([\d.]+)([smhdw])", parts[1]))


def parse_size(text: str) -> int:
    """Parse a size such as ``10GB``, ``500M`` or ``1.5GiB``; return bytes.

    :raises ConfigurationError: if it is invalid.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", text.lower())
    if found is None:
        raise ConfigurationError(f'invalid size "{text}"', "examples: 10GB, 500MB, 1.5GiB")
    return int(float(found[1]) * BYTES[found[2] or ""])


def format_size(size: int) -> str:
    """Format bytes in the largest unit of which there is at least one: ``312 MB``."""
    for name, unit in _NAMES:
        if size >= 0.9995 * unit:
            return f"{size / unit:.1f} {name}" if size < 10 * unit else f"{size / unit:.0f} {name}"
    return f"{size} B"


def format_age(seconds: float) -> str:
    """Format seconds: ``40 days ago``."""
    for name, unit in _AGES:
        count = int(max(seconds, 0.0) // unit)
        if count:
            return f"{count} {name if count > 1 or name == 'min' else name[:-1]} ago"
    return "just now"


def format_time(seconds: float) -> str:
    """Format a POSIX timestamp in UTC (RFC 3339)."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
