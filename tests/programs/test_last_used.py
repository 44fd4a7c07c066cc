"""The last use of an image, as another process reads it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from pytest_pyimages.images.last_used import LastUsed

IMAGE, PROJECT = "sha256:" + "a" * 64, "0123456789abcdef"
READ = """
import sys; from pathlib import Path; from pytest_pyimages.images.last_used import LastUsed
print(LastUsed(Path(sys.argv[1])).read_uses([sys.argv[2]])[sys.argv[2]][sys.argv[3]].seconds)
"""


def test_another_process_reads_the_same(tmp_path: Path) -> None:
    LastUsed(tmp_path).touch(IMAGE, PROJECT, Path("/src/mine"))
    (written,) = (tmp_path / "used").iterdir()
    yesterday = int(time.time()) - 86400
    os.utime(written, (yesterday, yesterday))
    command = [sys.executable, "-c", READ, str(tmp_path), IMAGE, PROJECT]
    # In another folder than that of the source, which -c would import.
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == yesterday
