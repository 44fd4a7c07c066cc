"""Records as a worker sends them, whole and forged."""

from __future__ import annotations

import json
from binascii import crc32
from collections.abc import Iterable

TOKEN = "c0ffee00"


def encode(record: object, number: int = 1, token: str = TOKEN) -> bytes:
    """Return the line of a record, with a correct checksum.

    :param record: an object for JSON, or the bytes to send in its place.
    """
    text = record if isinstance(record, bytes) else json.dumps(record).encode()
    content = b"%d %s" % (number, text)
    return b"%s %s %08x\n" % (token.encode(), content, crc32(content))


def encode_all(records: Iterable[object], token: str = TOKEN) -> bytes:
    """Return the lines of records, numbered from 1."""
    return b"".join(encode(record, number, token) for number, record in enumerate(records, 1))
