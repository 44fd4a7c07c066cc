"""A host without the project's dependencies: projects that it could not even collect run in containers."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import ImagesRun, make_distribution, run_command

Run = Callable[..., ImagesRun]

SCRIPTS = Path(sysconfig.get_path("scripts"))
INSIDE_PLUGIN = """
def pytest_addoption(parser):
    group = parser.getgroup("inside")
    group.addoption("--inside-cov", action="append", nargs="?", const=True)
    group.addoption("--gather", action="append", default=[])
"""
CONFTEST = """
import json, os
import insidepkg  # the host has no such package

assert "FAKE_IMAGE" in os.environ, "imported on the host"
pytest_plugins = ["insidepkg.fixtures"]

def pytest_addoption(parser):
    parser.addoption("--its-own-option", default="none")
    parser.addoption("--its-own-flag", action="store_true")
    parser.addini("its_own_key", "known to this conftest only")
"""
SUITE = """
import warnings
import insidepkg
import pytest

def test_option(own): assert own == "5"
def test_key(pytestconfig): assert pytestconfig.getini("its_own_key") == "yes"
@pytest.mark.declared
def test_marked(): pass
def test_filter():
    with pytest.raises(insidepkg.InsideWarning):
        warnings.warn("as an error", insidepkg.InsideWarning)
def test_plugin_option(pytestconfig): assert pytestconfig.getoption("inside_cov") == [True]
"""
SETTINGS = {
    "addopts": "--inside-cov --strict-markers --strict-config --its-own-option=5",
    "required_plugins": "pytest-inside>=1",
    "filterwarnings": "error::insidepkg.InsideWarning",
    "markers": "declared: a marker of the suite",
    "its_own_key": "yes",
}
PLAIN = "".join(f"{key} = {value}\n" for key, value in SETTINGS.items())
STRINGS = "".join(f'{key} = "{value}"\n' for key, value in SETTINGS.items())
TYPED = "".join(
    f'{key} = "{value}"\n'
    if key == "its_own_key"
    else f"{key} = {json.dumps(value.split() if key == 'addopts' else [value])}\n"
    for key, value in SETTINGS.items()
)
NATIVE = pytest.mark.skipif(pytest.version_tuple < (9,), reason="[tool.pytest] came with pytest 9")


@pytest.fixture
def inside(pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is installed in images only: a package, and a plugin with options."""
    folder = tmp_path_factory.mktemp("inside")
    (folder / "insidepkg").mkdir()
    (folder / "insidepkg" / "__init__.py").write_text("class InsideWarning(UserWarning): pass\n")
    (folder / "insidepkg" / "fixtures.py").write_text(
        "import pytest\n@pytest.fixture\ndef own(pytestconfig): return pytestconfig.getoption('--its-own-option')\n"
    )
    make_distribution(folder, "pytest-inside", "inside_plugin", INSIDE_PLUGIN)
    return folder


def plain_pytest(monkeypatch: pytest.MonkeyPatch, inside: Path, *command: str) -> pytest.RunResult:
    """Run the command as in a container, without this plugin."""
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(inside))
        patch.setenv("FAKE_IMAGE", "none")
        return run_command(*command, "-p", "no:pyimages", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("pytest.ini", f"[pytest]\n{PLAIN}", id="pytest.ini"),
        pytest.param("tox.ini", f"[pytest]\n{PLAIN}", id="tox.ini"),
        pytest.param("setup.cfg", f"[tool:pytest]\n{PLAIN}", id="setup.cfg"),
        pytest.param("pyproject.toml", f"[tool.pytest.ini_options]\n{STRINGS}", id="ini_options"),
        pytest.param("pyproject.toml", f"[tool.pytest]\n{TYPED}", id="native", marks=NATIVE),
    ],
)
def test_a_suite_that_the_host_cannot_run(
    pytester: pytest.Pytester, run_images: Run, inside: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    (pytester.path / name).write_text(text)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_it=SUITE)
    plain = plain_pytest(monkeypatch, inside, sys.executable, "-m", "pytest")
    assert (plain.ret, plain.parseoutcomes()) == (0, {"passed": 5})
    run = run_images(inside=inside)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 5})
    assert run.err == ""


