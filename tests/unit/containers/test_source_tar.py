"""Archives of files that change meanwhile."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from pytest_pyimages.containers.source_tar import ArchivedFile, stream_tar


def test_a_file_that_shrinks_while_it_is_copied(tmp_path: Path) -> None:
    """The archive stays whole: the file has the size that was announced."""
    for name, content in (("a.bin", b"x" * 5_000_000), ("b.py", b"b = 1\n"), ("gone.py", b"c = 1\n")):
        (tmp_path / name).write_bytes(content)
    files = [ArchivedFile(path.name, str(path), path.lstat()) for path in sorted(tmp_path.iterdir())]
    pieces: list[bytes] = []
    for piece in stream_tar(files):
        if not pieces:
            os.truncate(tmp_path / "a.bin", 1_000_000)
            (tmp_path / "gone.py").unlink()
        pieces.append(piece)
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        assert {member.name: member.size for member in archive.getmembers()} == {"a.bin": 5_000_000, "b.py": 6}
