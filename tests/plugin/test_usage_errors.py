"""Usage errors before any test: one line with what, where and what to do, and exit status 4."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pyimages.host.option_table import FLAG_NAMES, OPTION_NAMES
from tests.plugin.conftest import Command, ImagesRun, run_command
from tests.support.golden import message
from tests.support.permissions import obey_permissions

Run = Callable[..., ImagesRun]

IN_FOLDER = """
import os, sys
import pytest
os.chdir(os.path.expanduser(os.environ["PYIMAGES_FOLDER"]))
sys.exit(pytest.main(sys.argv[1:]))
"""


def error_line(run: ImagesRun) -> str:
    """The one line of a usage error; fails if there is anything else, or an engine was asked."""
    assert run.result.ret == 4
    lines = [line for line in run.err.splitlines() if line]
    assert len(lines) == 1, run.err
    assert lines[0].startswith("ERROR: "), lines
    assert "passed" not in run.out
    assert [call for call in run.calls if call != "close"] == []
    return lines[0].removeprefix("ERROR: ")


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        pytest.param("3.1O", r'"3\.1O".*3\.10', id="letter for a digit"),
        pytest.param("3.12,3.14-slmi", r'"3\.14-slmi".*3\.14-slim', id="misspelt variant"),
        pytest.param("", r"empty|no image|names no", id="empty"),
        pytest.param(" , ", r"empty|no image|names no", id="only commas"),
        pytest.param("3.12,,3.13", r"empty", id="empty entry"),
        pytest.param("3.14..3.10", r'"3\.14\.\.3\.10"', id="backwards"),
        pytest.param("3.{10..14", r"3\.\{10\.\.14", id="open brace"),
        pytest.param("3.12;rm -rf", r"3\.12;rm", id="shell"),
        pytest.param("Registry.example/Python:3.12", r"Registry\.example/Python", id="upper case"),
        pytest.param("python@sha256:123", r"sha256:123", id="short digest"),
        pytest.param("?", r'"\?"', id="only a question mark"),
        pytest.param("3.12\x1b[2J", r"3\.12", id="escape"),
    ],
)
def test_wrong_spec(pytester: pytest.Pytester, run_images: Run, spec: str, named: str) -> None:
    pytester.makepyfile("def test_a(): pass")
    line = error_line(run_images(images=spec))
    assert line.startswith("--py-images: ")
    assert re.search(named, line)
    assert "\x1b" not in line


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(["--py-images=3.12,", "3.14-slim"], id="space after the comma"),
        pytest.param(["--py-images=3.12", "3.14-slim", "-v"], id="no comma"),
    ],
)
def test_list_with_a_space(pytester: pytest.Pytester, run_images: Run, typed: list[str]) -> None:
    pytester.makepyfile("def test_a(): pass")
    told = message("host", "image-among-paths", word="3.14-slim", meant="3.12,3.14-slim")
    assert error_line(run_images(*typed, images=None)) == told


def test_trailing_comma(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile("def test_a(): pass")
    assert error_line(run_images(images="3.12,")).endswith("(did you mean 3.12?) · put no space after a comma")


@pytest.mark.parametrize(
    "typed", [["--py-image=3.12"], ["--pyimages", "3.12"], ["--py-images=3.12", "--py-image=3.13"]]
)
def test_a_misspelt_option(pytester: pytest.Pytester, run_images: Run, typed: list[str]) -> None:
    """Said before the suite's conftest, which cannot be imported here, is looked at."""
    pytester.makeconftest("import no_such_module_anywhere")
    name = typed[-1] if "=" in typed[-1] else typed[0]
    line = error_line(run_images(*typed, images=None))
    assert line == message("host", "unknown-option", option=name.partition("=")[0], meant="--py-images")


