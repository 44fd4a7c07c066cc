"""What somebody is about to buy."""

from __future__ import annotations

import attrs

from shop.catalogue import Product
from shop.money import Money


@attrs.frozen
class Line:
    """A product, so many times."""

    product: Product
    count: int = attrs.field(validator=attrs.validators.gt(0))

    @property
    def total(self) -> Money:
        """Its price, so many times."""
        return self.product.price * self.count


class Basket:
    """Lines in the order in which their products were first put in."""

    def __init__(self, currency: str = "EUR") -> None:
        self._currency = currency
        self._counts: dict[Product, int] = {}

    def put(self, product: Product, count: int = 1) -> None:
        """Put a product in, once more if it is there already."""
        self._counts[product] = self._counts.get(product, 0) + count

    @property
    def lines(self) -> list[Line]:
        """One line for each product."""
        return [Line(product, count) for product, count in self._counts.items()]

    @property
    def total(self) -> Money:
        """What it all costs."""
        return sum((line.total for line in self.lines), start=Money(0, self._currency))
