"""Stand-ins for official images: what is made from what, and where it is kept."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from tools.standins.apt import mirror, proxy_variables
from tools.standins.bridge import bridge_of
from tools.standins.engine import DEFAULT_URL, endpoints
from tools.standins.plan import Base, machine_base, newest, plan_for, pyenv_versions
from tools.standins.remote import remote_state
from tools.standins.state import StandinError, last_lines, run_folder, state_home
from tools.standins.tree import belongs, pack

BOOKWORM = Base(distribution="debian", suite="bookworm")
FORKY = Base(distribution="debian", suite="forky")
NOBLE = Base(distribution="ubuntu", suite="noble")
PYENV = {version: Path("/versions") / version for version in ("3.12.1", "3.12.10", "3.12.11rc1", "3.9.18", "2.7.18")}


@pytest.mark.parametrize(
    ("tag", "recipe"),
    [
        pytest.param("3.12", "pyenv 3.12.10 on debian bookworm (full)", id="newest of a minor"),
        pytest.param("3.12-slim", "pyenv 3.12.10 on debian bookworm (slim)", id="slim"),
        pytest.param("3.12.1-slim", "pyenv 3.12.1 on debian bookworm (slim)", id="exact version"),
        pytest.param("3.12-slim-bookworm", "pyenv 3.12.10 on debian bookworm (slim)", id="release named"),
        pytest.param("3.12.11rc1", "pyenv 3.12.11rc1 on debian bookworm (full)", id="exact prerelease"),
        pytest.param("2.7", "pyenv 2.7.18 on debian bookworm (full)", id="legacy"),
        pytest.param("3.14-slim", "package python3.14 on debian forky (slim)", id="packaged"),
        pytest.param("3.15-rc", "package python3.15 on debian forky (full)", id="rc"),
        pytest.param("3.15-rc-slim", "package python3.15 on debian forky (slim)", id="rc slim"),
        pytest.param("3.15-slim-forky", "package python3.15 on debian forky (slim)", id="packaged, release named"),
        pytest.param("3.9-slim-bullseye", "package python3.9 on debian bullseye (slim)", id="release without pyenv"),
        pytest.param("3.11-alpine", "source with musl of python3.11 on debian bookworm (full)", id="alpine"),
        pytest.param("pypy:3.11-slim", "package pypy3 on debian trixie (slim)", id="pypy"),
    ],
)
def test_plan_says_what_a_stand_in_is_made_from(tag: str, recipe: str) -> None:
    plan = plan_for(tag, pyenv=PYENV, machine=BOOKWORM)
    assert (plan.reference, plan.recipe) == (tag if ":" in tag else f"python:{tag}", recipe)


@pytest.mark.parametrize(
    ("minor", "base"),
    [
        ("2.7", Base(distribution="debian", suite="bullseye")),
        ("3.6", Base(distribution="ubuntu", suite="bionic")),
        ("3.10", Base(distribution="ubuntu", suite="jammy")),
        ("3.11", BOOKWORM),
        ("3.12", NOBLE),
        ("3.13", FORKY),
        ("3.14", FORKY),
        ("3.15", FORKY),
    ],
)
def test_plan_without_pyenv_takes_a_distribution_that_packages_it(minor: str, base: Base) -> None:
    plan = plan_for(minor, pyenv={}, machine=BOOKWORM)
    assert (plan.base, plan.pyenv) == (base, None)


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        pytest.param("3.7", ["python:3.7", "pyenv has 2.7.18", "3.10, 3.11"], id="nowhere"),
        pytest.param("3.7.1", ["python:3.7.1", "pyenv has 2.7.18"], id="other patch version"),
        pytest.param("3.12-trixie", ["python:3.12-trixie", "bookworm only", "noble only"], id="other release"),
        pytest.param("3.12-alpine", ["python:3.12-alpine", "3.11-alpine"], id="alpine"),
        pytest.param("3.11.2-alpine3.23", ["python:3.11.2-alpine3.23", "tags like 3.12"], id="alpine release"),
        pytest.param("pypy:3.10", ["pypy:3.10", "known for 2.7", "pypy:3.11"], id="pypy"),
        pytest.param("latest", ["python:latest", "tags like 3.12"], id="no version"),
        pytest.param("3.12;rm", ["python:3.12;rm", "tags like 3.12"], id="not a tag"),
    ],
)
def test_plan_refuses_what_cannot_be_made_and_names_the_ways(tag: str, words: list[str]) -> None:
    with pytest.raises(StandinError) as caught:
        plan_for(tag, pyenv=PYENV, machine=BOOKWORM)
    assert [word for word in words if word not in str(caught.value)] == []


def test_full_images_share_a_base_with_a_compiler_and_slim_ones_one_without() -> None:
    assert [BOOKWORM.reference(slim=True), BOOKWORM.reference(slim=False)] == [
        "pyimages-standin-base:bookworm",
        "pyimages-standin-base:bookworm-compilers",
    ]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (("3.12.9", "3.12.10"), "3.12.10"),
        (("3.15.0rc2", "3.15.0b4"), None),
        (("3.12.0rc1", "3.12.0rc2", "3.12.0b9"), "3.12.0rc2"),
        (("3.12.0", "3.12.1rc1"), "3.12.0"),
        (("3.13.0t", "pypy3.12-7.3"), None),
    ],
    ids=str,
)
def test_newest_prefers_final_versions_and_compares_numbers(versions: tuple[str, ...], expected: str | None) -> None:
    assert newest(dict.fromkeys(versions, Path("/")), "3.12") == expected


def test_pyenv_versions_are_those_with_an_interpreter(tmp_path: Path) -> None:
    for name in ("3.12.1", "3.13.0t", "pypy3.10-7.3.12"):
        (tmp_path / "versions" / name / "bin").mkdir(parents=True)
        (tmp_path / "versions" / name / "bin" / "python").touch()
    (tmp_path / "versions" / "3.11.7").mkdir()
    (tmp_path / "versions" / "3.10.0").symlink_to("3.12.1")
    assert pyenv_versions({"PYENV_ROOT": str(tmp_path)}, Path("/nobody")) == {
        "3.12.1": tmp_path / "versions" / "3.12.1"
    }
    assert pyenv_versions({}, tmp_path) == {}


@pytest.mark.parametrize(
    ("os_release", "base"),
    [
        pytest.param('ID=debian\nVERSION_CODENAME="bookworm"\n', BOOKWORM, id="debian"),
        pytest.param("ID=ubuntu\nVERSION_CODENAME=noble\n", NOBLE, id="ubuntu"),
        pytest.param("ID=fedora\nVERSION_ID=44\n", FORKY, id="another"),
        pytest.param("", FORKY, id="unknown"),
    ],
)
def test_machine_base_is_the_machine_s_own_release(os_release: str, base: Base) -> None:
    assert machine_base(os_release) == base


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"PYIMAGES_TEST_HOME": "/asked", "XDG_CACHE_HOME": "/cache"}, "/asked", id="asked for"),
        pytest.param({"XDG_CACHE_HOME": "/cache"}, "/cache/pytest-pyimages-tests", id="cache folder"),
        pytest.param({"XDG_CACHE_HOME": "relative"}, "/user/.cache/pytest-pyimages-tests", id="relative is ignored"),
        pytest.param({"PYIMAGES_TEST_HOME": ""}, "/user/.cache/pytest-pyimages-tests", id="empty is unset"),
    ],
)
def test_state_home_follows_the_environment(environ: dict[str, str], expected: str) -> None:
    assert state_home(environ, Path("/user")) == Path(expected)


def test_run_folder_is_in_the_home_if_sockets_fit() -> None:
    assert run_folder(Path("/home/me/.cache/tests")) == Path("/home/me/.cache/tests/run")


def test_run_folder_of_a_long_home_is_short_and_its_own() -> None:
    first, second = (run_folder(Path("/h") / ("x" * 90) / end) for end in "ab")
    assert first != second
    assert first.parent == second.parent == Path("/run")
    assert len(str(first / "exec/containerd/containerd.sock.ttrpc")) < 100


def test_bridges_of_two_homes_differ_and_fit_an_interface_name() -> None:
    first, second = bridge_of(Path("/first")), bridge_of(Path("/second"))
    assert first.name != second.name
    assert first.network != second.network
    assert len(first.name) <= 15


def test_endpoints_are_asked_most_explicit_first_and_once() -> None:
    found = endpoints({"DOCKER_HOST": "tcp://here:2375"}, DEFAULT_URL)
    assert [(one.url, one.named_by) for one in found] == [
        ("tcp://here:2375", "DOCKER_HOST"),
        (DEFAULT_URL, "the docker context"),
    ]


def test_mirror_is_the_machine_s_own_for_the_same_distribution() -> None:
    targets = (
        "http://mirror.example/debian-security/|Debian-Security\n"
        "mirror+file:/etc/apt/mirrors/debian.list|Debian\n"
        "http://mirror.example/debian/|Debian\n"
    )
    assert mirror(FORKY, targets) == "http://mirror.example/debian"
    assert mirror(NOBLE, targets).endswith("ubuntu.com/ubuntu") or mirror(NOBLE, targets).endswith("ubuntu-ports")
    assert mirror(FORKY, "") == "http://deb.debian.org/debian"


def test_proxy_variables_take_apt_s_setting_before_the_environment() -> None:
    dump = 'Acquire::http::Proxy "http://apt:3142";\nAcquire::http::Proxy::host "DIRECT";\nAcquire::Languages "";\n'
    assert proxy_variables({"HTTP_PROXY": "http://env:1", "https_proxy": "http://env:2"}, dump) == {
        "http_proxy": "http://apt:3142",
        "https_proxy": "http://env:2",
    }


@pytest.mark.parametrize(
    ("path", "minor", "expected"),
    [
        ("bin/python3.12", (3, 12), True),
        ("bin/pip3", (3, 12), True),
        ("bin/aws", (3, 12), False),
        ("bin/python3.12-gdb.py", (3, 12), False),
        ("share/man/man1/python3.1", (3, 12), False),
        ("include/python3.12/Python.h", (3, 12), True),
        ("lib/libpython3.12.so.1.0", (3, 12), True),
        ("lib/python3.12/config-3.12-x86_64-linux-gnu/libpython3.12.a", (3, 12), False),
        ("lib/python3.12/unittest/mock.py", (3, 12), True),
        ("lib/python3.12/test/test_os.py", (3, 12), False),
        ("lib/python3.12/__pycache__/os.cpython-312.pyc", (3, 12), False),
        ("lib/python3.12/site-packages", (3, 12), True),
        ("lib/python3.12/site-packages/pip/__init__.py", (3, 12), True),
        ("lib/python3.12/site-packages/pip-24.2.dist-info", (3, 12), True),
        ("lib/python3.12/site-packages/pipdeptree", (3, 12), False),
        ("lib/python3.12/site-packages/machine.pth", (3, 12), False),
        ("lib/python3.12/site-packages/setuptools", (3, 12), False),
        ("lib/python3.11/site-packages/setuptools", (3, 11), True),
        ("lib/python3.11/site-packages/setuptools_scm", (3, 11), False),
        ("lib/python2.7/site-packages/easy_install.py", (2, 7), True),
    ],
)
def test_only_what_official_images_have_belongs(path: str, minor: tuple[int, int], expected: bool) -> None:
    assert belongs(PurePosixPath(path), minor) is expected


def test_pack_turns_the_folder_s_path_to_usr_local_and_the_owner_to_root(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib" / "python3.12" / "test").mkdir(parents=True)
    (tmp_path / "bin" / "python3.12").write_bytes(b"\x7fELF\0" + bytes(tmp_path))
    (tmp_path / "bin" / "python3").symlink_to("python3.12")
    (tmp_path / "bin" / "pip").write_text(f"#!{tmp_path}/bin/python3.12\n")
    (tmp_path / "lib" / "python3.12" / "test" / "test_os.py").touch()
    file = io.BytesIO()
    pack(tmp_path, (3, 12), file)
    file.seek(0)
    with tarfile.open(fileobj=file) as archive:
        members = {member.name: member for member in archive}
        script = archive.extractfile("bin/pip")
        program = archive.extractfile("bin/python3.12")
        assert script is not None
        assert program is not None
        assert script.read() == b"#!/usr/local/bin/python3.12\n"
        assert program.read() == b"\x7fELF\0" + bytes(tmp_path)
    assert sorted(members) == ["bin", "bin/pip", "bin/python3", "bin/python3.12", "lib", "lib/python3.12"]
    assert members["bin/python3"].linkname == "python3.12"
    assert {(member.uid, member.uname) for member in members.values()} == {(0, "root")}


def test_last_lines_of_a_log_are_indented_below_the_message() -> None:
    assert last_lines("first\n\nsecond\r\nthird\n", count=2) == "\n    second\n    third"


def test_remote_engine_has_folders_of_its_own() -> None:
    """The socket is not below a home folder, where other users cannot reach it."""
    home = Path("/home/somebody/.cache/tests")
    state = remote_state(home)
    assert state.home == home / "remote"
    assert state.run.parent == Path("/run")
    assert state.run != run_folder(home)
