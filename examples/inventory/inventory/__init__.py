"""How much of what lies where."""
