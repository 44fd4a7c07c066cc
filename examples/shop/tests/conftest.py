"""The shop's own option, and what most tests need."""

from __future__ import annotations

import pytest

from shop import CURRENCIES, Basket, Catalogue, Money, Product


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--currency", default="EUR", choices=sorted(CURRENCIES), help="what prices are in (default: EUR)")


@pytest.fixture
def currency(pytestconfig: pytest.Config) -> str:
    return pytestconfig.getoption("--currency")


@pytest.fixture
def catalogue(currency: str) -> Catalogue:
    return Catalogue(
        Product("Crème brûlée", Money(450, currency)),
        Product("Tea, black", Money(320, currency)),
        Product("Tea, green", Money(310, currency)),
    )


@pytest.fixture
def basket(catalogue: Catalogue, currency: str) -> Basket:
    basket = Basket(currency)
    basket.put(catalogue["tea-green"], 2)
    basket.put(catalogue["creme-brulee"])
    return basket
