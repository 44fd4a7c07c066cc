"""Runs a command in an environment image as the suite is run there, for ``pyimages shell`` and ``pyimages run``.

The first process of its container, by the image's own Python. Standard library only, and the syntax that Python 2.7 to
3.15 have in common. It says in one line whether the source is there, and then leaves the output to the command.
"""

from __future__ import print_function

import errno
import json
import os
import select
import signal
import sys
from importlib import import_module

JOB_FILE = "/opt/pyimages/attended.json"
WORKER = "/opt/pyimages/worker"
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as a shell has it (POSIX, 2.8.2 Exit Status for Commands)


def say(token, word):
    os.write(1, ("%s %s\n" % (token, word)).encode("utf-8"))


def execute(job):
    """Become the command, or pytest if there is none; never returns."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTOU):
        signal.signal(number, signal.SIG_DFL)
    if not job["terminal"]:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
    if not job["command"]:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(import_module("pyimages_worker.suite").run_attended(job))
    try:
        os.execvp(job["command"][0], job["command"])
    except OSError as error:
        sys.stderr.write("%s: %s\n" % (job["command"][0], error.strerror))
        sys.stderr.flush()
        os._exit(NOT_FOUND if error.errno == errno.ENOENT else NOT_EXECUTABLE)


def attend(child, job):
    """Reap until the command has ended; return its exit status. Without the host, end it."""
    while True:
        if not job["terminal"] and select.select([0], [], [], 0.05)[0] and not os.read(0, 1 << 12):
            os.kill(child, signal.SIGKILL)  # nobody listens any more
        try:
            pid, status = os.waitpid(-1, 0 if job["terminal"] else os.WNOHANG)
        except OSError as error:
            if error.errno != errno.EINTR:
                raise
            continue
        if pid == child:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def main():
    with open(JOB_FILE) as file:
        job = json.load(file)
    os.remove(JOB_FILE)
    worker = type(sys)("pyimages_worker")
    worker.__path__ = [WORKER]
    sys.modules["pyimages_worker"] = worker
    jobs = import_module("pyimages_worker.jobs")
    jobs.check_job(job, jobs.JOB)
    tree = import_module("pyimages_worker.tree")
    missing = tree.find_missing_file(job["witness"])
    if missing is not None:
        say(job["token"], "missing " + missing)
        return 1
    incomplete = tree.complete_source(job["project"])
    say(job["token"], "ready")
    if incomplete:
        print(incomplete, file=sys.stderr)
    os.environ.update((str(name), str(value)) for name, value in job["environment"].items())
    os.chdir(job["cwd"])
    # The first process of a container dies of no signal that it does not handle; the terminal's are the command's.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        execute(job)
    return attend(child, job)


if __name__ == "__main__":
    os._exit(main())
