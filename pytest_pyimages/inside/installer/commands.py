"""Commands of the install step, its folders, and how it reports progress and its result."""

from __future__ import absolute_import, print_function

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading

CACHE = "/var/cache/pyimages"  # the cache volume, not part of the image
MEMORY = "/run/pyimages"  # a tmpfs, not part of the image
HOME = "/opt/pyimages"
BEAT_SECONDS = 5.0
FINISHED = threading.Event()  # the result is about to be printed
OUTPUT = threading.Lock()  # of standard output
OLDEST_PYTEST = (4, 6)
RETRIES = "UV_HTTP_RETRIES"
# uv's messages: a request has failed after retries; because nothing has come for 30 s; an index has answered before.
NO_ANSWER = re.compile(r"failed after 1 retr(y|ies)")
SILENCE = re.compile(r"timed out")
ANSWERS = re.compile(r"^Resolved \d+ package", re.MULTILINE)


def end_with_host(temporary, receive):
    """End this process, the container's first, once the host was killed: it is no longer connected to standard streams.

    Docker closes the input then, Podman (5.8) no longer reads the output.

    Without that, an installation goes on, with credentials in memory. Meanwhile print an empty line every few seconds,
    a heartbeat: the host cannot tell a silent installation from an engine that does not answer.

    :param temporary: a folder to remove.
    :param receive: called with what the host sends.
    """

    def watch():
        is_open = True
        while is_open:
            if select.select([0], [], [], BEAT_SECONDS)[0]:
                data = os.read(0, 65536)
                is_open = bool(data)
                receive(data)
            else:
                is_open = try_to(write_line, "")
        try_to(say, "the host is gone")
        if os.getpid() == 1:
            os.kill(-1, signal.SIGKILL)  # all others in the container
        shutil.rmtree(temporary, ignore_errors=True)
        os._exit(1)

    thread = threading.Thread(target=watch)
    thread.daemon = True
    thread.start()


def try_to(write, text):
    """Write; return whether somebody reads it."""
    try:
        write(text)
    except (IOError, OSError):
        return False
    return True


def write_line(text):
    """Write a line to standard output, which the host reads, unless the result is there already."""
    with OUTPUT:
        if not FINISHED.is_set():
            os.write(1, text.encode("ascii") + b"\n")


def say(text):
    print(text, file=sys.stderr)
    sys.stderr.flush()


def finish(result):
    """Print the result, the last line on standard output, and end the process."""
    with OUTPUT:
        FINISHED.set()
        print(json.dumps(result))
        sys.stdout.flush()
    sys.exit(0)


def check_pytest():
    """Refuse a pytest that the worker does not support."""
    for folder in sys.path:
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            found = re.match(r"pytest-((\d+)\.(\d+)[^-]*)(-py.*)?\.(dist|egg)-info$", name)
            if found and (int(found.group(2)), int(found.group(3))) < OLDEST_PYTEST:
                finish({"failed": "pytest", "version": found.group(1), "oldest": "%d.%d" % OLDEST_PYTEST})


def call(command, environment, what="install", shown=""):
    """Run a command; if it fails, finish with ``what`` as the failed step.

    :param shown: the command to print instead of the real one.
    """
    say("$ " + (shown or " ".join(command)))
    with open(os.devnull) as null:
        if what == "install":
            code, _ = run_installer(command, environment)
        else:
            code = subprocess.call(command, env=environment, stdout=2, stdin=null)
    if code:
        finish({"failed": what, "status": code, "command": shown or " ".join(command)})


def run_installer(command, environment):
    """Run uv or pip; return its exit status and the end of its standard error, which is also passed through.

    uv waits for an answer for 30 s and retries three times, which makes two minutes if an index never answers. So it
    retries once at first. If it fails for another reason than silence, or an index has answered before, it is run again
    with its own number. (pip skips an index that does not answer: with fewer retries it might install other versions.)
    """
    if RETRIES in environment:
        return run_once(command, environment)
    status, log = run_once(command, dict(environment, **{RETRIES: "1"}))
    if status and NO_ANSWER.search(log) and (ANSWERS.search(log) or not SILENCE.search(log)):
        say("trying again with more retries")
        return run_once(command, environment)
    return status, log


def run_once(command, environment):
    with open(os.devnull) as nothing:
        process = subprocess.Popen(command, env=environment, stdin=nothing, stdout=2, stderr=subprocess.PIPE)
    log = b""
    while True:
        data = os.read(process.stderr.fileno(), 65536)
        if not data:
            break
        os.write(2, data)
        log = (log + data)[-65536:]
    process.stderr.close()
    return process.wait(), log.decode("utf-8", "replace")


def write_in_memory(name, text):
    """Write a file that only root can read; certificates are for everybody, since apt downloads as another user."""
    path = MEMORY + "/" + name
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    mode = 0o644 if name == "ca.pem" else 0o600
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(text.encode("utf-8"))
