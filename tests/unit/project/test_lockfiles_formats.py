"""Lock files as uv, Poetry, PDM, Pipenv and PEP 751 write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.lockfiles.locks import Lock, RequirementsToPin, find_lock
from tests.support.golden import message
from tests.support.project_tree import write_tree

PYLOCK = """
    lock-version = "1.0"
    environments = ["sys_platform == 'linux'", "sys_platform == 'darwin'"]
    requires-python = ">=3.10"
    extras = ["socks"]
    dependency-groups = ["test"]
    created-by = "a tool"
    [[packages]]
    name = "numpy"
    version = "2.2.6"
    requires-python = ">=3.10"
    marker = "python_version < '3.12' or 'x' == 'y'"
    index = "https://index.example/simple"
    wheels = [{ url = "https://files.example/numpy-2.2.6-py3-none-any.whl", hashes = { sha256 = "00" } }]
    [[packages]]
    name = "numpy"
    version = "2.3.5"
    marker = "python_version >= '3.12'"
    sdist = { url = "https://files.example/numpy-2.3.5.tar.gz", hashes = { sha256 = "00" } }
    [[packages]]
    name = "pytest"
    version = "8.4.2"
    marker = "'test' in dependency_groups"
    sdist = { url = "https://files.example/pytest-8.4.2.tar.gz", hashes = { sha256 = "00" } }
    [[packages]]
    name = "cloned"
    version = "1.0"
    vcs = { type = "git", url = "https://git.example/cloned", commit-id = "00" }
    [[packages]]
    name = "built"
    directory = { path = "built" }
    [[packages]]
    name = "fetched"
    version = "1.0"
    archive = { url = "https://files.example/fetched.zip", hashes = { sha256 = "00" } }
"""
POETRY_2 = """
    [[package]]
    name = "numpy"
    version = "2.2.6"
    optional = false
    python-versions = ">=3.10"
    groups = ["main"]
    markers = "python_version < \\"3.12\\""
    files = [{file = "numpy-2.2.6.tar.gz", hash = "sha256:00"}]
    [[package]]
    name = "numpy"
    version = "2.3.5"
    optional = false
    python-versions = ">=3.11"
    groups = ["main", "test"]
    markers = {main = "python_version == \\"3.12\\"", test = "python_version > \\"3.12\\""}
    files = []
    [package.source]
    type = "legacy"
    url = "https://index.example/simple"
    reference = "example"
    [[package]]
    name = "cloned"
    version = "1.0"
    files = []
    [package.source]
    type = "git"
    url = "https://git.example/cloned"
    reference = "HEAD"
    resolved_reference = "00"
    [[package]]
    name = "requests"
    version = "2.31.0"
    files = []
    [package.dependencies]
    Idna = ">=2.5,<4"
    [package.extras]
    socks = ["PySocks (>=1.5.6,!=1.5.7)"]
    [[package]]
    name = "idna"
    version = "3.4"
    [[package]]
    name = "pysocks"
    version = "1.7.1"
    [[package]]
    name = "sphinx"
    version = "8.0.0"
    [metadata]
    lock-version = "2.1"
    python-versions = "^3.10"
    content-hash = "00"
"""
POETRY_1 = """
    [[package]]
    name = "idna"
    version = "2.10"
    description = "Internationalized Domain Names in Applications"
    category = "main"
    optional = false
    python-versions = "*"
    marker = "python_version < '3.9'"
    [[package]]
    name = "idna"
    version = "3.4"
    category = "dev"
    python-versions = ">=3.5"
    marker = "python_version >= '3.9'"
    [metadata]
    lock-version = "1.0"
    python-versions = "~3.8 || ^3.9"
    [metadata.files]
    idna = []
"""
PDM = """
    [metadata]
    groups = ["default", "test"]
    strategy = ["inherit_metadata"]
    lock_version = "4.5.0"
    content_hash = "sha256:00"
    [[metadata.targets]]
    requires_python = ">=3.12"
    platform = "manylinux_2_17_x86_64"
    [[metadata.targets]]
    requires_python = ">=3.10,<3.12"
    [[package]]
    name = "requests"
    version = "2.31.0"
    groups = ["default"]
    dependencies = ["idna<4,>=2.5; python_version >= \\"3.12\\""]
    [[package]]
    name = "requests"
    version = "2.31.0"
    extras = ["socks"]
    groups = ["default"]
    marker = "python_version >= \\"3.12\\""
    dependencies = ["PySocks!=1.5.7,>=1.5.6", "requests==2.31.0"]
    [[package]]
    name = "idna"
    version = "3.4"
    [[package]]
    name = "pysocks"
    version = "1.7.1"
    [[package]]
    name = "numpy"
    version = "2.2.6"
    marker = "python_version < \\"3.12\\""
    [[package]]
    name = "numpy"
    version = "2.3.5"
    marker = "python_version >= \\"3.12\\""
    [[package]]
    name = "cloned"
    version = "1.0"
    git = "https://git.example/cloned"
    revision = "00"
    [[package]]
    name = "local"
    version = "1.0"
    path = "./local"
    editable = true