@pytest.mark.parametrize(
    ("typed", "option", "example"),
    [
        (["--py-images"], "--py-images", "3.12,3.14-slim,3.16-rc?"),
        (["--py-images", "--lf"], "--py-images", "3.12,3.14-slim,3.16-rc?"),
        (["--py-images=3.12", "--py-images-pull"], "--py-images-pull", "missing"),
        (["--py-images=3.12", "--py-images-shard", "-x"], "--py-images-shard", "1/3"),
    ],
)
@pytest.mark.parametrize("place", ["typed", "addopts", "PYTEST_ADDOPTS"])
def test_option_without_its_value(
    pytester: pytest.Pytester,
    run_images: Run,
    monkeypatch: pytest.MonkeyPatch,
    typed: list[str],
    option: str,
    example: str,
    place: str,
) -> None:
    """In one line, and not with the empty file that pytest is started with."""
    pytester.makepyfile("def test_a(): pass")
    if place == "addopts":
        pytester.makeini(f"[pytest]\naddopts = {' '.join(typed)}\n")
    elif place == "PYTEST_ADDOPTS":
        monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(typed))
    told = message("host", "missing-value", option=option, example=example)
    assert error_line(run_images(*(typed if place == "typed" else []), images=None)) == told


@pytest.mark.parametrize(
    "typed", [["--py-images-report=report.html"], ["--py-images-jobs", "2"], ["--py-images-smoke"]]
)
def test_option_without_images(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, typed: list[str]) -> None:
    """Whoever types it expects its effect; "none" and a configuration that other runs share are no mistakes."""
    pytester.makepyfile("def test_a(): pass")
    option = typed[0].partition("=")[0]
    status, out = plain_output(*typed)
    assert status == 4
    assert f"ERROR: {message('host', 'no-images', option=option)}" in out
    assert plain_output(*typed, "--py-images=none")[0] == 0
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(typed))
    assert plain_output()[0] == 0


@pytest.mark.parametrize("place", ["addopts", "pythonpath", "PYTEST_ADDOPTS"])
def test_quotation_that_is_not_closed(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    pytester.makepyfile("def test_a(): pass")
    if place == "PYTEST_ADDOPTS":
        monkeypatch.setenv(place, "-k 'a")
    else:
        pytester.makeini(f"[pytest]\n{place} = 'a\n")
    assert error_line(run_images()) == message("host", "open-quotation", origin=place)


def test_pytests_own_error_names_the_configuration(pytester: pytest.Pytester, run_images: Run) -> None:
    """And not the empty file that pytest is started with."""
    ini = pytester.makefile(".ini", pytest="[pytest]\n")
    pytester.makepyfile("def test_a(): pass")
    run = run_images("--maxfail=x")
    assert run.result.ret == 4
    assert f"inifile: {ini}" in run.err
    assert "/dev/null" not in run.err


TAG = "localhost:5000/library/python:3.12"
# A value of each option that has one; a run with all of them passes.
VALUES = {
    "--py-images": TAG,
    "--py-images-registry": "localhost:5000/library",
    "--py-images-platform": "linux/amd64",
    "--py-images-engine": "unix:///nonexistent/engine.sock",  # the fake engine is used whatever it says
    "--py-images-report": "another.json",
    "--py-images-baseline": TAG,
    "--py-images-cov-context": "image",
    "--py-images-github": "no",
    "--py-images-pull": "missing",
    "--py-images-cache-from": "localhost:1/shop",
    "--py-images-cache-to": "localhost:1/shop",
    "--py-images-jobs": "2",
    "--py-images-fail-fast": "image",
    "--py-images-timeout": "600",
    "--py-images-silence": "600",
    "--py-images-memory": "1g",
    "--py-images-cpus": "1.5",
    "--py-images-shm-size": "64m",
    "--py-images-network": "none",
    "--py-images-add-host": "api.test:127.0.0.1",
    "--py-images-mount": "type=tmpfs,target=/scratch",
    "--py-images-device": "/dev/fuse",
    "--py-images-gpus": "all",
    "--py-images-shard": "1/1",
    "--py-images-source": "overlay",
    "--py-images-copy": "!data/*.bin",
    "--py-images-privileges": "engine",
    "--py-images-user": "root",
    "--py-images-keep-changes": TAG,
    "--py-images-artifacts": "reports",
}


@pytest.mark.parametrize("form", ["=", " "], ids=["equals sign", "space"])
@pytest.mark.parametrize("place", ["typed", "addopts", "PYTEST_ADDOPTS"])
def test_every_option_in_both_forms(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, place: str, form: str
) -> None:
    """Both forms mean the same, wherever they are used."""
    without = {*FLAG_NAMES, "--py-images-cluster"}  # it is instead of an engine, and needs a cluster
    assert tuple(VALUES) == tuple(name for name in OPTION_NAMES if name not in without)
    pytester.makepyfile(test_it="def test_a(): pass")
    words = [word for name, value in VALUES.items() for word in f"{name}{form}{value}".split()]
    if place == "addopts":
        by_users = ("--py-images-device", "--py-images-cache-from", "--py-images-cache-to")  # and by no project
        words = [
            word for name, value in VALUES.items() if name not in by_users for word in f"{name}{form}{value}".split()
        ]
    if place == "addopts":
        pytester.makeini(f"[pytest]\naddopts = {' '.join(words)}\n")
    elif place == "PYTEST_ADDOPTS":
        monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(words))
    engine = f"FakeEngine(known=['{TAG}'], copies_source=True)"
    run = run_images(*(words if place == "typed" else []), images=None, engine=engine)
    assert run.result.ret == 0
    assert run.tests == {"test_it.py::test_a": {TAG: "passed"}}
    assert "shard 1/1" in run.out
    assert "source: overlay" in run.out
    assert Path("another.json").exists()


