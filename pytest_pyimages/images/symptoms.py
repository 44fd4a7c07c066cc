"""Find out from the log of uv, pip, a build backend, apt or apk why an installation failed, and what would fix it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from pytest_pyimages.images.system_packages import find_packages
from pytest_pyimages.immutable import Immutable
from pytest_pyimages.text import clean_line

CAUSE_CHARACTERS = 240
NO_VERSION = "its version comes from git, which reports none in the container"
# dpkg's progress, a line for each five per cent
_PROGRESS = re.compile(r"\(Reading database \.\.\.(?: \d+%)?$|debconf: delaying package configuration")
_CONCLUSION = re.compile(r"Because (?P<text>.+?)(?: and you require [^,]+)?, we can conclude that", re.DOTALL)
_EXCEPTION = re.compile(r"^[\s|]*(?P<text>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Warning)(?:: .+)?)$", re.MULTILINE)
_COMPILER = re.compile(r"^[\s|]*\S+:\d+:(?:\d+:)? (?:fatal )?error: .+$", re.MULTILINE)
_BUILD_TOOL = re.compile(r"^[\s|]*(?P<text>[\w.+-]+(?::\d+)*: (?:error|ERROR): .+)$", re.MULTILINE)  # meson, ninja, …
_BACKEND = re.compile(
    r"build backend returned an error|Failed to build|subprocess-exited-with-error|Command errored out"
    r"|Failed building wheel|egg_info.* did not run|Build backend failed|error: command .* failed"
)
# What uv and pip could not build: "`numpy==1.26.4`", "`shop @ file:///src`", "numpy", "'shop'".
_UNBUILT = re.compile(
    r"Failed to (?:download and )?build `(?P<uv>[^`\s]+)"
    r"|^ *ERROR: Failed (?:to build|building (?:wheel|editable) for) '?(?P<pip>[\w.-]+)",
    re.MULTILINE,
)
_PIP = re.compile(
    r"^ERROR: (?P<text>(?:No matching distribution found for|Cannot install|Package '|Invalid requirement:"
    r"|Could not open requirements file:|Could not install packages).+)$",
    re.MULTILINE,
)
_PIP_SUMMARIES = ("ERROR: ResolutionImpossible", "ERROR: Failed building wheel", "ERROR: Failed to build")
_UV = re.compile(r"^ *error: (?P<text>.+)$", re.MULTILINE)
_UV_CAUSE = re.compile(r"^ *(?:cause:|Caused by:|╰─▶) (?P<text>.+)$", re.MULTILINE)
_APT = re.compile(r"^E: (?P<text>.+)$", re.MULTILINE)
_APK = re.compile(r"^ +(?P<text>\S+ \(no such package\)|\S+: (?:unable|failed).+):?$", re.MULTILINE)
# The messages of pip, uv and meson-python.
_OTHER_PYTHON = re.compile(r"requires a different Python|does not satisfy Python|requires Python version")
# The messages of uv and pip about a release that no index has.
_UNAVAILABLE = re.compile(
    r"\bonly \S+ (?:is|are) available|not found in the package registry|there (?:is no version|are no versions) of"
    r"|No matching distribution found for"
)
_UNKNOWN = re.compile(
    r"(?P<uv>[\w.-]+) was not found in the package registry|No matching distribution found for (?P<pip>[\w.-]+)"
)
_BUILD_REQUIREMENTS = re.compile(
    r"build-system\.requires|(?i:installing build dependencies)[^\n]*\b(?:error|did not run)"
)
_COMPILERS = r"[\w/.-]*(?:gcc|g\+\+|clang|cc|c\+\+)"


# uv's messages about entries of [tool.uv.sources], and of the sources of other tools that it is given in that form.
_MISSING_SOURCES = (
    (r"`(?P<package>[^`]+)` references a workspace in", "{package} comes from a uv workspace that is not here"),
    (r"Distribution not found at: (?P<url>file://\S+)", "{package} comes from {place}, which does not exist"),
    (
        r"Package `(?P<package>[^`]+)` references an undeclared index: `(?P<index>[^`]+)`",
        "{package} comes from the index {index}, which is not declared",
    ),
)
_ADD_SOURCE = "add it, or use packages of these names from the package index: py_images_env = UV_NO_SOURCES=1"


_FATAL = re.compile(r"^Fatal Python error: (?P<text>.*(?:init|Py_Initialize).*)$", re.MULTILINE)
_HOME = re.compile(r"^ *PYTHONHOME = '(?P<path>[^'\n]+)'$", re.MULTILINE)  # Python 3.8 and newer


def find_broken_start(log: str) -> tuple[str, str] | None:
    """Return problem and hint if the image's Python cannot even start; None if it can."""
    if "exec format error" in log.lower():
        problem = "the engine cannot run programs for this image's platform"
        return problem, "register QEMU: `docker run --privileged --rm tonistiigi/binfmt --install all`"
    fatal = _FATAL.search(log)
    if fatal is None:
        return None
    home = _HOME.search(log)
    problem = f"the image's Python does not start: {_clean(fatal['text'])}"
    if home is None:
        return problem, "check what the image sets in PYTHONHOME and PYTHONPATH"
    return problem, f"the image sets PYTHONHOME to {_clean(home['path'])}: remove it from the image, or use another one"


