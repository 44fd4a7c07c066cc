"""Where a report says the source is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.session.header import locate_source

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
