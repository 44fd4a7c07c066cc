"""Replay the events of containers through pytest's own hooks."""