# What uv and pip print where they cannot talk to an index, and why. The first match wins.
_NO_CONNECTION = re.compile(
    r"error sending request|Request failed|after connection broken|Max retries|NewConnectionError"
)
_NO_CONNECTION_CAUSES = (
    (
        r"dns error|failed to lookup|name resolution|Name or service not known|No address associated|getaddrinfo",
        "its name cannot be resolved",
    ),
    (r"(?i)tunnel|proxy", "the proxy does not answer or refuses"),
    (r"(?i)connection refused", "connection refused"),
    (r"(?i)unreachable|no route to host", "there is no network"),
    (r"(?i)tim(?:ed|e)[- ]?out", "it does not answer in time"),
)
_REQUESTED = re.compile(r"https?://(?:[^/\s`'\"@]*@)?([\w.-]+(?::\d+)?)/")


def find_unreachable(log: str) -> tuple[str, str] | None:
    """Return the host of an index that the container could not reach, and why; None if the log is of something else.

    The host is empty if it is not in the log.
    """
    failed = _NO_CONNECTION.search(log)
    if failed is None:
        return None
    cause = next((text for pattern, text in _NO_CONNECTION_CAUSES if re.search(pattern, log[failed.start() :])), "")
    named = _REQUESTED.search(log, max(log.rfind("\n", 0, failed.start()), 0)) or _REQUESTED.search(log)
    return (named[1] if named is not None else "", cause) if cause else None


def _clean(text: str) -> str:
    return clean_line(text)[:CAUSE_CHARACTERS]


class _Symptom(Immutable):
    """Messages of build backends and compilers that mean the same problem."""

    patterns: tuple[str, ...]
    problem: str  # "{}" stands for the pattern's group
    hint: str
    is_in_full: bool = False  # whether the full image has what is missing


