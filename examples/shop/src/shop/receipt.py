"""The receipt, as plain text."""

from __future__ import annotations

import datetime

from tabulate import tabulate

from shop.basket import Basket


def receipt(basket: Basket) -> str:
    """Return the receipt of today."""
    rows = [(line.product.name, line.count, str(line.total)) for line in basket.lines]
    table = tabulate(rows, headers=("", "n", "price"), colalign=("left", "right", "right"))
    return f"{datetime.date.today():%d %B %Y}\n\n{table}\n\ntotal {basket.total}"
