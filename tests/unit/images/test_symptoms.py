"""Causes and hints from the logs of installers, build backends and compilers."""

from __future__ import annotations

import pytest

from pytest_pyimages.errors import PyimagesError
from pytest_pyimages.images.failures import find_variant
from pytest_pyimages.images.symptoms import (
    CAUSE_CHARACTERS,
    diagnose_build,
    find_broken_start,
    find_install_cause,
    find_missing_source,
    find_system_cause,
    find_unbuilt,
    find_unreachable,
    is_about_python,
    read_lines,
    suggest_index,
)
from tests.support.golden import message

BACKEND = """\
error: The build backend returned an error
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

         [stderr]
         Traceback (most recent call last):
           File "<string>", line 1, in <module>
         ValueError: first
         During handling of the above exception, another exception occurred:
         RuntimeError: this needs FOO set
"""
BACKEND_OF_PIP = """\
      File "<string>", line 1, in <module>
      RuntimeError: this needs FOO set
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
error: subprocess-exited-with-error
\N{MULTIPLICATION SIGN} Getting requirements to build wheel did not run successfully.
│ exit code: 1
╰─> See above for output.
"""
WITHOUT_WORKSPACE = """\
error: Failed to build `shop @ file:///src`
  cause: Failed to parse entry: `helper`
  cause: `helper` references a workspace in `tool.uv.sources` (e.g., `helper = { workspace = true }`), but is not a \
workspace member
"""
COMPILER = """\
  \N{MULTIPLICATION SIGN} Failed to build `shop @ file:///src`
  ├─▶ The build backend returned an error
  ╰─▶ Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)
      src/shop.c: In function 'main':
      src/shop.c:3:5: error: 'PyThing' undeclared (first use here)
      src/shop.c:9:5: error: expected ';'
      error: command '/usr/bin/gcc' failed with exit code 1
"""


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        pytest.param(
            "$ uv pip install -r need.txt\nerror: No solution found when resolving dependencies\n  cause: Because"
            " there is no version of requests==99 and you require requests==99, we can conclude that your requirements"
            " are unsatisfiable.\n",
            "there is no version of requests==99",
            id="uv: no version",
        ),
        pytest.param(
            "  \N{MULTIPLICATION SIGN} No solution found:\n  ╰─▶ Because spam was not found in the package"
            " registry and you require spam, we can conclude that your requirements are unsatisfiable.\n",
            "spam was not found in the package registry",
            id="uv: no package",
        ),
        pytest.param(
            "  cause: Because you require attrs>=22 and attrs<22, we can conclude that your requirements are"
            " unsatisfiable.",
            "you require attrs>=22 and attrs<22",
            id="uv: conflict",
        ),
        pytest.param(
            "  cause: Because the current Python version (3.11.7) does not satisfy Python>=3.14 and shop==1 depends on"
            " Python>=3.14, we can conclude that shop==1 cannot be used.\n         And because only shop==1 is"
            " available and you require shop, we can conclude that your requirements are unsatisfiable.",
            "the current Python version (3.11.7) does not satisfy Python>=3.14 and shop==1 depends on Python>=3.14",
            id="uv: Python",
        ),
        pytest.param(
            "error: Couldn't parse requirement in `bad.txt` at position 6\n  cause: Expected one of `@`, found `b`\n"
            "         foo bar baz\n             ^\n",
            "Couldn't parse requirement in `bad.txt` at position 6: Expected one of `@`, found `b`",
            id="uv: syntax",
        ),
        pytest.param("error: File not found: `nope.txt`\n", "File not found: `nope.txt`", id="uv: no file"),
        pytest.param(
            "error: Request failed after 3 retries in 8.3s\n  cause: Failed to fetch: http://h/six/\n"
            "  Caused by: tcp connect error\n  cause: Connection refused (os error 111)\n",
            "Request failed after 3 retries in 8.3s: Connection refused (os error 111)",
            id="uv: network",
        ),
        pytest.param(
            "ERROR: Could not find a version that satisfies the requirement requests==99 (from versions: 0.2.0)\n"
            "ERROR: No matching distribution found for requests==99\n",
            "No matching distribution found for requests==99",
            id="pip: no version",
        ),
        pytest.param(
            "ERROR: Package 'shop' requires a different Python: 3.11.7 not in '>=3.14'\n",
            "Package 'shop' requires a different Python: 3.11.7 not in '>=3.14'",
            id="pip: Python",
        ),
        pytest.param(
            "ERROR: Cannot install attrs<22 and attrs>=22 because these package versions have conflicting"
            " dependencies.\n\nThe conflict is caused by:\n\nERROR: ResolutionImpossible: for help visit x\n",
            "Cannot install attrs<22 and attrs>=22 because these package versions have conflicting dependencies.",
            id="pip: conflict",
        ),
        pytest.param(
            "ERROR: Invalid requirement: 'foo bar baz' (from line 2 of bad.txt)\n",
            "Invalid requirement: 'foo bar baz' (from line 2 of bad.txt)",
            id="pip: syntax",
        ),
        pytest.param("ERROR: first\nERROR: something new\n", "something new", id="pip: anything"),
        pytest.param(BACKEND, "RuntimeError: this needs FOO set", id="backend"),
        pytest.param(BACKEND_OF_PIP, "RuntimeError: this needs FOO set", id="backend of pip"),
        pytest.param(COMPILER, "src/shop.c:3:5: error: 'PyThing' undeclared (first use here)", id="compiler"),
        pytest.param(
            "  x Failed to build `shop`\n  |-> The build backend returned an error\n      [stdout]\n"
            "      meson-python: error: The package requires Python version >=3.12, running on 3.11.7\n"
            "hint: Build failures usually indicate a problem with the package\n",
            "meson-python: error: The package requires Python version >=3.12, running on 3.11.7",
            id="build tool",
        ),
        pytest.param("$ uv pip install x\nKilled\n\n", "Killed", id="unknown"),
        pytest.param("$ uv pip install x\n", "", id="nothing"),
        pytest.param("error: \x1b[2Jred\n", "\N{REPLACEMENT CHARACTER}[2Jred", id="escape"),
    ],
)
def test_install_cause_is_one_line_of_the_log(log: str, cause: str) -> None:
    assert find_install_cause(log) == cause


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("the current Python version (3.11.7) does not satisfy Python>=3.14 and shop==1 depends on Python>=3.14", True),
        ("Package 'shop' requires a different Python: 3.11.7 not in '>=3.14'", True),
        ("meson-python: error: The package requires Python version >=3.12, running on 3.11.7", True),
        ("No matching distribution found for requests==99", False),
    ],
)
def test_unsupported_python_is_recognized(cause: str, expected: bool) -> None:
    assert is_about_python(cause) is expected


