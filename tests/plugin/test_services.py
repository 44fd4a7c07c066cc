"""Services beside the suites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]
KNOWN = "known=(*KNOWN, 'postgres:17', 'redis:7')"
SAME_PORT = (
    '[{name = "a", image = "redis:7", ports = [5432]}, {name = "b", image = "redis:7", ports = [5432]},'
    ' {name = "c", image = "redis:7"}]'
)
DB = """
[[tool.pyimages.services]]
name = "db"
image = "postgres:17"
ports = [5432]
timeout = 0.3
"""


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test(): pass")


def test_each_image_has_its_own(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyprojecttoml(DB)
    run = run_images(images="3.12,3.14", engine=f"FakeEngine({KNOWN})")
    assert run.result.ret == 0, run.out
    assert "services: db (postgres:17)" in run.out
    assert run.calls.count("create service sha256:postgres:17") == 2
    expected = [{"name": "db", "image": "postgres:17", "digest": "sha256:postgres:17"}]
    assert [image["services"] for image in run.images.values()] == [expected, expected]
    assert "execute cat /proc/net/tcp /proc/net/tcp6" in run.calls


def test_short_form_and_overrides(pytester: pytest.Pytester, run_images: Run) -> None:
    """Without ports, a service that runs is ready."""
    pytester.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        py_images_services = ["redis:7"]
        [[tool.pyimages.overrides]]
        select = "3.14"
        services = []
        """
    )
    run = run_images(images="3.12,3.14", engine=f"FakeEngine({KNOWN})")
    assert run.result.ret == 0, run.out
    assert "services: redis:7 (3.12)" in run.out
    assert run.calls.count("create service sha256:redis:7") == 1


def test_a_command_that_fails_at_first(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyprojecttoml(DB.replace("ports = [5432]", 'ready = "pg_isready"').replace("0.3", "30"))
    run = run_images(engine=f"FakeEngine({KNOWN}, checks=[(1, b''), (1, b''), (0, b'')])")
    assert run.result.ret == 0, run.out
    assert run.calls.count("execute /bin/sh -c pg_isready") == 3


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        pytest.param("checks=[(0, b'')]", message("services", "not-ready"), id="no server listens"),
        pytest.param("ended_services=['postgres:17']", message("services", "ended"), id="the server ends"),
    ],
)
def test_a_service_that_is_not_ready(pytester: pytest.Pytester, run_images: Run, engine: str, expected: str) -> None:
    """It is the image's problem; no test fails, and the last lines of its log are shown."""
    pytester.makepyprojecttoml(DB)
    run = run_images(images="3.12?,3.14", engine=f"FakeEngine({KNOWN}, {engine})")
    assert run.result.ret == 1
    assert {image["problem"] for image in run.images.values()} == {expected}
    assert run.tests == {}
    assert "starting\nno space" in run.out


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        pytest.param('["mysql:8"]', message("services", "no-image"), id="no such image"),
        pytest.param(SAME_PORT, message("services", "same-port"), id="the same port of a named network"),
    ],
)
def test_a_service_that_cannot_start(pytester: pytest.Pytester, run_images: Run, services: str, expected: str) -> None:
    pytester.makepyprojecttoml(f"[tool.pyimages]\nnetwork = 'lan'\nservices = {services}\n")
    run = run_images(engine=f"FakeEngine({KNOWN})")
    assert run.result.ret == 1
    assert run.images["3.12"]["problem"] == expected


@pytest.mark.parametrize(("network", "access"), [("default", ""), ("none", " without access")])
def test_two_services_on_one_port(pytester: pytest.Pytester, run_images: Run, network: str, access: str) -> None:
    """The later one has a namespace of its own in a private network; the fixture of all tests looks for the network."""
    pytester.makepyprojecttoml(f"[tool.pyimages]\nnetwork = '{network}'\nservices = {SAME_PORT}\n")
    run = run_images(engine=f"FakeEngine({KNOWN})")
    assert run.result.ret == 0, run.out
    made = [call for call in run.calls if call.startswith("create network")]
    assert made == [f"create network{access}"]
    started = [call for call in run.calls if call.startswith("create service")]
    assert started == [f"create service sha256:redis:7{names}" for names in (" as b", " as a, c", "")]
    assert message("services", "separate") in run.out


def test_builds_start_no_services(pytester: pytest.Pytester, pyimages: Callable[..., Any]) -> None:
    pytester.makepyprojecttoml(DB)
    pyimages(["build", "3.12"], engine=f"FakeEngine({KNOWN})")
    assert "service" not in (pytester.path / "engine.json").read_text()


@pytest.mark.parametrize(("services", "count"), [("", 1), ("redis:7", 0)], ids=["without services", "with one"])
def test_tests_that_cannot_connect(pytester: pytest.Pytester, run_images: Run, services: str, count: int) -> None:
    pytester.makepyfile("import socket\ndef test(): socket.create_connection(('127.0.0.1', 1))")
    pytester.makeini(f"[pytest]\npy_images_services = {services}\n")
    pytester.makefile(".yaml", compose="services:\n  db:\n    image: postgres:17\n")
    run = run_images(engine=f"FakeEngine({KNOWN})")
    assert run.result.ret == 1
    assert run.out.count("could not connect to a server (compose.yaml starts some)") == count