# By the variant of the image. Alpine's full image has another C library.
_OFFERS = {
    "slim": "use the full image instead of slim, set py_images_build_in = full, or ",
    "alpine": "use the full image instead of alpine, or ",
}
_FILE = re.compile(r"(?!make sure)[\w./+-]*\w")  # a header, a program or a library, perhaps in a sentence
_ADD_PACKAGE = "add the package that contains it to py_images_apt"
# The first match wins.
_SYMPTOMS = (
    _Symptom(
        patterns=(
            "puccinialin",  # how maturin downloads Rust
            "can't find Rust compiler|cargo, the Rust package manager, is not installed|Rust toolchain not found",
            "[Cc]argo(?:| command|: command) not found",
        ),
        problem="there is no Rust compiler in the image",
        hint="install one: py_images_apt = cargo, or a newer one by py_images_setup",
    ),
    _Symptom(
        patterns=(r"Unknown compiler\(s\): \[\['(?:gfortran|flang)", "No CMAKE_Fortran_COMPILER"),
        problem="there is no Fortran compiler in the image",
        hint="add gfortran to py_images_apt",
    ),
    _Symptom(
        patterns=(
            rf"(?:command|execute) '?{_COMPILERS}'? ?(?:failed)?: No such file",
            rf"No such file or directory: '{_COMPILERS}'",
            r"Unknown compiler\(s\)|No CMAKE_C(?:XX)?_COMPILER|Could not find the compiler|linker `cc` not found",
            r"\b(?:gcc|g\+\+|cc): (?:command )?not found",
        ),
        problem="there is no C compiler in the image",
        hint="add gcc and libc6-dev to py_images_apt",
        is_in_full=True,
    ),
    _Symptom(
        patterns=(r"fatal error: '?([\w./+-]+\.h(?:pp|h)?)'?(?:: No such file| file not found)",),
        problem="{} is not in the image",
        hint=_ADD_PACKAGE,
    ),
    _Symptom(
        patterns=(
            r"(pg_config|mysql_config|pkg-config|llvm-config|swig)'?(?: executable)?(?:: command)?(?: is)? not found",
            "No such file or directory: '(pg_config|mysql_config|pkg-config|make|cmake|swig)'",
        ),
        problem="{} is not in the image",
        hint=_ADD_PACKAGE,
        is_in_full=True,
    ),
    _Symptom(
        patterns=(
            r"\bDependency \"?([\w.+-]+)\"? (?:is required but )?not found",  # meson
            r"No package '([\w.+-]+)' found|Package '?([\w.+-]+)'? was not found in the pkg-config",
            r"Package '([\w.+-]+)', required by '[^']+', not found",
            r"Could NOT find ([\w.+-]+) \(missing",  # CMake
        ),
        problem="{} is not in the image",
        hint=_ADD_PACKAGE,
    ),
    _Symptom(
        patterns=(
            r"(?m)^[\s|*]*(?:Error: )?(Please (?:make sure|install|check)\b.*\b(?:development|-dev|-devel)\b.*)$",
        ),
        problem="{}",
        hint=_ADD_PACKAGE,
    ),
    _Symptom(
        patterns=("Git executable not found|Cannot find command 'git'",),
        problem="there is no git in the image",
        hint="add git to py_images_apt",
        is_in_full=True,
    ),
    _Symptom(
        patterns=(
            "No such file or directory: '(?:/usr/bin/)?git'|dubious ownership|not a git repository",
            "unable to detect version|Cannot find the version from SCM|Versioning for this project requires",
            "does not appear to be a Git|NotSdistError|Unable to detect version control system|Unable to find 'git'",
        ),
        problem=NO_VERSION,
        hint="set the variable of its versioning tool in py_images_env (for example SETUPTOOLS_SCM_PRETEND_VERSION=1.0)"
        ", install git on the host, or add it to py_images_apt",
    ),
)


def diagnose_build(log: str, *, variant: str = "") -> tuple[str, str] | None:
    """Return what the image lacked to build a distribution, and a hint; None if the log does not show it.

    :param variant: "slim" or "alpine" if the full image contains more than this one.
    """
    for symptom in _SYMPTOMS:
        for pattern in symptom.patterns:
            found = re.search(pattern, log)
            if found is not None:
                named = next(filter(None, found.groups()), "").rstrip(" .")
                packages = () if variant == "alpine" else find_packages(_FILE.findall(named))
                hint = f"add {' and '.join(packages)} to py_images_apt" if packages else symptom.hint
                full = _OFFERS.get(variant, "") if symptom.is_in_full else ""
                return _shorten(symptom.problem.format(named)), full + hint
    return None


