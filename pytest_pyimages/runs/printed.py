"""What a suite prints outside of pytest's capture: the container's standard error."""

from __future__ import annotations

from collections.abc import Callable

from pytest_pyimages.text import clean

KEPT = 64 * 1024  # bytes


class PrintedOutput:
    """Passes the output on as it comes, and keeps its end.

    The worker writes a mark after everything that the suite has printed. The engine reports the end of the stream,
    which is that of the container, 30 to 60 ms later.

    :param token: of the run.
    :param show: called with each piece, without the mark.
    """

    def __init__(self, token: str, show: Callable[[bytes], None] | None = None) -> None:
        self.has_ended = False
        self._mark = b"\0%s\1" % token.encode()
        self._show = show
        self._kept = bytearray()
        self._held = b""  # what may be the beginning of the mark

    def feed(self, data: bytes) -> None:
        """Take a piece of the stream."""
        before, mark, after = (self._held + data).partition(self._mark)
        self.has_ended |= bool(mark)
        text = before + after
        start = text.rfind(b"\0", -len(self._mark))
        end = len(text) if start < 0 or not self._mark.startswith(text[start:]) else start
        self._held = text[end:]
        self._take(text[:end])

    def close(self) -> None:
        """Take what was held, at the end of the stream."""
        held, self._held = self._held, b""
        self._take(held)

    def _take(self, data: bytes) -> None:
        if data:
            self._kept += data
            del self._kept[:-KEPT]
            if self._show is not None:
                self._show(data)

    @property
    def text(self) -> str:
        """The end of the output, safe to print."""
        # It may begin in the middle of a character (UTF-8: these bytes continue one).
        return clean(self._kept.lstrip(bytes(range(0x80, 0xC0))).decode("utf-8", "replace"))
