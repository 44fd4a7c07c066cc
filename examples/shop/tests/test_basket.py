from __future__ import annotations

import pytest
from freezegun import freeze_time

from shop import Basket, Catalogue, Line, Money, receipt


def test_the_total_is_the_sum_of_the_lines(basket: Basket, currency: str) -> None:
    assert basket.total == Money(1070, currency)


def test_the_same_product_makes_one_line(basket: Basket, catalogue: Catalogue) -> None:
    basket.put(catalogue["tea-green"])
    assert [line.count for line in basket.lines] == [3, 1]


def test_an_empty_basket_costs_nothing(currency: str) -> None:
    assert Basket(currency).total == Money(0, currency)


def test_a_line_has_at_least_one_piece(catalogue: Catalogue) -> None:
    with pytest.raises(ValueError, match="count"):
        Line(catalogue["tea-black"], 0)


@pytest.mark.slow
def test_many_pieces_add_up_exactly(basket: Basket, catalogue: Catalogue, currency: str) -> None:
    for _ in range(100_000):
        basket.put(catalogue["tea-black"])
    assert basket.total == Money(32_001_070, currency)


@freeze_time("2024-02-29")
def test_the_receipt_bears_the_date_of_the_day(basket: Basket) -> None:
    first, *_, last = receipt(basket).splitlines()
    assert first == "29 February 2024"
    assert last == f"total {basket.total}"
