"""A pytest session without pytest: it records which hooks are called with which arguments."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class Hooks:
    """Stands for ``config.hook``; ``calls`` are hook names and their keyword arguments."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> None:
            self.calls.append((name, arguments))

        def call_historic(*, kwargs: dict[str, Any]) -> None:
            call(**kwargs)

        call.call_historic = call_historic  # type: ignore[attr-defined]  # as a hook caller has it
        call.get_hookimpls = list  # type: ignore[attr-defined]
        return call

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the arguments of each call of a hook."""
        return [arguments for called, arguments in self.calls if called == name]


def make_session(hooks: Hooks, *, verbose: int = 0, **options: Any) -> Any:
    """Return a session whose host has no terminal reporter."""
    values = {"verbose": verbose, **options}
    config = SimpleNamespace(
        hook=hooks,
        option=SimpleNamespace(**values),
        getoption=lambda name, default=None: values.get(name, default),
        getini=lambda name: "progress",
        get_verbosity=lambda: verbose,
        pluginmanager=SimpleNamespace(getplugin=lambda name: None, hasplugin=lambda name: False),
        invocation_params=SimpleNamespace(dir=None),
    )
    return SimpleNamespace(config=config, shouldfail="", shouldstop="", testscollected=0, testsfailed=0, exitstatus=0)
