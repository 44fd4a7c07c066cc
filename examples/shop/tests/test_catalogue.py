from __future__ import annotations

import pytest

from shop import Catalogue, Money, Product


def test_slugs_are_plain_ascii(catalogue: Catalogue) -> None:
    assert catalogue["creme-brulee"].name == "Crème brûlée"


def test_search_finds_all_words_and_sorts_by_price(catalogue: Catalogue) -> None:
    assert [product.slug for product in catalogue.search("TEA")] == ["tea-green", "tea-black"]


def test_search_finds_nothing(catalogue: Catalogue) -> None:
    assert catalogue.search("coffee") == []


def test_two_products_cannot_share_a_slug() -> None:
    with pytest.raises(ValueError, match="two products are called tea"):
        Catalogue(Product("Tea", Money(1)), Product("tea!", Money(2)))
