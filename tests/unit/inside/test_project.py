"""Files that a build generates in the source: kept in the image, and copied into the tree of a run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.containers import BUILD_OUTPUT, NO_SOURCE
from tests.support.project_tree import write_tree

# They are not annotated, being for Python 2.7 as well.
INSTALLER: Any = import_module("pytest_pyimages.inside.installer.project")
WORKER: Any = import_module("pytest_pyimages.inside.worker.tree")


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "project", {"shop/__init__.py": "x = 1\n", "shop/old.py": "", "README": ""})


@pytest.fixture
def made(root: Path, tmp_path: Path) -> Any:
    skipped = {"anywhere": sorted(NO_SOURCE), "top": sorted(BUILD_OUTPUT | {"target"})}
    files = INSTALLER.BuildOutput(str(root), str(tmp_path / "made"), skipped)
    files.begin()
    return files


def test_new_and_changed_files_are_kept(root: Path, made: Any, tmp_path: Path) -> None:
    write_tree(root, {"shop/_version.py": "version = 1\n", "shop/deep/er/_x.so": "", "shop/old.py": "changed"})
    (root / "shop" / "link").symlink_to("old.py")
    made.keep("build")
    assert names(tmp_path / "made") == {
        f"build/shop/{name}" for name in ("_version.py", "deep/er/_x.so", "old.py", "link")
    }
    assert (tmp_path / "made" / "build" / "shop" / "link").is_symlink()
    assert made.note == ""


@pytest.mark.parametrize(
    "path",
    [
        *("build/lib/shop/_x.so", "dist/shop.whl", "shop/__pycache__/a.pyc", "shop.egg-info/PKG-INFO"),
        *(".git/index", ".mesonpy-x/y", "target/debug/x", "src/x.o", ".tox/a/b.py", "environment/lib/x.py"),
    ],
)
def test_temporary_build_output_is_not_kept(root: Path, made: Any, tmp_path: Path, path: str) -> None:
    write_tree(root, {path: "", "environment/pyvenv.cfg": "", "kept": ""})
    made.keep("build")
    assert names(tmp_path / "made") == {"build/kept"}


def test_a_later_build_replaces_the_kept_files(root: Path, made: Any, tmp_path: Path) -> None:
    write_tree(tmp_path / "made", {"build/gone": "", "setup/stays": ""})
    write_tree(root, {"new": ""})
    made.keep("build")
    assert names(tmp_path / "made") == {"build/new", "setup/stays"}


def test_too_large_files_are_named(root: Path, made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(INSTALLER, "MOST_BYTES", 10)
    write_tree(root, {"a": "1234567", "large": "12345678901", "z": "123"})
    made.keep("build")
    assert names(tmp_path / "made") == {"build/a", "build/z"}
    assert made.note == "large is too large to be kept for the runs"


def installed(site: Path, origin: Path, files: tuple[str, ...]) -> None:
    metadata = {
        "METADATA": "Metadata-Version: 2.1\nName: shop\nVersion: 1\n",
        "direct_url.json": json.dumps({"url": origin.as_uri(), "dir_info": {}}),
        "RECORD": "".join(f"{name},,\n" for name in files),
    }
    write_tree(site, {f"shop-1.dist-info/{name}": text for name, text in metadata.items()})
    write_tree(site, dict.fromkeys(files, ""))


def test_an_extra_is_found_in_the_built_metadata(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path / "site", root, ())
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    metadata = tmp_path / "site" / "shop-1.dist-info" / "METADATA"
    assert INSTALLER.find_built_extra(str(root), ["test"]) == ""
    metadata.write_text(metadata.read_text() + "Provides-Extra: docs\nProvides-Extra: Unit_Tests\n")
    assert INSTALLER.find_built_extra(str(root), ["test", "unit-tests"]) == "Unit_Tests"
    assert INSTALLER.find_built_extra(str(tmp_path), ["unit-tests"]) == ""


def test_extension_modules_are_kept_where_tests_import_them(
    root: Path, made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an editable installation: pytest may put the project's folder before site-packages."""
    write_tree(root, {"src/inner/__init__.py": ""})
    made.begin()
    files = ("shop/_x.so", "shop/__init__.py", "inner/_y.so", "_alone.so", "elsewhere/_z.so", "../bin/tool")
    installed(tmp_path / "lib" / "site", root, files)
    monkeypatch.syspath_prepend(tmp_path / "lib" / "site")
    made.keep("build", compiled=True)
    assert names(tmp_path / "made") == {"build/shop/_x.so", "build/src/inner/_y.so"}
    WORKER.put_in_place(str(tmp_path / "made" / "build"), str(root))
    assert (root / "shop" / "_x.so").exists()


