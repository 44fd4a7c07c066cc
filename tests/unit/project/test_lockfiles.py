"""The constraints that a project's lock file becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.lockfiles.locks import Lock, RequirementsToPin, find_configured_lock, find_lock
from tests.support.golden import message
from tests.support.project_tree import write_tree

INDEX = '{ registry = "https://index.example/simple" }'


def uv_package(name: str, version: str, rest: str = "", *, source: str = INDEX) -> str:
    return f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {source}\n{rest}\n'


def uv_lock(*packages: str, head: str = "") -> str:
    return "\n".join(['version = 1\nrevision = 3\nrequires-python = ">=3.9"', head, *packages])


def found(root: Path, *requirements: str, is_complete: bool = True, name: str = "shop") -> Lock:
    lock, notes = find_lock(root, RequirementsToPin(requirements=requirements, is_complete=is_complete), name=name)
    assert notes == ()
    assert lock is not None
    return lock


def constraints(root: Path, *requirements: str, is_complete: bool = True) -> tuple[str, ...]:
    return found(root, *requirements, is_complete=is_complete).constraints


def test_dependencies_of_the_requirements_are_pinned(tmp_path: Path) -> None:
    needs_idna = 'dependencies = [{ name = "idna", marker = "python_full_version < \'3.12\'" }]'
    nice = '[package.optional-dependencies]\nsocks = [{ name = "PySocks" }]'
    write_tree(
        tmp_path,
        {
            "uv.lock": uv_lock(
                uv_package("requests", "2.31.0", f"{needs_idna}\n{nice}"),
                uv_package("idna", "3.4"),
                uv_package("pysocks", "1.7.1"),
                uv_package("pytest", "8.4.2", 'dependencies = [{ name = "pluggy" }]'),
                uv_package("pluggy", "1.6.0"),
                uv_package("sphinx", "8.0.0", 'dependencies = [{ name = "jinja2" }]'),
                uv_package("jinja2", "3.1.0"),
            )
        },
    )
    held = ("idna==3.4", "pluggy==1.6.0", "pysocks==1.7.1", "pytest==8.4.2", "requests==2.31.0")
    assert constraints(tmp_path, "Requests>=2") == held
    assert constraints(tmp_path, "requests", is_complete=False) == (
        *("idna==3.4", "jinja2==3.1.0", "pluggy==1.6.0", "pysocks==1.7.1", "pytest==8.4.2", "requests==2.31.0"),
        "sphinx==8.0.0",
    )


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(("8.0.0", "8.1.0"), id="a distribution that is not installed"),
        pytest.param(("index.example", "mirror.example"), id="the index"),
        pytest.param(("revision = 3", "revision = 4"), id="the revision of the format"),
        pytest.param(('name = "idna"', "# a comment\nname = 'idna'"), id="a comment and quotes"),
    ],
)
def test_irrelevant_edits_of_a_lock_file_change_nothing(tmp_path: Path, edit: tuple[str, str]) -> None:
    text = uv_lock(uv_package("idna", "3.4"), uv_package("sphinx", "8.0.0"))
    assert edit[0] in text
    write_tree(tmp_path, {"uv.lock": text})
    before = found(tmp_path, "idna")
    write_tree(tmp_path, {"uv.lock": text.replace(*edit)})
    assert found(tmp_path, "idna") == before
    write_tree(tmp_path, {"uv.lock": text.replace("3.4", "3.6")})
    assert found(tmp_path, "idna") != before


def test_only_a_fork_has_markers(tmp_path: Path) -> None:
    """A single version needs none: what a lock installs nowhere else is not installed by a constraint either."""
    write_tree(
        tmp_path,
        {
            "uv.lock": uv_lock(
                uv_package("numpy", "2.0.2", "resolution-markers = [\"python_full_version < '3.10'\"]"),
                uv_package(
                    "numpy",
                    "2.4.6",
                    "resolution-markers = ["
                    "\"python_full_version >= '3.11' and sys_platform == 'linux'\", "
                    "\"python_full_version >= '3.11' and sys_platform != 'linux'\"]",
                ),
                uv_package("tomli", "2.0.1", "resolution-markers = [\"python_full_version < '3.11'\"]"),
            )
        },
    )
    new = "python_full_version >= '3.11' and sys_platform"
    assert constraints(tmp_path, "numpy", "tomli") == (
        "numpy==2.0.2 ; python_full_version < '3.10'",
        f"numpy==2.4.6 ; ({new} != 'linux') or ({new} == 'linux')",
        "tomli==2.0.1",
    )


@pytest.mark.parametrize(
    "source",
    [
        '{ git = "https://git.example/idna?rev=1#abc" }',
        '{ url = "https://files.example/idna-3.4.tar.gz" }',
        '{ path = "vendor/idna-3.4.tar.gz" }',
        '{ directory = "vendor/idna" }',
        '{ editable = "packages/idna" }',
        '{ virtual = "packages/idna" }',
    ],
)
def test_packages_from_elsewhere_than_an_index_are_not_pinned(tmp_path: Path, source: str) -> None:
    write_tree(tmp_path, {"uv.lock": uv_lock(uv_package("idna", "3.4", source=source), uv_package("six", "1.16.0"))})
    assert constraints(tmp_path, "idna", "six") == ("six==1.16.0",)


def test_one_of_two_sources_keeps_its_marker(tmp_path: Path) -> None:
    on_linux = "resolution-markers = [\"sys_platform == 'linux'\"]"
    elsewhere = "resolution-markers = [\"sys_platform != 'linux'\"]"
    write_tree(
        tmp_path,
        {
            "uv.lock": uv_lock(
                uv_package("idna", "3.4", elsewhere),
                uv_package("idna", "3.5", on_linux, source='{ git = "https://git.example/idna" }'),
            )
        },
    )
    assert constraints(tmp_path, "idna") == ("idna==3.4 ; sys_platform != 'linux'",)


def test_local_version_labels_are_removed(tmp_path: Path) -> None:
    """As PEP 440 has it, a specifier without a local label admits versions with any."""
    packages = [
        uv_package("torch", "2.6.0+cpu", "resolution-markers = [\"sys_platform == 'linux'\"]"),
        uv_package("torch", "2.6.0", "resolution-markers = [\"sys_platform != 'linux'\"]"),
    ]
    write_tree(tmp_path, {"uv.lock": uv_lock(*packages)})
    assert constraints(tmp_path, "torch") == ("torch==2.6.0",)


def test_the_project_itself_is_not_pinned(tmp_path: Path) -> None:
    write_tree(tmp_path, {"uv.lock": uv_lock(uv_package("Shop", "1.0"), uv_package("idna", "3.4"))})
    assert constraints(tmp_path, "idna", "shop[test]", is_complete=False) == ("idna==3.4",)


@pytest.mark.parametrize(
    ("requirements", "held", "outdated"),
    [
        pytest.param(["idna>=3"], ("idna==3.4",), (), id="admitted"),
        pytest.param(["idna>=3.5"], (), ("idna",), id="excluded by the project"),
        pytest.param(["idna", "idna!=3.4"], (), ("idna",), id="excluded by one of two"),
        pytest.param(
            ["idna<3 ; python_version < '3.9'", "idna>=3 ; python_version >= '3.9'"],
            ("idna==3.4",),
            (),
            id="admitted where one marker holds",
        ),
        pytest.param(["idna>=4 ; python_version >= '3.9'"], (), ("idna",), id="excluded wherever it is asked for"),
        pytest.param(["idna @ https://files.example/idna-3.4.zip"], (), (), id="asked for by its address"),
    ],
)
def test_a_version_that_the_project_excludes_is_out_of_date(
    tmp_path: Path, requirements: list[str], held: tuple[str, ...], outdated: tuple[str, ...]
) -> None:
    write_tree(tmp_path, {"uv.lock": uv_lock(uv_package("idna", "3.4"), uv_package("six", "1.16.0"))})
    lock = found(tmp_path, *requirements, "six")
    assert lock.constraints == (*held, "six==1.16.0")
    assert lock.outdated == outdated


def test_dependencies_of_an_outdated_version_are_still_pinned(tmp_path: Path) -> None:
    needs_idna = 'dependencies = [{ name = "idna" }]'
    write_tree(tmp_path, {"uv.lock": uv_lock(uv_package("requests", "2.31.0", needs_idna), uv_package("idna", "3.4"))})
    lock = found(tmp_path, "requests>=2.32")
    assert (lock.constraints, lock.outdated) == (("idna==3.4",), ("requests",))


def test_requirements_choose_between_conflicting_groups(tmp_path: Path) -> None:
    needs = 'dependencies = [{{ name = "attrs", version = "{}", source = {} }}]'
    packages = [
        uv_package("attrs", "23.1.0"),
        uv_package("attrs", "25.3.0"),
        uv_package("pytest", "8.4.2", needs.format("23.1.0", INDEX)),
        uv_package("pytest", "9.0.0", needs.format("25.3.0", INDEX)),
    ]
    write_tree(tmp_path, {"uv.lock": uv_lock(*packages)})
    assert constraints(tmp_path, "pytest<9") == ("attrs==23.1.0", "pytest==8.4.2")
    assert constraints(tmp_path, "pytest>=9") == ("attrs==25.3.0", "pytest==9.0.0")


@pytest.mark.parametrize(
    "markers",
    [
        pytest.param("", id="none"),
        pytest.param("resolution-markers = [\"extra == 'extra-4-shop-cpu'\"]", id="of an extra"),
        pytest.param("resolution-markers = [\"'cpu' in extras\"]", id="of extras in PEP 751"),
        pytest.param("resolution-markers = [\"python ~~ '3'\"]", id="that are none"),
    ],
)
def test_versions_without_separating_markers_are_not_pinned(tmp_path: Path, markers: str) -> None:
    packages = [uv_package("idna", "3.4", markers), uv_package("idna", "3.6", markers), uv_package("six", "1.16.0")]
    write_tree(tmp_path, {"uv.lock": uv_lock(*packages)})
    assert constraints(tmp_path, "idna", "six") == ("six==1.16.0",)


def test_markers_of_the_project_separate_versions(tmp_path: Path) -> None:
    write_tree(tmp_path, {"uv.lock": uv_lock(uv_package("idna", "2.10"), uv_package("idna", "3.6"))})
    asked = ("idna<3 ; python_version < '3.12'", "idna>=3 ; python_version >= '3.12'")
    assert constraints(tmp_path, *asked) == (
        'idna==2.10 ; python_version < "3.12"',
        'idna==3.6 ; python_version >= "3.12"',
    )


@pytest.mark.parametrize(
    ("files", "origin"),
    [
        (["uv.lock", "pylock.toml"], "pylock.toml"),
        (["pylock.toml", "pylock.test.toml"], "pylock.test.toml"),
        (["pylock.dev.toml", "pylock.tests.toml"], "pylock.tests.toml"),
        (["pylock.docs.toml", "uv.lock"], "uv.lock"),
    ],
    ids=" and ".join,
)
def test_the_most_trusted_lock_file_is_chosen(tmp_path: Path, files: list[str], origin: str) -> None:
    archive = 'sdist = { path = "idna-3.4.tar.gz", hashes = { sha256 = "00" } }'
    pylock = f'lock-version = "1.0"\ncreated-by = "a tool"\n[[packages]]\nname = "idna"\nversion = "3.4"\n{archive}'
    texts = {name: uv_lock(uv_package("idna", "3.4")) if name == "uv.lock" else pylock for name in files}
    assert found(write_tree(tmp_path, texts), "idna").origin == origin


def test_the_lock_file_that_covers_more_is_chosen(tmp_path: Path) -> None:
    """An export for production has nothing of the tests."""
    archive = 'sdist = { path = "idna-3.4.tar.gz", hashes = { sha256 = "00" } }'
    pylock = f'lock-version = "1.0"\ncreated-by = "a tool"\n[[packages]]\nname = "idna"\nversion = "3.4"\n{archive}'
    write_tree(
        tmp_path,
        {"pylock.toml": pylock, "uv.lock": uv_lock(uv_package("idna", "3.4"), uv_package("pytest-mock", "3.14.0"))},
    )
    assert found(tmp_path, "idna", "pytest-mock").origin == "uv.lock"
    assert found(tmp_path, "idna").origin == "pylock.toml"


def test_a_lock_file_without_any_of_the_requirements_is_ignored(tmp_path: Path) -> None:
    write_tree(tmp_path, {"uv.lock": uv_lock(uv_package("idna", "3.4"))})
    assert find_lock(tmp_path, RequirementsToPin(requirements=("attrs",), is_complete=True), name="") == (None, ())
    assert find_lock(tmp_path / "none", RequirementsToPin(requirements=("attrs",), is_complete=True), name="") == (
        None,
        (),
    )


def test_pytest_alone_is_pinned_too(tmp_path: Path) -> None:
    write_tree(tmp_path, {"uv.lock": uv_lock(uv_package("pytest", "8.4.2"))})
    assert constraints(tmp_path) == ("pytest==8.4.2",)


def test_members_of_a_workspace_use_its_lock_file(tmp_path: Path) -> None:
    member = uv_package("member", "1.0", source='{ editable = "packages/member" }')
    write_tree(
        tmp_path,
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["packages/*"]\n',
            "uv.lock": uv_lock(member, uv_package("idna", "3.4")),
            "packages/member/pyproject.toml": "",
            "packages/stranger/pyproject.toml": "",
        },
    )
    (tmp_path / ".git").mkdir()
    wanted = RequirementsToPin(requirements=("idna",), is_complete=True)
    lock, _ = find_lock(tmp_path / "packages" / "member", wanted, name="Member")
    assert lock is not None
    assert lock.constraints == ("idna==3.4",)
    assert find_lock(tmp_path / "packages" / "stranger", wanted, name="stranger") == (None, ())
    (tmp_path / "packages" / ".git").mkdir()  # a checkout of its own
    assert find_lock(tmp_path / "packages" / "member", wanted, name="member") == (None, ())


@pytest.mark.parametrize(
    ("ini", "is_required"),
    [({}, False), ({"py_images_versions": ""}, False), ({"py_images_versions": "locked"}, True)],
    ids=str,
)
def test_locked_makes_the_lock_file_a_requirement(
    tmp_path: Path, ini: dict[str, str | list[str]], is_required: bool
) -> None:
    write_tree(tmp_path, {"uv.lock": uv_lock(uv_package("idna", "3.4"))})
    lock, _ = find_configured_lock(
        tmp_path, RequirementsToPin(requirements=("idna",), is_complete=True), name="shop", ini=ini
    )
    assert lock is not None
    assert lock.is_required is is_required


def test_free_ignores_the_lock_file(tmp_path: Path) -> None:
    """It is not even read."""
    write_tree(tmp_path, {"uv.lock": "<<<<<<<"})
    ini: dict[str, str | list[str]] = {"py_images_versions": "free"}
    to_pin = RequirementsToPin(requirements=("idna",), is_complete=True)
    assert find_configured_lock(tmp_path, to_pin, name="", ini=ini) == (None, ())


@pytest.mark.parametrize(
    ("value", "name", "fields"),
    [
        ("lokced", "versions-choice", {"value": "'lokced'"}),
        (["locked"], "versions-choice", {"value": "['locked']"}),
        ("locked", "versions-no-lock", {"root": "ROOT"}),
    ],
    ids=str,
)
def test_an_invalid_value_of_py_images_versions_is_an_error(
    tmp_path: Path, value: str | list[str], name: str, fields: dict[str, str]
) -> None:
    to_pin = RequirementsToPin(requirements=("idna",), is_complete=True)
    with pytest.raises(ConfigurationError) as caught:
        find_configured_lock(tmp_path, to_pin, name="", ini={"py_images_versions": value})
    fields = {key: text.replace("ROOT", str(tmp_path)) for key, text in fields.items()}
    assert str(caught.value) == message("project", name, **fields)


def test_the_origin_names_the_lock_file(tmp_path: Path) -> None:
    write_tree(tmp_path, {"uv.lock": uv_lock(uv_package("idna", "3.4"), uv_package("six", "1.16.0"))})
    assert str(found(tmp_path, "idna", "six")) == "versions of uv.lock"
    assert str(found(tmp_path, "idna>=4", "six>=2")) == "versions of uv.lock (out of date for idna, six)"
