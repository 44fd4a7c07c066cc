from __future__ import annotations

from typing import Any

from pytest_pyimages.cluster.created import Created
from pytest_pyimages.engines.labels import KIND_LABEL, SESSION_LABEL
from pytest_pyimages.errors import EngineError


class Removals:
    """An engine that records what is removed, and refuses one of them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def __getattr__(self, method: str) -> Any:
        def remove(name: str) -> None:
            self.calls.append((method, name))
            if name == "busy":
                raise EngineError("in use")

        return remove


def test_what_was_not_removed_is_removed_containers_first() -> None:
    created, engine = Created(), Removals()
    mine = {"labels": {SESSION_LABEL: "s"}}
    created.note("create_volume", ("kept",), {"labels": {KIND_LABEL: "cache"}}, "/var/kept")
    created.note("create_volume", ("busy",), mine, "/var/busy")
    created.note("create_volume", ("gone",), mine, "/var/gone")
    created.note("create_network", ("net",), mine, None)
    created.note("create_container", ("spec",), {}, "id1")
    created.note("create_service", ("spec",), {}, "id2")
    created.note("start", ("id1",), {}, None)
    created.note("remove_volume", ("gone",), {}, None)
    created.note("remove_container", ("id2",), {}, None)
    assert created
    created.remove_all(engine)
    assert engine.calls == [("remove_container", "id1"), ("remove_network", "net"), ("remove_volume", "busy")]
    assert not created
