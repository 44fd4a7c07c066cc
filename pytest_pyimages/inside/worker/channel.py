"""Send records from the child to its parent by a pipe; until they are written, they are in shared memory."""

from __future__ import absolute_import, print_function

import binascii
import errno
import fcntl
import io
import json
import mmap
import os
import select
import struct
import time

PENDING_BYTES = 256 * 1024
HEADER = struct.Struct("=QQq")  # epoch, bytes pending, index of the running test or -1
FLUSH_SECONDS = 0.05
HIGH_FD = 200  # above what os.closerange(3, n) of a test usually reaches

# Bound at import: tests replace the clock, the file system and json while records are sent.
clock = getattr(time, "monotonic", time.time)
dumps = json.dumps
getpid = os.getpid
open_fd = os.open
_fstat = os.fstat
_FileIO = io.FileIO
_crc32 = binascii.crc32  # zlib may be missing
_select = select.select


def encode_line(token, number, text):
    """Return the line of a record; its CRC-32 shows damage that its number does not."""
    content = ("%d %s" % (number, text)).encode("ascii")
    return token.encode("ascii") + b" " + content + (" %08x\n" % (_crc32(content) & 0xFFFFFFFF)).encode("ascii")


class Pending(object):
    """Records that the child has not yet written, in memory that it shares with the parent."""

    def __init__(self):
        self.memory = mmap.mmap(-1, HEADER.size + PENDING_BYTES + 1)
        self.epoch = 0
        self.fill = 0
        self.running = -1
        self._publish()

    def _publish(self):
        HEADER.pack_into(self.memory, 0, self.epoch, self.fill, self.running)

    def append(self, data):
        start = HEADER.size + self.fill
        self.memory[start : start + len(data)] = data
        self.fill += len(data)
        self._publish()

    def take(self):
        return self.memory[HEADER.size : HEADER.size + self.fill]

    def clear(self):
        self.epoch += 1
        self.fill = 0
        self._publish()

    def run(self, index):
        self.running = index
        self._publish()

    def ask(self):
        """Prepare to wait for the parent's answer."""
        self.memory[-1:] = b"\0"

    def answer(self):
        self.memory[-1:] = b"\1"

    def wait(self):
        while self.memory[-1:] == b"\0":
            _select([], [], [], 0.01)

    def peek(self):
        """Return the child's pending records and the index of its test; no records if they are being cleared."""
        epoch, fill, running = HEADER.unpack_from(self.memory, 0)
        data = self.memory[HEADER.size : HEADER.size + min(fill, PENDING_BYTES)]
        if HEADER.unpack_from(self.memory, 0)[0] != epoch:
            data = b""
        return data, running


class Channel(object):
    """The child's end of the pipe to its parent."""

    def __init__(self, fd, parent_fd, token, pending):
        self.pid = getpid()
        self.parent = os.getppid()
        self.parent_fd = parent_fd
        self.token = token
        self.pending = pending
        self.number = 0
        self.ended = False
        self.flushed = clock()
        self._use(fd)

    def _use(self, fd):
        high = fcntl.fcntl(fd, fcntl.F_DUPFD, HIGH_FD)
        fcntl.fcntl(high, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        os.close(fd)
        self.fd = high
        stat = _fstat(high)
        self.identity = (stat.st_dev, stat.st_ino)
        self.write = _FileIO(high, "wb", closefd=False).write

    def run(self, index):
        """Store the index of the running test."""
        if getpid() == self.pid:
            self.pending.run(index)

    def send(self, record):
        self.send_text(dumps(record))

    def send_text(self, text):
        # A test forked, and its child continues the suite (pytest#12028); or a thread outlives the session.
        if getpid() != self.pid or self.ended:
            return
        self.number += 1
        data = encode_line(self.token, self.number, text)
        if self.pending.fill + len(data) > PENDING_BYTES:
            self.flush()
        if len(data) > PENDING_BYTES:
            self._write(data)
            return
        self.pending.append(data)
        if clock() - self.flushed > FLUSH_SECONDS:
            self.flush()

    def end(self, status, unrun, reason):
        """Send the last record; the parent recognises it by its beginning."""
        self.send_text('{"t": "end", "status": %d, "unrun": %d, "reason": %s}' % (status, unrun, dumps(reason)))
        self.flush()
        self.ended = True

    def flush(self):
        if getpid() != self.pid:
            return
        if self.pending.fill:
            self._write(self.pending.take())
            self.pending.clear()
        self.flushed = clock()

    def _write(self, data):
        if not self._intact():
            # A test closed the descriptor, or uses its number: the parent still holds the pipe.
            path = "/proc/%d/fd/%d" % (self.parent, self.parent_fd)
            self._use(open_fd(path, os.O_WRONLY))
        view = memoryview(data)
        while view:
            try:
                written = self.write(view)
            except (IOError, OSError) as error:
                if error.errno not in (errno.EINTR, errno.EAGAIN):
                    raise
                written = None
            if written is None:
                select.select([], [self.fd], [], 1.0)
            else:
                view = view[written:]

    def _intact(self):
        try:
            stat = _fstat(self.fd)
        except (IOError, OSError):
            return False
        return (stat.st_dev, stat.st_ino) == self.identity
