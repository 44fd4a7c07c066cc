"""The main job in real containers: examples, compiled projects, faults, interrupts, a second session."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pytest_pyimages.engines.base import Leftover
from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import HOST_LABEL, KIND_LABEL, LABEL
from pytest_pyimages.errors import EngineError
from tests.support.jobs import Job, counts, listing

from .conftest import KEPT_KINDS, wait_until_removed

pytestmark = pytest.mark.battery
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_example_with_a_difference(job: Job) -> None:
    """The second run finds the images of the first and starts testing at once."""
    shutil.copytree(EXAMPLES / "calendar_cli", job.folder, dirs_exist_ok=True)
    before = listing(job.folder)
    first = job.run("-p", "no:cacheprovider")
    assert first.returncode == 1, first.stdout + first.stderr
    assert counts(job.images["3.12"], "passed", "failed", "skipped") == (7, 0, 1)
    assert counts(job.images["3.14-slim"], "passed", "failed", "skipped") == (6, 2, 0)
    assert "fails only on 3.14-slim" in first.stdout
    (job.folder / "calendar_cli.py").write_text((job.folder / "calendar_cli.py").read_text() + "\n# an edit\n")
    second = job.run("-p", "no:cacheprovider")
    assert second.returncode == 1
    assert all(image["cached"] for image in job.images.values())
    assert "installing" not in second.stdout
    after = listing(job.folder)
    assert after.keys() - before.keys() == {"report.json"}, "the tree of the host is as it was"


def test_changed_requirements_rebuild(job: Job) -> None:
    job.write(test_it="def test_a(): import six\n")
    unique = f"six!=0.{time.time_ns()}\n"  # the images of former runs of this test are still there
    (job.folder / "requirements.txt").write_text(unique)
    assert job.run(images="3.14-slim").returncode == 0
    assert job.run(images="3.14-slim").returncode == 0
    assert job.images["3.14-slim"]["cached"] is True
    (job.folder / "requirements.txt").write_text(f"# a comment\n{unique}")
    assert job.run(images="3.14-slim").returncode == 0
    assert job.images["3.14-slim"]["cached"] is True
    (job.folder / "requirements.txt").write_text(f"{unique}idna\n")
    assert job.run(images="3.14-slim").returncode == 0
    assert job.images["3.14-slim"]["cached"] is False


def test_project_with_a_c_extension(job: Job) -> None:
    """Built in the image, and built again when its sources change."""
    (job.folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "answer"\nversion = "1.0"\n'
    )
    (job.folder / "setup.py").write_text(
        "from setuptools import Extension, setup\n"
        'setup(ext_modules=[Extension("_answer", ["answer.c"])], py_modules=[])\n'
    )
    source = """#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(NUMBER); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_answer", "", -1, methods};
PyMODINIT_FUNC PyInit__answer(void) { return PyModule_Create(&module); }
"""
    (job.folder / "answer.c").write_text("#define NUMBER 42\n" + source)
    (job.folder / "tests").mkdir()
    (job.folder / "tests" / "test_it.py").write_text("import _answer\ndef test_a(): assert _answer.answer() == 42\n")
    done = job.run(images="3.12")
    assert done.returncode == 0, done.stdout + done.stderr
    (job.folder / "answer.c").write_text("#define NUMBER 41\n" + source)
    assert job.run(images="3.12").returncode == 1


def test_install_failure_affects_one_image(job: Job) -> None:
    job.write(test_it="def test_a(): pass")
    (job.folder / "requirements.txt").write_text("pyimages-no-such-distribution-at-all==1; python_version >= '3.14'\n")
    done = job.run()
    assert done.returncode == 1
    assert job.images["3.12"]["outcome"] == "passed"
    assert job.images["3.14-slim"]["outcome"] == "error"
    assert "pyimages-no-such-distribution-at-all" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_missing_image_affects_one_image(job: Job) -> None:
    job.write(test_it="def test_a(): pass")
    done = job.run(images="3.12,python:0.0-no-such-tag")
    assert done.returncode == 1
    assert job.images["3.12"]["outcome"] == "passed"
    assert job.images["python:0.0-no-such-tag"]["problem"]


def test_killed_worker_is_reported_with_its_signal(job: Job) -> None:
    job.write(test_it="import os\ndef test_a(): pass\ndef test_dies(): os.abort()\ndef test_b(): pass\n")
    done = job.run(images="3.12")
    assert done.returncode == 1
    assert "SIGABRT" in job.images["3.12"]["problem"]
    assert "test_dies" in job.images["3.12"]["problem"]
    assert counts(job.images["3.12"], "passed", "failed") == (1, 1)


def test_too_long_record_ends_its_image(job: Job) -> None:
    """Nobody reads what comes behind it, and an engine waits for that before it kills."""
    job.write(
        conftest="",
        test_it="""
