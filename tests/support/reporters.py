"""The terminal reporter of pytest, without a session."""

from __future__ import annotations

import io
from collections import defaultdict
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from _pytest.config import get_config
from _pytest.terminal import TerminalReporter


def make_reporter() -> TerminalReporter:
    """Return a registered reporter that writes to memory, for a session of one test."""
    config = get_config()
    config.parse([])
    with suppress(ImportError):  # pytest 8 has no subtests
        from _pytest.subtests import failed_subtests_key

        config.stash[failed_subtests_key] = defaultdict(int)
    terminal = TerminalReporter(config, io.StringIO())
    session: Any = SimpleNamespace(config=config, shouldfail="", shouldstop="", testscollected=1, testsfailed=0)
    terminal._session = session
    config.pluginmanager.register(terminal, "terminalreporter")
    return terminal
