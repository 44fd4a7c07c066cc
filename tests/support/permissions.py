"""Permissions of files, also for root, which may otherwise read everything."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522  # of the structures of capset(2)
_IGNORES_MODES = (1 << 1) | (1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def obey_permissions() -> tuple[str, ...]:
    """Return the words before a command that make the modes of files count for it."""
    names = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={names}", f"--inh-caps={names}", "--") if os.getuid() == 0 else ()


@contextmanager
def obeyed_permissions() -> Iterator[None]:
    """Make the modes of files count for this thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: the lower 32 bits, then the upper ones
    assert libc.capget(header, sets) == 0
    before = sets[0]
    try:
        sets[0] = before & ~_IGNORES_MODES
        assert libc.capset(header, sets) == 0
        yield
    finally:
        sets[0] = before
        assert libc.capset(header, sets) == 0