def test_values_of_options_do_not_decide_the_rootdir(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pytest takes them for paths; one that exists elsewhere would hide the project's ini file."""
    project = pytester.mkdir("project")
    (project / "pytest.ini").write_text("[pytest]\naddopts = -k test_a\n")
    (project / "test_it.py").write_text("def test_a(): pass\ndef test_b(): pass")
    (pytester.mkdir("reports") / "old.md").write_text("")
    monkeypatch.setenv("PYIMAGES_FOLDER", "project")
    command = (sys.executable, "-c", IN_FOLDER, "--py-images", "3.12", "--py-images-report", "../reports/old.md")
    run = run_images(images=None, command=command)
    assert run.result.ret == 0
    assert run.tests == {"test_it.py::test_a": {"3.12": "passed"}}
    assert "configfile: pytest.ini" in run.out
    assert Path("reports/old.md").read_text()


@pytest.mark.parametrize("folder", ["do$HOME", "${HOME}", "$HOME/sub"])
def test_folder_named_like_a_variable(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Pytest replaces variables in the value of ``--rootdir``, which the project's folder is not."""
    project = pytester.path / folder
    project.mkdir(parents=True)
    (project.parent if "/" in folder else project).joinpath("pytest.ini").write_text("[pytest]\naddopts = -k test_a\n")
    (project / "test_it.py").write_text("def test_a(): pass\ndef test_b(): pass")
    monkeypatch.setenv("PYIMAGES_FOLDER", folder)
    run = run_images(images=None, command=(sys.executable, "-c", IN_FOLDER, "--py-images=3.12"))
    assert run.result.ret == 0
    assert "1 passed, 1 deselected" in run.out
    above = run_images(folder, images=None, command=(sys.executable, "-m", "pytest", "--py-images=3.12"))
    assert "1 passed, 1 deselected" in above.out


def test_every_environment_variable(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    for name, value in VALUES.items():
        monkeypatch.setenv(name.lstrip("-").replace("-", "_").upper(), value)
    run = run_images(images=None, engine=f"FakeEngine(known=['{TAG}'], copies_source=True)")
    assert run.result.ret == 0
    assert run.tests == {"test_it.py::test_a": {TAG: "passed"}}
    assert "shard 1/1" in run.out
    assert "source: overlay" in run.out


def test_project_option_similar_to_ours(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--py-image')")
    pytester.makepyfile("def test_a(request): assert request.config.getoption('--py-image') == 'x'")
    assert run_images("--py-image=x").result.ret == 0
    assert plain_output("--py-image=x")[0] == 0


@pytest.mark.parametrize(("folder", "told"), [("/", "/, the whole file system"), ("~", "your home folder, ")])
def test_no_project(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, folder: str, told: str
) -> None:
    """Containers get neither the whole file system nor all that the user has."""
    pytester.makepyfile("def test_a(): pass")
    monkeypatch.setenv("PYIMAGES_FOLDER", folder)
    called = (sys.executable, "-c", IN_FOLDER, "--py-images=3.12")
    line = error_line(run_images(images=None, command=called))
    assert line.startswith("--py-images: containers would ")
    assert told in line
    assert line.endswith(f" · {message('project', 'cd')}")


def test_an_empty_folder(pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started for it; the status is pytest's own."""
    (pytester.path / "empty" / ".venv").mkdir(parents=True)
    (pytester.path / "empty" / ".venv" / "pyvenv.cfg").write_text("")
    monkeypatch.setenv("PYIMAGES_FOLDER", "empty")
    run = run_images(images=None, command=(sys.executable, "-c", IN_FOLDER, "--py-images=3.12"))
    assert run.result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert f"no tests: {pytester.path / 'empty'} is empty" in run.out + run.err
    assert [call for call in run.calls if call != "close"] == []


def test_wrong_spec_in_the_ini_file(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeini("[pytest]\npy_images =\n    3.12\n    3.1O\n")
    pytester.makepyfile("def test_a(): pass")
    assert re.search(r'py.images.*"3\.1O".*3\.10', error_line(run_images(images=None)))


@pytest.mark.parametrize("table", ["tool.pytest.ini_options", "tool.pytest"])
def test_unquoted_version_in_pyproject(pytester: pytest.Pytester, run_images: Run, table: str) -> None:
    """TOML reads 3.10 as the number 3.1: refused, with the hint to quote it."""
    pytester.makepyprojecttoml(f"[{table}]\npy_images = [3.10]\n")
    pytester.makepyfile("def test_a(): pass")
    run = run_images(images=None)
    assert run.result.ret == 4
    assert "py_images" in run.err
    if table == "tool.pytest.ini_options":  # of the other, pytest itself says that it wants strings
        assert "quot" in error_line(run)


@pytest.mark.parametrize(
    ("registry", "environment"),
    [("not a registry", ""), ("", "http://registry.example/x"), ("UPPER/case", "")],
    ids=["spaces", "url", "case"],
)
def test_wrong_registry(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, registry: str, environment: str
) -> None:
    pytester.makepyfile("def test_a(): pass")
    if environment:
        monkeypatch.setenv("PY_IMAGES_REGISTRY", environment)
    line = error_line(run_images(*([f"--py-images-registry={registry}"] if registry else [])))
    assert (registry or environment) in line
    assert "registry" in line.lower()


@pytest.mark.parametrize("way", ["option", "ini", "environment"])
def test_registry_comes_before_plain_tags_only(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    pytester.makepyfile("def test_a(): pass")
    mirror, args = "localhost:5000/library", []
    if way == "option":
        args = [f"--py-images-registry={mirror}"]
    elif way == "ini":
        pytester.makeini(f"[pytest]\npy_images_registry = {mirror}\n")
    else:
        monkeypatch.setenv("PY_IMAGES_REGISTRY", mirror)
    engine = f"FakeEngine(known=['{mirror}/python:3.12', 'python:3.13'])"
    run = run_images(*args, images="3.12,python:3.13", engine=engine)
    assert run.result.ret == 0
    assert [image["reference"] for image in run.report["images"]] == [f"{mirror}/python:3.12", "python:3.13"]
    assert not any(call.startswith("pull") for call in run.calls)


@pytest.mark.parametrize(
    "option", ["--py-images-engine=unix:///nonexistent/engine.sock", "DOCKER_HOST", "--py-images-engine=nonsense"]
)
def test_no_engine(
    pytester: pytest.Pytester, images_command: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """No engine answers: its address, why, and what to do; the fake one stays out of it."""
    pytester.makepyfile("def test_a(): pass")
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST"):
        monkeypatch.delenv(name, raising=False)
    args = [option]
    if option == "DOCKER_HOST":
        monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/engine.sock")
        args = []
    result = run_command(*images_command(*args, engine="None"))
    run = ImagesRun(result, [], {})
    line = error_line(run)
    assert ("nonsense" if "nonsense" in option else "unix:///nonexistent/engine.sock") in line
    assert re.search(r"[Ss]tart Docker|`docker context ls`", line)
    assert "Traceback" not in run.out + run.err


@pytest.mark.parametrize(
    ("file", "named"),
    [
        pytest.param("report.txt", "report.txt", id="suffix"),
        pytest.param("report", "report", id="no suffix"),
        pytest.param("no/such/folder/report.json", "no/such/folder", id="folder"),
        pytest.param("folder.json", "folder.json", id="is a folder"),
    ],
)
def test_wrong_report_file(pytester: pytest.Pytester, run_images: Run, file: str, named: str) -> None:
    """Said before the run, not after it; a missing folder may as well be made."""
    pytester.mkdir("folder.json")
    pytester.makepyfile("def test_a(): pass")
    run = run_images(f"--py-images-report={file}", images="3.12")
    if file.startswith("no/") and run.result.ret == 0:
        assert (pytester.path / file).exists()
        return
    line = error_line(run)
    assert "--py-images-report" in line
    assert named in line


def test_plugin_disabled(pytester: pytest.Pytester, images_command: Callable[..., list[str]]) -> None:
    """With ``-p no:pyimages`` its options are not there either."""
    pytester.makepyfile("def test_a(): pass")
    result = run_command(*images_command("-p", "no:pyimages"))
    assert result.ret == 4
    assert "unrecognized arguments: --py-images=3.12" in result.stderr.str()


PROBE = """
import sys

def pytest_unconfigure(config):
    # pytest's assertion rewriting and plugin loading import the entry point, which is all that may be there
    wanted = ("docker", "rich", "filelock", "requests", "pytest_pyimages")
    with open("modules", "w") as file:
        file.write("\\n".join(name for name in sorted(sys.modules) if name.partition(".")[0] in wanted))
"""
SUITE = """
import pytest, warnings
def test_pass(): pass
def test_fail(): assert 0
def test_skip(): pytest.skip("no reason")
def test_warn(): warnings.warn("old")
@pytest.fixture
def broken(): raise RuntimeError
def test_error(broken): pass
"""


def plain_output(*args: str) -> tuple[int, str]:
    """What a pytest without images says, without what differs between any two runs, or names the plugins."""
    result = run_command(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args)
    out = re.sub(r"in \d+\.\d+s|\d+\.\d\ds (call|setup|teardown)", "", result.stdout.str() + result.stderr.str())
    return int(result.ret), re.sub(r"^plugins: .*\n", "", out, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["-rA", "--durations=2", "--durations-min=60"], id="run"),
        pytest.param(["--collect-only", "-q"], id="collect"),
        pytest.param(["--no-such-option"], id="usage error"),
        pytest.param(["no_such_file.py"], id="no file"),
        pytest.param(["--strict-config", "-W", "error", "-v", "--pdbcls=a:b", "-x"], id="strict"),
    ],
)
def test_without_images_pytest_is_unchanged(pytester: pytest.Pytester, args: list[str]) -> None:
    pytester.makeconftest(PROBE)
    pytester.makepyfile(test_it=SUITE)
    without = plain_output("-p", "no:pyimages", *args)
    assert plain_output(*args) == without
    modules = Path("modules")
    if modules.exists():
        found = set(modules.read_text().split())
        assert not {name for name in found if name.partition(".")[0] != "pytest_pyimages"}
        assert "pytest_pyimages.session.controller" not in found


def test_other_keys_start_nothing(pytester: pytest.Pytester) -> None:
    """A registry or what to install, named in the ini file for the day when images are asked for."""
    pytester.makeini("[pytest]\npy_images_registry = localhost:5000/library\npy_images_install = .[test]\n")
    pytester.makeconftest(PROBE)
    pytester.makepyfile(test_it="def test_pass(): pass")
    status, out = plain_output("--strict-config")
    assert status == 0
    assert "py-images" not in out
    assert "pytest_pyimages.session.controller" not in Path("modules").read_text()


def test_help_names_the_options(pytester: pytest.Pytester) -> None:
    _, out = plain_output("--help")
    for option in (
        "--py-images=SPEC",
        "--py-images-registry=",
        "--py-images-engine=",
        "--py-images-report=",
        "py_images (",
        "py_images_registry (",
    ):
        assert option in out


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("tests/test_b.py", "file or directory not found: tests/test_b.py (did you mean tests/test_a.py?)"),
        (
            "tests/test_b.py::test_x",
            "file or directory not found: tests/test_b.py::test_x (did you mean tests/test_a.py?)",
        ),
        ("nowhere/test_b.py[3.12]", "file or directory not found: nowhere/test_b.py[3.12]"),
    ],
)
def test_path_that_does_not_exist(pytester: pytest.Pytester, run_images: Run, argument: str, said: str) -> None:
    """At once, and not once the images are built."""
    pytester.mkdir("tests").joinpath("test_a.py").write_text("def test(): pass")
    assert error_line(run_images("--color=no", argument)) == said


def test_wrong_expression(pytester: pytest.Pytester, run_images: Run) -> None:
    """At once as well."""
    pytester.makepyfile(test_a="def test(): pass")
    said = error_line(run_images("--color=no", "-k", "test and (a or b"))
    assert said.startswith("wrong expression passed to -k: test and (a or b: at column 17: expected ")


def test_path_that_only_images_have(pytester: pytest.Pytester, run_images: Run) -> None:
    """A setup may generate tests."""
    pytester.makeini("[pytest]\npy_images_setup = touch generated_test.py")
    run = run_images("generated_test.py")
    assert run.calls != []
    assert "file or directory not found: generated_test.py" in run.out


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--py-images-report=test_a.py/report.html", "{folder}/test_a.py is not a directory"),
        ("--junitxml=test_a.py/junit.xml", "{folder}/test_a.py is not a directory"),
        ("--py-images-report=/proc/no/report.json", "/proc: No such file or directory"),
    ],
)
def test_report_that_cannot_be_written(pytester: pytest.Pytester, run_images: Run, option: str, reason: str) -> None:
    pytester.makepyfile(test_a="def test_a(): pass")
    name, _, file = option.partition("=")
    said = message(
        "host",
        "report-not-writable",
        origin=name,
        path=str(pytester.path / file),
        reason=reason.format(folder=pytester.path),
    )
    assert error_line(run_images(option)) == said


@pytest.mark.parametrize(
    ("key", "meant"), [("py_image", "py_images"), ("py-images", "py_images"), ("pyimages_install", "py_images_install")]
)
def test_misspelt_key(pytester: pytest.Pytester, run_images: Run, key: str, meant: str) -> None:
    """Pytest only warns of it, and runs without images."""
    pytester.makeini(f"[pytest]\n{key} = 3.12")
    pytester.makepyfile("def test_a(): pass")
    said = f"unknown key {key} in tox.ini (did you mean {meant}?)"
    assert error_line(run_images(images=None)) == said
    assert error_line(run_images(images="3.12")) == said


def test_similar_key_of_the_suite(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makeini("[pytest]\npy_image = 3.12")
    pytester.makeconftest("def pytest_addoption(parser): parser.addini('py_image', 'help')")
    pytester.makepyfile("def test_a(): pass")
    assert run_images().result.ret == 0


@pytest.mark.parametrize(
    ("locked", "named"),
    [
        ("requirements", "requirements/requirements.txt"),
        ("requirements-test.txt", "requirements-test.txt"),
        ("uv.lock", "uv.lock"),
    ],
)
@pytest.mark.parametrize("command", ["-m pytest --py-images=3.12", "-m pytest_pyimages.cli build 3.12"])
def test_files_that_this_user_cannot_read(
    pytester: pytest.Pytester, images_command: Command, command: str, locked: str, named: str
) -> None:
    """Neither may the files be left out silently, nor is it an error of ours."""
    make_project(pytester)
    (pytester.path / locked).chmod(0)
    done = run_command(
        *obey_permissions(), *images_command(images=None, command=(sys.executable, *command.split()))[:-1]
    )
    (pytester.path / locked).chmod(0o700)
    expected = message("host", "unreadable", path=pytester.path / named)
    assert (done.ret, [line for line in done.errlines if line]) == (4, [f"ERROR: {expected}"])


def make_project(pytester: pytest.Pytester) -> None:
    """Write a project with several files that name requirements."""
    pytester.makepyprojecttoml('[project]\nname = "shop"\nversion = "1"')
    for name in ("requirements/a.txt", "src/shop/__init__.py", "requirements-test.txt", "uv.lock"):
        (pytester.path / name).parent.mkdir(parents=True, exist_ok=True)
        (pytester.path / name).write_text("")
    pytester.makepyfile("def test_a(): pass")
