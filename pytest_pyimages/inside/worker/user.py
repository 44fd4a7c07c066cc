"""The user that the suite runs as. The container starts as root, prepares the source, and then becomes this user."""

from __future__ import absolute_import, print_function

import errno
import fcntl
import grp
import json
import os
import pwd
import stat
import sys
import tempfile

from . import tree
from .jobs import make_native

NAME = "pyimages"  # of a user or group that the image does not have


class UnusableUserError(Exception):
    """The image has no such user, or the user cannot run its Python."""


class User(object):
    """A user of the container.

    :param text: ``NAME[:GROUP]``, each also as a number, with the rules of a Dockerfile's USER; or "host" and the
        numbers of the host's user and group.
    """

    def __init__(self, text):
        kind, _, numbers = text.partition(" ")
        name, _, group = (numbers or kind).partition(":")
        if numbers:
            name, group = map_number(name, "/proc/self/uid_map"), map_number(group, "/proc/self/gid_map")
        entry = find_entry(name, pwd.getpwuid, pwd.getpwnam)
        if entry is None and not name.isdigit():
            raise UnusableUserError("the image has no user %s" % name)
        self.uid = int(name) if entry is None else entry.pw_uid
        self.gid = 0 if entry is None else entry.pw_gid  # root's group, if the user is not known
        self.home = "" if entry is None else entry.pw_dir
        self.name = "" if entry is None else entry.pw_name
        self.groups = []
        if group:
            found = find_entry(group, grp.getgrgid, grp.getgrnam)
            if found is None and not group.isdigit():
                raise UnusableUserError("the image has no group %s" % group)
            self.gid = int(group) if found is None else found.gr_gid
        elif self.name:
            self.groups = [entry.gr_gid for entry in grp.getgrall() if self.name in entry.gr_mem]

    def join_group_of(self, path):
        """Let the user open a socket that only root and a group may open, if there is one at the path."""
        try:
            status = os.stat(path)
        except OSError:
            return
        if stat.S_ISSOCK(status.st_mode) and status.st_mode & stat.S_IWGRP:
            self.groups.append(status.st_gid)

    def is_able(self, path, mode):
        """Return whether the user may access a path; this process is root before and afterwards."""
        groups = os.getgroups()
        set_groups(self.groups)
        os.setresgid(self.gid, self.gid, 0)
        os.setresuid(self.uid, self.uid, 0)
        try:
            return os.access(path, mode)
        finally:
            os.setresuid(0, 0, 0)
            os.setresgid(0, 0, 0)
            set_groups(groups)

    def can_use(self, folder):
        return os.path.isdir(folder) and self.is_able(folder, os.W_OK | os.X_OK)

    def complete_account(self):
        """Give the user what programs expect: a home folder, a place for temporary files, and a name."""
        if os.environ.get("HOME") == pwd.getpwuid(0).pw_dir:  # the engine sets root's, unless the image sets another
            os.environ["HOME"] = self.home
        homes = [path for path in (os.environ.get("HOME"), self.home) if path and self.can_use(path)]
        home = homes[0] if homes else self.make_folder("/home/%s" % (self.name or NAME))
        os.environ["HOME"] = home
        places = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
        if not any(self.can_use(path) for path in list(filter(None, places)) + ["/tmp"]):  # noqa: S108 - Python's default
            os.environ["TMPDIR"] = self.make_folder(home + "/tmp")  # noqa: S108 - of this user
        if not self.name:
            append_line("/etc/passwd", "%s:x:%d:%d::%s:/bin/sh" % (NAME, self.uid, self.gid, home))
        if find_entry(str(self.gid), grp.getgrgid, grp.getgrnam) is None:
            append_line("/etc/group", "%s:x:%d:" % (NAME, self.gid))

    def make_folder(self, path):
        if not os.path.isdir(path):
            os.makedirs(path, 0o755)
        os.chown(path, self.uid, self.gid)
        return path

    def own(self, root):
        """Make all of a tree the user's, unless it is already; return an error message or an empty text.

        :param root: as ``restore_owner`` of ``tree`` left it.
        """
        reach = root
        while reach != os.path.dirname(reach):
            reach = os.path.dirname(reach)
            if not self.is_able(reach, os.X_OK):  # such as root's home
                os.chmod(reach, os.stat(reach).st_mode | 0o111)  # noqa: S103 - to pass through
        if os.lstat(root).st_uid == self.uid:
            return ""
        os.chown(root, self.uid, self.gid)
        problem = ""
        for folder, folders, names in os.walk(root):
            # git never writes to its objects again, and there may be many.
            for name in folders + ([] if "/.git/objects" in folder else names):
                try:
                    os.lchown(folder + "/" + name, self.uid, self.gid)
                except OSError as error:
                    if error.errno not in (errno.ENOENT, errno.EROFS):  # what links lead to is mounted read-only
                        problem = problem or "%s/%s: %s" % (folder, name, error.strerror)
        return problem and "not all of the source tree is writable: %s" % problem

    def restart(self, job, arguments):
        """Run this program again as the user; its last argument is the number of a file with the job.

        A process that only gives up its rights may not open its own files in /proc, such as /dev/stdout.
        """
        if not self.is_able(sys.executable, os.X_OK):
            raise UnusableUserError("user %s cannot run %s" % (self.name or self.uid, sys.executable))
        for path in job["report"]["files"] if job["report"] else ():
            os.chown(path, self.uid, self.gid)
            os.chown(os.path.dirname(path), self.uid, self.gid)
        file = tempfile.TemporaryFile()
        file.write(json.dumps(job).encode("utf-8"))
        file.seek(0)
        fcntl.fcntl(file, fcntl.F_SETFD, 0)
        for number in (0, 1, 2):  # for programs that open /dev/stdout; the engine does so for the users that it starts
            os.fchown(number, self.uid, self.gid)
        set_groups(self.groups)
        os.setgid(self.gid)
        os.setuid(self.uid)
        os.execv(sys.executable, [sys.executable] + arguments + [str(file.fileno())])


