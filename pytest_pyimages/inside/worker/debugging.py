"""The terminal of a debugger in the suite: the child's end, and the parent's."""

from __future__ import absolute_import, print_function

import errno
import fcntl
import os
import signal
import struct
import sys

from .channel import HIGH_FD, getpid, open_fd


class Debugger(object):
    """Connects the child's standard streams to the parent's terminal while a debugger runs."""

    def __init__(self, channel, spec):
        self.channel = channel
        self.path, self.kind, self.farewell = spec["terminal_path"], spec["terminal"], make_farewell(spec)
        self.former = []  # descriptors of the standard streams as they were
        self.former_kind = None
        # readline reads the kind of the terminal only when it is imported, which pytest 8 is about to do.
        self.name_kind()
        try:
            import readline  # noqa: F401
        except ImportError:  # some Pythons have none
            pass
        self.unname_kind()

    def name_kind(self):
        self.former_kind = os.environ.get("TERM")
        os.environ["TERM"] = str(self.kind)

    def unname_kind(self):
        if self.former_kind is None:
            os.environ.pop("TERM", None)
        else:
            os.environ["TERM"] = self.former_kind

    def follow(self, config):
        """Enter whenever pytest suspends its capture for a debugger, and leave when it resumes."""
        capture = config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            return
        suspend = capture.suspend

        def resume():
            del capture.resume_global_capture
            self.leave()
            capture.resume_global_capture()

        def suspend_and_enter(in_=False):
            if self.former:
                return
            suspend(in_=in_)
            if in_:
                self.enter()
                capture.resume_global_capture = resume

        capture.suspend = suspend_and_enter

    def enter(self):
        if self.former or getpid() != self.channel.pid:
            return
        self.channel.pending.ask()
        self.channel.send({"t": "debugger", "on": True})
        self.channel.flush()
        self.channel.pending.wait()  # until the host's terminal is ready, and its size known here
        self.name_kind()
        flush_standard_streams()
        fd = open_fd(self.path, os.O_RDWR | os.O_NOCTTY)
        for number in range(3):
            self.former.append(fcntl.fcntl(number, fcntl.F_DUPFD, HIGH_FD))
            fcntl.fcntl(self.former[-1], fcntl.F_SETFD, fcntl.FD_CLOEXEC)
            os.dup2(fd, number)
        os.close(fd)
        if "readline" in sys.modules:
            os.kill(self.channel.pid, signal.SIGWINCH)  # it read the size of a terminal when it was imported

    def leave(self):
        if not self.former or getpid() != self.channel.pid:
            return
        flush_standard_streams()
        self.channel.pending.ask()
        fd = open_fd(self.path, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, self.farewell)
        os.close(fd)
        try:
            self.channel.pending.wait()  # until the host has all output
        finally:
            self.put_back()
        self.channel.send({"t": "debugger", "on": False})
        self.channel.flush()

    def put_back(self):
        for number, former in enumerate(self.former):
            os.dup2(former, number)
            os.close(former)
        self.former = []
        self.unname_kind()


def flush_standard_streams():
    for stream in (sys.stdout, sys.stderr):
        if not getattr(stream, "closed", True):
            stream.flush()


def make_farewell(spec):
    """Return the bytes that end a debugger's output; they are never shown."""
    return ("\0%s" % spec["token"]).encode("ascii")


def refuse_debugger(config):
    """Let breakpoint() and the like fail with advice instead of reading an empty standard input."""
    import pdb  # noqa: T100 - to be replaced

    import pytest

    unlimited = pdb.set_trace  # pytest's own, by now

    def set_trace(*args, **kwargs):
        __tracebackhide__ = True
        captures = getattr(config.option, "capture", "") != "no"  # then pytest puts the real standard input back first
        if captures or sys.stdin is sys.__stdin__:
            pytest.fail("a debugger needs a terminal: run a single image, pytest --py-images=IMAGE")
        return unlimited(*args, **kwargs)  # a test that provides its own input

    pdb.set_trace = pytest.set_trace = set_trace


class Terminal(object):
    """The parent's end of the terminal that a debugger in the child uses, and its connection with the host's."""

    def __init__(self, spec):
        self.is_used = False  # by a debugger, and connected
        self.master, self.slave = os.openpty()
        fcntl.fcntl(self.master, fcntl.F_SETFL, os.O_NONBLOCK)
        self.farewell = make_farewell(spec)
        self.held = b""  # may be the start of the farewell
        self.typed = b""  # not yet taken
        spec["terminal_path"] = os.ttyname(self.slave)

    def forward(self, parent):
        """Read once, and send the host what a debugger has printed; return whether there was output."""
        found = self.read()
        if found is None:
            return False
        while parent.read_pipe():  # the record that announces the debugger comes first
            continue
        data, is_all = found
        if not self.is_used:
            os.write(2, data)  # from a process that the debugger started
        else:
            show(parent, data)
        if is_all:
            self.is_used = False
            parent.pending.answer()
        return True

    def handle(self, parent, command, values):
        """Handle a message of the host about its terminal."""
        if command == b"size":
            rows, columns = values.split()
            self.resize(int(rows), int(columns))
        elif command == b"attached":
            self.is_used = True
            parent.pending.answer()
        elif command == b"typed":
            import binascii

            interrupt = self.type(binascii.a2b_base64(values))
            if interrupt is not None:
                show(parent, interrupt)
                parent.signal_child(signal.SIGINT)

    def read(self):
        """Return new output, and whether it is the debugger's last; None if there is none."""
        try:
            data = self.held + os.read(self.master, 1 << 15)
        except (IOError, OSError) as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return None
            raise
        data, found, self.held = data.partition(self.farewell)
        start = data.rfind(b"\0")
        if not found and start >= 0 and self.farewell.startswith(data[start:]):
            data, self.held = data[:start], data[start:]
        return data, bool(found)

    def type(self, data):
        """Accept typed bytes; return the echo of an interrupt among them, None if there is no interrupt.

        The kernel would signal only the processes that the terminal controls, and discard what was written meanwhile.
        """
        import termios

        modes = termios.tcgetattr(self.slave)
        _, interrupt, rest = data.rpartition(modes[6][termios.VINTR])
        if not modes[3] & termios.ISIG or not interrupt:
            self.typed += data
            return None
        self.typed = rest
        termios.tcflush(self.slave, termios.TCIFLUSH)
        return b"^C" if modes[3] & termios.ECHO else b""

    def write(self):
        try:
            self.typed = self.typed[os.write(self.master, self.typed) :]
        except (IOError, OSError) as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR):
                raise

    def resize(self, rows, columns):
        import termios

        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def show(parent, data):
    """Send the host the output of a debugger."""
    if data:
        import binascii

        parent.aside(t="shown", data=binascii.b2a_base64(data).decode("ascii").strip())
