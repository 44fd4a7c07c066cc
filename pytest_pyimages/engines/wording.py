"""Somebody else's words, fit for one line of ours."""

from __future__ import annotations

LINE_CHARACTERS = 500


def one_line(text: object) -> str:
    """Return a message on one line, without control characters, of bearable length."""
    cleaned = "".join(character if character.isprintable() else " " for character in str(text))
    words = " ".join(cleaned.split())
    return words if len(words) <= LINE_CHARACTERS else words[: LINE_CHARACTERS - 3] + "..."