def find_entry(text, by_number, by_name):
    try:
        return by_number(int(text)) if text.isdigit() else by_name(text)
    except KeyError:
        return None


def map_number(text, path):
    found = tree.find_identifier(int(text), path)
    return text if found is None else str(found)


def set_groups(groups):
    try:
        os.setgroups(groups)
    except OSError:  # user_namespaces(7): it may be denied
        pass


def append_line(path, line):
    with open(path) as file:
        text = file.read()
    with open(path, "a") as file:
        file.write(("" if not text or text.endswith("\n") else "\n") + line + "\n")


def receive_job(arguments):
    """Return the job that ``restart`` has handed on, without its argument; None if this is the first program."""
    if not arguments[-1].isdigit():
        return None
    with os.fdopen(int(arguments.pop()), "rb") as file:
        return make_native(json.loads(file.read().decode("utf-8")))


def prepare(job, arguments):
    """Prepare the source, and become the user of the job; a user of root's rights goes on in this process.

    :param arguments: of the program that is to run as the user.
    """
    tree.restore_owner(job["source"])
    tree.hide(job["source"])
    incomplete = tree.complete_source(job["project"]) or tree.explain_foreign_owner(job["source"])
    job["incomplete"], job["fault"] = incomplete, ""
    if not job["user"] or not tree.is_container():
        tree.trust_source(job["project"], os.geteuid())
        return
    try:
        user = User(job["user"])
        if user.uid:
            user.complete_account()
            user.join_group_of(os.environ.get("DOCKER_HOST", "").replace("unix://", "", 1))
            for root in [job["source"]["root"]] + [path for path, _ in job["source"]["others"]]:
                job["incomplete"] = user.own(root) or job["incomplete"]
        tree.trust_source(job["project"], user.uid)
        if user.uid or user.gid:
            user.restart(job, arguments)
    except UnusableUserError as error:
        job["fault"] = str(error)
