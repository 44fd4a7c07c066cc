"""What there is to buy."""

from __future__ import annotations

import attrs
from slugify import slugify

from shop.money import Money


@attrs.frozen
class Product:
    """A thing with a price."""

    name: str
    price: Money

    @property
    def slug(self) -> str:
        """The last part of its page's address."""
        return slugify(self.name)


class Catalogue:
    """Products by slug."""

    def __init__(self, *products: Product) -> None:
        self._products: dict[str, Product] = {}
        for product in products:
            if product.slug in self._products:
                raise ValueError(f"two products are called {product.slug}")
            self._products[product.slug] = product

    def __getitem__(self, slug: str) -> Product:
        return self._products[slug]

    def search(self, words: str) -> list[Product]:
        """Return the products whose names hold all the words, the cheapest first."""
        wanted = words.casefold().split()
        products = self._products.values()
        found = [product for product in products if all(word in product.name.casefold() for word in wanted)]
        return sorted(found, key=lambda product: product.price)
