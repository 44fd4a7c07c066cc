"""Projects as checked out: versions from git, generated files, extension modules, entry points."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_pyimages.engines.docker import DockerEngine
from pytest_pyimages.engines.labels import LABEL, ROOT_LABEL
from tests.support.jobs import Job, counts

FULL, SLIM = "3.12", "3.14-slim"
BOTH = f"{FULL},{SLIM}"


class Checkout(Job):
    """A project in a git checkout, whose tests call their own folder ROOT."""

    def add(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=shop", "-c", "user.email=shop@example.org")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, tag: str = "") -> None:
        if not (self.folder / ".git").exists():
            self.add({".gitignore": "_version.py\nreport.json\n__pycache__\n"})
            self.git("init", "-q")
        self.git("add", ".")
        self.git("commit", "-q", "--allow-empty", "-m", "a commit")
        if tag:
            self.git("tag", tag)

    @property
    def cached(self) -> list[bool]:
        return [image["cached"] for image in self.images.values()]


@pytest.fixture
def checkout(job: Job) -> Checkout:
    return Checkout(job.folder)


def test_version_from_git_and_version_file(checkout: Checkout) -> None:
    """Slim images have no git; the file is made by each image's build, and the host gets none."""
    checkout.add(
        {
            "pyproject.toml": """
                [build-system]
                requires = ["setuptools>=64", "setuptools-scm>=8"]
                build-backend = "setuptools.build_meta"
                [project]
                name = "shop.front"
                dynamic = ["version"]
                [tool.setuptools_scm]
                version_file = "src/shop/_version.py"
                local_scheme = "no-local-version"
                """,
            "src/shop/__init__.py": "from ._version import version\n",
            "tests/test_version.py": """
                from importlib.metadata import version
                import shop
                def test_version():
                    assert shop.version == version("shop.front") == "1.2.4.dev1"
                """,
        }
    )
    checkout.commit("v1.2.3")
    checkout.commit()
    done = checkout.run("-p", "no:cacheprovider", images=BOTH)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout.git("status", "--porcelain", "--ignored").split() == ["!!", "report.json"]
    (checkout.folder / "src" / "shop" / "__init__.py").write_text("from ._version import version\nedited = True\n")
    checkout.commit()
    assert checkout.run("-p", "no:cacheprovider", images=BOTH).returncode == 0
    assert checkout.cached == [True, True]
    test = checkout.folder / "tests" / "test_version.py"
    test.write_text(test.read_text().replace("1.2.4.dev1", "2.0"))
    checkout.commit("v2.0")
    done = checkout.run("-p", "no:cacheprovider", "--py-images-source=copy", images=BOTH)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout.cached == [False, False]


def test_scripts_data_and_plugins_of_the_project(checkout: Checkout) -> None:
    """Scripts, a plugin, data, requirements for this Python alone, and a file of a hook's in a pure Python project."""
    checkout.add(
        {
            "pyproject.toml": """
                [build-system]
                requires = ["hatchling", "hatch-vcs"]
                build-backend = "hatchling.build"
                [project]
                name = "acme-shop"
                dynamic = ["version"]
                dependencies = ["six; python_version < '3.14'", "idna; python_version >= '3.14'"]
                [project.scripts]
                shop-tool = "acme.shop:main"
                [project.entry-points.pytest11]
                shop = "acme.shop.plugin"
                [tool.hatch.version]
                source = "vcs"
                [tool.hatch.build.hooks.vcs]
                version-file = "src/acme/shop/_version.py"
                [tool.hatch.build.targets.wheel]
                packages = ["src/acme"]
                """,
            "src/acme/shop/__init__.py": "def main():\n    print('a tool')\n",
            "src/acme/shop/data.txt": "data",
            "src/acme/shop/plugin.py": "import pytest\n@pytest.fixture\ndef seven(): return 7\n",
            "tests/test_it.py": """
                import subprocess, sys
                from importlib.metadata import distributions, version
                from importlib.resources import files
                import acme.shop._version
                def test_version():
                    assert acme.shop._version.version == version("acme-shop") == "1.0"
                def test_script():
                    assert subprocess.check_output(["shop-tool"]) == b"a tool\\n"
                def test_data():
                    assert files("acme.shop").joinpath("data.txt").read_text() == "data"
                def test_plugin(seven):
                    assert seven == 7
                def test_markers():
                    names = {found.metadata["Name"] for found in distributions()}
                    assert ("idna" in names) == (sys.version_info >= (3, 14)) == ("six" not in names)
                """,
        }
    )
    checkout.commit("v1.0")
    done = checkout.run(images=BOTH)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [counts(image, "passed") for image in checkout.images.values()] == [(5,), (5,)]


EXTENSION = """
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_answer", "", -1, methods};
PyMODINIT_FUNC PyInit__answer(void) { return PyModule_Create(&module); }
"""


def test_extension_module_with_the_source_first_on_the_path(checkout: Checkout) -> None:
    """The tests lie in the package, so pytest puts the project's folder before what is installed."""
    setup = "Extension, setup\nsetup(name='shop', version='1', packages=['shop', 'shop.tests'],"
    checkout.add(
        {
            "setup.py": f"from setuptools import {setup} ext_modules=[Extension('shop._answer', ['shop/answer.c'])])\n",
            "shop/__init__.py": "",
            "shop/answer.c": EXTENSION,
            "shop/tests/__init__.py": "",
            "shop/tests/test_it.py": """
                from shop._answer import answer
                def test_it():
                    assert answer() == 42
                """,
        }
    )
    done = checkout.run(images=BOTH)
    assert done.returncode == 1
    assert counts(checkout.images[FULL], "passed") == (1,), done.stdout
    problem = checkout.images[SLIM]["problem"]
    assert "no C compiler" in problem
    assert "set py_images_build_in = full" in problem
    checkout.add({"pytest.ini": "[pytest]\npy_images_build_in = full\n"})
    assert checkout.run(images=SLIM).returncode == 0
    test = checkout.folder / "shop" / "tests" / "test_it.py"
    test.write_text(test.read_text().replace("42", "41"))
    assert checkout.run(images=FULL).returncode == 1
    assert checkout.cached == [True]
    (checkout.folder / "shop" / "answer.c").write_text(EXTENSION.replace("42", "41"))
    assert checkout.run(images=BOTH).returncode == 0
    assert checkout.cached == [False, False]


