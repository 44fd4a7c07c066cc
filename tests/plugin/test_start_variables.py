"""Variables that Python reads when it starts work in the suite's own process, as with ``docker run -e``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]
SUITE = """
import os, sys, time
def test_they_count():
    assert sys.flags.dev_mode and hash("a") == int(os.environ["HASH"])
    assert time.localtime(0).tm_hour == 9
    assert __import__("elsewhere").NAME == "elsewhere"
    assert os.environ["TOKEN"] == "secret"
"""


def test_start_variables(pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    seeded = pytester.runpython_c("print(hash('a'))").stdout.lines[0]
    monkeypatch.delenv("PYTHONHASHSEED")
    folder = pytester.mkdir("more")
    (folder / "elsewhere.py").write_text("NAME = __name__")
    variables = (
        f"PYTHONHASHSEED=7\n PYTHONDEVMODE=1\n TZ=Asia/Tokyo\n PYTHONPATH={folder}\n HASH={seeded}\n TOKEN=secret"
    )
    pytester.makeini(f"[pytest]\npy_images_env =\n {variables}\n")
    pytester.makepyfile(test_it=SUITE)
    run = run_images()
    assert run.result.ret == 0, run.out
