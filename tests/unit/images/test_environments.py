"""Builds of one image by several sessions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from pytest_pyimages.containers import Lease, Source
from pytest_pyimages.errors import BuildError
from pytest_pyimages.images import environments
from pytest_pyimages.images.bases import BaseImages, Listener
from pytest_pyimages.matrix import parse_matrix
from tests.support.fake_engine import FakeEngine


def test_a_build_that_never_ends_elsewhere_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "LOCK_SECONDS", 0.2)
    engine, stages = FakeEngine(), list[str]()
    listener = Listener(report=lambda label, text: stages.append(text))
    lease = Lease(tmp_path)
    images = environments.EnvironmentImages(BaseImages(engine, listener), lease, Source(tmp_path))
    plan: Any = SimpleNamespace(tag=parse_matrix(["3.12"])[0])
    base = engine.find_image("python:3.12")
    assert base is not None
    with (
        FileLock(images.find_lock("name:digest")),
        pytest.raises(BuildError, match="another session has been building"),
    ):
        images._obtain(plan, base, "name:digest", None)
    assert stages == ["waiting for another session that builds the same image"]
    assert engine.containers == {}


def test_a_session_that_ends_does_not_wait_for_another_one(tmp_path: Path) -> None:
    """It would seem to wait for the engine."""
    engine, is_waiting = FakeEngine(), threading.Event()
    listener = Listener(report=lambda label, text: is_waiting.set())
    images = environments.EnvironmentImages(BaseImages(engine, listener), Lease(tmp_path), Source(tmp_path))
    plan: Any = SimpleNamespace(tag=parse_matrix(["3.12"])[0])
    base = engine.find_image("python:3.12")
    assert base is not None
    with FileLock(images.find_lock("name:digest")), ThreadPoolExecutor() as threads:
        build = threads.submit(images._obtain, plan, base, "name:digest", None)
        assert is_waiting.wait(60)
        images.abort()
        error = build.exception(60)
    assert str(error) == "stopped while another session built it"
    assert engine.containers == {}


def test_builds_on_two_engines_do_not_wait_for_each_other(tmp_path: Path) -> None:
    engines = [FakeEngine(), FakeEngine(), FakeEngine()]
    engines[2].info = replace(engines[2].info, endpoint="tcp://other:1")
    first, same, other = (
        environments.EnvironmentImages(BaseImages(engine, Listener()), Lease(tmp_path), Source(tmp_path)).find_lock(
            "a:b"
        )
        for engine in engines
    )
    assert first == same != other
