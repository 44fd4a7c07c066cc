"""Versions that come from git tags: computed on the host and set for the build, since slim images have no git.

The most used tools can be given the number by a variable of the environment; what they would compute is worked out from
the host's ``git describe``. All others, and those with rarely used options, run git in the container, if the image has
it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path

from pytest_pyimages.project.files import ProjectFiles
from pytest_pyimages.project.scm.tools import SETUPTOOLS_SCM, Tool, find_tool
from pytest_pyimages.project.scm.versions import FORMULAS, Checkout

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
    variables: tuple[str, ...]  # any of these sets the number

    def last_tag(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return the tag that the number starts from; or the number, if the user has set it in a variable.

        That decides about a new build: commits and edits do not. Empty if there is none.
        """
        given = self._find_given(environ)
        return given or _git(self.folder, "describe", "--tags", "--abbrev=0", *self.tool.match, environ=environ) or ""

    def version(self, environ: Mapping[str, str] = os.environ, *, today: date | None = None) -> str | None:
        """Return the number that the tool computes for the checkout; None if only the tool can compute it."""
        given = self._find_given(environ)
        if given:
            return given
        formula = FORMULAS.get(self.tool.name)
        checkout = formula and self._describe(environ, today or datetime.now(timezone.utc).date())
        return formula(checkout, self.tool.options) if formula and checkout else None

    def _find_given(self, environ: Mapping[str, str]) -> str:
        return next((environ[name] for name in self.variables if environ.get(name)), "")

    def _describe(self, environ: Mapping[str, str], today: date) -> Checkout | None:
        def git(*arguments: str) -> str | None:
            return _git(self.folder, *arguments, environ=environ)

        text = git("describe", "--dirty", "--tags", "--long", "--abbrev=40", *self.tool.match)
        found = re.fullmatch(r"(.+)-(\d+)-g([0-9a-f]+)(-dirty)?", text or "")
        if found is not None:
            return Checkout(tag=found[1], distance=int(found[2]), node=found[3], is_dirty=bool(found[4]), today=today)
        all_commits = git("rev-list", "--count", "HEAD")
        if not all_commits:
            return None
        is_dirty = bool(git("status", "--porcelain", "--untracked-files=no"))
        node = git("rev-parse", "HEAD") or ""
        return Checkout(tag="", distance=int(all_commits), node=node, is_dirty=is_dirty, today=today)


def find_versioning(files: ProjectFiles, name: str) -> Versioning | None:
    """Return how the project's version comes from git tags; None where it does not, or where there is no checkout.

    :param name: of the distribution; empty if it is not known.
    """
    tool = find_tool(files)
    if tool is None:
        return None
    folder, searches_above = files.root, True
    if tool.name in SETUPTOOLS_SCM:
        folder = Path(os.path.normpath(folder / str(tool.options.get("root", "."))))
        searches_above = bool(tool.options.get("search_parent_directories"))
    if not any((candidate / ".git").exists() for candidate in (folder, *(folder.parents if searches_above else ()))):
        return None
    return Versioning(tool=tool, folder=folder, variables=tool.variables(name))


def _git(folder: Path, *arguments: str, environ: Mapping[str, str]) -> str | None:
    """Return the output of a git command; None if it fails, or there is no git."""
    # A git hook that runs the tests sets variables that name a repository and its index.
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
