"""List what an environment image has installed, and what a Dockerfile has to know of it.

Standard library only, and the common syntax of Python 2.7 to 3.15. It reads one line, and writes one of JSON.
"""

from __future__ import print_function

import grp
import json
import os
import pwd
import sys
import sysconfig

MADE = "/opt/pyimages/made/build"  # generated files of the project, which each run gets


def read_text(path):
    """Return the text of a file; empty if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except (IOError, OSError):
        return ""


def list_distributions(folders):
    """Return name, version and direct_url.json (PEP 610) of what is installed; the first one on the path counts."""
    found = {}
    for path in (os.path.join(folder, entry) for folder in folders for entry in list_folder(folder)):
        if path.endswith((".dist-info", ".egg-info")):
            text = read_text(path + "/METADATA") or read_text(path + "/PKG-INFO") or read_text(path)
            fields = dict(line.split(": ", 1) for line in text.split("\n\n")[0].splitlines() if ": " in line)
            if "Name" in fields:
                key = fields["Name"].lower().replace("_", "-").replace(".", "-")
                entry = [fields["Name"], fields.get("Version", ""), read_text(path + "/direct_url.json")]
                found.setdefault(key, entry)
        elif path.endswith(".egg-link"):  # "setup.py develop"; the metadata is in the source
            direct = {"url": "file://" + read_text(path).splitlines()[0], "dir_info": {"editable": True}}
            name = os.path.basename(path)[: -len(".egg-link")]
            found.setdefault(name.lower(), [name, "", json.dumps(direct)])
    return sorted(found.values())


def list_folder(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def list_installed_only():
    """Return installed files of the project that runs get in the source, too: pairs of both paths."""
    pairs, folders = [], {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    for folder, _, names in os.walk(MADE):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), MADE)
            for installed in (os.path.join(site, end) for site in folders for end in (path, path.partition("/")[2])):
                if os.path.isfile(installed):
                    pairs.append([installed, path])
                    break
    return pairs


def find_command():
    """Return the shortest command that runs this Python."""
    for name in ("python", "python3"):
        for folder in os.environ.get("PATH", os.defpath).split(":"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                if os.path.realpath(path) == os.path.realpath(sys.executable):
                    return name
                break
    return sys.executable


def main():
    sys.stdin.readline()
    folders = os.environ.get("PATH", os.defpath).split(":")
    programs = ("apt-get", "apk", "useradd", "adduser")
    result = {
        "python": find_command(),
        "programs": [name for name in programs if any(os.path.exists(folder + "/" + name) for folder in folders)],
        "managed": os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")),
        "users": [entry.pw_uid for entry in pwd.getpwall()],
        "groups": [entry.gr_gid for entry in grp.getgrall()],
        "distributions": list_distributions([path for path in sys.path if path]),
        "installed_only": list_installed_only(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
