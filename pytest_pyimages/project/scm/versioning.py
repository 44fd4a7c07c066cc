"""Versions that come from git tags: told to the build by this host, since slim images have no git.

The tools that number a project by its checkout all have a way to be told the number instead: a variable of the
environment, or the PKG-INFO that a source distribution has. What they would say here is worked out from what git says
on this host. In a full image with git a tool may ask for itself, where its configuration is not understood.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pyimages.project.files import ProjectFiles
from pytest_pyimages.project.scm.tools import SETUPTOOLS_SCM, Tool, versioning_tool

if TYPE_CHECKING:
    from pytest_pyimages.project.scm.versions import Described

GIT_SECONDS = 30
REPOSITORY_VARIABLES = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "INDEX_VERSION", "OBJECT_DIRECTORY", "COMMON_DIR", "NAMESPACE", "PREFIX"),
        *("ALTERNATE_OBJECT_DIRECTORIES", "CEILING_DIRECTORIES", "SHALLOW_FILE", "GRAFT_FILE"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioning:
    """How a project's version comes from its git tags."""

    tool: Tool
    folder: Path  # in the checkout
    variables: tuple[str, ...]  # any of these tells the tool the number

    def last_tag(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return the tag that the number starts from; or the number, if the user has set it in a variable.

        That decides about a new build: commits and edits do not. Empty if there is none.
        """
        given = self._given(environ)
        return given or _git(self.folder, "describe", "--tags", "--abbrev=0", *self.tool.match, environ=environ) or ""

    def version(self, environ: Mapping[str, str] = os.environ, *, today: date | None = None) -> str | None:
        """Return the number that the tool gives the checkout as it is now; None if that cannot be told here."""
        given = self._given(environ)
        if given:
            return given
        from pytest_pyimages.project.scm.versions import SCHEMES  # only a build asks

        scheme = SCHEMES.get(self.tool.name)
        state = None if scheme is None else self._describe(environ, today or datetime.now(timezone.utc).date())
        return None if scheme is None or state is None else scheme(state, self.tool.options)

    def _given(self, environ: Mapping[str, str]) -> str:
        return next((environ[name] for name in self.variables if environ.get(name)), "")

    def _describe(self, environ: Mapping[str, str], today: date) -> Described | None:
        def git(*arguments: str) -> str | None:
            return _git(self.folder, *arguments, environ=environ)

        branch = git("rev-parse", "--abbrev-ref", "HEAD") or ""
        text = git("describe", "--dirty", "--tags", "--long", "--abbrev=40", *self.tool.match)
        found = re.fullmatch(r"(.+)-(\d+)-g([0-9a-f]+)(-dirty)?", text or "")
        if found is not None:
            tag, distance, node, is_dirty = found[1], int(found[2]), found[3], bool(found[4])
        else:
            all_commits = git("rev-list", "--count", "HEAD")
            if not all_commits:
                return None
            tag, distance, node = "", int(all_commits), git("rev-parse", "HEAD") or ""
            is_dirty = bool(git("status", "--porcelain", "--untracked-files=no"))
        from pytest_pyimages.project.scm.versions import Described  # likewise

        return Described(tag=tag, distance=distance, node=node, is_dirty=is_dirty, branch=branch, today=today)


def find_versioning(files: ProjectFiles, name: str) -> Versioning | None:
    """Return how the project's version comes from git tags; None where it does not, or where there is no checkout.

    :param name: of the distribution; empty if it is not known.
    """
    tool = versioning_tool(files)
    if tool is None:
        return None
    folder, above = files.root, tool.name != "versioneer"
    if tool.name in SETUPTOOLS_SCM:
        folder = Path(os.path.normpath(folder / str(tool.options.get("root", "."))))
        above = bool(tool.options.get("search_parent_directories"))
    if not any((candidate / ".git").exists() for candidate in (folder, *(folder.parents if above else ()))):
        return None
    return Versioning(tool=tool, folder=folder, variables=tool.variables(name))


def _git(folder: Path, *arguments: str, environ: Mapping[str, str]) -> str | None:
    """Return what a git command says; None if it fails, or there is no git."""
    # The variables of a hook that runs the tests name a repository and its index, whatever the folder.
    kept = {name: value for name, value in environ.items() if name not in REPOSITORY_VARIABLES}
    try:
        done = subprocess.run(  # noqa: S603 - "describe" and its like, with tags to match
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the user has
            env={**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
