"""The worker measures the work of the suite's processes."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import Any

MODULE: Any = import_module("pytest_pyimages.inside.worker.limits")  # without annotations, for Python 2.7


def test_work_of_other_processes_is_measured() -> None:
    """Of the same session: in a container, these are those of the suite."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        before = MODULE.measure_work()[0]
        while MODULE.measure_work()[0] - before < 0.2:
            assert busy.poll() is None
        assert MODULE.measure_work()[1] is False
        busy.kill()
