"""Who may be at work, and who waits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from pytest_pyimages.session.turns import Turns


def test_everybody_has_the_wanted_place_where_there_are_enough() -> None:
    turns = Turns(3)
    with turns.turn(1) as first, turns.turn(0) as second, turns.turn(2) as third:
        assert [first, second, third] == [1, 0, 2]


def test_a_taken_place_is_not_given_twice() -> None:
    turns = Turns(2)
    with turns.turn(0) as first, turns.turn(2) as second:
        assert [first, second] == [0, 1]


def test_who_comes_when_all_are_taken_gets_the_one_that_becomes_free() -> None:
    turns = Turns(2)
    taken, done = threading.Barrier(3, timeout=10), threading.Event()
    at_work: list[int] = []

    def work(number: int) -> int:
        with turns.turn(number) as place:
            at_work.append(place)
            if number < 2:
                taken.wait()
                done.wait(10)
            return place

    with ThreadPoolExecutor(4) as pool:
        first = [pool.submit(work, number) for number in (0, 1)]
        taken.wait()
        late = [pool.submit(work, number) for number in (2, 3)]
        assert sorted(at_work) == [0, 1]  # the others cannot come in
        done.set()
        assert {each.result(10) for each in first} == {0, 1}
        assert {each.result(10) for each in late} <= {0, 1}


def test_a_place_is_given_back_whatever_happens() -> None:
    turns = Turns(1)
    for _ in range(2):
        try:
            with turns.turn():
                raise ZeroDivisionError
        except ZeroDivisionError:
            continue
    with turns.turn() as place:
        assert place == 0
