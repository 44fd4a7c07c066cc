"""Run a command in an environment image with the environment of the suite, for ``pyimages shell`` and ``pyimages run``.

The first process of its container, run by the image's own Python. Standard library only, and the common syntax of
Python 2.7 to 3.15. It reports in one line whether it sees the source; all other output is the command's.
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
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as in a shell (POSIX, 2.8.2 Exit Status for Commands)


def report(token, word):
    os.write(1, ("%s %s\n" % (token, word)).encode("utf-8"))


def execute(job):
    """Become the command, or pytest if the command is empty; never returns."""
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
    """Wait for the command and return its exit status; reap orphans, and kill the command if the host is gone."""
    while True:
        if not job["terminal"] and select.select([0], [], [], 0.05)[0] and not os.read(0, 1 << 12):
            os.kill(child, signal.SIGKILL)  # the host is gone
        try:
            pid, status = os.waitpid(-1, 0 if job["terminal"] else os.WNOHANG)
        except OSError as error:
            if error.errno != errno.EINTR:
                raise
            continue
        if pid == child:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def kill_background():
    """Kill what the command has left running in a container that was started ahead, which does not end with it.

    The engine would wait for these processes, which have the output open. The parent of a process that an engine starts
    in a container is outside of the container's processes, and shown as 0 (pid_namespaces(7)).
    """
    if os.getppid() == 0 and os.getpid() != 1:  # else these may be the processes of a machine
        try:
            os.kill(-1, signal.SIGKILL)  # all but this process and the first one (kill(2))
        except OSError:  # there are none, or they belong to another user
            pass


def load_worker():
    """Make the worker's modules importable, and return the one that prepares the source."""
    worker = type(sys)("pyimages_worker")
    worker.__path__ = [WORKER]
    sys.modules["pyimages_worker"] = worker
    return import_module("pyimages_worker.user")


def receive_job():
    """Return the job, once the source is prepared and this process has its user; None if the source is missing."""
    user = load_worker()
    job = user.receive_job(sys.argv)
    if job is not None:
        return job
    with open(JOB_FILE) as file:
        job = json.load(file)
    os.remove(JOB_FILE)
    jobs = import_module("pyimages_worker.jobs")
    jobs.check_job(job, jobs.JOB)
    missing = import_module("pyimages_worker.tree").find_missing_file(job["witness"])
    waits = os.environ.get("PYIMAGES_WAITS")  # the root, if this container was started ahead
    if missing is None and waits and import_module("pyimages_worker.suite").is_project_used(waits):
        missing = waits  # as it is now: what has been looked up is seen as it was then
    if missing is not None:
        report(job["token"], "missing " + missing)
        return None
    with open("/proc/self/cmdline") as file:
        program = file.read().split("\0")[1:3]
    user.prepare(job, program)
    if job["fault"]:
        print(job["fault"], file=sys.stderr)
        return None
    return job


def main():
    job = receive_job()
    if job is None:
        return 1
    report(job["token"], "ready")
    if job["incomplete"]:
        print(job["incomplete"], file=sys.stderr)
    is_waiting = os.environ.pop("PYIMAGES_WAITS", None)  # whether this container was started ahead
    os.environ.update((str(name), str(value)) for name, value in job["environment"].items())
    os.chdir(job["cwd"])
    # The terminal's signals are for the command; a container's first process gets only those that it handles anyway.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        execute(job)
    status = attend(child, job)
    if is_waiting:
        kill_background()
    return status


if __name__ == "__main__":
    os._exit(main())
