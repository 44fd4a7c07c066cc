"""A browser to look at pages with: the machine's own Chromium, or Debian's."""

from __future__ import annotations

import os
import shutil

from tools.standins.apt import install_packages
from tools.standins.state import StandinError, State, default_state, say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGE = "chromium"


def ensure_browser(state: State | None = None) -> str:
    """Return the path of a Chromium, installed if need be.

    :raises StandinError: if there is none, and none can be installed.
    """
    found = _find()
    if found is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise StandinError(f"no browser: none of {', '.join(NAMES)} · install Chromium, or be root on Debian")
        say(f"no browser; installing {PACKAGE}")
        install_packages(state or default_state(), (PACKAGE,), what="installing a browser")
        found = _find()
    if found is None:
        raise StandinError(f"no browser, although {PACKAGE} is installed")
    return found


def _find() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)
