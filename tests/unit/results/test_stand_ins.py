"""Which plugins of the host have stand-ins for the tests made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pytest_pyimages.results.replay.stand_ins import find_foreign


def make_implementation(module: str) -> Any:
    def function() -> None: ...

    function.__module__ = module
    return SimpleNamespace(function=function)


def test_plugins_that_only_run_tests_need_no_stand_ins() -> None:
    """They are loaded wherever their package is, and stand-ins take most of the memory of a large session."""
    modules = ("_pytest.main", "anyio.pytest_plugin", "_hypothesis_pytestplugin", "pytest_timeout", "vscode_pytest")
    implementations = [make_implementation(module) for module in modules]
    hook = SimpleNamespace(get_hookimpls=lambda: implementations)
    assert find_foreign(hook) == implementations[-1:]
