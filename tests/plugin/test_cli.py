"""The ``pyimages`` command line: arguments, errors and exit status."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from pytest_pyimages.cli.program import COMMANDS, FILES_ONLY, main
from tests.plugin.conftest import Done, run_command
from tests.support.golden import message

PYIMAGES = str(Path(sysconfig.get_path("scripts")) / "pyimages")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an engine that nobody could reach."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PY_IMAGES_REGISTRY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        pytest.param("lsit", 'pyimages: unknown command "lsit" · did you mean list?', id="command"),
        pytest.param(
            "xyzzy", 'pyimages: unknown command "xyzzy" · choose from test, watch, shell, run, *', id="no idea"
        ),
        pytest.param(
            "list --jsno",
            message("cli", "unknown-option", command="pyimages list", option="--jsno", hint="did you mean --json?"),
            id="option",
        ),
        pytest.param(
            "list --al",
            message("cli", "unknown-option", command="pyimages list", option="--al", hint="did you mean --all?"),
            id="shortened",
        ),
        pytest.param(
            "prune --dryrun",
            message(
                "cli", "unknown-option", command="pyimages prune", option="--dryrun", hint="did you mean --dry-run?"
            ),
            id="dash left out",
        ),
        pytest.param(
            "test 3.12 -x",
            message(
                "cli",
                "unknown-option",
                command="pyimages test",
                option="-x",
                hint="put arguments of pytest after --: pyimages test 3.12 -- -x",
            ),
            id="pytest's",
        ),
        pytest.param(
            "test 3.12 tests/test_a.py -x",
            'pyimages test: unexpected argument "tests/test_a.py" · put arguments of pytest after --:'
            " pyimages test 3.12 -- tests/test_a.py -x",
            id="pytest's path",
        ),
        pytest.param(
            "run 3.12 python -V",
            'pyimages run: unexpected argument "python" · put the command after --: pyimages run 3.12 -- python -V',
            id="command",
        ),
        pytest.param(
            "build 3.12 3.13",
            'pyimages build: unexpected argument "3.13" · separate images with commas: 3.12,3.13',
            id="two SPECs",
        ),
        pytest.param("list shop", 'pyimages list: unexpected argument "shop" · see pyimages list --help', id="word"),
        pytest.param("prune --older-than", "pyimages prune: argument --older-than: expected one argument*", id="value"),
        pytest.param("prune --older-than 30", '--older-than: invalid age "30" · examples: 30d, 12h, 2w', id="age"),
        pytest.param("prune --keep-storage big", '--keep-storage: invalid size "big" · examples: 10GB*', id="size"),
        pytest.param("--jsno", "pyimages: *", id="option without a command"),
    ],
)
def test_usage_errors_are_one_line_and_exit_status_4(words: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 4
    out, err = capsys.readouterr()
    assert (out, is_error(err, line)) == ("", True), err


def is_error(text: str, line: str) -> bool:
    """Whether a text is this error and nothing else; ``*`` stands for anything."""
    return re.fullmatch(re.escape(f"ERROR: {line}\n").replace(r"\*", ".*"), text) is not None


@pytest.mark.parametrize(
    ("words", "line"),
    [
        pytest.param("build", "no images given · add a SPEC such as 3.12,3.14-slim, or set py_images", id="SPEC"),
        pytest.param("test", "no images given · add a SPEC such as 3.12,3.14-slim, or set py_images", id="test"),
        pytest.param("build 3.1O", '"3.1O" is not a Python tag (did you mean 3.10?)', id="tag"),
        pytest.param("list -- -c nothere.ini", "*nothere.ini*", id="ini file"),
        pytest.param(
            "list", "no container engine answers at unix://*/no.sock (*) · *--engine or DOCKER_HOST", id="none"
        ),
        pytest.param("prune --engine nonsense", '*"nonsense"*', id="engine"),
    ],
)
def test_errors_of_project_and_engine_are_one_line(words: str, line: str) -> None:
    done = subprocess.run([PYIMAGES, *words.split()], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, is_error(done.stderr, line)) == (4, "", True), done.stderr


def test_without_a_command_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert all(name in err for name in COMMANDS)


@pytest.mark.parametrize("words", [["--help"], ["-h"]])
def test_help_names_the_commands(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for name, command in COMMANDS.items():
        assert re.search(rf"{name}\s+{re.escape(command.SUMMARY.split()[0])}", out)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    out, _ = capsys.readouterr()
    assert f"usage: pyimages {name} " in out
    assert ("--engine ENGINE" in out) is (name not in FILES_ONLY)
    assert ("after --" in out) is (name not in FILES_ONLY)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pytest-pyimages {version('pytest-pyimages')}\n"


def test_installed_command_and_module_are_equal() -> None:
    assert run_command(PYIMAGES, "--version").outlines == [f"pytest-pyimages {version('pytest-pyimages')}"]
    wrong = run_command(sys.executable, "-m", "pytest_pyimages.cli", "lsit")
    assert (wrong.ret, wrong.outlines) == (4, [])


def test_pyimages_is_refused_in_a_container(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYIMAGES_INSIDE", "1")
    assert main(["list"]) == 4
    assert capsys.readouterr().err == "ERROR: pyimages cannot be used in a container · run it on the host\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_closed_pipe_is_not_an_error(unbuffered: str) -> None:
    """As of ``pyimages --help | head -1``; the pipe is closed before anything is written, now or at the end."""
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [PYIMAGES, "--help"], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, env=environment
    )
    os.close(write)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("redirection", ["> /dev/full", ">&-", "2>&- >&-"])
def test_output_that_cannot_be_written(redirection: str) -> None:
    """A full disk is an error; a stream that was closed on purpose is none."""
    command = f"{shlex.quote(str(PYIMAGES))} --help {redirection}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    full = "full" in redirection
    assert done.returncode == (1 if full else 0)
    assert done.stderr == (message("cli", "full-disk") + "\n" if full else "")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["test", "--py-images", "3.12", "-k", "a"], "images need no option: pyimages test 3.12"),
        (["build", "--py-images=3.12,3.14"], "images need no option: pyimages build 3.12,3.14"),
        (["shell", "--py-images"], "images need no option: pyimages shell SPEC"),
        (["list", "--py-images-engine=unix:///x"], "the option is --engine"),
    ],
)
def test_options_of_pytest(capsys: pytest.CaptureFixture[str], words: list[str], hint: str) -> None:
    """Those that arguments and options of this program stand for."""
    option = next(word for word in words if word.startswith("--"))
    assert main(words) == 4
    said = message("cli", "unknown-option", command=f"pyimages {words[0]}", option=option, hint=hint)
    assert capsys.readouterr().err == f"ERROR: {said}\n"


def test_doctor(pyimages: Callable[..., list[Done]]) -> None:
    (done,) = pyimages(["doctor", "3.12,3.14-slim"])
    assert done.status == 0, done.err
    shown = dict(line.split(maxsplit=1) for line in done.out.splitlines() if line[:1].strip() and " " in line)
    assert shown["engine"].startswith("fake 1.0 at fake://engine")
    assert "overlay" in shown["source"]
    assert shown["disk"] == "0 B in 0 images of this project", "this host's disk is not that of any engine"
    assert "image     3.14-slim: python:3.14-slim, the engine has it" in done.out
    assert "a run here installs for 3.12, 3.14-slim: .[test]" in done.out


def test_doctor_shows_pinned_images(pytester: pytest.Pytester, pyimages: Callable[..., list[Done]]) -> None:
    """What a run would use, not the image that has the tag now; without the pinned one, it would fail."""
    digest = f"sha256:{'0' * 64}"
    pytester.makefile(".lock", images=f'[images]\n"python:3.12" = "{digest}"\n')
    pinned = ("--", "-o", "py_images_lock=images.lock")
    (done,) = pyimages(["doctor", "3.12", *pinned])
    assert done.status == 1
    assert f"image     3.12: python:3.12 pinned to {digest}, not pulled yet" in done.out
    assert f"PROBLEM: images: python:3.12 is sha256:python:3.12, but images.lock pins it to {digest}" in done.out
    (done,) = pyimages(["doctor", "3.14", *pinned])
    assert done.status == 1
    assert "PROBLEM: images: images.lock has no pin for python:3.14" in done.out


def test_doctor_names_an_image_that_must_not_be_pulled(pyimages: Callable[..., list[Done]]) -> None:
    (done,) = pyimages(["doctor", "3.9", "--", "--py-images-pull=never"])
    assert done.status == 1
    assert "image     3.9: python:3.9, not pulled yet" in done.out
    assert "PROBLEM: images: the engine does not have python:3.9, and --py-images-pull=never" in done.out
    (done,) = pyimages(["doctor", "3.9"])
    assert done.status == 0, done.out


def test_doctor_names_problems(pyimages: Callable[..., list[Done]]) -> None:
    (done,) = pyimages(["doctor", "3.1O"])
    assert done.status == 1
    assert 'PROBLEM: images: --py-images: "3.1O" is not a Python tag (did you mean 3.10?)' in done.out
    assert "fake://engine" in done.out, "the rest is shown all the same"


@pytest.mark.parametrize(
    ("words", "expected"),
    [("pyimages do", "doctor"), ("pyimages prune --st", "--stale"), ("pyimages list --js", "--json")],
)
def test_completion(words: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the script, by bash."""
    assert main(["completion", "bash"]) == 0
    ask = f"COMP_WORDS=({words}); COMP_CWORD={len(words.split()) - 1}; _pyimages; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", capsys.readouterr().out + ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected]
