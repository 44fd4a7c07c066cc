"""Files are replaced as a whole, with the permissions that a user expects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pyimages.atomic_write import write_atomically


@pytest.fixture
def umask() -> Iterator[None]:
    mask = os.umask(0o027)
    yield
    os.umask(mask)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("existing", "executable", "mode"),
    [
        pytest.param(None, None, 0o640, id="new"),
        pytest.param(None, True, 0o750, id="new program"),
        pytest.param(0o600, None, 0o600, id="private"),
        pytest.param(0o755, None, 0o755, id="program"),
        pytest.param(0o644, True, 0o755, id="becomes a program"),
        pytest.param(0o755, False, 0o644, id="no longer a program"),
    ],
)
def test_permissions(tmp_path: Path, existing: int | None, executable: bool | None, mode: int) -> None:
    path = tmp_path / "file"
    if existing is not None:
        path.touch()
        path.chmod(existing)
    write_atomically(path, [b"a", b"b"], executable=executable)
    assert path.read_bytes() == b"ab"
    assert path.stat().st_mode & 0o777 == mode


def test_missing_folders_are_created(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / ("n" * 255)
    write_atomically(path, [b"a"])
    assert path.read_bytes() == b"a"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_failure_changes_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> Iterator[bytes]:
        yield b"new"
        raise error

    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(error):
        write_atomically(tmp_path / "file", fail())
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