@pytest.mark.parametrize(
    ("args", "tests"),
    [
        pytest.param(
            ["--its-own-option", "tests/sub"], ["tests/sub/test_b.py::test_b", "tests/test_a.py::test_a"], id="value"
        ),
        pytest.param(
            ["--its-own-option", "tests/sub", "tests/test_a.py"], ["tests/test_a.py::test_a"], id="value and path"
        ),
        pytest.param(["--its-own-flag", "tests/sub"], ["tests/sub/test_b.py::test_b"], id="flag and path"),
        pytest.param(["tests/sub", "--its-own-option=x", "-q"], ["tests/sub/test_b.py::test_b"], id="path first"),
    ],
)
def test_own_option_followed_by_a_path(
    pytester: pytest.Pytester, run_images: Run, inside: Path, args: list[str], tests: list[str]
) -> None:
    pytester.makeconftest(CONFTEST)
    (pytester.path / "tests" / "sub").mkdir(parents=True)
    record = "open('own', 'w').write(str([own, pytestconfig.getoption('its_own_flag')]))"
    (pytester.path / "tests" / "test_a.py").write_text(f"def test_a(own, pytestconfig): {record}\n")
    (pytester.path / "tests" / "sub" / "test_b.py").write_text(f"def test_b(own, pytestconfig): {record}\n")
    run = run_images(*args, inside=inside)
    assert run.result.ret == 0
    assert sorted(run.tests) == tests
    value = {"--its-own-option": "tests/sub", "--its-own-flag": "none", "tests/sub": "x"}[args[0]]
    assert (pytester.path / "own").read_text() == str([value, "--its-own-flag" in args])


def test_options_of_plugins_that_the_host_lacks(
    pytester: pytest.Pytester, run_images: Run, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options that may be repeated come through once and in pytest's order: ini, environment, command line."""
    pytester.makeini("[pytest]\naddopts = --gather=ini\nunknown_to_all = 1\n")
    pytester.makepyfile(
        test_it="""
        import warnings, insidepkg, pytest
        def test_order(pytestconfig): assert pytestconfig.getoption("gather") == ["ini", "environment", "line"]
        def test_filter():
            with pytest.raises(insidepkg.InsideWarning):
                warnings.warn("as an error", insidepkg.InsideWarning)
        """
    )
    monkeypatch.setenv("PYTEST_ADDOPTS", "--gather environment -v")
    run = run_images("--gather=line", "-W", "error::insidepkg.InsideWarning", inside=inside)
    assert run.result.ret == 0
    assert run.images["3.12"]["counts"]["passed"] == 2
    assert run.out.count("test_it.py::test_order[3.12] PASSED") == 1
    run.result.stdout.fnmatch_lines(["*PytestConfigWarning: Unknown config option: unknown_to_all*"])
    assert run.out.count("PytestConfigWarning: ") == 1


def test_invalid_option_of_the_project_is_refused_in_the_container(
    pytester: pytest.Pytester, run_images: Run, inside: Path
) -> None:
    """An option that nobody knows: the container's pytest says so, and its status counts."""
    pytester.makepyfile("def test_a(): pass")
    run = run_images("--nobody-knows-this", inside=inside)
    assert run.result.ret == 4
    assert "unrecognized arguments: --nobody-knows-this" in run.out + run.err


def test_xdist_in_addopts(pytester: pytest.Pytester, run_images: Run) -> None:
    """``-n`` is the container's business: each test once per image, no workers on the host."""
    pytest.importorskip("xdist")
    pytester.makeini("[pytest]\naddopts = -n 2 --dist loadfile\n")
    pytester.makepyfile(
        """
        import os, pytest
        @pytest.mark.parametrize("number", range(4))
        def test_many(number): assert os.environ["FAKE_IMAGE"] and os.environ["PYTEST_XDIST_WORKER"]
        """
    )
    run = run_images(images="3.12,3.14-slim")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 8})


LACKING = {
    "plugin": ("-p a_plugin_inside --inside-twice=2", ""),
    "minversion": ("--gather=x", "minversion = 99.0\n"),
    "filter": ("--gather=x", "filterwarnings =\n    error\n    ignore::insidepkg.InsideWarning\n"),
}