"""
PIPFILE = """{
    "_meta": {
        "hash": {"sha256": "00"},
        "pipfile-spec": 6,
        "requires": {"python_version": "3.11"},
        "sources": [{"name": "pypi", "url": "https://index.example/simple", "verify_ssl": true}]
    },
    "default": {
        "Idna": {"hashes": ["sha256:00"], "index": "pypi", "markers": "python_version >= '3.5'", "version": "==3.4"},
        "cloned": {"git": "https://git.example/cloned", "ref": "00"},
        "local": {"editable": true, "path": "."}
    },
    "develop": {
        "idna": {"hashes": ["sha256:00"], "version": "==3.4"},
        "pytest": {"hashes": ["sha256:00"], "version": "==8.4.2"}
    }
}"""


def locked(root: Path, name: str, text: str, *requirements: str) -> Lock:
    write_tree(root, {name: text})
    lock, notes = find_lock(root, RequirementsToPin(requirements=requirements, is_complete=True), name="shop")
    assert notes == ()
    assert lock is not None
    assert lock.origin == name
    return lock


def test_pylock(tmp_path: Path) -> None:
    lock = locked(tmp_path, "pylock.toml", PYLOCK, "numpy", "cloned", "built", "fetched")
    assert lock.constraints == (
        'numpy==2.2.6 ; (python_version < "3.12" or "x" == "y") and (python_version >= \'3.10\')',
        'numpy==2.3.5 ; python_version >= "3.12"',
        "pytest==8.4.2",
    )
    assert lock.requires_python == ">=3.10"
    assert lock.environments == ('sys_platform == "linux"', 'sys_platform == "darwin"')


def test_pylock_with_dependencies(tmp_path: Path) -> None:
    packages = "".join(
        f'[[packages]]\nname = "{name}"\nversion = "{version}"\n{more}\n'
        f'sdist = {{ path = "{name}-{version}.tar.gz", hashes = {{ sha256 = "00" }} }}\n'
        for name, version, more in [
            ("requests", "2.31.0", 'dependencies = [{ name = "idna" }]'),
            ("idna", "3.4", ""),
            ("sphinx", "8.0.0", ""),
        ]
    )
    text = f'lock-version = "1.1"\ncreated-by = "a tool"\n{packages}'
    assert locked(tmp_path, "pylock.toml", text, "requests").constraints == ("idna==3.4", "requests==2.31.0")


def test_poetry_2(tmp_path: Path) -> None:
    lock = locked(tmp_path, "poetry.lock", POETRY_2, "numpy", "cloned", "requests[socks]")
    assert lock.constraints == (
        "idna==3.4",
        'numpy==2.2.6 ; python_version < "3.12"',
        'numpy==2.3.5 ; (python_version == "3.12") or (python_version > "3.12")',
        "pysocks==1.7.1",
        "requests==2.31.0",
    )
    assert lock.requires_python == ">=3.10,<4.0"


def test_a_poetry_group_without_a_marker_applies_everywhere(tmp_path: Path) -> None:
    text = POETRY_2.replace(', test = "python_version > \\"3.12\\""', "")
    assert text != POETRY_2
    assert [line for line in locked(tmp_path, "poetry.lock", text, "numpy").constraints if "numpy" in line] == []


def test_poetry_1(tmp_path: Path) -> None:
    lock = locked(tmp_path, "poetry.lock", POETRY_1, "idna")
    assert lock.constraints == ("idna==2.10 ; python_version < '3.9'", "idna==3.4 ; python_version >= '3.9'")
    assert lock.requires_python == ">=3.8,<4.0"


def test_pdm(tmp_path: Path) -> None:
    lock = locked(tmp_path, "pdm.lock", PDM, "requests[socks]", "numpy", "cloned", "local")
    assert lock.constraints == (
        "idna==3.4",
        'numpy==2.2.6 ; python_version < "3.12"',
        'numpy==2.3.5 ; python_version >= "3.12"',
        "pysocks==1.7.1",
        "requests==2.31.0",
    )
    assert lock.environments == (
        "(python_version >= '3.12') and (sys_platform == 'linux')",
        "python_version >= '3.10' and python_version < '3.12'",
    )


def test_a_pdm_target_without_conditions_is_every_environment(tmp_path: Path) -> None:
    text = PDM.replace('requires_python = ">=3.10,<3.12"', 'implementation = "cpython"')
    assert locked(tmp_path, "pdm.lock", text, "numpy").environments == ()


def test_pipfile(tmp_path: Path) -> None:
    lock = locked(tmp_path, "Pipfile.lock", PIPFILE, "idna", "cloned", "local")
    assert lock.constraints == ("idna==3.4", "pytest==8.4.2")
    assert lock.requires_python == "==3.11.*"


def test_pipfile_for_any_python(tmp_path: Path) -> None:
    text = PIPFILE.replace('"python_version": "3.11"', "")
    assert locked(tmp_path, "Pipfile.lock", text, "idna").requires_python == ""


@pytest.mark.parametrize(
    ("name", "text", "version"),
    [
        ("uv.lock", 'version = 2\n[[package]]\nname = "idna"\nversion = "3.4"', "2"),
        ("pylock.toml", 'lock-version = "2.0"\n[[packages]]\nname = "idna"\nversion = "3.4"', "2.0"),
        ("poetry.lock", POETRY_2.replace("2.1", "3.0"), "3.0"),
        ("pdm.lock", PDM.replace("4.5.0", "5.0"), "5.0"),
        ("pdm.lock", "", "(none)"),
        ("Pipfile.lock", PIPFILE.replace("6", "7"), "7"),
        ("Pipfile.lock", "[]", "(none)"),
    ],
)
def test_unknown_format_versions_are_ignored_with_a_note(tmp_path: Path, name: str, text: str, version: str) -> None:
    write_tree(tmp_path, {name: text})
    lock, notes = find_lock(tmp_path, RequirementsToPin(requirements=("idna", "numpy"), is_complete=True), name="")
    assert lock is None
    assert notes == (message("project", "lock-unknown-version", file=name, version=version),)


def test_an_invalid_pylock_is_ignored_with_a_note(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pylock.toml": PYLOCK.replace('created-by = "a tool"', "")})
    lock, notes = find_lock(tmp_path, RequirementsToPin(requirements=("numpy",), is_complete=True), name="")
    assert lock is None
    reason = "Missing required value in 'created-by'"
    assert notes == (message("project", "lock-invalid", file="pylock.toml", reason=reason),)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", "<<<<<<< HEAD\nversion = 1\n"),
        ("poetry.lock", "[[package]"),
        ("Pipfile.lock", '{"_meta": '),
        ("Pipfile.lock", '{"_meta": "\xff"'),
    ],
)
def test_a_broken_lock_file_is_an_error_of_one_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError) as caught:
        find_lock(tmp_path, RequirementsToPin(requirements=("idna",), is_complete=True), name="")
    kind = "invalid-json" if name == "Pipfile.lock" else "invalid-toml"
    reason = str(caught.value.__cause__)
    assert str(caught.value) == message("project", kind, path=tmp_path / name, reason=reason)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", 'version = 1\npackage = "none"'),
        ("uv.lock", 'version = 1\npackage = [1, {name = 2}, {name = "idna"}, {name = "idna", version = 3}]'),
        ("uv.lock", 'version = 1\n[[package]]\nname = "idna"\nversion = "1 2"\nsource = {registry = "r"}'),
        ("pylock.toml", 'lock-version = "1.0"\n[packages]\nname = "idna"'),
        ("poetry.lock", '[metadata]\nlock-version = "2.1"\n[[package]]\nname = "idna"\ndependencies = 1'),
        ("pdm.lock", '[metadata]\nlock_version = "4.5"\ntargets = 1\n[[package]]\nname = "idna"\ndependencies = 1'),
        ("Pipfile.lock", '{"_meta": {"pipfile-spec": 6}, "default": {"idna": "*"}, "develop": 1}'),
    ],
)
def test_unexpected_contents_give_no_constraints(tmp_path: Path, name: str, text: str) -> None:
    write_tree(tmp_path, {name: text})
    lock, _ = find_lock(tmp_path, RequirementsToPin(requirements=("idna",), is_complete=True), name="")
    assert lock is None or lock.constraints == ()
