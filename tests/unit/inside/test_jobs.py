"""The keys that the host sends in a job are those that containers check and read."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import pytest_pyimages.inside
from pytest_pyimages.containers import SourceJob, Witness
from pytest_pyimages.containers.job import encode_job
from pytest_pyimages.engines import NO_OPTIONS
from pytest_pyimages.images.install_job import InstallJob
from pytest_pyimages.runs.bytecode import BytecodeJob
from pytest_pyimages.runs.changes import ChangesJob
from pytest_pyimages.runs.job import CoverageJob, Job

INSIDE = Path(pytest_pyimages.inside.__file__).parent
JOBS: Any = import_module("pytest_pyimages.inside.worker.jobs")  # without annotations, for Python 2.7

SOURCE = SourceJob(root="/src", owner=(1000, 1000, 0o755), hidden=(".venv",))
JOB = Job(
    image="sha256:0",
    python="/usr/bin/python3",
    args=("-q",),
    project="/src",
    cwd="/src",
    cwd_on_path=True,
    environment={"A": "ä"},
    witness=(Witness("/src/a.py", 10, 1700000000),),
    source=SOURCE,
    passed_output=False,
    own_options=("--py-images",),
    own_ini=("py_images",),
    memory={"lastfailed": {}},
    seed=1,
    host_plugins=("helper",),
    shard={"files": {}},
    coverage=False,
    report=CoverageJob(labels=("3.12",), paths=(Path("/data/0"),), sizes=(5,), failures=0, contexts=True),
    bytecode=BytecodeJob(python="/python", options=NO_OPTIONS),
    changes=ChangesJob(root="/src", send=("reports(/|$)",)),
    terminal="xterm",
)
INSTALL_JOB = InstallJob(
    name="pyimages-1",
    phase="all",
    build="pyimages-1",
    root="/src",
    extends=False,
    interpreter="3.14t",
    apt=("git",),
    setup=("make",),
    steps=(("pytest", "-e", "/src"),),
    lock={"constraints": [], "environments": [], "requires_python": "", "is_required": False},
    built_extras=(),
    is_partial=False,
    needs_pip=False,
    uv={"x86_64": "0"},
    uv_features=(),
    packages={"helper": {"HELPER_VERSION": "2"}},
    distribution="shop",
    kind="pure",
    version={"variables": {}, "is_certain": True, "note": ""},
    environment={},
    files={"ca.pem": ""},
    servers=(("127.0.0.1", 3141),),
    hosts={"packages": "127.1.2.3"},
    folders=(("/wheels", ("a.whl",)),),
    witness=(),
    source=SOURCE,
    volumes=("/data",),
    skipped={"anywhere": [], "top": []},
    worker={"tree": ""},
    installer={"main": ""},
)


@pytest.mark.parametrize(("job", "schema"), [(JOB, JOBS.JOB), (INSTALL_JOB, JOBS.INSTALL_JOB)], ids=["run", "install"])
def test_a_job_has_the_keys_and_types_that_containers_check(job: object, schema: Any) -> None:
    data = encode_job(job)
    assert data.isascii()
    assert b"\n" not in data
    received = json.loads(data)
    assert JOBS.check_job(received, schema) is received
    assert set(received) == set(schema)


def test_optional_values_may_be_missing() -> None:
    job = replace(JOB, memory=None, shard=None, report=None, changes=None, bytecode=None, terminal=None)
    JOBS.check_job(json.loads(encode_job(job)), JOBS.JOB)


def test_values_of_the_host_alone_are_not_sent() -> None:
    received = json.loads(encode_job(JOB))
    assert not {"image", "python"} & set(received)
    assert "paths" not in received["report"]
    assert set(received["bytecode"]) == {"skip", "seconds"}
    assert received["witness"] == [["/src/a.py", 10, 1700000000]]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda job: job.pop("cwd"), "cwd"),
        (lambda job: job.update(future=1), "future"),
        (lambda job: job.update(args="-q"), "args"),
        (lambda job: job.update(environment=None), "environment"),
        (lambda job: job["report"].pop("sizes"), "sizes"),
    ],
    ids=["missing", "unknown", "type", "none", "nested"],
)
def test_a_job_of_another_version_is_refused(change: Callable[[dict[str, Any]], None], named: str) -> None:
    job = json.loads(encode_job(JOB))
    change(job)
    with pytest.raises(ValueError, match=rf"another version: {named}$"):
        JOBS.check_job(job, JOBS.JOB)


def test_a_job_holds_only_what_json_can_express() -> None:
    with pytest.raises(TypeError, match="a job cannot contain set"):
        encode_job(replace(JOB, memory={"a": {1}}))


def find_keys(variables: set[str], *modules: str) -> tuple[set[str], set[str]]:
    """Return the keys that modules in the container read of a job, and those that they add to it themselves."""
    read: set[str] = set()
    added: set[str] = set()
    for path in [path for pattern in modules for path in INSIDE.glob(pattern)]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Subscript) or ast.unparse(node.value) not in variables:
                continue
            if isinstance(node.slice, ast.Constant):
                (added if isinstance(node.ctx, ast.Store) else read).add(str(node.slice.value))
    return read, added


@pytest.mark.parametrize(
    ("schema", "variables", "modules"),
    [
        (JOBS.JOB, {"job", "spec", "self.spec"}, ("worker/*.py", "attendant.py")),
        (JOBS.REPORT, {"report", "job['report']"}, ("worker/jobs.py", "worker/coverage_report.py")),
        (JOBS.INSTALL_JOB, {"job"}, ("installer/*.py",)),
    ],
    ids=["run", "report", "install"],
)
def test_containers_read_every_key_and_no_other(schema: Any, variables: set[str], modules: tuple[str, ...]) -> None:
    read, added = find_keys(variables, *modules)
    assert added & set(schema) == set()
    bootstrap = {"installer"} & set(schema)  # the sources of the installer itself
    assert (read - added) | bootstrap == set(schema)
