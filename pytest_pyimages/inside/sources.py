"""Look at a mounted source, or change the copy of one: the program of short-lived containers.

Standard library only, and the common syntax of Python 2.7 to 3.15. It reads one line of JSON, and writes one.
"""

from __future__ import print_function

import json
import os
import shutil
import subprocess
import sys


def probe(job):
    """Report whether a file of the host is seen, why it cannot be written, and which user of the host root is here."""
    path, text, problem = job["path"], job["text"], ""
    try:
        with open(path) as file:
            seen = not text or file.read() == text
    except (IOError, OSError):
        return {"seen": False, "problem": "", "root": 0}
    try:
        with open(path, "a") as file:
            file.write("x")
        os.mkdir(path + ".d")
    except (IOError, OSError) as error:
        problem = error.strerror or str(error)
    return {"seen": seen, "problem": problem, "root": find_root()}


def find_root():
    """Return the number that this container's root has outside of its user namespace (user_namespaces(7))."""
    try:
        with open("/proc/self/uid_map") as file:
            return int(file.readline().split()[1])
    except (IOError, OSError, IndexError):
        return 0


def remove(job):
    """Remove files and folders of the copy."""
    for path in job["paths"]:
        path = os.path.join(job["root"], path)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.remove(path)
    return {}


def unpack(job):
    """Copy the source into a folder of the container's own."""
    subprocess.check_call(["cp", "-a", job["source"] + "/.", job["target"]])  # noqa: S607 - of the image
    return {}


def main():
    job = json.loads(sys.stdin.readline())
    result = {"probe": probe, "remove": remove, "unpack": unpack}[job["do"]](job)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
