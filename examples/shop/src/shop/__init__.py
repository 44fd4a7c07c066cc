"""Prices, baskets and receipts."""

from shop.basket import Basket, Line
from shop.catalogue import Catalogue, Product
from shop.money import CURRENCIES, Money, PriceWarning
from shop.receipt import receipt

__all__ = ["CURRENCIES", "Basket", "Catalogue", "Line", "Money", "PriceWarning", "Product", "receipt"]
