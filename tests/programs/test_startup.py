"""What every Python of an environment does when it starts, and how little that is."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import pytest

from pytest_pyimages.startup import EARLY_PLUGIN, INI_FILES
from tests.support.scripted_engine import VERSION, answer, frame, scripted_engine

MODULES = "import sys; print(sorted(m for m in sys.modules if m.startswith('pytest_pyimages')), sys.meta_path)"
EARLY = "import _pytest.config as pytest_config; print(pytest_config.default_plugins[-1])"
# Loaded by no run before pytest_configure.
LOADER = """
import gc
thresholds = gc.get_threshold()
import pytest

class Probe:
    def pytest_configure(self):
        from pytest_pyimages.cli.reports import merge
        print("loaded by", type(merge.__loader__).__name__)

pytest.main(["--py-images=3.12", "--py-images-engine=unix:///absent"], plugins=[Probe()])
print("frozen objects:", gc.get_freeze_count())
print("thresholds are kept:", gc.get_threshold() == thresholds)
"""
SESSION = """
import pytest, sys
pytest.main(["--py-images=3.12", "--py-images-engine=unix:///absent", "."])
print("modules:", *sys.modules)
"""
# What only a few runs need: another engine than one on a unix socket, a pull or a build; a copy of the source; files of
# setuptools; an earlier report. Importing all of it takes longer than importing pytest.
NOT_NEEDED = {
    *("docker", "requests", "urllib3", "charset_normalizer", "certifi"),
    *("configparser", "tarfile"),
    "pytest_pyimages.results.output.json_reading",
}
CALLS = """
import sys
from pytest_pyimages.engines.base import ContainerSpec
from pytest_pyimages.engines.docker import connect

engine = connect(sys.argv[1])
engine.overlay_options()
engine.leftovers("label")
engine.images("label")
engine.volume_sizes()
engine.tag("x", "y:1")
engine.create_network("n", labels={}, is_internal=True)
engine.read_log("abc", lines=1)
engine.execute("abc", ["true"], seconds=60)
engine.create_volume("v", labels={}, options={})
container = engine.create_container(ContainerSpec(name="x", image=engine.find_image("x").id, command=(), labels={}))
stream = engine.attach(container)
engine.start(container)
output = b"".join(data for _, data in stream.frames())
stream.close()
print(engine.wait(container), output.decode())
engine.remove_container(container)
engine.remove_volume("v")
engine.close()
print(*sys.modules, sep="\\n")
"""
NOTHING = ["pytest_pyimages", "pytest_pyimages.startup"]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PY_IMAGES", "PYTEST_ADDOPTS", "PYIMAGES_INSIDE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no coverage.py start in Python processes: it imports modules of its own."""
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)


