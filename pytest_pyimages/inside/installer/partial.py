"""Install what can be installed, and list what cannot: for images that are only smoke-tested."""

from __future__ import absolute_import, print_function

import os
import re
import sys

WITH_VALUE = frozenset("-c --constraint -i --index-url --extra-index-url -f --find-links".split())
UNBUILT = re.compile(
    r"Failed to (?:download and )?build `([^`\s=]+)|Failed (?:to build|building wheel for) '?([\w.-]+)"
)


def install(command, arguments, distribution, run):
    """Install the arguments of ``pip install`` one by one; return the last status, and what was left out.

    pytest must be installable. The project is installed without its dependencies, which follow one by one.

    :param command: the installer's, without the arguments.
    :param distribution: the project's normalised name; empty if only a build reports it.
    :param run: runs a command; returns its exit status and the end of its log.
    :return: a status, and by requirement what could not be built; empty if it is not available.
    """
    options, requirements, project = split_arguments(arguments)
    ours = [entry for entry in requirements if get_name(entry) == "pytest"] or ["pytest"]
    status, _ = run(command + options + ours)
    if status:
        return status, {}
    left = {}
    if project:
        status, log = run(command + options + ["--no-deps"] + project)
        if status:
            left[distribution or os.path.basename(project[-1].partition("[")[0])] = find_unbuilt(log)
        else:
            requirements = requirements + find_dependencies(distribution, project[-1])
    for entry in requirements:
        if entry not in ours:
            status, log = run(command + options + (list(entry) if isinstance(entry, tuple) else [entry]))
            if status:
                left[get_name(entry)] = find_unbuilt(log)
    return 0, left


def split_arguments(arguments):
    """Return options, requirements (a pair for ``-e``) and the project's arguments; files are read."""
    options, requirements, project = [], [], []
    words = iter(arguments)
    for word in words:
        if word == "-r":
            for found, more in zip((options, requirements, project), split_arguments(read_file(next(words)))):
                found += more
        elif word == "-e" or word.startswith("/"):
            target = next(words) if word == "-e" else word
            if target.startswith("/"):
                project[:] = [word, target] if word == "-e" else [word]
            else:
                requirements.append((word, target))
        elif word in WITH_VALUE:
            options += [word, next(words)]
        elif word.startswith("-"):
            options.append(word)
        else:
            requirements.append(word)
    return options, requirements, project


def read_file(path):
    """Return the arguments that the lines of a requirements file are, without hashes."""
    words = []
    with open(path) as file:
        text = file.read().replace("\\\n", " ")
    for line in text.splitlines():
        line = re.sub(r"(^|\s+)#.*$| +--hash=\S+", "", line).strip()
        option, _, value = line.partition("=" if line.startswith("--") and "=" in line else " ")
        if option in ("-r", "--requirement", "-c", "--constraint"):
            words += ["-r" if "r" in option[1:4] else "-c", os.path.join(os.path.dirname(path), value.strip())]
        elif option in ("-e", "--editable"):
            words += ["-e", value.strip()]
        elif line.startswith("-"):
            words += [option, value.strip()] if option in WITH_VALUE else [line]
        elif line:
            words.append(line)
    return words


def find_dependencies(distribution, target):
    """Return the requirements of the installed project, and of its extras in ``/src[test]``, for this Python."""
    extras = re.findall(r"[\w.-]+", target.partition("[")[2])
    if sys.version_info < (3, 8):
        from pip._vendor.pkg_resources import WorkingSet

        found = WorkingSet().by_key.get(distribution)
        return [] if found is None else [str(entry) for entry in found.requires(extras)]
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement  # which pytest requires

    try:
        entries = [Requirement(text) for text in requires(distribution) or ()]
    except (PackageNotFoundError, ValueError):
        return []
    kept = []
    for entry in entries:
        if entry.marker is None or any(entry.marker.evaluate({"extra": extra}) for extra in [""] + extras):
            entry.marker = None
            kept.append(str(entry))
    return kept


def get_name(entry):
    """Return the name of a requirement, or its text if it has none."""
    text = entry[1] if isinstance(entry, tuple) else entry
    return re.split(r"[\s;\[<>=!~@]", text.strip(), maxsplit=1)[0].lower() or text


def find_unbuilt(log):
    """Return the distribution that could not be built; empty if none was."""
    found = UNBUILT.search(log)
    return found.group(1) or found.group(2) if found else ""