import gc
def test_before(): pass
def test_flood():
    gc.unfreeze()
    (channel,) = [one for one in gc.get_objects() if type(one).__name__ == "Channel" and hasattr(one, "pending")]
    channel.send({"t": "pass", "x": "x" * 50_000_000})
def test_after(): pass
""",
    )
    done = job.run(images="3.14-slim")
    assert done.returncode == 1, done.stdout
    assert job.images["3.14-slim"]["problem"].startswith("the worker sent a record of more than 8 MiB")


def test_copied_source_gives_equal_results(job: Job) -> None:
    job.write(test_it="from pathlib import Path\ndef test_a():\n    (Path(__file__).parent / 'written').touch()\n")
    done = job.run("--py-images-source=copy", "-p", "no:cacheprovider", images="3.12")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (job.folder / "written").exists()


def test_images_have_separate_writes(job: Job) -> None:
    job.write(
        test_it="from pathlib import Path\nP = Path(__file__).parent / 'written'\n"
        "def test_a():\n    assert not P.exists()\n    P.write_text('x')\n"
    )
    assert job.run().returncode == 0
    assert not (job.folder / "written").exists()


def list_left(engine: DockerEngine, host: str) -> list[str]:
    """Return the names of what sessions have left, but for volumes that stay for later sessions."""
    left = (entry for entry in engine.leftovers(LABEL) if entry.labels.get(HOST_LABEL) == host)
    return [entry.name for entry in left if entry.labels.get(KIND_LABEL) not in KEPT_KINDS]


def wait_for_first_test(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if "test_a[" in line:
            return
    pytest.fail("no test was reported")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_interrupt_leaks_nothing(job: Job, engine: DockerEngine, host: str, number: signal.Signals) -> None:
    job.write(test_it="import time\ndef test_a(): pass\ndef test_slow(): time.sleep(60)\n")
    with job.start("-v") as process:
        wait_for_first_test(process)
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == 2
    wait_until_removed(engine, host)


def test_next_session_removes_leaks_of_a_killed_one(job: Job, engine: DockerEngine, host: str) -> None:
    job.write(
        test_it="import time, pathlib\ndef test_a(): pass\n"
        "def test_slow(): time.sleep(60 if pathlib.Path(__file__).with_name('slow').exists() else 0)\n"
    )
    (job.folder / "slow").touch()
    with job.start("-v", images="3.12") as process:
        wait_for_first_test(process)
        os.killpg(process.pid, signal.SIGKILL)
    (job.folder / "slow").unlink()

    assert list_left(engine, host), "a killed session cannot clean up"
    assert job.run(images="3.12").returncode == 0
    wait_until_removed(engine, host)


def test_build_of_a_killed_session_ends_by_itself(job: Job, engine: DockerEngine, host: str) -> None:
    """It has credentials in memory, and nobody would use its image."""
    job.write(test_it="def test_a(): pass\n")
    (job.folder / "pytest.ini").write_text("[pytest]\npy_images_setup = sleep 600\n")

    def find_builds() -> list[Leftover]:
        found = [entry for entry in engine.leftovers(LABEL) if entry.labels.get(HOST_LABEL) == host]
        return [entry for entry in found if entry.kind == "container"]

    def list_builds() -> list[bool]:
        return [entry.is_running for entry in find_builds()]

    def is_setting_up(container: str) -> bool:
        with contextlib.suppress(EngineError):  # it does not run yet
            words = ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]
            return b"sleep 600" in engine.execute(container, words, seconds=60)[1]
        return False

    with job.start(images="3.14-slim") as process:
        deadline = time.monotonic() + 60
        # While Docker starts a container, it forgets that the input has ended.
        while not any(is_setting_up(entry.id) for entry in find_builds()) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(1)
        assert list_builds() == [True]
        os.killpg(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while list_builds() == [True] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert list_builds() == [False]
    (job.folder / "pytest.ini").unlink()
    assert job.run(images="3.14-slim").returncode == 0
    wait_until_removed(engine, host)


def test_two_sessions_build_the_same_image_once(job: Job) -> None:
    job.write(test_it="def test_a(): import idna\n")
    (job.folder / "requirements.txt").write_text(f"idna!=0.{time.time_ns()}\n")
    with job.start("-v", images="3.14-slim") as first, job.start("-v", images="3.14-slim") as second:
        outputs = [process.communicate(timeout=200)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    waited = [output for output in outputs if "waiting for another session" in output]
    assert len(waited) == 1
    assert "cached" in waited[0]