@pytest.mark.parametrize(
    "value", ["../vars.json", "../other", "stage[3.12]", "test_it.py[3.12]", "test_it.py::test_value[3.12]"]
)
def test_values_of_options_of_the_images(
    pytester: pytest.Pytester, inside: Path, monkeypatch: pytest.MonkeyPatch, run_images: Run, value: str
) -> None:
    """A value that looks like a path does not decide the rootdir, nor is it taken for a node id of an image."""
    folder, other = pytester.mkdir("project"), pytester.mkdir("other")
    (pytester.path / "vars.json").touch()
    (other / "pytest.ini").write_text("[pytest]\naddopts = --unknown\n")
    (folder / "pytest.ini").write_text("[pytest]\njunit_family = xunit1\nits_own_key = yes\n")
    (folder / "conftest.py").write_text("def pytest_addoption(parser): parser.addini('its_own_key', 'of this project')")
    (folder / "test_it.py").write_text(
        "import os\n"
        f"def test_value(pytestconfig): assert pytestconfig.getoption('gather') == [{value!r}]\n"
        "def test_project(pytestconfig):\n"
        "    assert os.path.basename(str(pytestconfig.rootpath)) == 'project'\n"
        "    assert pytestconfig.getini('its_own_key') == 'yes'\n"
    )
    monkeypatch.chdir(folder)
    run = run_images("--gather", value, "--junitxml=out.xml", images="3.12,3.13", inside=inside)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 4})
    assert set(run.tests) == {"test_it.py::test_value", "test_it.py::test_project"}
    assert 'file="test_it.py"' in (folder / "out.xml").read_text(), "the host uses this project's ini file, too"


@pytest.fixture
def lacking(pytester: pytest.Pytester, inside: Path, request: pytest.FixtureRequest) -> Path:
    """A suite whose ini file the host's pytest refuses before it loads any installed plugin."""
    addopts, more = LACKING[request.param]
    (inside / "a_plugin_inside.py").write_text("def pytest_addoption(parser): parser.addoption('--inside-twice')\n")
    (inside / "sitecustomize.py").write_text("import _pytest\n_pytest.__version__ = '99.1'\n")
    pytester.makeini(f"[pytest]\naddopts = {addopts}\n{more}")
    pytester.makepyfile(test_it="def test_a(): pass\ndef test_b(): pass")
    return inside


@pytest.mark.parametrize(
    ("lacking", "command"),
    [
        pytest.param("plugin", (str(SCRIPTS / "pyimages"),), id="plugin"),
        pytest.param("minversion", (sys.executable, "-m", "pytest_pyimages.cli"), id="minversion"),
        pytest.param("filter", (str(SCRIPTS / "pyimages"),), id="filter"),
    ],
    indirect=["lacking"],
)
def test_pyimages_test_runs_it_too(run_images: Run, lacking: Path, command: tuple[str, ...]) -> None:
    run = run_images("-k", "test_a", "-v", inside=lacking, command=(*command, "test", "3.12,3.14-slim", "--"))
    assert run.result.ret == 0
    run.result.stdout.fnmatch_lines(["test_it.py::test_a[[]3.12[]] PASSED*", "*2 passed*"])
    assert run.tests == {"test_it.py::test_a": {"3.12": "passed", "3.14-slim": "passed"}}


def test_pyimages_test_has_the_exit_status_of_the_run(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): assert 0")
    run = run_images(command=(str(SCRIPTS / "pyimages"), "test", "3.12", "--"))
    assert run.result.ret == 1
    assert run.result.parseoutcomes() == {"failed": 1}
    assert " 3.12 again: pyimages test 3.12 -- --lf" in run.out


RECORDER = """
import json, os, sys

def pytest_collection_finish(session):
    config = session.config
    seen = {
        "cwd": os.getcwd(),
        "rootdir": str(config.rootpath),
        "inifile": str(config.inipath),
        "args": config.args,
        "typed": config.getoption("file_or_dir"),
        "invoked in": str(config.invocation_params.dir),
        "cwd on the path": os.getcwd() in sys.path or "" in sys.path,
        "keyword": config.getoption("keyword"),
        "active": config.pluginmanager.has_plugin("pyimages"),
        "tests": [item.nodeid for item in session.items],
    }
    name = "inside" if os.environ["FAKE_IMAGE"] != "none" else "plain"
    with open(str(config.rootpath / (name + ".json")), "w") as file:
        json.dump(seen, file)
"""