def test_meson_project(checkout: Checkout) -> None:
    checkout.add(
        {
            "pyproject.toml": """
                [build-system]
                requires = ["meson-python"]
                build-backend = "mesonpy"
                [project]
                name = "shop"
                version = "1.5"
                """,
            "meson.build": """
                project('shop', 'c', version: '1.5')
                python = import('python').find_installation(pure: false)
                python.extension_module('_answer', 'shop/answer.c', install: true, subdir: 'shop')
                python.install_sources('shop/__init__.py', subdir: 'shop')
                """,
            "shop/__init__.py": "",
            "shop/answer.c": EXTENSION,
            "tests/test_it.py": "from shop._answer import answer\ndef test_it(): assert answer() == 42\n",
        }
    )
    done = checkout.run(images=FULL)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_made_by_setup_commands(checkout: Checkout, engine: DockerEngine) -> None:
    """They are there again after a build that goes on from the image, and for what such a build installs."""
    checkout.add(
        {
            "pyproject.toml": """
                [build-system]
                requires = ["setuptools"]
                build-backend = "setuptools.build_meta"
                [project]
                name = "shop"
                version = "1.0"
                dependencies = []
                [tool.setuptools]
                packages = ["shop"]
                [tool.pytest.ini_options]
                py_images_setup = "echo made = True > shop/made.py"
                """,
            "shop/__init__.py": "from shop.made import made\n",
            "tests/test_it.py": "import shop\ndef test_it(): assert shop.made\n",
        }
    )
    assert checkout.run(images=SLIM).returncode == 0
    path = checkout.folder / "pyproject.toml"
    path.write_text(path.read_text().replace("dependencies = []", 'dependencies = ["idna"]'))
    done = checkout.run(images=SLIM)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout.cached == [False]
    made = engine.images(f"{ROOT_LABEL}={checkout.root}")
    newest = max((image for _, image in made), key=lambda image: image.created)
    assert newest.labels[f"{LABEL}.layers"] == "2"
    assert not (checkout.folder / "shop" / "made.py").exists()


def test_files_in_the_project_are_not_taken_as_installed(checkout: Checkout, engine: DockerEngine) -> None:
    """A module named like one of Python's, and metadata of an editable install on the host."""
    checkout.add(
        {
            "ast.py": "NODES = 3\n",
            "shop.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n",
            "test_it.py": "import six\ndef test_it(): pass\n",
        }
    )
    # "python -m pytest" would itself take the module for Python's.
    pytest_itself = str(Path(sys.executable).with_name("pytest"))
    own = f"{checkout.unique_requirement}\n"
    for requirements in (own, f"{own}idna\n"):
        (checkout.folder / "requirements.txt").write_text(requirements)
        command = (pytest_itself, f"--py-images={FULL}")
        done = subprocess.run(command, cwd=checkout.folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    layers = sorted(image.labels[f"{LABEL}.layers"] for _, image in engine.images(f"{ROOT_LABEL}={checkout.root}"))
    assert layers == ["1", "2"]


def test_project_without_a_repository_gets_a_hint(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version cannot be computed without a repository; the hint names the variable."""
    checkout.add(
        {
            "pyproject.toml": """
                [build-system]
                requires = ["setuptools>=64", "setuptools-scm>=8"]
                build-backend = "setuptools.build_meta"
                [project]
                name = "shop"
                dynamic = ["version"]
                [tool.setuptools_scm]
                """,
            "shop/__init__.py": "",
            "test_it.py": "from importlib.metadata import version\ndef test_it(): assert version('shop') == '7.0'\n",
        }
    )
    assert checkout.run(images=SLIM).returncode == 1
    assert "py_images_env" in checkout.images[SLIM]["problem"]
    (checkout.folder / "pytest.ini").write_text("[pytest]\npy_images_env = SETUPTOOLS_SCM_PRETEND_VERSION=7.0\n")
    done = checkout.run(images=SLIM)
    assert done.returncode == 0, done.stdout + done.stderr


def test_tool_without_a_formula_runs_git_in_the_container(checkout: Checkout) -> None:
    """The full image has git; the slim one fails with one line that says what to do."""
    checkout.add(
        {
            "pyproject.toml": """
                [build-system]
                requires = ["setuptools>=64", "versioningit"]
                build-backend = "setuptools.build_meta"
                [project]
                name = "shop"
                dynamic = ["version"]
                [tool.versioningit]
                """,
            "shop/__init__.py": "",
            "test_it.py": """
                import os, subprocess
                from importlib.metadata import version
                def test_it(): assert version('shop') == '1.2.3'
                def test_git_knows_the_owner():
                    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
                    os.chown(".", 12345, 12345)
                    os.chown(".git", 12345, 12345)
                    assert subprocess.check_output(["git", "describe", "--tags"], env=kept) == b"v1.2.3\\n"
                """,
        }
    )
    checkout.commit("v1.2.3")
    assert checkout.run(images=BOTH).returncode == 1
    assert counts(checkout.images[FULL], "passed", "failed") == (2, 0)
    problem = checkout.images[SLIM]["problem"]
    assert "py_images_apt" in problem
    assert "\n" not in problem
