"""Decide how a project is installed, and list the files that its build reads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pytest_pyimages.containers import BUILD_OUTPUT, NO_SOURCE
from pytest_pyimages.project.files import ProjectFiles, Table, get_strings, get_table
from pytest_pyimages.project.uv import find_workspace

Kind = Literal["editable", "wheel", "none"]

# Build backends whose packages are compiled, and those that only ever copy Python files by themselves.
_COMPILING_BACKENDS = ("mesonpy", "maturin", "scikit_build_core", "skbuild", "sipbuild", "py_build_cmake", "enscons")
_COPYING_BACKENDS = frozenset(
    "flit flit_core flit_scm hatchling jaraco pbr pdm poetry poetry_dynamic_versioning setuptools uv_build whey".split()
)
_COMPILING_HOOKS = frozenset({"cffi", "cython", "mypyc", "rust", "scikit-build", "zig"})
_COMPILED_FILES = frozenset({".pyx", ".c", ".cc", ".cpp", ".cxx", ".rs", ".f90", ".zig"})
BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "hatch.toml")  # that configure a build
_COMPILING_FILES = ("Cargo.toml", "CMakeLists.txt", "meson.build")
_SCRIPT_MARKS = tuple(
    "ext_modules Extension( cythonize pure_python infer_tag cffi cmake maturin cargo build_ext".split()
)

# Folders beside the package: build output, and others that no build reads.
_BESIDE_PACKAGE = BUILD_OUTPUT | frozenset(
    "htmlcov site tests test testing docs doc examples example benchmarks benchmark "
    "bench changelog.d changes news .github .ci .circleci typing-examples".split()
)
_SKIPPED_SUFFIXES = frozenset({".pyc", ".pyo", ".so", ".pyd", ".o", ".obj", ".orig", ".rej", ".swp", ".log"})
_BESIDE_SUFFIXES = frozenset({".md", ".rst"})
_BESIDE_FILES = frozenset(
    "tox.ini noxfile.py conftest.py pytest.ini tox.toml uv.lock poetry.lock pdm.lock pylock.toml Pipfile Pipfile.lock "
    "PKG-INFO Dockerfile Makefile".split()
)
_TEST_FOLDERS = frozenset({"tests", "test", "testing"})
_TEST_MODULE = re.compile(r"test_.*\.py|.*_test\.py|conftest\.py")
# Folders that setuptools does not take for packages.
_NO_PACKAGES = frozenset(
    "benchmark benchmarks bin build changelog ci debian doc docs documentation example examples exercise exercises "
    "fabfile htmlcov manpages news newsfragments python scripts site_scons tasks test tests tools unit_test unit_tests "
    "util utils".split()
)
_NO_MODULES = frozenset(
    "SConstruct benchmark benchmarks build conanfile conftest dodo example examples exercise exercises fabfile manage "
    "noxfile pavement sconstruct setup tasks test tests toxfile".split()
)


def decide_kind(files: ProjectFiles) -> Kind:
    """Return how to install the project: editable, as a wheel since something is compiled, or not at all."""
    if not files.is_packaged or _declines_packaging(files):
        return "none"
    return "wheel" if _compiles(files) else "editable"


def _declines_packaging(files: ProjectFiles) -> bool:
    """Whether the project's tool is configured for an application that is not a package."""
    tool = files.tool
    if get_table(tool, "poetry").get("package-mode") is False or get_table(tool, "pdm").get("distribution") is False:
        return True
    package = get_table(tool, "uv").get("package")
    if package is not None:
        return package is False
    if files.backend.startswith("poetry.core"):
        return not _has_poetry_package(files)  # whose users install it with --no-root
    if "build-system" in files.pyproject or files.setup_script.is_present:
        return False
    if not (files.root / "pyproject.toml").is_file():
        return True  # installers want one of the two files
    # uv installs no project without a build system ("Build systems" in its documentation), pip builds it by setuptools.
    configures_setuptools = bool(get_table(tool, "setuptools")) or "options" in files.setup_cfg
    return not configures_setuptools and (_is_managed_by_uv(files) or not _finds_packages(files.root))


def _is_managed_by_uv(files: ProjectFiles) -> bool:
    return (files.root / "uv.lock").is_file() or find_workspace(files) is not None


def _has_poetry_package(files: ProjectFiles) -> bool:
    """Whether Poetry finds the project's package, which has its name if the configuration names none (poetry-core)."""
    if get_table(files.tool, "poetry").get("packages") or not files.declared_name:
        return True
    name = files.declared_name.replace("-", "_")
    places = (files.root, files.root / "src")
    return any((place / name).is_dir() or (place / f"{name}.py").is_file() for place in places)


