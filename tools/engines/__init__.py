"""Runs a program with one kind of container engine after the other: ``python -m tools.engines -- PROGRAM``."""