def run_python(*args: str) -> str:
    done = subprocess.run([sys.executable, *args], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("args", [[], ["pytest"], ["pytest", "test_a.py"]], ids=["python", "pytest", "with a path"])
def test_nothing_happens_where_nothing_mentions_images(tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "tox.ini").write_text("[pytest]\naddopts = -v\n")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["pytest-pyimages"]\n')
    loaded, finders = run_python("-c", MODULES, *args).split("]", 1)
    assert loaded == str(NOTHING)[:-1]
    assert "pyimages" not in finders.replace("_editable_impl_pytest_pyimages", "")
    assert run_python("-c", EARLY, *args) != EARLY_PLUGIN


def test_other_programs_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tox.ini").write_text("[pytest]\npy_images = 3.12\n")
    script = tmp_path / "tool.py"
    script.write_text(MODULES)
    assert "PytestFinder" not in run_python("tool.py", "--py-images=3.12")


@pytest.mark.parametrize("name", INI_FILES)
@pytest.mark.parametrize(
    "text", ["py_images = 3.12", "addopts = --py-images=3.12", '[tool.pyimages]\nimages = ["3.12"]']
)
def test_a_configuration_file_mentions_images(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert run_python("-c", EARLY) == EARLY_PLUGIN


@pytest.mark.parametrize(
    "args",
    [
        ["--py-images=3.12"],
        ["--py-images", "3.12"],
        ["@arguments"],
        ["-c", "other.cfg"],
        ["-cother.cfg"],
        ["--config-file=other.cfg"],
        ["below/tests/test_a.py::test_a"],
    ],
    ids=" ".join,
)
def test_the_command_line_mentions_images(tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "other.cfg").write_text("[tool:pytest]\npy_images = 3.12\n")
    (tmp_path / "below" / "tests").mkdir(parents=True)
    (tmp_path / "below" / "tests" / "test_a.py").touch()
    (tmp_path / "below" / "tox.ini").write_text("[pytest]\npy_images = 3.12\n")
    assert run_python("-c", EARLY, *args) == EARLY_PLUGIN


@pytest.mark.parametrize(("name", "value"), [("PY_IMAGES", "3.12"), ("PYTEST_ADDOPTS", "-v --py-images=3.12")])
def test_a_variable_mentions_images(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert run_python("-c", EARLY) == EARLY_PLUGIN


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    script = f"import os, subprocess, sys; os.rmdir({str(tmp_path / 'gone')!r}); "
    (tmp_path / "gone").mkdir()
    nested = [sys.executable, "-c", "pass", "pytest"]
    out = run_python("-c", f"import os; os.chdir('gone'); {script}subprocess.run({nested}, check=True); print('ok')")
    assert out == "ok"


def test_the_installer_removes_what_python_reads() -> None:
    """Wheels and editable installs list both files, so that nothing is left when the distribution is uninstalled."""
    listed = {str(file) for file in files("pytest-pyimages") or ()}
    assert {"pytest_pyimages.pth", "pytest_pyimages.start"} <= listed


def test_our_modules_are_not_rewritten() -> None:
    done = subprocess.run([sys.executable, "-c", LOADER, "pytest"], capture_output=True, text=True, timeout=60)
    assert "loaded by SourceFileLoader" in done.stdout


def test_garbage_of_a_session_is_collected_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", LOADER, "pytest"], capture_output=True, text=True, timeout=60)
    assert "frozen objects: 0" in done.stdout
    assert "thresholds are kept: True" in done.stdout


@pytest.mark.parametrize("args", [["--py-images=3.12", "-p", "no:pyimages"], ["--co", "-q"]], ids=["blocked", "absent"])
def test_garbage_is_collected_as_usual_without_images(tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "tox.ini").write_text("[pytest]\n# py_images\n")
    (tmp_path / "conftest.py").write_text("import gc\nprint(gc.get_threshold())")
    print_usual = "import gc; print(gc.get_threshold())"
    script = "import pytest; pytest.main(sys.argv[2:])"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {script}", "pytest", *args], capture_output=True, text=True, timeout=60
    )
    assert run_python("-c", print_usual) in done.stdout


@pytest.mark.usefixtures("_unmeasured")
def test_a_session_starts_without_what_few_need(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").touch()
    done = subprocess.run([sys.executable, "-c", SESSION, "pytest"], capture_output=True, text=True, timeout=60)
    modules = set(done.stdout.partition("modules: ")[2].split())
    assert "pytest_pyimages.session.schedule" in modules
    assert not modules & NOT_NEEDED


@pytest.mark.usefixtures("_unmeasured")
def test_a_run_needs_no_docker_py_on_a_unix_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    ended = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + frame(1, b"ended")
    with scripted_engine(tmp_path) as engine:
        engine.answers |= {
            "GET /version": answer(200, VERSION),
            "GET /images/x/json": answer(200, {"Id": "sha256:1", "Os": "linux", "Architecture": "amd64"}),
            "GET /info": answer(200, {}),
            "GET /images/json": answer(200, []),
            "GET /system/df": answer(200, {}),
            "POST /images/x/tag": answer(201, b""),
            "POST /networks/create": answer(201, {"Id": "n"}),
            "GET /containers/abc/logs": answer(200, b""),
            "POST /containers/abc/exec": answer(201, {"Id": "e"}),
            "POST /exec/e/start": ended,
            "GET /exec/e/json": answer(200, {"Running": False, "ExitCode": 0}),
            "POST /volumes/create": answer(201, {"Mountpoint": "/v"}),
            "POST /containers/create": answer(201, {"Id": "abc"}),
            "POST /containers/abc/attach": ended,
            "POST /containers/abc/start": answer(204, b""),
            "POST /containers/abc/wait": answer(200, {"StatusCode": 0}),
            "DELETE /containers/abc": answer(204, b""),
            "DELETE /volumes/v": answer(204, b""),
            "GET /containers/json": answer(200, []),
            "GET /networks": answer(200, []),
            "GET /volumes": answer(200, {}),
        }
        answered, *modules = run_python("-c", CALLS, engine.url).splitlines()
    assert answered == "0 ended"
    assert not set(modules) & NOT_NEEDED