@pytest.mark.parametrize(
    ("log", "name"),
    [
        pytest.param(
            "error: Failed to build `immutables==0.21`\n  cause: The build backend returned an error\n",
            "immutables==0.21",
            id="uv",
        ),
        pytest.param(COMPILER, "shop", id="uv: a folder"),
        pytest.param(
            "$ uv pip install x\nerror: Failed to build `numpy==1.26.4`\ntrying again without the lock file\n"
            "$ uv pip install x\nerror: Failed to build `lxml==5.2`\n",
            "lxml==5.2",
            id="the last attempt",
        ),
        pytest.param(
            "$ uv pip install x\nerror: Failed to build `numpy==1.26.4`\ntrying again without the lock file\n"
            "$ uv pip install x\nerror: No solution found when resolving dependencies\n",
            "",
            id="the last attempt built nothing",
        ),
        pytest.param(
            "      x = `Failed`\n  note: This error originates from a subprocess\n"
            "  ERROR: Failed building wheel for immutables\nFailed to build immutables\n",
            "immutables",
            id="pip",
        ),
        pytest.param("  ERROR: Failed building editable for shop\n", "shop", id="pip: editable"),
        pytest.param(
            "ERROR: Failed to build 'shop' when getting requirements to build wheel\n", "shop", id="pip: requirements"
        ),
        pytest.param("ERROR: No matching distribution found for requests==99\n", "", id="nothing was built"),
    ],
)
def test_unbuilt_distribution_is_named(log: str, name: str) -> None:
    assert find_unbuilt(log) == name


@pytest.mark.parametrize(
    ("log", "place"),
    [
        pytest.param(
            "error: Failed to build `shop @ file:///src`\n  cause: Failed to resolve requirements from"
            " `build-system.requires`\n  cause: Because only spam[x]<0.1.2 is available and you require spam[x]>=0.1.2,"
            " we can conclude that your requirements are unsatisfiable.\n",
            "[build-system] requires in pyproject.toml",
            id="uv: build requirement",
        ),
        pytest.param(
            "  cause: Because there is no version of a==99 and you require a==99, we can conclude that",
            "the requirement",
            id="uv: version",
        ),
        pytest.param(
            "  cause: Because spam was not found in the package registry and you require spam, we can conclude that",
            "the requirement",
            id="uv: package",
        ),
        pytest.param("ERROR: No matching distribution found for a==99\n", "the requirement", id="pip"),
        pytest.param(
            "  Installing build dependencies: finished with status 'error'\n"
            "ERROR: No matching distribution found for a==99\n",
            "[build-system] requires in pyproject.toml",
            id="pip: build requirement",
        ),
        pytest.param("  cause: Because you require a>=22 and a<22, we can conclude that", "", id="conflict"),
        pytest.param("error: File not found: `nope.txt`\n", "", id="something else"),
    ],
)
def test_unavailable_release_has_a_hint(log: str, place: str) -> None:
    assert suggest_index(find_install_cause(log), log) == (
        message("images", "no-release", place=place) if place else ""
    )


