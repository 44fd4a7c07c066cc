"""Several engines as one session: where images run, what is reported, and what the loss of an engine costs."""

from __future__ import annotations

import re
import signal
import threading
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.engines.base import ContainerSpec, Engine, ImageInfo
from pytest_pyimages.errors import ConnectionLostError
from pytest_pyimages.runs.run import WORKER
from tests.plugin.conftest import Done, ImagesRun, read_record
from tests.plugin.test_interrupt import Start, start  # noqa: F401 - a fixture
from tests.support.fake_engine import FakeEngine
from tests.support.golden import message

Run = Callable[..., ImagesRun]
A, B, C = "tcp://a:1", "tcp://b:1", "ssh://c"
SUITE = "import os\ndef test_a(): assert os.environ['ENGINE'] in 'abc'\ndef test_b(): pass\n"
LOST = "gone"  # a file beside the tests
PROBLEM = "the connection to the engine was lost: connection refused"
CALLS = {name for name in vars(Engine) if not name.startswith("_")} - {"info", "close"}


class ArmEngine(FakeEngine):
    """An engine of another platform; its images are for it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.info = replace(self.info, platform="linux/arm64")

    @staticmethod
    def _image(*args: Any, **fields: Any) -> ImageInfo:
        return FakeEngine._image(*args, **fields)._replace(platform="linux/arm64")


class AmdEngine(FakeEngine):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.info = replace(self.info, platform="linux/amd64")


class LostEngine(FakeEngine):
    """Ceases to answer at a call about the container of a suite; without a name, once a suite has made a file."""

    def __init__(self, *, at: str = "", **options: Any) -> None:
        self._at = at
        self._is_lost = False
        super().__init__(**options)

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name not in CALLS:
            return value

        def call(*args: Any, **fields: Any) -> Any:
            container = self.containers.get(args[0]) if args and isinstance(args[0], str) else None
            spec = container.spec if container is not None else args[0] if args else None
            if isinstance(spec, ContainerSpec) and spec.command[1:] == (WORKER,):
                if name == self._at:
                    self._lose()
                if name == "create_container" and not self._at:
                    threading.Thread(target=self._wait, daemon=True).start()
            if self._is_lost:
                raise ConnectionLostError(PROBLEM)
            return value(*args, **fields)

        return call

    def _wait(self) -> None:
        while not Path(LOST).exists():
            time.sleep(0.02)
        self._lose()

    def _lose(self) -> None:
        """End the containers, as a machine does that is switched off."""
        self._is_lost = True
        for container in list(self.containers.values()):
            container.killed = True
            if container.process is not None:
                container.process.kill()

    def close(self) -> None:
        if self._is_lost:
            self.containers.clear()
            self.volumes.clear()


class LostArmEngine(LostEngine, ArmEngine):
    pass


def of(**kinds: str) -> str:
    """Return the expression of engines by address: ``of(a="ArmEngine(processors=1)")``."""
    module = f"__import__({__name__!r}, fromlist=['_'])"
    addresses = {"a": A, "b": B, "c": C}
    entries = []
    for name, text in kinds.items():
        kind, _, options = text.partition("(")
        own = f"environment={{'ENGINE': {name!r}}}, {options or ')'}"
        entries.append(f"{addresses[name]!r}: {module}.{kind}({own}")
    return f"{{{', '.join(entries)}}}"


def options(*addresses: str) -> list[str]:
    return [f"--py-images-engine={address}" for address in addresses]


def count_suites(run: ImagesRun, address: str) -> int:
    return sum(call.startswith("create sha256:pytest-pyimages/") for call in run.by_engine[address])


def where(run: ImagesRun) -> dict[str, str]:
    return {label: image["engine"] for label, image in run.images.items()}


def test_images_are_divided(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(SUITE)
    engine = of(a="FakeEngine(processors=1)", b="FakeEngine(processors=1)", c="FakeEngine(processors=1)")
    args = (*options(A, B, C), "--py-images-report=report.html", "--py-images-report=report.md", "--junitxml=junit.xml")
    run = run_images(*args, images="3.10,3.11,3.12,3.13,3.14,3.15", engine=engine)
    assert run.result.ret == 0, run.out
    assert where(run) == {"3.10": A, "3.11": B, "3.12": C, "3.13": A, "3.14": B, "3.15": C}
    assert run.result.parseoutcomes() == {"passed": 12}
    header = [line for line in run.out.splitlines() if line.startswith(("py-images: ", "engine: "))]
    assert header == [
        "py-images: 3.10, 3.11, 3.12, 3.13, 3.14, 3.15 · 3 engines",
        *(f"engine: fake 1.0 at {address} · source: overlay" for address in (A, B, C)),
    ]
    assert re.search(rf"(?m)^ 3\.11 .* on {re.escape(B)}$", run.out)
    for file in ("report.html", "report.md"):
        assert f"on {C}".replace("_", "") in re.sub(r"&#\d+;", "", (pytester.path / file).read_text())
    suites = ET.parse(pytester.path / "junit.xml").getroot()
    assert [suite.find("properties/property[@name='engine']").get("value") for suite in suites] == [A, B, C] * 2  # type: ignore[union-attr]
    assert run.report["session"]["engine"] == ", ".join(f"fake 1.0 at {address}" for address in (A, B, C))


def test_an_idle_engine_gets_the_next_image(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        """
        import os, time, pathlib
        def test_a():
            if os.environ["ENGINE"] == "b":
                pathlib.Path("done-" + os.environ["FAKE_IMAGE"]).touch()
            deadline = time.monotonic() + 60
            while os.environ["ENGINE"] == "a" and len(list(pathlib.Path().glob("done-*"))) < 6:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        """
    )
    engine = of(a="FakeEngine()", b="FakeEngine()")
    images = "3.10,3.11,3.12,3.13,3.14,3.15,3.13-slim,3.14-slim"
    run = run_images(*options(A, B), "--py-images-jobs=1", images=images, engine=engine)
    assert run.result.ret == 0, run.out
    assert Counter(where(run).values())[A] == 2
    assert run.most_at_once <= 2, "a suite, and one that is being removed"


def test_images_share_the_workers_of_their_engine(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(SUITE)
    run = run_images("-n2", *options(A, B), images="3.12,3.13", engine=of(a="FakeEngine()", b="FakeEngine()"))
    assert run.result.ret == 0, run.out
    lines = [line.rpartition(" · ")[2] for line in run.out.splitlines() if line.startswith("engine: ")]
    assert lines == ["2 workers in 1 container"] * 2


def test_platforms(pytester: pytest.Pytester, run_images: Run) -> None:
    """An image without a platform has that of the first engine, however much that has to do."""
    pytester.makepyfile(SUITE)
    engine = of(a="AmdEngine()", b="ArmEngine()")
    run = run_images(*options(A, B), images="3.12,3.13,3.14,3.12@linux/arm64", engine=engine)
    assert run.result.ret == 0, run.out
    assert where(run) == {"3.12": A, "3.13": A, "3.14": A, "3.12@linux/arm64": B}


@pytest.mark.parametrize("at", ["create_container", "attach", "start"])
def test_an_engine_is_lost_before_tests_begin(pytester: pytest.Pytester, run_images: Run, at: str) -> None:
    pytester.makepyfile(SUITE)
    engine = of(a=f"LostEngine(at={at!r})", b="FakeEngine()")
    run = run_images(*options(A, B), images="3.11,3.12,3.13,3.14", engine=engine)
    assert run.result.ret == 0, run.out
    assert where(run) == dict.fromkeys(("3.11", "3.12", "3.13", "3.14"), B)
    assert run.result.parseoutcomes() == {"passed": 8}
    assert message("engines", "moved", label="3.11", address=A, problem=PROBLEM) in run.out
    assert "damaged" not in run.out


def test_an_engine_is_lost_at_the_end(pytester: pytest.Pytester, run_images: Run) -> None:
    """Nothing is run again; what has ended has its result."""
    pytester.makepyfile(SUITE)
    engine = of(a="LostEngine(at='remove_container')", b="FakeEngine()")
    run = run_images(*options(A, B), images="3.11,3.12", engine=engine)
    assert run.result.ret == 0, run.out
    assert {label: image["outcome"] for label, image in run.images.items()} == {"3.11": "passed", "3.12": "passed"}
    assert where(run) == {"3.11": A, "3.12": B}
    assert run.result.parseoutcomes()["passed"] == 4
    assert message("engines", "lost", address=A, problem=PROBLEM) in run.out


def test_an_engine_is_lost_while_tests_run(pytester: pytest.Pytester, run_images: Run) -> None:
    """The image whose tests had begun fails, and says why; those that were to follow go to the other engine."""
    pytester.makepyfile(
        f"""
        import os, time
        def test_a(): pass
        def test_b():
            if os.environ["ENGINE"] == "a":
                time.sleep(1)
                open({LOST!r}, "w").close()
                time.sleep(60)
        """
    )
    engine = of(a="LostEngine()", b="FakeEngine()")
    run = run_images(*options(A, B), "--py-images-jobs=1", images="3.11,3.12,3.13,3.14", engine=engine)
    assert run.result.ret == 1
    outcomes = {label: image["outcome"] for label, image in run.images.items()}
    assert outcomes == {"3.11": "error", "3.12": "passed", "3.13": "passed", "3.14": "passed"}, run.out
    assert where(run) == {"3.11": A, "3.12": B, "3.13": B, "3.14": B}
    assert run.images["3.11"]["problem"].startswith(message("engines", "lost", address=A, problem=""))
    assert [test["outcomes"]["3.11"] for test in run.report["tests"]] == ["passed", "not run"]


def test_a_lost_platform_is_an_error(pytester: pytest.Pytester, run_images: Run) -> None:
    """No other engine gets the image: it would be another platform's result, or none."""
    pytester.makepyfile(SUITE)
    engine = of(a="AmdEngine()", b="LostArmEngine(at='create_container')")
    run = run_images(*options(A, B), images="3.12,3.12@linux/arm64", engine=engine)
    assert run.result.ret == 1
    assert run.images["3.12"]["outcome"] == "passed"
    assert run.images["3.12@linux/arm64"]["problem"] == message("engines", "none-left", addresses=B)