def _finds_packages(root: Path) -> bool:
    """Whether setuptools' automatic discovery succeeds ("Package Discovery" in its documentation)."""
    if (root / "src").is_dir():
        return True
    entries = [path for path in root.iterdir() if path.stem.isidentifier() and not path.name.startswith("_")]
    packages = [path.name for path in entries if path.name not in _NO_PACKAGES and not path.suffix and path.is_dir()]
    modules = [path.stem for path in entries if path.stem not in _NO_MODULES and path.suffix == ".py"]
    return len(packages or modules) <= 1


def _compiles(files: ProjectFiles) -> bool:
    backend = files.backend.partition(".")[0]
    if files.backend.startswith(_COMPILING_BACKENDS) or (files.uses_setuptools and _setuptools_compiles(files)):
        return True
    if backend == "hatchling":
        return _hatch_compiles(files)
    if backend in {"poetry", "poetry_dynamic_versioning"}:
        return any(_script_compiles(files.root / script) for script in _list_poetry_scripts(files))
    if backend == "pdm":
        build = get_table(files.tool, "pdm", "build")
        return build.get("is-purelib") is False or bool(build.get("run-setuptools"))
    # A backend in the project's own tree mostly wraps setuptools to do more.
    wraps = "backend-path" in get_table(files.pyproject, "build-system")
    is_known = backend in _COPYING_BACKENDS or (files.uses_setuptools and not wraps)
    return not is_known and _holds_compiled_sources(files.root)


def _setuptools_compiles(files: ProjectFiles) -> bool:
    if get_table(files.tool, "setuptools").get("ext-modules") or get_table(files.tool, "setuptools-rust"):
        return True
    return files.setup_script.compiles


def _hatch_compiles(files: ProjectFiles) -> bool:
    build = get_table(files.hatch, "build")
    for hooks in (get_table(build, "hooks"), get_table(build, "targets", "wheel", "hooks")):
        for name in hooks:
            hook = get_table(hooks, name)
            if hook.get("enable-by-default") is False:
                continue
            if name in _COMPILING_HOOKS:
                return True
            if name == "custom" and _script_compiles(files.root / str(hook.get("path", "hatch_build.py"))):
                return True
    return False


def _list_poetry_scripts(files: ProjectFiles) -> tuple[str, ...]:
    build = get_table(files.tool, "poetry").get("build")
    return get_strings(build.get("script") if isinstance(build, dict) else build)


def _script_compiles(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(mark in text for mark in _SCRIPT_MARKS)


def _holds_compiled_sources(root: Path) -> bool:
    """Whether there is something to compile, for an unknown build backend."""
    if any((root / name).is_file() for name in _COMPILING_FILES):
        return True
    return any(path.suffix in _COMPILED_FILES for path in list_source_files(root))


def list_build_scripts(files: ProjectFiles) -> tuple[Path, ...]:
    """Return the project's own scripts that take part in its build."""
    names = ["hatch_build.py", "pdm_build.py", *_list_poetry_scripts(files)]
    build_system: Table = get_table(files.pyproject, "build-system")
    module = files.backend.partition(".")[0]
    names += (f"{folder}/{module}.py" for folder in get_strings(build_system.get("backend-path")))
    return tuple(files.root / name for name in names if (files.root / name).is_file())


def list_source_files(root: Path, *, with_tests: bool = True) -> tuple[Path, ...]:
    """Return the files below a project's folder that a build of it may read, sorted.

    Tests and documentation beside the package, caches, environments and build output are left out.

    :param with_tests: include test modules inside of the package, which are installed with it.
    """
    return tuple(sorted(path for path in _walk_sources(root) if with_tests or not _is_test(path, root)))


def list_package_files(path: Path, *, is_editable: bool) -> tuple[Path, ...]:
    """Return the files that affect the installation of a package beside the project: a wheel, or a folder's files.

    :param is_editable: then only those that configure its build.
    """
    if not path.is_dir():
        return (path,)
    if is_editable:
        return tuple(path / name for name in BUILD_FILES if (path / name).is_file())
    return list_source_files(path, with_tests=False)


def _is_test(path: Path, root: Path) -> bool:
    return _TEST_MODULE.fullmatch(path.name) is not None and not _TEST_FOLDERS.isdisjoint(
        path.relative_to(root).parts[:-1]
    )


def _walk_sources(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        is_top = here == root
        if not is_top and "pyvenv.cfg" in names:  # a virtual environment
            folders.clear()
            continue
        skipped = NO_SOURCE | _BESIDE_PACKAGE if is_top else NO_SOURCE
        if "Cargo.toml" in names:
            skipped = skipped | {"target"}
        folders[:] = [name for name in folders if name not in skipped and not name.endswith(".egg-info")]
        for name in names:
            suffix = Path(name).suffix
            if suffix in _SKIPPED_SUFFIXES or name.endswith("~"):
                continue
            if is_top and (name.startswith(".") or suffix in _BESIDE_SUFFIXES or name in _BESIDE_FILES):
                continue
            yield here / name
