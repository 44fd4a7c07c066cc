"""``pyimages``: what there is to do beside a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_pyimages.barehost import invocation_from

USAGE = """\
usage: pyimages test SPEC [-- PYTEST_ARGUMENT ...]

  test   run the suite like `pytest --py-images=SPEC`, also where the suite's own configuration keeps the host's pytest
         from starting: a plugin of `-p` or of PYTEST_PLUGINS that the host lacks, a `minversion` above the host's
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status, pytest's own numbers."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["-h"], ["--help"], []):
        sys.stdout.write(USAGE)
        return 0 if words else int(pytest.ExitCode.USAGE_ERROR)
    if words[0] != "test" or len(words) < 2 or words[1].startswith("-"):
        sys.stderr.write(f"ERROR: pyimages: cannot make sense of {' '.join(words)!r}\n{USAGE}")
        return int(pytest.ExitCode.USAGE_ERROR)
    args = words[3:] if words[2:3] == ["--"] else words[2:]
    return test(words[1], args)


def test(spec: str, args: Sequence[str]) -> int:
    """Run the suite below the current folder in the images of ``spec``."""
    try:
        invocation = invocation_from([*args, f"--py-images={spec}"], Path.cwd())
    except pytest.UsageError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return int(pytest.ExitCode.USAGE_ERROR)

    class Preset:
        """Hands the project's configuration to the plugin; pytest itself is given none."""

        @staticmethod
        @pytest.hookimpl(tryfirst=True)
        def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
            config = pluginmanager.get_plugin("pytestconfig")
            config.pyimages_invocation = invocation  # type: ignore[union-attr]  # registered before any plugin

    # The containers get these (they are in the invocation); here they could name plugins that this host lacks.
    kept = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    try:
        return int(
            pytest.main(
                # This process has imported part of the plugin already, which pytest would warn of.
                [
                    *("-c", os.devnull, f"--rootdir={invocation.rootdir}", "-p", "pyimages"),
                    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
                ],
                plugins=[Preset()],
            )
        )
    finally:
        os.environ.update(kept)


if __name__ == "__main__":
    sys.exit(main())
