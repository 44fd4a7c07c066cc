"""Choose the folder of this host that containers get."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.project import Project

# Even the home folder with one of these is a project: pytest and build tools are configured by them.
_PROJECT_FILES = (
    *("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "conftest.py"),
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini"),
)


def find_source_root(project: Project, rootdir: Path, cwd: Path, above: Path | None = None) -> Path:
    """Return the folder that containers get.

    It is the smallest that holds the project, pytest's rootdir, the working folder, and what the installation reads.
    A git checkout is taken whole, since version numbers and tests may come from above the project's own folder; but
    never the user's home folder or anything above it.

    :param above: the user's choice of py_images_root, which is not widened to a git checkout.
    :raises ConfigurationError: if it would be the whole file system, or the user's home folder.
    """
    common = Path(os.path.commonpath([project.root, rootdir, cwd]))
    home = Path.home()
    hint = "cd into the project's folder" + ("" if cwd == common else ", or name it with --rootdir")
    if common == common.parent:
        apart = "" if rootdir == common else f" ({rootdir} and {cwd} have nothing else in common)"
        raise ConfigurationError(f"--py-images: containers would get {common}, the whole file system{apart}", hint)
    if home.is_relative_to(common) and not any((common / name).is_file() for name in _PROJECT_FILES):
        what = f"your home folder, {common}" if common == home else f"{common}, and your home folder in it"
        raise ConfigurationError(f"--py-images: containers would see {what}", hint)
    common = _widen(common, project.folders)
    if above is not None:
        chosen = Path(os.path.normpath(above))
        if not common.is_relative_to(chosen) or not chosen.is_dir():
            raise ConfigurationError(
                f"py_images_root: {chosen} is not a folder that holds {common}", "name one above it"
            )
        return _widen(common, [chosen])
    for candidate in (common, *common.parents):
        if home.is_relative_to(candidate):
            break
        if (candidate / ".git").exists():
            return candidate
    return common


def _widen(folder: Path, others: Iterable[Path]) -> Path:
    """Return the smallest folder that holds one and others.

    :raises ConfigurationError: if it would be the whole file system, or hold the user's home folder.
    """
    for other in others:
        if other.is_relative_to(folder):
            continue
        wider = Path(os.path.commonpath([folder, other]))
        if wider == wider.parent or Path.home().is_relative_to(wider):
            problem = f"--py-images: {folder} requires {other}; containers would get {wider}, which holds both"
            hint = "move it beside the project, or list other requirements in py_images_install"
            raise ConfigurationError(problem, hint)
        folder = wider
    return folder
