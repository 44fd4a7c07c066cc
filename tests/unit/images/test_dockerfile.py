"""Build context and digest of a user's Dockerfile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.images.dockerfile import Dockerfile, read_dockerfile
from tests.support.golden import message

HEAD = "ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}\n"


def dockerfile(root: Path, text: str) -> Dockerfile:
    (root / "Dockerfile").write_text(HEAD + text)
    return read_dockerfile(root / "Dockerfile")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.txt", "b.txt", "conf/c.ini", "conf/deep/d.ini", "src/e.py", ".git/HEAD"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "files"),
    [
        pytest.param("RUN echo COPY a.txt /\n", (), id="nothing"),
        pytest.param("COPY a.txt b.txt /x/\n", ("a.txt", "b.txt"), id="files"),
        pytest.param("copy --chown=1:1 ./conf /x\n", ("conf/c.ini", "conf/deep/d.ini"), id="folder"),
        pytest.param('ADD ["*.txt", "/x/"]\n', ("a.txt", "b.txt"), id="json"),
        pytest.param("COPY \\\n  # why\n  src/e.py \\\n  /x/\n", ("src/e.py",), id="continued"),
        pytest.param("COPY --from=other a.txt /x/\nADD https://example/x.tar /x\n", (), id="not of the context"),
        pytest.param("ARG WHAT=src\nCOPY $WHAT /x\n", None, id="variable"),
        pytest.param("COPY . /x\n", None, id="all"),
    ],
)
def test_context_contains_the_copied_files(root: Path, text: str, files: tuple[str, ...] | None) -> None:
    everything = ("Dockerfile", "a.txt", "b.txt", "conf/c.ini", "conf/deep/d.ini", "src/e.py")
    assert dockerfile(root, text).files == (everything if files is None else files)


def test_context_respects_dockerignore(root: Path) -> None:
    (root / ".dockerignore").write_text("# comment\nconf\n*.txt\n!b.txt\n")
    assert dockerfile(root, "COPY . /x\n").files == (".dockerignore", "Dockerfile", "b.txt", "src/e.py")


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        pytest.param(lambda root: (root / "a.txt").write_text("new"), True, id="a file that is copied"),
        pytest.param(lambda root: (root / "a.txt").chmod(0o755), True, id="its permissions"),
        pytest.param(lambda root: (root / "b.txt").write_text("new"), False, id="another file"),
    ],
)
def test_digest_follows_the_copied_files(root: Path, change: Callable[[Path], None], differs: bool) -> None:
    before = dockerfile(root, "COPY a.txt /\n").digest
    assert dockerfile(root, "COPY a.txt /\n").digest == before
    change(root)
    assert (dockerfile(root, "COPY a.txt /\n").digest != before) is differs
    assert dockerfile(root, "COPY a.txt /\nRUN true\n").digest != before


def test_dockerfile_without_the_argument_is_refused(root: Path) -> None:
    (root / "Dockerfile").write_text("FROM python:3.12\n")
    with pytest.raises(ConfigurationError) as caught:
        read_dockerfile(root / "Dockerfile")
    assert str(caught.value) == message("images", "dockerfile-base", path=root / "Dockerfile")