def test_files_of_the_host_are_not_overwritten(tmp_path: Path) -> None:
    write_tree(tmp_path / "made", {"shop/_version.py": "ours", "shop/new.py": "ours"})
    tree = write_tree(tmp_path / "tree", {"shop/_version.py": "theirs"})
    (tmp_path / "made" / "shop" / "link").symlink_to("nowhere")
    WORKER.put_in_place(str(tmp_path / "made"), str(tree))
    assert (tree / "shop" / "_version.py").read_text() == "theirs"
    assert (tree / "shop" / "new.py").read_text() == "ours"
    assert (tree / "shop" / "link").is_symlink()
    WORKER.put_in_place(str(tmp_path / "made"), str(tree))


def test_a_read_only_tree_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path / "made", {"setup/shop/new.py": ""})
    (tmp_path / "tree").write_text("not a folder")
    monkeypatch.setattr(WORKER, "__file__", str(tmp_path / "worker" / "tree.pyc"))
    said = WORKER.complete_source(str(tmp_path / "tree"))
    assert said.startswith("files generated by the build of the image cannot be copied into the source tree: [Errno ")
    monkeypatch.setattr(WORKER, "__file__", str(tmp_path / "elsewhere" / "worker" / "tree.pyc"))
    assert WORKER.complete_source(str(tmp_path / "tree")) == ""


def job(**changes: object) -> dict[str, Any]:
    version = {"variables": {"SHOP_VERSION": "1.5"}, "is_certain": True, "note": ""}
    found = {
        "name": "container",
        "build": "container",
        "root": "/project",
        "distribution": "shop",
        "kind": "editable",
        "packages": {},
    }
    return {**found, "version": version, **changes}


@pytest.fixture
def environment(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(root)
    for name in ("home", "cache"):
        (tmp_path / name).mkdir()
    return {"HOME": str(tmp_path / "home"), "UV_CACHE_DIR": str(tmp_path / "cache" / "uv"), "PATH": os.environ["PATH"]}


def build_variables(environment: Mapping[str, str]) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    document = tomllib.loads(Path(environment["UV_CONFIG_FILE"]).read_text())
    return document["extra-build-variables"]


def test_the_version_is_set_for_the_project_alone(environment: dict[str, str], tmp_path: Path) -> None:
    settings = tmp_path / "uv.toml"
    settings.write_text('"index-strategy" = "first-index"\n')
    environment["UV_CONFIG_FILE"] = str(settings)
    INSTALLER.prepare_build(job(), environment, has_uv=True)
    assert build_variables(environment) == {"shop": {"PYIMAGES_BUILD": "container", "SHOP_VERSION": "1.5"}}
    assert "SHOP_VERSION" not in environment
    assert "first-index" in settings.read_text()


def test_uv_settings_are_created_if_the_host_has_none(environment: dict[str, str]) -> None:
    environment["UV_NO_CONFIG"] = "1"
    INSTALLER.prepare_build(job(version=None), environment, has_uv=True)
    assert build_variables(environment) == {"shop": {"PYIMAGES_BUILD": "container"}}
    assert "UV_NO_CONFIG" not in environment


def test_other_packages_of_the_tree_get_their_own_versions(environment: dict[str, str]) -> None:
    packages = {"helper": {"HELPER_VERSION": "2"}, "plain": {}}
    INSTALLER.prepare_build(job(kind="none", version=None, packages=packages), environment, has_uv=True)
    assert build_variables(environment) == {
        "helper": {"PYIMAGES_BUILD": "container", "HELPER_VERSION": "2"},
        "plain": {"PYIMAGES_BUILD": "container"},
    }


def test_the_version_is_set_for_all_builds_if_the_name_is_unknown(environment: dict[str, str]) -> None:
    nameless = job(distribution="")
    INSTALLER.prepare_build(nameless, environment, has_uv=True)
    nameless["turn"].close()
    assert environment["SHOP_VERSION"] == "1.5"
    assert "UV_CONFIG_FILE" not in environment


def test_checkouts_in_the_image_have_no_credentials(tmp_path: Path) -> None:
    """Editable checkouts of pip, in whose configuration git has the whole address."""
    config = '[remote "origin"]\n\turl = {}\n'
    urls = {
        "helper/.git/config": "https://some.body:c4nary@code.example/helper.git",
        "helper/.git/modules/part/config": "https://c4nary@code.example/part.git",
        "other/.git/config": "ssh://git@code.example/other.git",
        "other/config": "https://some.body@not.of.git",
    }
    write_tree(tmp_path, {path: config.format(url) for path, url in urls.items()})
    INSTALLER.remove_credentials(str(tmp_path))
    kept = {path: (tmp_path / path).read_text() for path in urls}
    assert kept == {
        "helper/.git/config": config.format("https://code.example/helper.git"),
        "helper/.git/modules/part/config": config.format("https://code.example/part.git"),
        "other/.git/config": config.format("ssh://git@code.example/other.git"),
        "other/config": config.format("https://some.body@not.of.git"),
    }
