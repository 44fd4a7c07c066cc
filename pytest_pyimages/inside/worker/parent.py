"""The first process of the container: it owns the wire, and survives whatever happens to the child."""

from __future__ import absolute_import, print_function

import errno
import fcntl
import json
import os
import select
import signal
import sys

from .channel import Pending, clock, encode_line
from .debugging import Terminal
from .jobs import read_job
from .limits import Limits, Patience
from .suite import import_pytest, is_project_used, run_child
from .tree import find_missing_file, hash_worker
from .user import prepare, receive_job

HEARTBEAT_SECONDS = 1.0
ACKNOWLEDGE_SECONDS = 30.0


def main():
    """Be the parent process."""
    control = os.dup(0)
    wire = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # with -s, the suite's output is shown at once
    spec = receive_job(sys.argv)
    if spec is not None:
        return run(spec, wire, control, null)
    root = os.environ.pop("PYIMAGES_WAITS", "")  # of a container that was started ahead
    folder, found = os.path.dirname(os.path.abspath(__file__)), None
    if root:
        import_pytest(root)
        found = hash_worker(folder)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # reap orphans of a command that runs beside this one (wait(2))
    spec = read_job(control)
    if root:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if spec is None or (root and is_project_used(root)):
        return 1
    if spec["worker"] and (found or hash_worker(folder)) != spec["worker"]:
        sys.stderr.write("the worker's files are not those that were installed\n")
        return 1
    missing = find_missing_file(spec["witness"])
    if missing is not None:
        os.write(wire, encode_line(spec["token"], 1, json.dumps({"t": "nosource", "path": missing})))
        select.select([control], [], [], ACKNOWLEDGE_SECONDS)
        return 0
    for copy, number in ((control, 0), (wire, 1)):  # for the program that runs as another user
        os.dup2(copy, number)
    prepare(spec, sys.argv[:1])
    os.dup2(null, 0)
    os.dup2(2, 1)
    return run(spec, wire, control, null)


def run(spec, wire, control, null):
    """Fork the process in which pytest runs, and supervise it; return this process' exit status."""
    if spec["changes"]:
        from .changes import list_folders

        spec["changes"]["hidden"] = spec["source"]["hidden"]
        spec["changes"]["folders"] = list_folders(spec["changes"])
    read_fd, write_fd = os.pipe()
    wake_read, wake_write = os.pipe()
    for fd in (read_fd, wake_read, wake_write):
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
    since = os.fstat(read_fd).st_ctime  # by the clock of the kernel that the files of the suite get
    pending = Pending()
    terminal = Terminal(spec) if spec["terminal"] else None
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        for fd in (control, wire, read_fd, wake_read, wake_write):
            os.close(fd)
        if null > 2:
            os.close(null)
        if terminal is not None:
            os.close(terminal.master)
            os.close(terminal.slave)
        run_child(write_fd, write_fd, pending, spec)
    for fd in (control, wire, read_fd, write_fd, wake_read, wake_write):
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = Parent(wire, control, read_fd, child, pending, spec, terminal)
    status = parent.supervise(wake_read)
    if parent.host_gone:
        return 1
    parent.finish(status, lambda: report_changes(parent.record, spec["changes"], since))
    return 0


def report_changes(record, wanted, since):
    """Send what the suite has changed in the source tree, if the host wants to know."""
    if wanted:
        try:
            from .changes import send_changes  # which is needed now, and not when the suite starts

            send_changes(record, wanted, since)
        except Exception as error:  # whatever the suite left in its tree must not cost the results
            record(t="scanned", more=0, problem=str(error))


