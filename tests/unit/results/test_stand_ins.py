"""Which plugins of the host have stand-ins for the tests made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pyimages.results.replay.stand_ins import StandIns, find_foreign
from tests.support.hooks import Hooks, make_session


def make_implementation(module: str) -> Any:
    def function() -> None: ...

    function.__module__ = module
    return SimpleNamespace(function=function)


def test_plugins_that_only_run_tests_need_no_stand_ins() -> None:
    """They are loaded wherever their package is, and stand-ins take most of the memory of a large session."""
    modules = (
        "_pytest.main",
        "anyio.pytest_plugin",
        "_hypothesis_pytestplugin",
        "pytest_django.plugin",
        "pytest_randomly",
        "pytest_rerunfailures",
        "pytest_timeout",
        "vscode_pytest",
    )
    implementations = [make_implementation(module) for module in modules]
    hook = SimpleNamespace(get_hookimpls=lambda: implementations)
    assert find_foreign(hook) == implementations[-1:]


@pytest.mark.parametrize(
    ("module", "are_needed"),
    [("pytest_html.basereport", False), ("pytest_sugar", False), ("vscode_pytest", True)],
)
def test_plugins_that_only_count_tests_need_no_stand_ins(
    monkeypatch: pytest.MonkeyPatch, module: str, are_needed: bool
) -> None:
    session = make_session(Hooks())
    hook = SimpleNamespace(get_hookimpls=lambda: [make_implementation(module)])
    monkeypatch.setattr(session.config.hook, "pytest_collection_finish", hook, raising=False)
    session.config.pluginmanager.register = lambda *_: None
    assert StandIns(session, ["3.12"]).are_needed is are_needed
