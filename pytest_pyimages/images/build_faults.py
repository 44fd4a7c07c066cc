"""What the build of a distribution misses in an image, told from what it logged."""

from __future__ import annotations

import re
from dataclasses import dataclass

_COMPILERS = r"[\w/.-]*(?:gcc|g\+\+|clang|cc|c\+\+)"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFault:
    """What is missing, and what to do about it."""

    problem: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Symptom:
    """What build backends and compilers say."""

    patterns: tuple[str, ...]
    problem: str  # "{}" stands for the pattern's group
    hint: str
    is_in_full: bool = False  # whether the full image has it


# The first that fits counts.
_SYMPTOMS = (
    _Symptom(
        patterns=(
            "puccinialin",  # how maturin fetches Rust
            "can't find Rust compiler|cargo, the Rust package manager, is not installed|Rust toolchain not found",
            "[Cc]argo(?:| command|: command) not found",
        ),
        problem="there is no Rust compiler in the image",
        hint="install one: py_images_apt = cargo, or a newer one by py_images_setup",
    ),
    _Symptom(
        patterns=(r"Unknown compiler\(s\): \[\['(?:gfortran|flang)", "No CMAKE_Fortran_COMPILER"),
        problem="there is no Fortran compiler in the image",
        hint="add gfortran by py_images_apt",
    ),
    _Symptom(
        patterns=(
            rf"(?:command|execute) '?{_COMPILERS}'? ?(?:failed)?: No such file",
            rf"No such file or directory: '{_COMPILERS}'",
            r"Unknown compiler\(s\)|No CMAKE_C(?:XX)?_COMPILER|Could not find the compiler|linker `cc` not found",
            r"\b(?:gcc|g\+\+|cc): (?:command )?not found",
        ),
        problem="there is no C compiler in the image",
        hint="add gcc and libc6-dev by py_images_apt",
        is_in_full=True,
    ),
    _Symptom(
        patterns=(r"fatal error: '?([\w./+-]+\.h(?:pp|h)?)'?(?:: No such file| file not found)",),
        problem="{} is not in the image",
        hint="add the package that has it by py_images_apt",
    ),
    _Symptom(
        patterns=(
            r"(pg_config|mysql_config|pkg-config|llvm-config|swig)'?(?: executable)?(?:: command)?(?: is)? not found",
            "No such file or directory: '(pg_config|mysql_config|pkg-config|make|cmake|swig)'",
        ),
        problem="{} is not in the image",
        hint="add the package that has it by py_images_apt",
        is_in_full=True,
    ),
    _Symptom(
        patterns=("Git executable not found|Cannot find command 'git'",),
        problem="there is no git in the image",
        hint="add git by py_images_apt",
        is_in_full=True,
    ),
    _Symptom(
        patterns=(
            "No such file or directory: '(?:/usr/bin/)?git'|dubious ownership|not a git repository",
            "unable to detect version|Cannot find the version from SCM|Versioning for this project requires",
            "does not appear to be a Git|NotSdistError|Unable to detect version control system|Unable to find 'git'",
        ),
        problem="its version comes from git, which says nothing here",
        hint="set the variable of its versioning tool by py_images_env (SETUPTOOLS_SCM_PRETEND_VERSION=1.0 for example)"
        ", or install git on this host, or in the image by py_images_apt",
    ),
)


def build_fault(log: str, *, small: str = "") -> BuildFault | None:
    """Return what a build missed; None if its log does not tell.

    :param small: what the image is, if it has less than the full one: "slim" or "alpine".
    """
    for symptom in _SYMPTOMS:
        for pattern in symptom.patterns:
            found = re.search(pattern, log)
            if found is not None:
                full = f"use the full image instead of {small}, or " if small and symptom.is_in_full else ""
                return BuildFault(problem=symptom.problem.format(*found.groups()), hint=full + symptom.hint)
    return None
