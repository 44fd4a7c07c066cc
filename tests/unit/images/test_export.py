"""Exported Dockerfiles: what their instructions are made from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.engines.base import ImageInfo
from pytest_pyimages.errors import ConfigurationError, PyimagesError
from pytest_pyimages.images.export.contents import format_requirement, parse_contents
from pytest_pyimages.images.export.dockerfile import Export, list_ignored
from pytest_pyimages.images.plan import make_plans
from pytest_pyimages.indexes.public import PublicIndexes
from pytest_pyimages.matrix.selectors import parse_matrix
from pytest_pyimages.project.settings.configuration import Configuration
from tests.support.golden import message
from tests.support.project_tree import write_tree

DIGEST = "sha256:" + "a" * 64
BASE = ImageInfo(id="sha256:1", digests=(f"python@{DIGEST}",), platform="", environment={}, labels={}, size=1)
NO_INDEXES = PublicIndexes(options=(), private=False, left_out=())
FOUND = {
    "python": "python",
    "programs": ["apt-get", "useradd"],
    "managed": False,
    "users": [0, 33],
    "groups": [0, 33],
    "distributions": [["pip", "26.0", ""], ["pytest", "9.2.0", ""]],
    "installed_only": [],
}
BEFORE = {"distributions": [["pip", "26.0", ""]]}
SETTINGS = {
    "py_images_apt": ["git", "libpq-dev"],
    "py_images_setup": ["python make.py", "printf 'a\\n' > b"],
    "py_images_env": ["MOOD=$good"],
}


def export(project: Path, *, spec: str = "3.12", ini: dict[str, Any] | None = None, **changes: Any) -> Export:
    """Return the export of a project; changes of the contents are those of the program in its image."""
    ini = ini or {}
    (plan,) = make_plans(
        parse_matrix([spec]), Configuration(ini, project, known=tuple(ini)), ini=ini, rootdir=project, environ={}
    )
    fields = {name: changes.pop(name) for name in tuple(changes) if name in Export.__dataclass_fields__}
    contents = parse_contents({**FOUND, **changes}, BEFORE, fields.get("root", project))
    made = Export(
        plan=plan, base=BASE, contents=contents, indexes=NO_INDEXES, root=project, cwd=project, user="", arguments=()
    )
    return replace(made, **fields)


def instructions(exported: Export) -> list[str]:
    text = exported.write().replace(" \\\n", "")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def direct(url: str, **fields: Any) -> str:
    return json.dumps({"url": url, **fields})


def test_an_ordinary_project(tmp_path: Path) -> None:
    assert instructions(export(tmp_path)) == [
        f"FROM python:3.12@{DIGEST}",
        "WORKDIR /app",
        "RUN python -m pip install --no-cache-dir --no-deps    pytest==9.2.0",
        "COPY . .",
        'CMD ["python", "-m", "pytest"]',
    ]


def test_set_up_runs_in_the_source_before_the_requirements(tmp_path: Path) -> None:
    exported = export(tmp_path, ini=SETTINGS, requirements=tmp_path / "requirements.txt")
    assert instructions(exported)[1:-1] == [
        'ENV MOOD="\\$good"',
        "RUN apt-get update && apt-get install -y --no-install-recommends git libpq-dev && rm -rf /var/lib/apt/lists/*",
        "WORKDIR /app",
        "COPY . .",
        "RUN python make.py",
        'RUN ["sh", "-c", "printf \'a\\\\n\' > b"]',
        "RUN python -m pip install --no-cache-dir --no-deps -r /app/requirements.txt",
    ]
    alpine = instructions(export(tmp_path, ini=SETTINGS, programs=["apk", "adduser"]))
    assert "RUN apk add --no-cache git libpq-dev" in alpine


@pytest.mark.parametrize(
    ("user", "programs", "expected"),
    [
        ("1000:1001", ["useradd"], "RUN groupadd --gid 1001 app && useradd --uid 1000 --gid 1001 --create-home app"),
        ("1000", ["useradd"], "RUN groupadd --gid 1000 app && useradd --uid 1000 --gid 1000 --create-home app"),
        ("1000:33", ["useradd"], "RUN useradd --uid 1000 --gid 33 --create-home app"),
        ("1000", ["adduser"], "RUN echo 'app:x:1000:' >> /etc/group && echo 'app:x:1000:1000::/home/app:/bin/sh' >>"),
        ("33", ["useradd"], "RUN mkdir -p /app && chown 33 /app"),
        ("jovyan", ["useradd"], "RUN mkdir -p /app && chown jovyan /app"),
    ],
)
def test_the_user_is_added_if_the_image_does_not_have_it(
    tmp_path: Path, user: str, programs: list[str], expected: str
) -> None:
    lines = instructions(export(tmp_path, user=user, programs=programs, base=BASE._replace(user="jovyan")))
    assert lines[1] == "USER root"
    assert lines[2].startswith(expected)
    assert lines[2].endswith(f"mkdir -p /app && chown {user} /app")
    assert f"COPY --chown={user} . ." in lines
    assert lines[-2] == f"USER {user}"


def test_packages_of_the_source_are_installed_from_it(tmp_path: Path) -> None:
    """They are not pinned, and have the variables that set their versions."""
    project = '[project]\nname = "shop"\ndynamic = ["version"]\n[tool.setuptools_scm]\nfallback_version = "1"\n'
    build = '[build-system]\nrequires = ["setuptools-scm"]\nbuild-backend = "setuptools.build_meta"\n'
    write_tree(tmp_path, {"app/pyproject.toml": project + build, "lib/pyproject.toml": "", "app/tests/": ""})
    root = tmp_path / "app"
    exported = export(
        root,
        root=tmp_path,
        cwd=root / "tests",
        distributions=[
            *FOUND["distributions"],  # type: ignore[misc]
            ["Shop", "1", direct(root.as_uri(), dir_info={"editable": True})],
        ],
    )
    local = parse_contents(
        {**FOUND, "distributions": [["lib", "2", direct((tmp_path / "lib").as_uri(), dir_info={})]]}, BEFORE, tmp_path
    )
    exported = replace(
        exported, contents=replace(exported.contents, packages=(*exported.contents.packages, *local.packages))
    )
    lines = instructions(exported)
    assert lines[1:3] == ["WORKDIR /app/app", "RUN python -m pip install --no-cache-dir --no-deps    pytest==9.2.0"]
    assert lines[3] == "COPY . /app/"
    assert lines[4].endswith("-e . && python -m pip install --no-cache-dir --no-deps ../lib")
    assert lines[5] == "WORKDIR /app/app/tests"


def test_packages_from_elsewhere_cannot_be_copied(tmp_path: Path) -> None:
    found = {**FOUND, "distributions": [["Lib", "2", direct("file:///srv/a%20lib")]]}
    with pytest.raises(PyimagesError) as caught:
        parse_contents(found, BEFORE, tmp_path / "app")
    assert str(caught.value) == message("images", "export-elsewhere", root=str(tmp_path / "app"))


@pytest.mark.parametrize(
    ("url", "fields", "expected"),
    [
        ("", {}, "x==1.0"),
        (
            "https://user:word@example.org/x.git",
            {"vcs_info": {"vcs": "git", "commit_id": "ab12"}, "subdirectory": "a"},
            "x @ git+https://example.org/x.git@ab12#subdirectory=a",
        ),
        (
            "ssh://git@example.org/x.git",
            {"vcs_info": {"vcs": "git", "commit_id": "ab12"}},
            "x @ git+ssh://git@example.org/x.git@ab12",
        ),
        (
            "https://example.org/x.whl",
            {"archive_info": {"hash": "sha256=00"}},
            "x @ https://example.org/x.whl#sha256=00",
        ),
        ("https://example.org/x.whl", {"archive_info": {}}, "x @ https://example.org/x.whl"),
    ],
)
def test_requirements(url: str, fields: dict[str, Any], expected: str) -> None:
    assert format_requirement("x", "1.0", direct(url, **fields) if url else "") == expected


def test_extension_modules_are_copied_to_where_tests_import_them(tmp_path: Path) -> None:
    write_tree(tmp_path, {"setup.py": "from setuptools import *\nsetup(ext_modules=[Extension('a', ['a.c'])])\n"})
    lines = instructions(export(tmp_path, installed_only=[["/usr/lib/site/a.so", "src/a.so"]]))
    assert "RUN cp /usr/lib/site/a.so src/a.so" in lines


def test_the_users_dockerfile_comes_first(tmp_path: Path) -> None:
    text = "# syntax=docker/dockerfile:1\nARG PYTHON_IMAGE=x\nFROM ${PYTHON_IMAGE}\nCOPY a /a\nUSER app\n"
    write_tree(tmp_path, {"Dockerfile.tests": text, "a": "", "ci/Dockerfile": text, "ci/a": ""})
    exported = export(tmp_path, ini={"py_images_dockerfile": "Dockerfile.tests"})
    assert exported.write().startswith("# syntax=docker/dockerfile:1\n# Written by `pyimages export`")
    assert instructions(exported)[:5] == [
        f"ARG PYTHON_IMAGE=python:3.12@{DIGEST}",
        "FROM ${PYTHON_IMAGE}",
        "COPY a /a",
        "USER app",
        "USER root",
    ]
    with pytest.raises(ConfigurationError) as caught:
        export(tmp_path, ini={"py_images_dockerfile": "ci/Dockerfile"}).write()
    assert str(caught.value) == message("images", "export-context", root=str(tmp_path))


def test_bases_without_a_digest_and_of_another_platform(tmp_path: Path) -> None:
    local = export(tmp_path, spec="3.12@linux/arm64", base=BASE._replace(digests=()))
    assert "# python:3.12 is not from a registry: there is no digest to pin it by.\n" in local.write()
    assert instructions(local)[0] == "FROM --platform=linux/arm64 python:3.12"


def test_indexes_are_named_without_their_login(tmp_path: Path) -> None:
    indexes = PublicIndexes(options=("--index-url=https://index.example/simple",), private=True, left_out=())
    exported = export(tmp_path, indexes=indexes, managed=True)
    assert instructions(exported)[2].startswith(
        "RUN --mount=type=secret,id=netrc,target=/root/.netrc python -m pip install --no-cache-dir --no-deps"
        " --break-system-packages --index-url=https://index.example/simple"
    )
    assert "docker build -t tests --secret id=netrc,src=$HOME/.netrc " in exported.write()
    requirements = exported.write_requirements().splitlines()
    assert requirements[1:] == ["--index-url=https://index.example/simple", "pytest==9.2.0"]


def test_what_the_build_does_not_copy() -> None:
    text = list_ignored(["venv", "tests/.venv", "src/a[1].so"], needs_git=False)
    assert "\nvenv\n" in text
    assert "**/venv" not in text
    assert "tests/.venv" not in text
    assert "**/.git\n" in text
    assert "**/__pycache__\n" in text
    assert text.endswith("src/a\\[1].so\n")
    assert "**/.git\n" not in list_ignored([], needs_git=True)
