"""The user that a container's program becomes."""

from __future__ import annotations

import pytest

from pytest_pyimages.session.jobs import _choose_user


@pytest.mark.parametrize("text", ["", "0", "root", "0:0", "root:0", "host 0:0"])
def test_root_goes_on_as_it_began(text: str) -> None:
    assert _choose_user(text) == ""


@pytest.mark.parametrize("text", ["app", "1000", "0:1000", "root:app", "host 1000:1000"])
def test_other_users_are_handed_on(text: str) -> None:
    assert _choose_user(text) == text
