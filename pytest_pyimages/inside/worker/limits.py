"""Stop a suite that does not end: by its job's limits, with the stacks of its threads, or when it outlives pytest."""

from __future__ import absolute_import, print_function

import fcntl
import os
import signal

from .channel import HIGH_FD

try:
    import faulthandler
except ImportError:  # pragma: no cover - Python 2
    faulthandler = None

# Few suites use a real-time signal.
DUMP_SIGNAL = getattr(signal, "SIGRTMAX", signal.SIGQUIT) - 3
DUMP_SECONDS = 2.0  # that a suite has to write its stacks
IDLE_SECONDS = 30.0  # without any work, for example in a sleep or at a lock
BUSY_SECONDS = 120.0  # of processor time
TICKS = float(os.sysconf("SC_CLK_TCK"))  # per second
# The cgroup's counter of processes that the kernel has killed for lack of memory, and its limit: version 2, and 1.
CGROUPS = (
    ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory.max"),
    ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
UNLIMITED = 1 << 60  # bytes; the kernel's value for no limit is larger


def read_memory(cgroups=CGROUPS):
    """Return how many processes were killed for lack of memory, and the limit in bytes; 0 if there is none."""
    for events, limit in cgroups:
        try:
            with open(events) as file:
                counters = dict(line.split()[:2] for line in file if len(line.split()) > 1)
            with open(limit) as file:
                text = file.read().strip()
        except (IOError, OSError):
            continue
        size = int(text) if text.isdigit() else 0
        return int(counters.get("oom_kill", 0)), size if size < UNLIMITED else 0
    return 0, 0


class Limits(object):
    """The limits of a job: its ``timeout`` and its ``silence``, in seconds."""

    def __init__(self, spec, now):
        self.spec = spec
        self.started = self.heard = now
        self.memory_kills = read_memory()[0]  # before the suite
        self.exceeded = ""  # the limit that was exceeded
        self.deadline = 0.0  # when to kill the suite, then

    def hear(self, now):
        """Record that the suite has reported something."""
        self.heard = now

    def measure_memory(self):
        """Return how many processes of the suite were killed for lack of memory, and the limit in bytes."""
        kills, limit = read_memory()
        return kills - self.memory_kills, limit

    def check(self, now):
        """Return the signal to send to the suite now; None if there is none."""
        if self.exceeded:
            return signal.SIGKILL if now > self.deadline else None
        for name, since in (("timeout", self.started), ("silence", self.heard)):
            if self.spec[name] is not None and now - since > self.spec[name]:
                self.exceeded, self.deadline = name, now + DUMP_SECONDS
                return DUMP_SIGNAL if can_dump(self.spec) else signal.SIGKILL
        return None


def can_dump(spec):
    return faulthandler is not None and (spec["timeout"] is not None or spec["silence"] is not None)


def prepare_dump(spec):
    """Let this process write the stacks of all threads to its present standard error, whatever captures that later."""
    if can_dump(spec):
        fd = fcntl.fcntl(2, fcntl.F_DUPFD, HIGH_FD)
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        faulthandler.register(DUMP_SIGNAL, fd, True)


class Patience(object):
    """How long threads and exit handlers may go on after pytest: by their own time, not by the clock.

    Follows the suite's processes from the end of pytest on; on a machine under load, they take longer.
    """

    def __init__(self, now):
        self.checked = now
        self.worked = now  # when they were last seen to work
        self.start = self.used = measure_work()[0]

    def is_exhausted(self, now):
        """Return whether they had enough time; does not look more often than each second."""
        if now - self.checked < 1.0:
            return False
        self.checked = now
        used, is_waiting = measure_work()
        if used != self.used or not is_waiting:
            self.used, self.worked = used, now
        return now - self.worked > IDLE_SECONDS or self.used - self.start > BUSY_SECONDS


def measure_work():
    """Return the processor time of the other processes of this session, and whether all of their threads wait."""
    own, session = os.getpid(), os.getsid(0)
    used, states = 0.0, set()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == own:
            continue
        fields = read_stat("/proc/%s" % name)
        if len(fields) > 14 and int(fields[3]) == session:
            # user, system, and that of children which have ended
            used += sum(int(field) for field in fields[11:15]) / TICKS
            states.update(read_states("/proc/%s/task" % name))
    return used, not states & set("RD")


def read_states(folder):
    """Return the states of a process' threads, as in proc(5): R if one runs or is ready to."""
    try:
        threads = os.listdir(folder)
    except OSError:  # it has ended
        return []
    return [state for name in threads for state in read_stat("%s/%s" % (folder, name))[:1]]


def read_stat(folder):
    """Return the fields of /proc/PID/stat after the program's name, from the state on; none if it has ended."""
    try:
        with open(folder + "/stat") as file:
            return file.read().rpartition(")")[2].split()
    except (IOError, OSError):
        return []
