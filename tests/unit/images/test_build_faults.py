"""What a build missed, in the words of build backends and compilers."""

from __future__ import annotations

import pytest

from pytest_pyimages.images.build_faults import build_fault


@pytest.mark.parametrize(
    ("log", "problem", "hint"),
    [
        pytest.param(
            "error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'",
            "no C compiler",
            "gcc",
            id="setuptools",
        ),
        pytest.param("error: command 'gcc' failed: No such file or directory", "no C compiler", "slim", id="distutils"),
        pytest.param("unable to execute 'gcc': No such file or directory", "no C compiler", "slim", id="old distutils"),
        pytest.param(
            "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]",
            "no C compiler",
            "slim",
            id="meson",
        ),
        pytest.param(
            "Could not find the compiler specified in the environment variable CC:\n  gcc.",
            "no C compiler",
            "slim",
            id="cmake",
        ),
        pytest.param(
            "../meson.build:2:0: ERROR: Unknown compiler(s): [['gfortran'], ['flang']]",
            "no Fortran",
            "gfortran",
            id="Fortran",
        ),
        pytest.param(
            'File "/x/site-packages/puccinialin/_setup_rust.py", line 34, in download_rustup\nhttpx.ConnectError',
            "no Rust",
            "cargo",
            id="maturin",
        ),
        pytest.param("error: can't find Rust compiler", "no Rust", "cargo", id="setuptools-rust"),
        pytest.param("error: linker `cc` not found", "no C compiler", "gcc", id="Rust without a linker"),
        pytest.param(
            "src/x.c:3:10: fatal error: libpq-fe.h: No such file or directory", "libpq-fe.h is not", "apt", id="header"
        ),
        pytest.param("Error: pg_config executable not found.", "pg_config is not", "apt", id="program"),
        pytest.param("Git executable not found. Ensure that Git is installed", "no git", "git", id="git for uv"),
        pytest.param(
            "LookupError: setuptools-scm was unable to detect version for /src",
            "comes from git",
            "py_images_env",
            id="version from git",
        ),
    ],
)
def test_what_is_missing_is_named(log: str, problem: str, hint: str) -> None:
    fault = build_fault(f"   Building shop\n{log}\nhint: Build failures usually indicate a problem\n", small="slim")
    assert fault is not None
    assert problem in fault.problem
    assert hint in fault.hint


@pytest.mark.parametrize(
    "log",
    [
        "  x No solution found when resolving dependencies:\n  because six<1 is not available",
        "error: command '/usr/bin/gcc' failed with exit code 1",
        "SyntaxError: invalid syntax",
    ],
)
def test_what_is_not_a_matter_of_the_image_is_not_explained(log: str) -> None:
    assert build_fault(log) is None


@pytest.mark.parametrize(
    ("small", "hint"),
    [
        ("slim", "use the full image instead of slim, or add git by py_images_apt"),
        ("alpine", "use the full image instead of alpine, or add git by py_images_apt"),
        ("", "add git by py_images_apt"),
    ],
)
def test_another_image_is_advised_where_there_is_one_with_more(small: str, hint: str) -> None:
    fault = build_fault("ERROR: Cannot find command 'git'", small=small)
    assert fault is not None
    assert fault.hint == hint
