"""Which folder of the host containers get."""

from __future__ import annotations

from pathlib import Path

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.project import Project


def find_source_root(project: Project, rootdir: Path, cwd: Path) -> Path:
    """Return the folder that containers get, the smallest with the project, pytest's rootdir and the working folder.

    A git checkout is taken whole, since version numbers and tests may come from above the project's own folder; but
    never the user's home folder or anything above it.

    :raises ConfigurationError: if it would be the whole file system, or all that the user has.
    """
    folders = [project.root, rootdir, cwd]
    common = project.root
    while not all(folder.is_relative_to(common) for folder in folders):
        common = common.parent
    home = Path.home()
    _check_root(common, rootdir=rootdir, cwd=cwd, home=home)
    for candidate in (common, *common.parents):
        if home.is_relative_to(candidate):
            break
        if (candidate / ".git").exists():
            return candidate
    return common


# What makes a folder a project of its own, even the home folder: what pytest and build tools are configured by.
_PROJECT_FILES = (
    *("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "conftest.py"),
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini"),
)


def _check_root(root: Path, *, rootdir: Path, cwd: Path, home: Path) -> None:
    hint = "cd into the project's folder" + ("" if cwd == root else ", or name it with --rootdir")
    if root == root.parent:
        apart = "" if rootdir == root else f" ({rootdir} and {cwd} have nothing else in common)"
        raise ConfigurationError(f"--py-images: containers would get {root}, the whole file system{apart}", hint)
    if home.is_relative_to(root) and not any((root / name).is_file() for name in _PROJECT_FILES):
        what = f"your home folder, {root}" if root == home else f"{root}, and your home folder in it"
        raise ConfigurationError(f"--py-images: containers would see {what}", hint)