def find_missing_source(log: str, packages: Mapping[str, str]) -> tuple[str, str] | None:
    """Return which package's source is missing, as uv reports it, and a hint; None if the log is of something else.

    :param packages: names of distributions by the URL of the file or folder that they come from.
    """
    for pattern, problem in _MISSING_SOURCES:
        found = re.search(pattern, log)
        named = found.groupdict() if found is not None else {}
        package = named.get("package") or packages.get(named.get("url", ""))
        if package:
            place = unquote(named.get("url", "")).removeprefix("file://")
            return problem.format(package=package, place=place, index=named.get("index")), _ADD_SOURCE
    return None


def find_install_cause(log: str) -> str:
    """Return why pip or uv failed; the last line of the log if it does not show that."""
    causes = (find(log) for find in (_find_backend_error, _find_conflict, _find_pip_error, _find_uv_error))
    return _shorten(next(filter(None, causes), "")) or find_last_line(log)


def find_system_cause(log: str) -> str:
    """Return why apt or apk failed."""
    found = _APT.search(log) or _APK.search(log)
    return _shorten(found["text"]) if found is not None else find_last_line(log)


def find_last_line(log: str) -> str:
    """Return the last line that a command printed."""
    lines = [line for line in read_lines(log) if not line.startswith("$ ")]
    return _shorten(lines[-1]) if lines else ""


def find_unbuilt(log: str) -> str:
    """Return the distribution that the last command failed to build ("numpy==1.26.4"); empty if there is none."""
    found = list(_UNBUILT.finditer(re.split(r"(?m)^\$ ", log)[-1]))  # earlier ones may have been retried
    return clean_line(found[-1]["uv"] or found[-1]["pip"])[:CAUSE_CHARACTERS] if found else ""


def is_about_python(cause: str) -> bool:
    """Return whether an installation failed because of the version of Python."""
    return bool(_OTHER_PYTHON.search(cause))


def suggest_index(cause: str, log: str) -> str:
    """Return a hint if an installation failed because no index has a required release; empty if for another reason."""
    if not _UNAVAILABLE.search(cause):
        return ""
    place = "[build-system] requires in pyproject.toml" if _BUILD_REQUIREMENTS.search(log) else "the requirement"
    return f"add an index that has it to this host's settings of pip or uv, or change {place}"


def find_unknown(cause: str) -> str:
    """Return the distribution that no index has, if an installation failed because of one; else an empty string."""
    found = _UNKNOWN.search(cause)
    return (found["uv"] or found["pip"]) if found is not None else ""


def read_lines(log: str) -> list[str]:
    """Return the lines of a log, without empty lines and progress."""
    lines = (line.rstrip().rpartition("\r")[2] for line in log.split("\n"))
    return [line for line in lines if line.strip() and not _PROGRESS.match(line)]


def _find_backend_error(log: str) -> str:
    if not _BACKEND.search(log):
        return ""
    compiler = _COMPILER.search(log)
    if compiler is not None:
        return compiler[0]
    return _find_last(_EXCEPTION, log) or _find_last(_BUILD_TOOL, log)


def _find_conflict(log: str) -> str:
    found = _CONCLUSION.search(log)
    return found["text"] if found is not None else ""


def _find_pip_error(log: str) -> str:
    lines = [line for line in log.splitlines() if line.startswith("ERROR: ") and not line.startswith(_PIP_SUMMARIES)]
    return _find_last(_PIP, log) or (lines[-1].removeprefix("ERROR: ") if lines else "")


def _find_uv_error(log: str) -> str:
    error = _UV.search(log)
    if error is None:
        return ""
    causes = [found["text"] for found in _UV_CAUSE.finditer(log, error.end())]
    # The last cause explains a failed request, the first anything else.
    cause = causes[-1 if "Request failed" in error["text"] else 0] if causes else ""
    return f"{error['text']}: {cause}" if cause else error["text"]


def _find_last(pattern: re.Pattern[str], log: str) -> str:
    return next((found["text"] for found in reversed(list(pattern.finditer(log)))), "")


def _shorten(text: str) -> str:
    line = clean_line(" ".join(text.split()))
    return line if len(line) <= CAUSE_CHARACTERS else f"{line[: CAUSE_CHARACTERS - 1]}…"
