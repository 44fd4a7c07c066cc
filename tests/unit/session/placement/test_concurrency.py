"""Slots limit how many threads work at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from pytest_pyimages.session.placement.concurrency import Slots


def test_the_preferred_slots_are_given_while_they_are_free() -> None:
    slots = Slots(3)
    with slots.acquire(1) as first, slots.acquire(0) as second, slots.acquire(2) as third:
        assert [first, second, third] == [1, 0, 2]


def test_a_held_slot_is_not_given_twice() -> None:
    slots = Slots(2)
    with slots.acquire(0) as first, slots.acquire(2) as second:
        assert [first, second] == [0, 1]


def test_acquire_waits_for_the_next_free_slot() -> None:
    slots = Slots(2)
    taken, done = threading.Barrier(3, timeout=60), threading.Event()
    at_work: list[int] = []

    def work(number: int) -> int:
        with slots.acquire(number) as slot:
            at_work.append(slot)
            if number < 2:
                taken.wait()
                done.wait(60)
            return slot

    with ThreadPoolExecutor(4) as pool:
        first = [pool.submit(work, number) for number in (0, 1)]
        taken.wait()
        late = [pool.submit(work, number) for number in (2, 3)]
        assert sorted(at_work) == [0, 1]  # the others wait
        done.set()
        assert {each.result(10) for each in first} == {0, 1}
        assert {each.result(10) for each in late} <= {0, 1}


def test_a_slot_is_released_after_an_error() -> None:
    slots = Slots(1)
    for _ in range(2):
        try:
            with slots.acquire():
                raise ZeroDivisionError
        except ZeroDivisionError:
            continue
    with slots.acquire() as slot:
        assert slot == 0
