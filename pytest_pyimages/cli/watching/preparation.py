"""What a session of the watch does before files change: start pytest, plan its images, connect to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pyimages.cli.watching.reads import Reads
from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.host import INVOCATION, Settings
from pytest_pyimages.session import CONNECTED, PLANNED, connect_all, plan_session

if TYPE_CHECKING:
    from pytest_pyimages.engines import Engine


class UnpreparedError(Exception):
    """The session was prepared in vain, and must begin again."""


class Preparation:
    """A session that was prepared; it runs if that would now be done in the same way.

    :param words: pytest's arguments that it is prepared for.
    :param root: the folder that is watched.
    :param folders: those that the session starts in.
    """

    def __init__(self, words: Sequence[str], root: Path, folders: Sequence[Path]) -> None:
        self.words = words
        self._reads = Reads(root, folders)
        self._connecting: list[Future[Engine]] = []
        self._reads.start()

    def finish(self, config: pytest.Config, *, connects: bool) -> None:
        """Plan the session of a pytest that has parsed its command line.

        :param connects: whether to connect to the engine.
        :raises UnpreparedError: if that fails, or depends on more than what was read.
        """
        invocation = config.stash.get(INVOCATION, None)
        if invocation is None:
            raise UnpreparedError
        try:
            settings = Settings.from_config(config, invocation)
            if connects and not config.hook.pytest_pyimages_engine.get_hookimpls():
                self._connect(config, settings)
            # A plugin may need its pytest_configure before it changes recipes.
            plan = None if config.hook.pytest_pyimages_recipe.get_hookimpls() else plan_session(config, settings)
        except PyimagesError:
            raise UnpreparedError from None
        finally:
            self._reads.stop()
        if plan is not None and self._reads.are_complete:
            config.stash[PLANNED] = settings, plan

    def _connect(self, config: pytest.Config, settings: Settings) -> None:
        self._connecting = connect_all(config, settings, settings.engines)
        if all(_stays_open(future) for future in self._connecting):
            config.stash[CONNECTED] = settings.engines, self._connecting
        else:
            self.close()

    def close(self) -> None:
        """Close the connections of a session that does not use them."""
        for future in self._connecting:
            with suppress(PyimagesError):
                future.result().close()

    def is_usable(self, words: Sequence[str]) -> bool:
        """Return whether a session with these arguments would be prepared in the same way now.

        :param words: pytest's arguments.
        """
        return [*words] == [*self.words] and self._reads.are_same()


def _stays_open(connecting: Future[Engine]) -> bool:
    """Return whether a connection that is not used for hours still works, or is known to be lost."""
    try:
        info = connecting.result().info
    except PyimagesError:
        return False
    return info.endpoint.startswith("unix://") and not info.is_own
