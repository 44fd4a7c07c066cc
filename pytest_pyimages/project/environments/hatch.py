"""Read what hatch's environments install for the tests (hatch's documentation, "Environment configuration")."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_pyimages.project.files import ProjectFiles, Table, get_strings, get_table
from pytest_pyimages.project.requirements import RequirementSource, rank_names


def find_hatch_sources(files: ProjectFiles) -> Iterator[RequirementSource]:
    """Yield the environments that are named after tests or development."""
    environments = get_table(files.hatch, "envs")
    file = "hatch.toml" if (files.root / "hatch.toml").is_file() else "pyproject.toml"
    for name, rank in rank_names(environments):
        requirements = list(_read_hatch_list(environments, name, "dependencies"))
        if name == "hatch-test" and not requirements:
            # What hatch gives this environment by itself ("Testing" in its documentation); pytest comes anyway.
            requirements += ["coverage[toml]", "pytest-mock", "pytest-rerunfailures", "pytest-xdist[psutil]"]
        requirements += _read_hatch_list(environments, name, "extra-dependencies")
        groups = _read_hatch_list(environments, name, "dependency-groups")
        for group in groups:
            requirements += files.expand_group(group)
        yield RequirementSource(
            origin=f"hatch environment {name} ({file})",
            rank=rank,
            extras=_read_hatch_list(environments, name, "features"),
            groups=groups,
            requirements=tuple(
                text.replace("{root:uri}", files.root.as_uri()).replace("{root}", str(files.root))
                for text in requirements
            ),
        )


def _read_hatch_list(environments: Table, name: str, key: str, within: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return an environment's list: its own, or else its template's, which is "default" if none is named."""
    environment = get_table(environments, name)
    if key in environment:
        return get_strings(environment[key])
    template = str(environment.get("template", name if environment.get("detached") else "default"))
    if template == name or template in within:
        return ()
    return _read_hatch_list(environments, template, key, (*within, name))
