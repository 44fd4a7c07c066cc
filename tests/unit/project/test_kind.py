from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.project.project import find_project
from tests.support.project_tree import setuptools_project, write_tree


def backend(name: str, more: str = "") -> str:
    return f'[build-system]\nrequires = []\nbuild-backend = "{name}"\n[project]\nname = "shop"\nversion = "1"\n{more}'


OWN = backend("_own.hooks").replace("requires", "backend-path = ['packaging']\nrequires")


def script(text: str) -> dict[str, str]:
    return {"setup.py": f"from setuptools import setup\n{text}"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # packages of Python files
        pytest.param({"pyproject.toml": setuptools_project()}, "editable", id="setuptools"),
        pytest.param({"pyproject.toml": backend("hatchling.build")}, "editable", id="hatchling"),
        pytest.param({"pyproject.toml": backend("flit_core.buildapi")}, "editable", id="flit"),
        pytest.param({"pyproject.toml": backend("pdm.backend")}, "editable", id="pdm"),
        pytest.param({"pyproject.toml": backend("uv_build")}, "editable", id="uv"),
        pytest.param(
            {"pyproject.toml": backend("poetry.core.masonry.api"), "shop.py": "", "a.c": ""},
            "editable",
            id="poetry-stray-c",
        ),
        pytest.param(
            {"pyproject.toml": backend("poetry_dynamic_versioning.backend"), "a.c": ""},
            "editable",
            id="poetry-dynamic-versioning-stray-c",
        ),
        pytest.param({"pyproject.toml": backend("flit_scm:buildapi"), "a.c": ""}, "editable", id="flit-scm-stray-c"),
        pytest.param({"pyproject.toml": setuptools_project(), "src/a.c": ""}, "editable", id="setuptools-stray-c"),
        pytest.param(
            {"pyproject.toml": backend("unheard.of"), "docs/a.c": "", "tests/b.pyx": ""}, "editable", id="c-in-docs"
        ),
        pytest.param(
            {"pyproject.toml": backend("hatchling.build"), **script("setup(ext_modules=[1])")},
            "editable",
            id="dead-setup.py",
        ),
        pytest.param(script("setup()"), "editable", id="setup.py"),
        pytest.param(script("setup(ext_modules=[], cffi_modules=None)"), "editable", id="empty-ext_modules"),
        pytest.param(script("# ext_modules=[Extension()]\nsetup()"), "editable", id="comment"),
        pytest.param({"setup.cfg": "[metadata]\nname=a", "pyproject.toml": "[tool.black]"}, "editable", id="setup.cfg"),
        pytest.param(
            {"pyproject.toml": "[tool.flit.metadata]\nmodule='a'\n[build-system]\nrequires=[]"},
            "editable",
            id="old-flit",
        ),
        # something to compile
        pytest.param({"pyproject.toml": backend("mesonpy")}, "wheel", id="meson"),
        pytest.param({"pyproject.toml": backend("maturin")}, "wheel", id="maturin"),
        pytest.param({"pyproject.toml": backend("scikit_build_core.build")}, "wheel", id="scikit-build-core"),
        pytest.param(
            {"pyproject.toml": OWN, "src/b.pyx": ""},
            "wheel",
            id="own-backend-with-pyx",
        ),
        pytest.param(
            {"pyproject.toml": OWN, "src/b.py": ""},
            "editable",
            id="own-backend-without",
        ),
        pytest.param({"pyproject.toml": backend("unheard.of"), "shop/b.pyx": ""}, "wheel", id="unknown-with-pyx"),
        pytest.param({"pyproject.toml": backend("unheard.of"), "Cargo.toml": ""}, "wheel", id="unknown-with-cargo"),
        pytest.param(
            {"pyproject.toml": setuptools_project("[[tool.setuptools.ext-modules]]\nname='a'")},
            "wheel",
            id="ext-modules",
        ),
        pytest.param(
            {"pyproject.toml": setuptools_project("[[tool.setuptools-rust.ext-modules]]\ntarget='a'")},
            "wheel",
            id="rust",
        ),
        pytest.param(
            {"pyproject.toml": setuptools_project(), **script("setup(ext_modules=[1])")}, "wheel", id="ext_modules"
        ),
        pytest.param(
            {"pyproject.toml": setuptools_project(), **script("e = Extension('a', [])\nsetup()")},
            "wheel",
            id="extension",
        ),
        pytest.param(script("kw = {}\nkw['ext_modules'] = make()\nsetup(**kw)"), "wheel", id="key"),
        pytest.param(script("setup(cffi_modules=['a.py:ffi'])"), "wheel", id="cffi"),
        pytest.param(script("setup(rust_extensions=[1])"), "wheel", id="rust_extensions"),
        pytest.param({"setup.py": "from skbuild import setup\nsetup()"}, "wheel", id="scikit-build"),
        pytest.param({"setup.py": "import setuptools\nfrom Cython.Build import x"}, "wheel", id="cython"),
        pytest.param({"setup.py": "import setuptools\nprint 'two'\nsetup(ext_modules=[])"}, "wheel", id="python-2"),
        pytest.param({"setup.py": "import setuptools\nprint 'two'\n# ext_modules"}, "editable", id="python-2-comment"),
        pytest.param(
            {
                "pyproject.toml": "[build-system]\nbuild-backend='_own'\nbackend-path=['packaging']\nrequires=[]",
                **script("def f(): setup(ext_modules=[Extension('a', [])])"),
            },
            "wheel",
            id="backend-in-the-tree",
        ),
        pytest.param(
            {"pyproject.toml": backend("hatchling.build", "[tool.hatch.build.hooks.cython]")},
            "wheel",
            id="hatch-cython",
        ),
        pytest.param(
            {
                "pyproject.toml": backend(
                    "hatchling.build", "[tool.hatch.build.targets.wheel.hooks.mypyc]\nenable-by-default=false"
                )
            },
            "editable",
            id="hatch-mypyc-on-demand",
        ),
        pytest.param(
            {
                "pyproject.toml": backend("hatchling.build", "[tool.hatch.build.hooks.custom]"),
                "hatch_build.py": "data['pure_python'] = False",
            },
            "wheel",
            id="hatch-custom",
        ),
        pytest.param(
            {
                "pyproject.toml": backend("hatchling.build", "[tool.hatch.build.hooks.custom]"),
                "hatch_build.py": "write_version()",
            },
            "editable",
            id="hatch-custom-pure",
        ),
        pytest.param(
            {
                "pyproject.toml": backend("poetry.core.masonry.api", "[tool.poetry.build]\nscript='b.py'"),
                "b.py": "cythonize()",
                "shop/a.py": "",
            },
            "wheel",
            id="poetry-script",
        ),
        pytest.param(
            {
                "pyproject.toml": backend("poetry.core.masonry.api", "[tool.poetry]\nbuild='b.py'"),
                "b.py": "cythonize()",
                "src/shop/a.py": "",
            },
            "wheel",
            id="old-poetry-script",
        ),
        pytest.param(
            {"pyproject.toml": backend("pdm.backend", "[tool.pdm.build]\nrun-setuptools=true")},
            "wheel",
            id="pdm-setuptools",
        ),
        # no package
        pytest.param({}, "none", id="nothing"),
        pytest.param({"pyproject.toml": "[tool.black]"}, "none", id="only-tools"),
        pytest.param({"setup.cfg": "[metadata]\nname=a"}, "none", id="setup.cfg-alone"),
        pytest.param({"setup.py": "print('welcome')"}, "none", id="another-setup.py"),
        pytest.param({"pyproject.toml": "[tool.poetry]\npackage-mode = false"}, "none", id="poetry-application"),
        pytest.param(
            {"pyproject.toml": backend("hatchling.build", "[tool.uv]\npackage=false")}, "none", id="uv-application"
        ),
        pytest.param(
            {"pyproject.toml": backend("pdm.backend", "[tool.pdm]\ndistribution=false")}, "none", id="pdm-application"
        ),
        pytest.param(
            {"pyproject.toml": backend("poetry.core.masonry.api"), "main.py": "", "tests/test_it.py": ""},
            "none",
            id="poetry-without-package",
        ),
        pytest.param(
            {"pyproject.toml": backend("poetry.core.masonry.api").replace("shop", "My-App"), "src/my_app.py": ""},
            "editable",
            id="poetry-module",
        ),
        pytest.param(
            {
                "pyproject.toml": backend("poetry.core.masonry.api", "[tool.poetry]\npackages=[{include='b'}]"),
                "b/x.py": "",
            },
            "editable",
            id="poetry-packages",
        ),
        # [project] alone: setuptools builds it, if it can tell what
        pytest.param(
            {"pyproject.toml": "[project]\nname='a'", "a/__init__.py": "", "tests/t.py": ""},
            "editable",
            id="one-package",
        ),
        pytest.param({"pyproject.toml": "[project]\nname='a'", "src/a.py": ""}, "editable", id="src"),
        pytest.param({"pyproject.toml": "[project]\nname='a'", "a/a.py": "", "data/x": ""}, "none", id="two-folders"),
        pytest.param(
            {"pyproject.toml": "[project]\nname='a'", "main.py": "", "test_main.py": ""}, "none", id="modules"
        ),
        pytest.param(
            {"pyproject.toml": "[project]\nname='a'", "test_a.py": "", "test_b.py": ""}, "none", id="only-tests"
        ),
        pytest.param(
            {"pyproject.toml": "[project]\nname='a'", "a.py": "", "conftest.py": "", "_b.py": "", "noxfile.py": ""},
            "editable",
            id="one-module",
        ),
        pytest.param(
            {"pyproject.toml": "[project]\nname='a'", "a/a.py": "", "main.py": "", "test_main.py": ""},
            "editable",
            id="modules-beside-a-package",
        ),
        pytest.param(
            {
                "pyproject.toml": "[project]\nname='a'\n[tool.setuptools]\npy-modules=['main']",
                "main.py": "",
                "b.py": "",
            },
            "editable",
            id="named-module",
        ),
        pytest.param({"pyproject.toml": "[project]\nname='a'", "main.py": "", "uv.lock": ""}, "none", id="uv-lock"),
        pytest.param(
            {"pyproject.toml": "[project]\nname='a'\n[tool.uv.workspace]\nmembers=['b']", "a/a.py": ""},
            "none",
            id="uv-workspace",
        ),
        pytest.param(
            {"pyproject.toml": "[project]\nname='a'\n[tool.uv]\npackage=true", "a/a.py": "", "uv.lock": ""},
            "editable",
            id="uv-lock-of-a-package",
        ),
        pytest.param({"pyproject.toml": backend("uv_build"), "uv.lock": ""}, "editable", id="uv-lock-and-backend"),
        pytest.param(
            {"pyproject.toml": "[project]\nname='a'\n[tool.uv]\npackage=true", "a/a.py": "", "b/x": ""},
            "editable",
            id="uv-package",
        ),
        pytest.param(
            {"pyproject.toml": "[project]\nname='a'\n[tool.setuptools]\npackages=['a']", "a/a.py": "", "b/x": ""},
            "editable",
            id="named-packages",
        ),
    ],
)
def test_the_kind_follows_from_the_build_configuration(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    assert expected == find_project(write_tree(tmp_path, files)).kind


def test_uv_installs_no_member_of_a_workspace_without_a_build_system(tmp_path: Path) -> None:
    root = {"pyproject.toml": "[tool.uv.workspace]\nmembers=['a', 'b']"}
    members = {"a/pyproject.toml": "[project]\nname='a'", "b/pyproject.toml": backend("hatchling.build")}
    write_tree(tmp_path, root | members | {"a/a.py": "", "b/b.py": ""})
    assert ["none", "editable"] == [find_project(tmp_path / name).kind for name in "ab"]
