"""Why an install step failed, in one line, told from what uv, pip, build backends, apt and apk logged."""

from __future__ import annotations

import re

from pytest_pyimages.text import clean_line

LONGEST = 240  # characters of a cause
# What dpkg counts up, a line for each five per cent; and what a carriage return has wiped out.
_NOISE = re.compile(r"\(Reading database \.\.\.(?: \d+%)?$|debconf: delaying package configuration")
_CONCLUSION = re.compile(r"Because (?P<why>.+?)(?: and you require [^,]+)?, we can conclude that", re.DOTALL)
_EXCEPTION = re.compile(r"^[\s|]*(?P<error>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Warning)(?:: .+)?)$", re.MULTILINE)
_COMPILER = re.compile(r"^[\s|]*\S+:\d+:(?:\d+:)? (?:fatal )?error: .+$", re.MULTILINE)
_BUILD_TOOL = re.compile(r"^[\s|]*(?P<error>[\w.+-]+(?::\d+)*: (?:error|ERROR): .+)$", re.MULTILINE)  # meson, ninja, …
_BACKEND = re.compile(
    r"build backend returned an error|Failed to build|subprocess-exited-with-error|Command errored out"
    r"|Failed building wheel|egg_info.* did not run|Build backend failed|error: command .* failed"
)
# What was built, as uv and pip name it: "`numpy==1.26.4`", "`shop @ file:///src`", "numpy", "'shop'".
_BUILT = re.compile(
    r"Failed to (?:download and )?build `(?P<uv>[^`\s]+)"
    r"|^ *ERROR: Failed (?:to build|building (?:wheel|editable) for) '?(?P<pip>[\w.-]+)",
    re.MULTILINE,
)
_PIP = re.compile(
    r"^ERROR: (?P<said>(?:No matching distribution found for|Cannot install|Package '|Invalid requirement:"
    r"|Could not open requirements file:|Could not install packages).+)$",
    re.MULTILINE,
)
# What pip says of a failure that it has told above.
_EMPTY = ("ERROR: ResolutionImpossible", "ERROR: Failed building wheel", "ERROR: Failed to build")
_UV = re.compile(r"^ *error: (?P<said>.+)$", re.MULTILINE)
_UV_CAUSE = re.compile(r"^ *(?:cause:|Caused by:|╰─▶) (?P<said>.+)$", re.MULTILINE)
_APT = re.compile(r"^E: (?P<said>.+)$", re.MULTILINE)
_APK = re.compile(r"^ +(?P<said>\S+ \(no such package\)|\S+: (?:unable|failed).+):?$", re.MULTILINE)


# In the words of pip, uv and meson-python.
_OTHER_PYTHON = re.compile(r"requires a different Python|does not satisfy Python|requires Python version")


def is_about_python(cause: str) -> bool:
    """Whether it is the version of Python that is wrong."""
    return bool(_OTHER_PYTHON.search(cause))


def readable_lines(log: str) -> list[str]:
    """Return the lines of a log, without empty ones and those that only count."""
    lines = (line.rstrip().rpartition("\r")[2] for line in log.split("\n"))
    return [line for line in lines if line.strip() and not _NOISE.match(line)]


def install_cause(log: str) -> str:
    """Return why an installer gave up; what it said last if the log does not tell."""
    for told in (_from_backend, _from_resolver, _from_pip, _from_uv):
        found = told(log)
        if found:
            return _one_line(found)
    return last_words(log)


def unbuilt(log: str) -> str:
    """Return which distribution the last command could not build: "numpy==1.26.4"; empty if its log names none."""
    found = list(_BUILT.finditer(re.split(r"(?m)^\$ ", log)[-1]))  # one before it had more of a lock file, perhaps
    return clean_line(found[-1]["uv"] or found[-1]["pip"])[:LONGEST] if found else ""


def system_cause(log: str) -> str:
    """Return why apt or apk gave up."""
    found = _APT.search(log) or _APK.search(log)
    return _one_line(found["said"]) if found is not None else last_words(log)


def last_words(log: str) -> str:
    """Return what was logged last, apart from the commands themselves."""
    said = [line for line in readable_lines(log) if not line.startswith("$ ")]
    return _one_line(said[-1]) if said else ""


def _from_backend(log: str) -> str:
    if not _BACKEND.search(log):
        return ""
    compiler = _COMPILER.search(log)
    if compiler is not None:
        return compiler[0]
    return _last(_EXCEPTION, log, "error") or _last(_BUILD_TOOL, log, "error")


def _from_resolver(log: str) -> str:
    found = _CONCLUSION.search(log)
    return found["why"] if found is not None else ""


def _from_pip(log: str) -> str:
    said = _last(_PIP, log, "said")
    if not said:
        lines = [line for line in log.splitlines() if line.startswith("ERROR: ") and not line.startswith(_EMPTY)]
        said = lines[-1].removeprefix("ERROR: ") if lines else ""
    return said


def _from_uv(log: str) -> str:
    error = _UV.search(log)
    if error is None:
        return ""
    causes = [found["said"] for found in _UV_CAUSE.finditer(log, error.end())]
    # Of a failed request, the last cause says it; of anything else, the first.
    cause = causes[-1 if "Request failed" in error["said"] else 0] if causes else ""
    return f"{error['said']}: {cause}" if cause else error["said"]


def _last(pattern: re.Pattern[str], log: str, group: str) -> str:
    said = ""
    for found in pattern.finditer(log):
        said = found[group]
    return said


def _one_line(text: str) -> str:
    line = clean_line(" ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
