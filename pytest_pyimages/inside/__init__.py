"""The code that containers run. It imports nothing from the rest of the package, and nothing imports it."""