def test_long_cause_is_shortened() -> None:
    found = find_install_cause(f"error: {'x' * 1000}")
    assert len(found) == CAUSE_CHARACTERS
    assert found.endswith("…")


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("Reading package lists...\nE: Unable to locate package no-such\n", "Unable to locate package no-such"),
        (
            "ERROR: unable to select packages:\n  no-such (no such package):\n    required by: world",
            "no-such (no such package)",
        ),
        ("this image has neither apt-get nor apk\n", "this image has neither apt-get nor apk"),
    ],
    ids=["apt", "apk", "neither"],
)
def test_system_cause_is_the_package_managers_error(log: str, cause: str) -> None:
    assert find_system_cause(log) == cause


def test_progress_and_empty_lines_are_removed() -> None:
    progress = "".join(f"(Reading database ... {part}%\n" for part in range(5, 100, 5))
    log = f"(Reading database ... \n{progress}(Reading database ... 6091 files and directories currently installed.)\n"
    assert read_lines(f"first\n\n{log}1%\r99%\rdone\n") == ["first", log.splitlines()[-1], "done"]


@pytest.mark.parametrize(
    ("reference", "variant"),
    [
        ("python:3.14-slim", "slim"),
        ("localhost:5000/library/python:3.14-slim-bookworm@sha256:1234", "slim"),
        ("python:3.14-alpine3.22", "alpine"),
        ("python:3.14", ""),
        ("localhost:5000/slim/python:3.14", ""),
    ],
)
def test_small_variant_is_read_from_the_tag(reference: str, variant: str) -> None:
    assert find_variant(reference) == variant


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param(
            "error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'",
            message("images", "no-c-compiler"),
            id="setuptools",
        ),
        pytest.param(
            "error: command 'gcc' failed: No such file or directory", message("images", "no-c-compiler"), id="distutils"
        ),
        pytest.param(
            "unable to execute 'gcc': No such file or directory", message("images", "no-c-compiler"), id="old distutils"
        ),
        pytest.param(
            "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]",
            message("images", "no-c-compiler"),
            id="meson",
        ),
        pytest.param(
            "Could not find the compiler specified in the environment variable CC:\n  gcc.",
            message("images", "no-c-compiler"),
            id="cmake",
        ),
        pytest.param(
            "../meson.build:2:0: ERROR: Unknown compiler(s): [['gfortran'], ['flang']]",
            message("images", "no-fortran"),
            id="Fortran",
        ),
        pytest.param(
            'File "/x/site-packages/puccinialin/_setup_rust.py", line 34, in download_rustup\nhttpx.ConnectError',
            message("images", "no-rust"),
            id="maturin",
        ),
        pytest.param("error: can't find Rust compiler", message("images", "no-rust"), id="setuptools-rust"),
        pytest.param("error: linker `cc` not found", message("images", "no-c-compiler"), id="Rust without a linker"),
        pytest.param(
            "Git executable not found. Ensure that Git is installed", message("images", "no-git"), id="git for uv"
        ),
        pytest.param(
            "LookupError: setuptools-scm was unable to detect version for /src",
            message("images", "no-version"),
            id="version from git",
        ),
    ],
)
def test_missing_tool_is_named_with_a_hint(log: str, expected: str) -> None:
    assert diagnose(f"   Building shop\n{log}\nhint: Build failures usually indicate a problem\n") == expected


@pytest.mark.parametrize(
    ("log", "name"),
    [
        ("src/x.c:3:10: fatal error: ours.h: No such file or directory", "ours.h"),
        ("Error: llvm-config executable not found.", "llvm-config"),
    ],
    ids=["header", "program"],
)
def test_missing_file_is_named_with_a_hint(log: str, name: str) -> None:
    assert diagnose(log) == message("images", "no-file", file=name)


@pytest.mark.parametrize(
    ("log", "problem", "packages"),
    [
        ("x.c:3:10: fatal error: libpq-fe.h: No such file or directory", "libpq-fe.h is not in the image", "libpq-dev"),
        ("Error: pg_config executable not found.", "pg_config is not in the image", "libpq-dev"),
        ('../meson.build:9:9: ERROR: Dependency "openssl" not found', "openssl is not in the image", "libssl-dev"),
        ("No package 'cairo' found", "cairo is not in the image", "libcairo2-dev"),
        (
            "  Error: Please make sure the libxml2 and libxslt development packages are installed.",
            "Please make sure the libxml2 and libxslt development packages are installed",
            "libxml2-dev and libxslt1-dev",
        ),
    ],
    ids=["header", "program", "meson", "pkg-config", "lxml"],
)
def test_missing_library_is_named_with_its_package(log: str, problem: str, packages: str) -> None:
    assert diagnose(log) == message("images", "no-library", problem=problem, packages=packages)
    found = diagnose_build(log, variant="alpine")
    assert found is not None
    assert packages not in found[1], "packages of Alpine have other names"


