"""Environments of tox, nox and hatch that run the tests."""
