"""Amounts of money, kept in the smallest unit of their currency."""

from __future__ import annotations

import warnings
from decimal import ROUND_HALF_EVEN, Decimal

import attrs

CURRENCIES = {"EUR": 2, "USD": 2, "JPY": 0}


class PriceWarning(UserWarning):
    """A price was written with more digits than its currency has."""


@attrs.frozen(order=True)
class Money:
    """So many cents, or yen."""

    units: int
    currency: str = attrs.field(default="EUR", validator=attrs.validators.in_(CURRENCIES))

    @classmethod
    def parse(cls, text: str, currency: str = "EUR") -> Money:
        """Return the amount that ``text`` says, rounded half to even."""
        exact = Decimal(text).scaleb(CURRENCIES[currency])
        rounded = exact.to_integral_value(rounding=ROUND_HALF_EVEN)
        if rounded != exact:
            warnings.warn(f"{text} {currency} was rounded", PriceWarning, stacklevel=2)
        return cls(int(rounded), currency)

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")
        return attrs.evolve(self, units=self.units + other.units)

    def __mul__(self, count: int) -> Money:
        return attrs.evolve(self, units=self.units * count)

    def __str__(self) -> str:
        digits = CURRENCIES[self.currency]
        return f"{Decimal(self.units).scaleb(-digits):,.{digits}f} {self.currency}"
