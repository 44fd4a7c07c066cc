"""Configuration of the documentation site: ``tox -e docs``."""

from __future__ import annotations

import re
from importlib.metadata import version as installed_version

from sphinx.application import Sphinx

project = "pytest-pyimages"
author = "The pytest-pyimages developers"
version = release = installed_version("pytest-pyimages")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "pytest-pyimages"
html_theme_options = {
    "source_repository": "https://github.com/pytest-pyimages/pytest-pyimages/",
    "source_branch": "main",
}
highlight_language = "none"

# The pages are read on GitHub as well, so they link to files next to docs/ by their paths.
REPOSITORY = "https://github.com/pytest-pyimages/pytest-pyimages/blob/main/"


def link_to_repository(_: Sphinx, __: str, source: list[str]) -> None:
    """Let a page's links to files outside of docs/ lead to the repository."""
    source[0] = re.sub(r"\]\(\.\./([^)]*)\)", rf"]({REPOSITORY}\1)", source[0])


def setup(app: Sphinx) -> None:
    """Register what Sphinx calls for each page."""
    app.connect("source-read", link_to_repository)
