from __future__ import annotations

import pytest

from shop import Money, PriceWarning


@pytest.mark.parametrize(
    ("text", "currency", "shown"),
    [("3.5", "EUR", "3.50 EUR"), ("1234567.89", "USD", "1,234,567.89 USD"), ("1200", "JPY", "1,200 JPY")],
    ids=["cents", "thousands", "no-cents"],
)
def test_amounts_are_shown_with_the_digits_of_their_currency(text: str, currency: str, shown: str) -> None:
    assert str(Money.parse(text, currency)) == shown


def test_a_price_with_too_many_digits_is_an_error_here() -> None:
    with pytest.raises(PriceWarning, match="was rounded"):
        Money.parse("0.005")


@pytest.mark.filterwarnings("ignore::shop.PriceWarning")
@pytest.mark.parametrize(("text", "units"), [("0.005", 0), ("0.015", 2)])
def test_half_a_cent_is_rounded_to_the_even_one(text: str, units: int) -> None:
    assert Money.parse(text).units == units


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(ValueError, match="currency"):
        Money(1, "XXX")


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        Money(1, "EUR") + Money(1, "USD")
