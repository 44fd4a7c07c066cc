"""Errors of single entries, and the messages that are made of them."""

from __future__ import annotations

from pytest_pyimages.errors import ConfigurationError

SHOWN_CHARACTERS = 60
# Enough for a repository with a digest.
SUGGESTED_CHARACTERS = 160


class EntryError(Exception):
    """An invalid entry, or part of one; ``parse_matrix`` turns it into a ConfigurationError.

    :param problem: the rest of a sentence that starts with the quoted value.
    :param nearest: what may have been meant, best first.
    :param hint: what else to do; may be empty.
    :param part: the invalid part of an expanded entry.
    """

    def __init__(self, problem: str, *, nearest: tuple[str, ...] = (), hint: str = "", part: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.nearest = nearest
        self.hint = hint
        self.part = part


def quote(value: str) -> str:
    """Return the value in double quotes: ASCII only, so that no character has an effect; long values are shortened."""
    if len(value) <= SHOWN_CHARACTERS:
        return f'"{_escaped(value)}"'
    return f'"{_escaped(value[:40])}…{_escaped(value[-12:])}" ({len(value)} characters)'


def make_error(option: str, entry: str, fault: EntryError) -> ConfigurationError:
    """Return the usage error for one entry.

    :param option: the option that has the entry: ``--py-images``.
    """
    subject = quote(entry)
    if fault.part not in ("", entry, entry.removesuffix("?")):
        subject = f"{quote(fault.part)} (from {subject})"
    # Quoted where its punctuation would be taken for the sentence's.
    shown = [f'"{text}"' if text.endswith("?") else text for text in dict.fromkeys(fault.nearest) if _is_plain(text)][
        :2
    ]
    meant = f" (did you mean {' or '.join(shown)}?)" if shown else ""
    return ConfigurationError(f"{option}: {subject} {fault.problem}{meant}", fault.hint)


def _escaped(value: str) -> str:
    return value.encode("unicode_escape").decode("ascii").replace('"', '\\"')


def _is_plain(text: str) -> bool:
    return 0 < len(text) <= SUGGESTED_CHARACTERS and text.isascii() and text.isprintable()
