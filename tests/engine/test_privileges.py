"""What suites may do in a container: nearly all that they may by `docker run`, and all of it by an option."""

from __future__ import annotations

import pytest

from tests.support.jobs import Job

IMAGE = "3.14-slim"
SUITE = r"""
import os, shutil, socket, stat, subprocess, sys

STATUS = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
EFFECTIVE = {bit for bit in range(64) if int(STATUS["CapEff"], 16) >> bit & 1}
MKNOD, SETFCAP = 27, 31

def run_setuid_program(tmp_path):
    os.chmod(tmp_path.parent.parent, 0o755), os.chmod(tmp_path.parent, 0o755), os.chmod(tmp_path, 0o755)
    shutil.copy("/usr/bin/id", tmp_path / "id")
    os.chmod(tmp_path / "id", 0o4755)
    return subprocess.run([tmp_path / "id", "-u"], user="nobody", capture_output=True, text=True, check=True).stdout

def test_reduced(tmp_path):
    assert run_setuid_program(tmp_path) == "65534\n"
    assert STATUS["NoNewPrivs"] == "1"
    assert not {MKNOD, SETFCAP} & EFFECTIVE
    assert len(EFFECTIVE) == 12

def test_engine(tmp_path):
    assert run_setuid_program(tmp_path) == "0\n"
    assert STATUS["NoNewPrivs"] == "0"
    assert len(EFFECTIVE) == 14

def test_files(tmp_path):
    path = tmp_path / "file"
    path.touch()
    os.chown(path, 12, 34)
    os.chmod(path, 0o2755)
    assert path.stat().st_mode & stat.S_ISGID  # although root is not in the group
    path.chmod(0)
    assert path.read_bytes() == b""
    os.mkfifo(tmp_path / "fifo")
    assert subprocess.run(["chroot", "/", "true"]).returncode == 0

def test_users():
    assert subprocess.run(["su", "-s", "/bin/sh", "nobody", "-c", "id -u"], capture_output=True).stdout == b"65534\n"
    child = subprocess.Popen(["sleep", "60"], user="nobody", group="nogroup", extra_groups=[])
    child.terminate()
    assert child.wait() == -15

def test_network():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 80))
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
"""


@pytest.mark.parametrize(("arguments", "other"), [([], "engine"), (["--py-images-privileges=engine"], "reduced")])
def test_suites_have_the_selected_privileges(job: Job, arguments: list[str], other: str) -> None:
    job.write(test_it=SUITE)
    done = job.run(*arguments, "-k", f"not {other}", images=IMAGE)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
