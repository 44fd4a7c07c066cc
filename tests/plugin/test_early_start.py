"""What only the containers can satisfy is not checked on the host: pytest is not stopped before the plugin can act."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ImagesRun, make_distribution, run_command

Run = Callable[..., ImagesRun]

PYTEST = (str(Path(sysconfig.get_path("scripts"), "pytest")),)
MODULE = (sys.executable, "-m", "pytest")
INSIDE_PLUGIN = """
def pytest_addoption(parser):
    parser.addoption("--inside-cov")
    parser.addini("inside_key", "of a plugin that the host lacks")
"""
WARNS = "import warnings\nwarnings.warn('of a plugin on the host', DeprecationWarning)\n"
BROKEN = "raise ImportError('imported on the host')\n"
# By name: the ini file, and further files of the project.
REFUSALS: dict[str, tuple[str, dict[str, str]]] = {
    "-p": ("addopts = -p inside_module", {}),
    "-p without a space": ("addopts = -pinside_module --inside-twice=2", {}),
    "minversion": ("minversion = 99.0", {}),
    "required_plugins": ("required_plugins = pytest-inside>=1", {}),
    "filterwarnings": ("filterwarnings =\n    error\n    ignore::insidepkg.InsideWarning", {}),
    "-W": ("addopts = -W error -W ignore::insidepkg.InsideWarning", {}),
    "warnings of host plugins": ("filterwarnings = error", {}),
    "strict configuration": ("addopts = --strict-config --inside-cov=x\ninside_key = 1", {}),
    "-p of the project": (
        "addopts = -p helpers.fixtures\npythonpath = .",
        {"helpers/__init__.py": "import insidepkg\n", "helpers/fixtures.py": ""},
    ),
}


@pytest.fixture
def inside(pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is installed in images only; pytest has a high version there."""
    folder = tmp_path_factory.mktemp("inside")
    (folder / "insidepkg.py").write_text("class InsideWarning(UserWarning): pass\n")
    (folder / "inside_module.py").write_text("def pytest_addoption(parser): parser.addoption('--inside-twice')\n")
    (folder / "sitecustomize.py").write_text("import _pytest\n_pytest.__version__ = '99.1'\n")
    make_distribution(folder, "pytest-inside", "inside_plugin", INSIDE_PLUGIN)
    return folder


