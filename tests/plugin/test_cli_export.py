"""``pyimages export``: its output, its files and its notes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import Done
from tests.support.golden import message

Steps = Callable[..., list[Done]]
SETTINGS = """
[tool.pyimages]
env = ["TOKEN", "MOOD=good"]
[[tool.pyimages.services]]
name = "db"
image = "python:3.12"
"""


def test_the_dockerfile_is_printed(pytester: pytest.Pytester, pyimages: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "a secret")
    write_settings = f"pathlib.Path('pyproject.toml').open('a').write({SETTINGS!r})"
    plain, _, noted = pyimages(["export", "3.12"], write_settings, ["export", "3.12", "--", "-x"])
    assert (plain.status, noted.status) == (0, 0), plain.err + noted.err
    lines = plain.out.splitlines()
    assert lines[0] == "# Written by `pyimages export` 3.12: the environment of its tests."
    assert "FROM python:3.12" in lines
    assert lines[-1].endswith('-m", "pytest"]')
    assert message("cli", "export-notes") in noted.err
    assert "a secret" not in noted.out
    assert 'ENV MOOD="good"' in noted.out
    assert noted.out.splitlines()[-1].endswith('"-m", "pytest", "-x"]')


def test_files_are_written_and_those_of_others_kept(pytester: pytest.Pytester, pyimages: Steps) -> None:
    own = "pathlib.Path('pinned-requirements.txt').write_text('six')"
    spec = ["export", "3.12", "--user=1000", "-o"]
    first, second, _, refused, *_ = pyimages([*spec, "ci"], [*spec, "ci"], own, [*spec, "."])
    folder = pytester.path / "ci"
    assert (first.status, second.status, refused.status) == (0, 0, 4), first.err + second.err
    assert (first.out, second.out) == ("", "")
    text = (folder / "Dockerfile").read_text()
    assert 'COPY ["ci/pinned-requirements.txt", "/app/ci/pinned-requirements.txt"]' in text
    assert "docker build -t tests -f ci/Dockerfile ." in text
    assert "USER 1000\n" in text
    assert "**/.venv" in (folder / "Dockerfile.dockerignore").read_text()
    assert message("cli", "export-foreign-file", path=pytester.path / "pinned-requirements.txt") in refused.err
    assert not (pytester.path / "Dockerfile").exists()


def test_what_cannot_be_exported_is_refused(pytester: pytest.Pytester, pyimages: Steps) -> None:
    outside, several = pyimages(["export", "3.12", "-o", "/srv/x"], ["export", "3.12,3.13"])
    assert (outside.status, several.status) == (4, 4)
    assert outside.err.strip() == message("cli", "export-outside", folder="/srv/x", root=pytester.path)
    assert several.err.strip() == message("cli", "export-several")
