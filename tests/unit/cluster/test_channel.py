from __future__ import annotations

import queue

from pytest_pyimages.cluster.channel import describe, put_at_once


def test_a_message_displaces_what_nothing_has_taken() -> None:
    messages: queue.Queue[str | None] = queue.Queue(2)
    for message in ("a", "b", "c", None):
        put_at_once(messages, message)
    assert [messages.get_nowait(), messages.get_nowait()] == ["c", None]
    assert messages.empty()


def test_errors_are_one_line_without_control_characters() -> None:
    assert describe(OSError("cannot\n  connect \x1b[31mnow")) == "OSError: cannot connect [31mnow"
    assert describe(TimeoutError()) == "TimeoutError"
