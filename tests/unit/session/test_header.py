"""Lines of the header, and where a report says the source is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pyimages.containers import Source
from pytest_pyimages.session.header import format_engines, format_late_copies, locate_source

GITHUB = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "o/shop",
    "GITHUB_SHA": "abc",
    "GITHUB_WORKSPACE": "/w/shop",
}
GITLAB = {"CI_PROJECT_URL": "https://gitlab.com/o/shop", "CI_COMMIT_SHA": "abc", "CI_PROJECT_DIR": "/w/shop"}


@pytest.mark.parametrize(
    ("rootdir", "environ", "url"),
    [
        pytest.param("/w/shop", GITHUB, "https://github.com/o/shop/blob/abc/", id="GitHub"),
        pytest.param("/w/shop/a b/c", GITHUB, "https://github.com/o/shop/blob/abc/a%20b/c/", id="a subfolder"),
        pytest.param("/w/shop", GITLAB, "https://gitlab.com/o/shop/-/blob/abc/", id="GitLab"),
        pytest.param("/w/other", GITHUB, "file:///w/other/", id="not in the checkout"),
        pytest.param("/w/shop", {**GITHUB, "GITHUB_SHA": ""}, "file:///w/shop/", id="no commit"),
        pytest.param("/w/sh#op", {}, "file:///w/sh%23op/", id="no CI"),
    ],
)
def test_source(rootdir: str, environ: dict[str, str], url: str) -> None:
    assert locate_source(Path(rootdir), environ) == url


def test_each_engine_is_named_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("#" * 1000)
    sources = {"a": Source(tmp_path, "overlay"), "b": Source(tmp_path, "copy")}
    backends: list[Any] = [
        SimpleNamespace(address=name, engine=SimpleNamespace(info=f"docker at {name}"), source=source)
        for name, source in sources.items()
    ]
    copy = "source: copy, 1 file, 1.0 kB"
    engines = ["engine: docker at a · source: overlay", "engine: docker at b · source: copy"]
    assert format_engines(backends, shows_workers=False) == ("2 engines", [*engines, copy])
    assert format_engines(backends[1:], shows_workers=False) == ("docker at b · source: copy", [copy])
    assert format_late_copies(backends, ()) == [f"b: {copy}"]
    assert format_late_copies(backends[1:], ()) == [copy]
    assert format_late_copies(backends, {"b"}) == []
