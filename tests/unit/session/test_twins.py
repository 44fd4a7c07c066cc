"""Messages about an image that runs are repeated for its other labels."""

from __future__ import annotations

from typing import Any, cast

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.session.messages import EventsReceived, ImageBuilt, ImageEnded, Message, OutputReceived
from pytest_pyimages.session.twins import Twins

IMAGE = cast("Any", None)


def events(label: str, *names: str) -> EventsReceived:
    return EventsReceived(label, cast("Any", names))


def end(label: str, error: PyimagesError | None = None) -> ImageEnded:
    return ImageEnded(label, None, error, 1.0)


def repeat(twins: Twins, *messages: Message) -> list[Message]:
    return [repeated for message in messages for repeated in twins.repeat(message)]


def test_a_twin_is_found_before_during_or_after_the_run() -> None:
    error = PyimagesError("no")
    run: list[Message] = [ImageBuilt("a", IMAGE), events("a", "1"), events("a", "2"), end("a", error)]
    expected = [events("b", "1"), events("b", "2"), end("b", error)]
    for position in range(1, len(run) + 1):
        messages = [*run[:position], ImageBuilt("b", IMAGE, same_as="a"), *run[position:]]
        found = repeat(Twins("abc"), *messages)
        assert [message for message in found if message.label == "b"][1:] == expected
        assert [message for message in found if message.label == "a"] == run


def test_without_an_end_no_twin_has_ended() -> None:
    found = repeat(Twins("ab"), ImageBuilt("a", IMAGE), ImageBuilt("b", IMAGE, same_as="a"), events("a", "1"))
    assert not any(isinstance(message, ImageEnded) for message in found)


def test_history_is_kept_only_while_a_twin_may_be_found() -> None:
    twins = Twins("ab")
    repeat(twins, ImageBuilt("a", IMAGE), events("a", "1"))
    assert twins._history
    repeat(twins, end("b", PyimagesError("it could not be built")), events("a", "2"))
    assert not twins._history


def test_a_label_ends_once() -> None:
    """Even if its own thread had something to clean up that failed."""
    twins, error = Twins("ab"), PyimagesError("a service was not removed")
    repeat(twins, ImageBuilt("a", IMAGE), ImageBuilt("b", IMAGE, same_as="a"))
    assert repeat(twins, end("b", error), events("a", "1"), end("a")) == [end("b", error), events("a", "1"), end("a")]
    assert repeat(twins, end("b")) == []


def test_a_twin_that_is_built_again_is_one_twin() -> None:
    twin = ImageBuilt("b", IMAGE, same_as="a")
    found = repeat(Twins("abc"), ImageBuilt("a", IMAGE), events("a", "1"), twin, twin, events("a", "2"), end("a"))
    assert [message for message in found if message.label == "b"] == [
        twin,
        events("b", "1"),
        twin,
        events("b", "2"),
        end("b"),
    ]


def test_output_is_shown_once() -> None:
    output = OutputReceived("a", b"hello")
    assert repeat(Twins("ab"), ImageBuilt("a", IMAGE), ImageBuilt("b", IMAGE, same_as="a"), output)[2:] == [output]