def diagnose(log: str) -> str:
    found = diagnose_build(log)
    assert found is not None
    return str(PyimagesError(*found))


@pytest.mark.parametrize(
    "log",
    [
        "  x No solution found when resolving dependencies:\n  because six<1 is not available",
        "error: command '/usr/bin/gcc' failed with exit code 1",
        "SyntaxError: invalid syntax",
    ],
)
def test_other_failures_are_not_diagnosed(log: str) -> None:
    assert diagnose_build(log) is None


@pytest.mark.parametrize("variant", ["slim", "alpine", ""])
def test_full_image_is_suggested_instead_of_a_small_variant(variant: str) -> None:
    found = diagnose_build("ERROR: Cannot find command 'git'", variant=variant)
    assert found is not None
    keys = {"slim": "full-image-or-its-wheels", "alpine": "full-image"}
    full = message("images", keys[variant], variant=variant) + ", or " if variant else ""
    assert found[1] == full + message("images", "no-git").rpartition(" · ")[2]


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (WITHOUT_WORKSPACE, ("no-workspace", {"package": "helper"})),
        (
            "error: Distribution not found at: file:///src/the%20helper\n",
            ("no-source", {"package": "helper", "place": "/src/the helper"}),
        ),
        (
            "  cause: Package `helper` references an undeclared index: `ours`\n",
            ("no-index", {"package": "helper", "index": "ours"}),
        ),
        ("error: Distribution not found at: file:///elsewhere\n", None),
    ],
    ids=["workspace", "folder", "index", "another folder"],
)
def test_a_missing_source_is_named_with_its_package(log: str, expected: tuple[str, dict[str, str]] | None) -> None:
    found = find_missing_source(log, {"file:///src/the%20helper": "helper"})
    if expected is None:
        assert found is None
    else:
        name, fields = expected
        hint = message("images", "add-source")
        assert found is not None
        assert " · ".join(found) == message("images", name, hint=hint, **fields)


@pytest.mark.parametrize(
    ("log", "hint"),
    [
        (
            (
                "Python path configuration:\n  PYTHONHOME = '/nowhere'\n  PYTHONPATH = (not set)\n"
                "Fatal Python error: init_fs_encoding: failed to get the Python codec\n<no Python frame>\n"
            ),
            "the image sets PYTHONHOME to /nowhere: remove it from the image, or use another one",
        ),
        (
            "Fatal Python error: Py_Initialize: Unable to get the locale encoding\n",
            "check what the image sets in PYTHONHOME and PYTHONPATH",
        ),
        ("Fatal Python error: Segmentation fault\n", ""),
        ("error: no such package\n", ""),
    ],
)
def test_a_python_that_does_not_start_is_named(log: str, hint: str) -> None:
    found = find_broken_start(log)
    assert (found[1] if found is not None else "") == hint


UV_OFFLINE = """\
$ uv pip install pytest
error: Request failed after 3 retries in 13.2s
  cause: Failed to fetch: `https://user:secret@index.example:8443/simple/pytest/`
  cause: error sending request for url (https://index.example:8443/simple/pytest/)
  cause: client error (Connect)
  cause: {cause}
"""
PIP_OFFLINE = """\
Looking in indexes: https://index.example/simple
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError("{cause}")': /simple/pytest/
ERROR: Could not find a version that satisfies the requirement pytest (from versions: none)
ERROR: No matching distribution found for pytest
"""


@pytest.mark.parametrize(
    ("log", "cause", "expected"),
    [
        (UV_OFFLINE, "dns error: failed to lookup address information", "its name cannot be resolved"),
        (UV_OFFLINE, "tcp connect error: Connection refused (os error 111)", "connection refused"),
        (UV_OFFLINE, "operation timed out", "it does not answer in time"),
        (UV_OFFLINE, "unsuccessful tunnel", "the proxy does not answer or refuses"),
        (PIP_OFFLINE, "[Errno -3] Temporary failure in name resolution", "its name cannot be resolved"),
        (PIP_OFFLINE, "[Errno 101] Network is unreachable", "there is no network"),
    ],
)
def test_index_that_cannot_be_reached(log: str, cause: str, expected: str) -> None:
    host, why = find_unreachable(log.format(cause=cause)) or ("", "")
    assert (host.partition(":")[0], why) == ("index.example", expected)


def test_other_failures_are_not_about_the_network() -> None:
    assert find_unreachable("error: Failed to fetch: `https://index.example/x/`\n  cause: HTTP status 404") is None
    assert find_unreachable("Collecting timeout-decorator\nERROR: No matching distribution found for x") is None