def write_project(pytester: pytest.Pytester, ini: str, files: dict[str, str]) -> None:
    (pytester.path / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    for name, text in {**files, "test_it.py": "import insidepkg\ndef test_a(): pass\n"}.items():
        (pytester.path / name).parent.mkdir(exist_ok=True)
        (pytester.path / name).write_text(text)


@pytest.mark.parametrize("command", [PYTEST, MODULE], ids=["pytest", "python -m pytest"])
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_project_that_the_host_cannot_satisfy(
    pytester: pytest.Pytester, run_images: Run, inside: Path, refusal: str, command: tuple[str, ...]
) -> None:
    ini, files = REFUSALS[refusal]
    write_project(pytester, ini, files)
    host = Path(os.environ["PYTHONPATH"])
    if refusal == "warnings of host plugins":
        make_distribution(host, "pytest-warns", "warns", WARNS)
    plain = run_command(*command)
    assert plain.ret != 0
    run = run_images(inside=inside, command=(*command, "--py-images=3.12,3.14-slim"))
    assert (run.result.ret, run.result.parseoutcomes(), run.err) == (0, {"passed": 2}, "")
    run.result.stdout.fnmatch_lines(["configfile: pytest.ini"])


@pytest.mark.parametrize(
    ("ini", "environment"),
    [
        pytest.param("py_images = 3.12", {}, id="ini key"),
        pytest.param("addopts = --py-images=3.12 -p inside_module", {}, id="addopts"),
        pytest.param("", {"PYTEST_ADDOPTS": "--py-images=3.12 -p inside_module"}, id="PYTEST_ADDOPTS"),
        pytest.param("", {"PY_IMAGES": "3.12", "PYTEST_PLUGINS": "inside_module"}, id="PY_IMAGES"),
    ],
)
def test_wherever_images_are_requested(
    pytester: pytest.Pytester,
    run_images: Run,
    inside: Path,
    monkeypatch: pytest.MonkeyPatch,
    ini: str,
    environment: dict[str, str],
) -> None:
    write_project(pytester, f"minversion = 99.0\n{ini}", {"sub/test_b.py": "def test_b(): pass\n"})
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(pytester.mkdir("docs"))
    run = run_images("../sub", images=None, inside=inside)
    assert (run.result.ret, run.tests) == (0, {"sub/test_b.py::test_b": {"3.12": "passed"}})


def test_entry_points_of_the_project_itself(pytester: pytest.Pytester, run_images: Run, inside: Path) -> None:
    """``python -m pytest`` in the folder of a plugin's source distribution: its metadata is on sys.path."""
    write_project(pytester, "", {"the_plugin.py": "import insidepkg\n"})
    make_distribution(pytester.path, "pytest-the-plugin", "the_plugin", "import insidepkg\n")
    shutil.move(pytester.path / "pytest_the_plugin-1.0.dist-info", pytester.path / "pytest_the_plugin.egg-info")
    (pytester.path / "pytest_the_plugin.egg-info" / "METADATA").rename(
        pytester.path / "pytest_the_plugin.egg-info" / "PKG-INFO"
    )
    assert run_command(*MODULE).ret != 0
    run = run_images(inside=inside)
    assert (run.result.ret, run.result.parseoutcomes(), run.err) == (0, {"passed": 1}, "")


@pytest.mark.parametrize("name", ["docker", "filelock", "requests"])
def test_packages_of_the_project_do_not_hide_those_of_the_host(
    pytester: pytest.Pytester, run_images: Run, inside: Path, name: str
) -> None:
    write_project(pytester, "", {f"{name}/__init__.py": BROKEN})
    run = run_images(inside=inside)
    assert (run.result.ret, run.result.parseoutcomes(), run.err) == (0, {"passed": 1}, "")


def test_modules_outside_the_project_are_loaded_on_the_host(
    pytester: pytest.Pytester, run_images: Run, inside: Path
) -> None:
    """An editor's runner has its plugin on PYTHONPATH and names it by ``-p``."""
    host = Path(os.environ["PYTHONPATH"])
    (host / "an_editor.py").write_text("def pytest_report_header(): return 'an editor is here'\n")
    (inside / "an_editor.py").write_text("")
    write_project(pytester, "minversion = 99.0", {})
    run = run_images("-p", "an_editor", inside=inside)
    assert run.result.ret == 0
    assert "an editor is here" in run.out


@pytest.mark.parametrize("ini", ["addopts = -p its_tools.hooks", "addopts = -p its_tools.hooks\npythonpath = lib"])
def test_modules_of_the_project_with_our_hooks_are_loaded_on_the_host(
    pytester: pytest.Pytester, run_images: Run, inside: Path, ini: str
) -> None:
    folder = "lib/" if "pythonpath" in ini else ""
    hooks = "def pytest_pyimages_run_finished(result): open('finished', 'a').write(result.label + '\\n')\n"
    (pytester.path / folder / "its_tools").mkdir(parents=True)
    write_project(pytester, f"minversion = 99.0\n{ini}", {f"{folder}its_tools/hooks.py": hooks})
    run = run_images(inside=inside, images="3.12,3.14-slim")
    assert run.result.ret == 0
    assert sorted((pytester.path / "finished").read_text().split()) == ["3.12", "3.14-slim"]


def test_keys_for_the_host_are_kept(pytester: pytest.Pytester, run_images: Run, inside: Path) -> None:
    write_project(pytester, "minversion = 99.0\ncache_dir = its_cache\nconsole_output_style = count", {})
    run = run_images(inside=inside)
    assert run.result.ret == 0
    assert "[1/1]" in run.out
    assert (pytester.path / "its_cache").is_dir()


@pytest.mark.parametrize("option", ["-p no:pyimages", "--help", "--version --version"])
def test_without_this_plugin_pytest_is_as_by_hand(pytester: pytest.Pytester, run_images: Run, option: str) -> None:
    write_project(pytester, "minversion = 99.0\npy_images = 3.12", {})
    plain = run_command(*MODULE, *option.split())
    run = run_images(*option.split(), images=None)
    assert (run.result.ret, run.err, run.calls) == (plain.ret, plain.stderr.str(), [])
    assert run.result.ret != 0
