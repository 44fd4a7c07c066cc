"""Versions that come from git tags: computed on the host and set for the build, since slim images have no git.

The most used tools can be given the number by a variable of the environment; what they would compute is worked out from
the host's ``git describe``. All others, and those with rarely used options, run git in the container, if the image has
it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date, datetime, timezone
from pathlib import Path
from typing import NamedTuple

from pytest_pyimages.project.files import ProjectFiles
from pytest_pyimages.project.scm.git import Git
from pytest_pyimages.project.scm.tools import SETUPTOOLS_SCM, Tool, find_tool
from pytest_pyimages.project.scm.versions import FORMULAS, Checkout


class Versioning(NamedTuple):
    """How a project's version comes from its git tags."""

    tool: Tool
    folder: Path  # of the checkout: it has ".git"
    variables: tuple[str, ...]  # any of these sets the number

    def last_tag(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return the tag that the number starts from; or the number, if the user has set it in a variable.

        That decides about a new build: commits and edits do not. Empty if there is none.
        """
        given = self._find_given(environ)
        return given or Git(self.folder, environ).run("describe", "--tags", "--abbrev=0", *self.tool.match) or ""

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

    def explain_refusal(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return why git refuses the checkout, and what to do; empty if it does not, or if the number is known."""
        git = Git(self.folder, environ)
        if git.run("rev-parse", "HEAD") is not None or not git.refusal:
            return ""
        return f"git on the host: {git.refusal} · run git config --global --add safe.directory {self.folder}"

    def _describe(self, environ: Mapping[str, str], today: date) -> Checkout | None:
        git = Git(self.folder, environ)
        text = git.run("describe", "--tags", "--long", "--abbrev=40", *self.tool.match)
        found = re.fullmatch(r"(.+)-(\d+)-g([0-9a-f]+)", text or "")
        if found is not None:
            tag, distance, node = found[1], int(found[2]), found[3]
        else:
            all_commits = git.run("rev-list", "--count", "HEAD")
            if not all_commits:
                return None
            tag, distance, node = "", int(all_commits), git.run("rev-parse", "HEAD") or ""
        return Checkout(tag=tag, distance=distance, node=node, is_dirty=git.is_dirty(), today=today)


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
    candidates = (folder, *(folder.parents if searches_above else ()))
    top = next((candidate for candidate in candidates if (candidate / ".git").exists()), None)
    return None if top is None else Versioning(tool=tool, folder=top, variables=tool.variables(name))