class Parent(object):
    """Owns the wire and supervises the child."""

    def __init__(self, wire, control, read_fd, child, pending, spec, terminal):
        self.wire = wire
        self.control = control
        self.read_fd = read_fd
        self.child = child
        self.pending = pending
        self.token = spec["token"]
        self.terminal = terminal
        self.partial = b""
        self.commands = b""
        self.beat = clock()
        self.limits = Limits(spec, self.beat)
        self.last = 0  # number of the last record passed on
        self.patience = None  # with the suite's threads, once the child's end record was seen
        self.host_gone = False
        self.acknowledged = False
        self.killed_lingering = False

    def write(self, data):
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.wire, view) :]
            except (IOError, OSError) as error:
                if error.errno not in (errno.EINTR, errno.EAGAIN):
                    raise

    def pass_on(self, lines):
        """Forward complete lines, each once: a record may be in shared memory first and in the pipe later."""
        first = int(lines.split(b" ", 2)[1])
        if first <= self.last:
            kept = [line for line in lines.splitlines(True) if int(line.split(b" ", 2)[1]) > self.last]
            lines = b"".join(kept)
            if not lines:
                return
        start = lines.rfind(b"\n", 0, -1) + 1
        self.last = int(lines[start:].split(b" ", 2)[1])
        if lines[start:].split(b" ", 2)[2].startswith(b'{"t": "end",'):
            self.patience = Patience(clock())
        self.limits.hear(clock())
        self.write(lines)

    def read_pipe(self):
        """Read once from the child; return whether there was data."""
        try:
            data = os.read(self.read_fd, 1 << 16)
        except (IOError, OSError) as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return False
            raise
        if not data:
            return False
        data = self.partial + data
        end = data.rfind(b"\n") + 1
        self.partial = data[end:]
        if end:
            self.pass_on(data[:end])
        return True

    def read_memory(self):
        data, _ = self.pending.peek()
        # Records in the pipe come first; pending ones are newer.
        if data and not self.partial and int(data.split(b" ", 2)[1]) <= self.last + 1:
            self.pass_on(data)

    def read_host(self):
        try:
            data = os.read(self.control, 4096)
        except (IOError, OSError) as error:
            if error.errno == errno.EINTR:
                return
            data = b""
        if not data:
            self.host_gone = True
            return
        self.commands += data
        while b"\n" in self.commands:
            line, self.commands = self.commands.split(b"\n", 1)
            if line == b"stop":
                self.signal_child(signal.SIGINT)
            elif line == b"acknowledged":
                self.acknowledged = True
            elif self.terminal is not None:
                self.terminal.handle(self, *line.partition(b" ")[::2])

    def signal_child(self, number):
        if number is None:
            return
        try:
            os.kill(self.child, number)
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise

    def reap(self):
        """Return the child's wait status if it has ended; reap orphans, as PID 1 must."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except OSError as error:
                if error.errno == errno.ECHILD:
                    return None
                if error.errno == errno.EINTR:
                    continue
                raise
            if pid == 0:
                return None
            if pid == self.child:
                return status

    def record(self, **fields):
        self.write(encode_line(self.token, self.last + 1, json.dumps(fields)))
        self.last += 1

    def mark_output(self):
        """Tell the host that all is written that the suite has printed; see runs/printed.py."""
        try:
            os.write(2, b"\0" + self.token.encode("ascii") + b"\1")
        except (IOError, OSError):  # the host then waits for the end of the stream
            pass

    def aside(self, **fields):
        """Write a record with the number 0, since the child may be about to use the next number."""
        self.write(encode_line(self.token, 0, json.dumps(fields)))

    def select(self, wakeup):
        """Return the readable descriptors; write pending input to the terminal."""
        sources, sinks = [self.read_fd, self.control, wakeup], []
        if self.terminal is not None:
            sources.append(self.terminal.master)
            if self.terminal.typed:
                sinks.append(self.terminal.master)
        try:
            ready, writable, _ = select.select(sources, sinks, [], 0.1)
        except (select.error, OSError) as error:
            if error.args[0] != errno.EINTR:
                raise
            return []
        if writable:
            self.terminal.write()
        return ready

    def watch_clock(self):
        """Send heartbeats; kill a child that does not end after its last record."""
        now = clock()
        if now - self.beat > HEARTBEAT_SECONDS:
            self.beat = now
            self.aside(t="beat", running=self.pending.peek()[1])
        if self.terminal is not None and self.terminal.is_used:
            self.limits.hear(now)
        else:
            self.signal_child(self.limits.check(now))
        if self.patience is not None and not self.killed_lingering and self.patience.is_exhausted(now):
            self.killed_lingering = True
            self.signal_child(signal.SIGKILL)

    def supervise(self, wakeup):
        """Forward records until the child has ended; return its wait status."""
        while True:
            ready = self.select(wakeup)
            if wakeup in ready:
                os.read(wakeup, 512)
            if self.terminal is not None and self.terminal.master in ready:
                self.terminal.forward(self)
            if self.read_fd in ready:
                self.read_pipe()
            elif not ready:
                self.read_memory()
            if self.control in ready:
                self.read_host()
            if self.host_gone:
                self.signal_child(signal.SIGKILL)
                return None
            self.watch_clock()
            status = self.reap()
            if status is not None:
                return status

    def finish(self, status, report_changes):
        """Report how the child ended, and wait for the host's acknowledgement.

        :param report_changes: sends records after those of the child.
        """
        reads = 0  # processes of the child may write for ever
        while self.terminal is not None and reads < 16 and self.terminal.forward(self):
            reads += 1
        while self.read_pipe():
            continue
        data, running = self.pending.peek()
        if data:
            self.pass_on(data)
        report_changes()
        memory_kills, memory_limit = self.limits.measure_memory()
        sys.stderr.flush()
        self.mark_output()
        self.record(
            t="exit",
            status=os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            running=running,
            lingered=self.killed_lingering,
            exceeded=self.limits.exceeded,
            memory_kills=memory_kills,
            memory_limit=memory_limit,
        )
        deadline = clock() + ACKNOWLEDGE_SECONDS
        while not self.acknowledged and not self.host_gone and clock() < deadline:
            if select.select([self.control], [], [], 1.0)[0]:
                self.read_host()
