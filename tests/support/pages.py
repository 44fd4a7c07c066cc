"""The documentation's pages, and the commands in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]


def commands_of(page: Path) -> list[list[str]]:
    """Return the words of the commands in a page's code, with or without the prompt or key before them."""
    code = r"^(?: {4,}|(?=\S[^`]*$))(?:\$ |- run: |- )?((?:pytest|pyimages) [^`\n]*)$"
    lines = re.findall(code, page.read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]