def test_an_image_that_one_engine_has(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(SUITE)
    engine = of(a="FakeEngine(known=['python:3.12'])", b="FakeEngine(known=['python:3.12', 'own:1'])")
    run = run_images(*options(A, B), images="own:1,3.12,nowhere:1", engine=engine)
    assert run.result.ret == 1
    assert run.images["own:1"]["engine"] == B
    assert run.images["own:1"]["outcome"] == "passed"
    assert run.images["nowhere:1"]["problem"].startswith("no such image: nowhere:1")


@pytest.mark.parametrize("first", [True, False])
def test_an_engine_that_cannot_be_reached(pytester: pytest.Pytester, run_images: Run, first: bool) -> None:
    """The session does not begin with fewer engines than were named."""
    pytester.makepyfile(SUITE)
    absent = "tcp://127.0.0.1:1"
    run = run_images(*options(*((absent, B) if first else (B, absent))), engine=of(b="FakeEngine()"))
    assert run.result.ret == 4
    (line,) = filter(None, run.err.splitlines())
    assert line.startswith(f"ERROR: --py-images: no container engine answers at {absent} (")
    assert run.by_engine[B] == ["close"]


def test_the_same_engine_twice(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(SUITE)
    engine = f"(lambda engines: engines | {{'other': next(iter(engines.values()))}})({of(a='FakeEngine()')})"
    run = run_images(*options(A, "other"), engine=engine)
    assert run.result.ret == 4
    assert message("engines", "same-engine", one="other", other="other") in run.err


def test_ini_key_and_one_typed_engine(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(SUITE)
    pytester.makeini(f"[pytest]\npy_images_engine =\n    {A}\n    {B}\n")
    engine = of(a="FakeEngine()", b="FakeEngine()")
    assert where(run_images(images="3.12,3.13", engine=engine)) == {"3.12": A, "3.13": B}
    run = run_images(*options(B), images="3.12,3.13", engine=engine)
    assert run.result.ret == 0
    assert not any("engine" in image for image in run.images.values()), "there is one engine only"
    assert f"· fake 1.0 at {B} · source: overlay" in run.out
    assert run.by_engine[A] == []


def test_a_stop_on_one_engine_stops_the_others(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(
        "import os, time\ndef test_a():\n    assert os.environ['ENGINE'] == 'a' and not time.sleep(60)\n"
    )
    run = run_images("-x", *options(A, B), images="3.12,3.13", engine=of(a="FakeEngine()", b="FakeEngine()"))
    assert run.result.ret == 1
    assert run.images["3.12"]["outcome"] == "interrupted"


def test_ctrl_c_cleans_up_on_each_engine(pytester: pytest.Pytester, start: Start) -> None:  # noqa: F811
    pytester.makepyfile(
        "import os, time\ndef test_a():\n    open('begun-' + os.environ['ENGINE'], 'w').close()\n    time.sleep(60)\n"
    )
    run = start(*options(A, B), images="3.12,3.13", engine=of(a="FakeEngine()", b="FakeEngine()"))
    run.wait_for("begun-a", "begun-b")
    run.send(signal.SIGINT)
    assert run.end() == 2
    read_record(pytester.path)


def test_services_and_coverage(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(mod="def f(): return 1\n", test_it="import mod\ndef test_a(): mod.f()\n")
    pytester.makeini("[pytest]\npy_images_services = postgres:17\n")
    known = "known=['python:3.12', 'python:3.13', 'postgres:17']"
    engine = of(a=f"FakeEngine({known})", b=f"FakeEngine({known})")
    run = run_images("--cov=mod", *options(A, B), images="3.12,3.13", engine=engine)
    assert run.result.ret == 0, run.out
    assert "100%" in run.out
    for address in (A, B):
        assert any(call.startswith("create service sha256:postgres:17") for call in run.by_engine[address])


def test_the_same_image_on_two_engines(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(SUITE)
    same = "(lambda engines: [engine.images_by_reference.update({'python:3.13': engine.find_image('python:3.12')})"
    engine = f"{same} for engine in engines.values()] and engines)({of(a='FakeEngine()', b='FakeEngine()')})"
    run = run_images(*options(A, B), images="3.12,3.13", engine=engine)
    assert run.result.ret == 0, run.out
    assert {image["outcome"] for image in run.images.values()} == {"passed"}
    assert len(set(where(run).values())) == (1 if any("same_as" in each for each in run.images.values()) else 2)


def test_commands_work_on_each_engine(
    pytester: pytest.Pytester, pyimages: Callable[..., list[Done]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PY_IMAGES_ENGINE", f"{A}\n{B}")
    both = of(a="AmdEngine()", b="ArmEngine()")
    built, listed, one, json, named, pruned = pyimages(
        ["build", "3.12,3.13@linux/arm64"],
        ["list"],
        ["list", f"--engine={B}"],
        ["list", "--json"],
        ["build", "--print-names", "3.12"],
        ["prune"],
        engine=both,
    )
    assert built.status == listed.status == one.status == named.status == pruned.status == 0, built.err
    assert built.out.index(f"{A}:\n") < built.out.index(f"{B}:\n")
    assert "3.13@linux/arm64: not built, since the engine's platform is linux/amd64\n" in built.err
    assert [line for line in listed.out.splitlines() if line in (f"{A}:", f"{B}:")] == [f"{A}:", f"{B}:"]
    assert listed.out.count(" current") == 3
    assert one.out.count(" current") == 2
    assert (json.status, json.out) == (4, "")
    assert "--json: several engines are named" in json.err
    assert len(named.out.splitlines()) == 1
    assert f"note: the first engine is used, {A} · --engine selects another\n" in named.err
    assert pruned.out.count("removed ") == 3
