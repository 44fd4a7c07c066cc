"""Taking secrets out of what is shown or stored."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pytest_pyimages.indexes.locations import userinfo

HIDDEN = "****"
SHORTEST = 4  # characters; what is shorter is found in every second word, and hidden in URLs only
_TOKEN = 16  # characters; a shorter part of a path is a name
_USERINFO = re.compile(r"(?<=://)(?!git@)[^\s/?#\"'<>]+(?=@)")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ASCII_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Redaction:
    """Hides secrets in whatever form they stand in a text: as they are, percent-encoded, or as HTTP sends them.

    Name and password of any URL are hidden whether they are known or not.
    """

    secrets: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, *, urls: Iterable[str] = (), pairs: Iterable[tuple[str, str]] = (), values: Iterable[str] = ()
    ) -> Redaction:
        """Return what hides the credentials of these URLs, these decoded names and passwords, and these values."""
        found: set[str] = set()
        for url in urls:
            found |= _forms_of_url(url)
        for user, password in pairs:
            found |= _forms_of_pair(user, password)
        for value in values:
            found |= _forms(value)
        return cls(frozenset(form for form in found if len(form) >= SHORTEST))

    def redacted(self, text: str) -> str:
        """Return the text without the secrets."""
        text = _USERINFO.sub(HIDDEN, text)
        if not self.secrets:
            return text
        # The longest first: one may be a part of another. Percent-encoding knows no case.
        longest_first = sorted(self.secrets, key=lambda secret: (-len(secret), secret))
        return re.sub("|".join(map(re.escape, longest_first)), HIDDEN, text, flags=re.IGNORECASE)


def _forms_of_pair(user: str, password: str) -> set[str]:
    """Return how they may appear, RFC 7617 included. The name alone is a secret where it is a token."""
    found = _forms(password)
    if not password or password == "x-oauth-basic":  # noqa: S105 - where a hosting service wants the token as name
        found |= _forms(user)
    for encoding in ("utf-8", "latin-1"):  # which one it is, the RFC leaves open
        sent = f"{user}:{password}".encode(encoding, "replace")
        found.add(base64.b64encode(sent).decode("ascii"))
    return found


def _forms_of_url(url: str) -> set[str]:
    user, password = userinfo(url)
    found = _forms_of_pair(unquote(user), unquote(password)) | _forms(password) if user or password else set()
    try:
        parts = urlsplit(url)
    except ValueError:
        return found
    for pair in parts.query.split("&"):
        found |= _forms(pair.partition("=")[2])
    for part in parts.path.split("/"):
        found |= _forms(part) if _is_token(part) else set()
    return found


def _is_token(part: str) -> bool:
    """Whether a part of a path looks drawn by lot: some indexes take their tokens there."""
    mixed = any(character.isdigit() for character in part) and any(character.isalpha() for character in part)
    return len(part) >= _TOKEN and mixed and bool(_ASCII_NAME.fullmatch(part)) and not _UUID.fullmatch(part)


def _forms(value: str) -> set[str]:
    plain = unquote(value)
    return {value, plain, quote(plain), quote(plain, safe=""), quote_plus(plain)} - {""}
