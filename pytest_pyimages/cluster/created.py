"""What a unit has created on a machine and not removed again."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pytest_pyimages.engines import Engine
from pytest_pyimages.engines.labels import SESSION_LABEL
from pytest_pyimages.errors import EngineError

# Methods of the engine that create something, and the one that removes it again.
_REMOVERS = {
    "create_container": "remove_container",
    "create_service": "remove_container",
    "create_network": "remove_network",
    "create_volume": "remove_volume",
}


class Created:
    """May be used from several threads at once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], None] = {}  # method that removes it, and its id or name
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._found)

    def note(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any], value: Any) -> None:
        """Note a call that has succeeded."""
        name = str(args[0]) if args else ""
        with self._lock:
            if method not in _REMOVERS:
                self._found.pop((method, name), None)
            elif SESSION_LABEL in kwargs.get("labels", {SESSION_LABEL: ""}):  # volumes without it are to stay
                remove = _REMOVERS[method]
                self._found[remove, str(value) if remove == "remove_container" else name] = None

    def remove_all(self, engine: Engine) -> None:
        """Remove all; what the engine does not remove is left to the next session that uses it."""
        with self._lock:
            found, self._found = sorted(self._found), {}
        for remove, name in found:  # containers before networks and volumes
            with suppress(EngineError):
                getattr(engine, remove)(name)
