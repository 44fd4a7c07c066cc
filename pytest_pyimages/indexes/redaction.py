"""Hide secrets in texts that are shown or stored."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pytest_pyimages.indexes.locations import read_userinfo

HIDDEN = "****"
SHORTEST = 4  # characters; shorter secrets are parts of common words, and hidden in URLs only
_TOKEN = 16  # characters; a shorter part of a path is a name
_USERINFO = re.compile(r"(?<=://)(?!git@)[^\s/?#\"'<>]+(?=@)")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ASCII_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Redaction(NamedTuple):
    """Hides secrets in every form: plain, percent-encoded, and as HTTP sends them.

    Name and password of any URL are hidden even if they are not among the secrets.
    """

    secrets: frozenset[str] = frozenset()

    @classmethod
    def create(
        cls, *, urls: Iterable[str] = (), pairs: Iterable[tuple[str, str]] = (), values: Iterable[str] = ()
    ) -> Redaction:
        """Return a redaction of the credentials in URLs, of decoded names and passwords, and of further values."""
        found: set[str] = set()
        for url in urls:
            found |= _list_forms_of_url(url)
        for user, password in pairs:
            found |= _list_forms_of_pair(user, password)
        for value in values:
            found |= _list_forms(value)
        return cls(frozenset(form for form in found if len(form) >= SHORTEST))

    def redact(self, text: str) -> str:
        """Return the text with its secrets hidden."""
        text = _USERINFO.sub(HIDDEN, text)
        if not self.secrets:
            return text
        # Longest first: one may be part of another. Percent-encoding is case-insensitive.
        longest_first = sorted(self.secrets, key=lambda secret: (-len(secret), secret))
        return re.sub("|".join(map(re.escape, longest_first)), HIDDEN, text, flags=re.IGNORECASE)


def _list_forms_of_pair(user: str, password: str) -> set[str]:
    """Return the forms of name and password, RFC 7617 included. The name alone is secret if it is a token."""
    found = _list_forms(password)
    if not password or password == "x-oauth-basic":  # noqa: S105 - some hosting services take the token as the name
        found |= _list_forms(user)
    for encoding in ("utf-8", "latin-1"):  # the RFC leaves the encoding open
        sent = f"{user}:{password}".encode(encoding, "replace")
        found.add(base64.b64encode(sent).decode("ascii"))
    return found


def _list_forms_of_url(url: str) -> set[str]:
    user, password = read_userinfo(url)
    found = _list_forms_of_pair(unquote(user), unquote(password)) | _list_forms(password) if user or password else set()
    try:
        parts = urlsplit(url)
    except ValueError:
        return found
    for pair in parts.query.split("&"):
        found |= _list_forms(pair.partition("=")[2])
    for part in parts.path.split("/"):
        found |= _list_forms(part) if _is_token(part) else set()
    return found


def _is_token(part: str) -> bool:
    """Return whether a part of a path looks random: some indexes take tokens in the path."""
    mixed = any(character.isdigit() for character in part) and any(character.isalpha() for character in part)
    return len(part) >= _TOKEN and mixed and bool(_ASCII_NAME.fullmatch(part)) and not _UUID.fullmatch(part)


def _list_forms(value: str) -> set[str]:
    plain = unquote(value)
    return {value, plain, quote(plain), quote(plain, safe=""), quote_plus(plain)} - {""}