@pytest.mark.parametrize(
    ("folder", "command", "args"),
    [
        pytest.param("", ["-m", "pytest"], [], id="python -m pytest"),
        pytest.param("", ["pytest"], ["tests"], id="pytest"),
        pytest.param("docs", ["pytest"], ["../tests"], id="in a subfolder"),
        pytest.param("tests", ["-m", "pytest"], ["../tests/test_a.py", "-k", "a"], id="path upwards"),
        pytest.param("tests", ["-m", "pytest"], ["-c", "../other.ini"], id="other ini file"),
        pytest.param("", ["pytest"], ["--rootdir=tests", "tests/test_a.py"], id="other rootdir"),
        pytest.param("", ["-m", "pytest"], ["--pyargs", "tests.test_a"], id="pyargs"),
    ],
)
def test_container_runs_like_the_host(
    pytester: pytest.Pytester,
    run_images: Run,
    inside: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    command: list[str],
    args: list[str],
) -> None:
    pytester.makeini("[pytest]\ntestpaths = tests\n")
    (pytester.path / "other.ini").write_text("[pytest]\npython_functions = check_*\n")
    pytester.mkdir("docs")
    pytester.mkdir("tests").joinpath("test_a.py").write_text("def test_a(): pass\ndef check_b(): pass\n")
    (pytester.path / "tests" / "conftest.py").write_text(RECORDER)
    called = [sys.executable, *command] if command[0] == "-m" else [str(SCRIPTS / command[0])]
    monkeypatch.chdir(pytester.path / folder)
    plain = plain_pytest(monkeypatch, inside, *called, *args)
    run = run_images(*args, inside=inside, command=(*called, "--py-images=3.12"))
    assert run.result.ret == plain.ret
    (expected_file,) = pytester.path.rglob("plain.json")
    expected: dict[str, Any] = json.loads(expected_file.read_text())
    assert json.loads(expected_file.with_name("inside.json").read_text()) == expected
    if folder != "tests":  # where the conftest puts itself on the path
        assert expected["cwd on the path"] is (command[0] == "-m")
    assert sorted(run.tests) == sorted(expected["tests"])


@pytest.mark.parametrize(
    "ini",
    [
        pytest.param("[pytest]\naddopts = --py-images=3.12,3.14-slim\n", id="addopts"),
        pytest.param("[pytest]\naddopts = -p pyimages --py-images=3.12,3.14-slim -v\n", id="addopts with -p"),
        pytest.param("[pytest]\npy_images = 3.12,3.14-slim\n", id="key"),
        pytest.param("[pytest]\naddopts = --strict-config\npy_images =\n    3.12\n    3.14-slim\n", id="lines"),
    ],
)
def test_images_named_by_the_ini_file(pytester: pytest.Pytester, run_images: Run, ini: str) -> None:
    """The suite's ini file is there inside as well: no images in images, and nothing unknown in it."""
    pytester.makeini(ini)
    pytester.makepyfile(test_it="import os\ndef test_a(pytestconfig): assert 'FAKE_IMAGE' in os.environ")
    run = run_images(images=None)
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 2})
    assert run.tests == {"test_it.py::test_a": {"3.12": "passed", "3.14-slim": "passed"}}
    assert run.calls.count("start") == 5  # a probe of the source, two builds, two runs


def test_command_line_overrides_the_ini_file(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeini("[pytest]\npy_images = 3.12\n")
    pytester.makepyfile("def test_a(): pass")
    assert list(run_images(images="3.13").images) == ["3.13"]


def test_host_imports_nothing_of_the_project(pytester: pytest.Pytester, run_images: Run) -> None:
    """Every module of the project leaves its process's name; the host's is not among them."""
    leave = (
        "import os\nopen(os.path.join(os.path.dirname(__file__), f'imported-{os.environ.get(\"FAKE_IMAGE\")}'), 'w')\n"
    )
    pytester.makeconftest(leave)
    pytester.makepyfile(__init__=leave, project=leave, test_it=leave + "def test_a(): import project")
    pytester.mkdir("tests").joinpath("conftest.py").write_text(leave)
    (pytester.path / "tests" / "test_deep.py").write_text(leave + "def test_b(): pass")
    run = run_images("tests", "test_it.py")
    assert run.result.ret == 0
    assert {path.name for path in pytester.path.rglob("imported-*")} == {"imported-python:3.12"}


def test_host_environment_is_not_passed(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_HOST", "hidden")
    pytester.makepyfile("import os\ndef test_a(): assert 'A_SECRET_OF_THE_HOST' not in os.environ")
    assert run_images().result.ret == 0
    assert os.environ["A_SECRET_OF_THE_HOST"] == "hidden"


def test_project_loads_this_plugin_by_name(pytester: pytest.Pytester, run_images: Run) -> None:
    """``-p pyimages`` in the ini file or on the command line loads it on the host and nothing inside."""
    pytester.makeini("[pytest]\naddopts = -p pyimages\n")
    pytester.makepyfile("def test_a(): pass")
    run = run_images("-p", "pyimages")
    assert (run.result.ret, run.result.parseoutcomes()) == (0, {"passed": 1})
