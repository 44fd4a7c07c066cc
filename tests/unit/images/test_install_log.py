"""Progress of a build from its log; the logs are of uv 0.13, pip 24, apt 2.6 and apk 2.14."""

from __future__ import annotations

import pytest

from pytest_pyimages.images.install_log import InstallLog

UV = """\
$ /var/cache/pyimages/uv-bin-x86_64-gnu/bin/uv pip install --python /usr/local/bin/python --compile-bytecode numpy
Using Python 3.12.1 environment at: /usr/local
Resolved 25 packages in 462ms
Downloading hypothesis (1.1MiB)
Downloading numpy (15.0MiB)
   Building markupsafe==3.0.4
   Building shop @ file:///src/shop
 Downloaded hypothesis
      Built shop @ file:///src/shop
 Downloaded numpy
      Built markupsafe==3.0.4
Prepared 25 packages in 4.40s
Installed 25 packages in 283ms
Bytecode compiled 2814 files in 7.93s
 + anyio==4.16.0
 + certifi==2026.10.18
"""
PIP = """\
Looking in indexes: https://user:secret@index.example/simple
Collecting attrs
  Downloading attrs-26.1.0-py3-none-any.whl (67 kB)
Collecting wrapt>=2 (from shop==1.0)
  Downloading wrapt-2.5.2.tar.gz (186 kB)
  Installing build dependencies: started
  Installing build dependencies: finished with status 'done'
Collecting helpers@ git+https://token@host.example/helpers
Collecting git+https://token@host.example/other
Building wheels for collected packages: wrapt
  Building wheel for wrapt (pyproject.toml): started
  Building wheel for wrapt (pyproject.toml): finished with status 'done'
  Created wheel for wrapt: filename=wrapt-2.5.2-cp312-cp312-linux_x86_64.whl size=239358 sha256=0efe
Installing collected packages: wrapt, helpers, attrs
Successfully installed attrs-26.1.0 helpers-1 wrapt-2.5.2
"""
APT = """\
Get:1 http://deb.example/debian bookworm/main amd64 libxml2 amd64 2.9.14+dfsg-1.3~deb12u6 [687 kB]
0 upgraded, 2 newly installed, 0 to remove and 3 not upgraded.
Selecting previously unselected package libstdc++6:amd64.
Unpacking libstdc++6:amd64 (1:12.2.0-14) ...
Unpacking libxml2 (2.9.14+dfsg-1.3~deb12u6) ...
Unpacking libc6 (2.36-9) over (2.36-8) ...
Setting up libxml2 (2.9.14+dfsg-1.3~deb12u6) ...
Processing triggers for libc-bin (2.36-9+deb12u14) ...
"""
APK = """\
fetch https://dl.example/alpine/v3.20/main/x86_64/APKINDEX.tar.gz
(1/2) Installing libxml2 (2.12.7-r0)
(2/2) Installing libxslt (1.1.39-r1)
Executing busybox-1.36.1-r29.trigger
OK: 49 MiB in 40 packages
"""


def read_progress(*pieces: bytes) -> list[str]:
    words: list[str] = []
    log = InstallLog(words.append)
    for piece in pieces:
        log.feed(piece)
    return words


@pytest.mark.parametrize(
    ("log", "words"),
    [
        pytest.param(
            UV,
            [
                "25 packages",
                "hypothesis (1.1MiB)",
                "hypothesis (1.1MiB), numpy (15.0MiB)",
                "hypothesis (1.1MiB), numpy (15.0MiB), building markupsafe 3.0.4",
                "hypothesis (1.1MiB), numpy (15.0MiB), building markupsafe 3.0.4, building shop",
                "numpy (15.0MiB), building markupsafe 3.0.4, building shop",
                "numpy (15.0MiB), building markupsafe 3.0.4",
                "building markupsafe 3.0.4",
                "25 packages",
                "unpacking 25 packages",
                "compiling 25 packages",
            ],
            id="uv",
        ),
        pytest.param(
            PIP,
            [
                "attrs",
                "attrs 26.1.0 (67 kB)",
                "wrapt",
                "wrapt 2.5.2 (186 kB)",
                "helpers",
                "building wrapt",
                "3 packages",
            ],
            id="pip",
        ),
        pytest.param(
            APT,
            [
                "2 packages",
                "libstdc++6 1:12.2.0-14 (1/2)",
                "libxml2 2.9.14+dfsg-1.3~deb12u6 (2/2)",
                "libc6 2.36-9",
                "libxml2 2.9.14+dfsg-1.3~deb12u6",
            ],
            id="apt",
        ),
        pytest.param(APK, ["libxml2 2.12.7-r0 (1/2)", "libxslt 1.1.39-r1 (2/2)"], id="apk"),
        pytest.param("fetching uv\nResolved 1 package in 1ms\n", ["uv", "1 package"], id="fetching uv"),
        pytest.param("fetching uv", [], id="unfinished line"),
        pytest.param(
            "Step 2/3 : RUN make\n ---> Running in 12\nStep 3/3 : USER a\n", ["step 2/3", "step 3/3"], id="steps"
        ),
    ],
)
def test_progress_of_each_installer(log: str, words: list[str]) -> None:
    assert read_progress(log.encode()) == words


@pytest.mark.parametrize("log", [UV, PIP, APT, APK], ids=["uv", "pip", "apt", "apk"])
def test_log_may_arrive_in_any_pieces(log: str) -> None:
    data = log.encode()
    assert read_progress(*(data[start : start + 7] for start in range(0, len(data), 7))) == read_progress(data)


@pytest.mark.parametrize(
    "line",
    [
        "Collecting https://user:secret@index.example/a-1.0.tar.gz",
        "  Downloading https://user:secret@index.example/a-1.0.tar.gz (67 kB)",
        "Downloading \x1b]0;title\x07 (1.1MiB)",
        "   Building a @ file:///\x1b[2J",
        "Setting up a (1.0\x1b[2J) ...",
        "Collecting \xff\xfe",
    ],
)
def test_progress_contains_neither_urls_nor_escapes(line: str) -> None:
    assert [word for word in read_progress(line.encode("latin-1") + b"\n") if word != "building a"] == []


def test_long_lines_are_not_kept() -> None:
    words: list[str] = []
    log = InstallLog(words.append)
    for _ in range(100):
        log.feed(b"Collecting " * 1000)
        assert len(log._rest) < 10_000
    log.feed(b"\nCollecting attrs\n")
    assert words == ["attrs"]


def test_the_python_that_uv_installs_is_named() -> None:
    line = b"$ /run/pyimages-uv/uv-x86_64 python install --no-bin --install-dir /opt/pyimages/python 3.14t\n"
    assert read_progress(line) == ["Python 3.14t"]


UV_COMMAND, PIP_COMMAND = UV.splitlines()[0], "$ /usr/local/bin/python -m pip install --progress-bar off pytest"
BUILD = "   Building shop @ file:///src/shop"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param([UV_COMMAND], ["waiting for the package index a.example/simple or b.example"], id="uv"),
        pytest.param([PIP_COMMAND], ["waiting for the package index a.example/simple or b.example"], id="pip"),
        pytest.param(
            [UV_COMMAND, BUILD],
            ["building shop", "building shop or waiting for the package index a.example/simple or b.example"],
            id="build requirements",
        ),
        pytest.param([UV_COMMAND, "Resolved 2 packages in 1ms"], ["2 packages"], id="versions are known"),
        pytest.param([UV_COMMAND, "Resolved 2 packages in 1ms", BUILD], ["2 packages", "building shop"], id="build"),
        pytest.param([UV_COMMAND, "Audited 2 packages in 1ms"], [], id="nothing to install"),
        pytest.param([UV_COMMAND, "$ sh -c make"], [], id="another command"),
        pytest.param(["$ sh -c make"], [], id="no installer"),
        pytest.param([PIP_COMMAND, "Collecting pytest"], ["pytest"], id="pip has an answer"),
    ],
)
def test_index_that_does_not_answer(lines: list[str], words: list[str]) -> None:
    """It is named once, and only while an installer has got nothing from it."""
    now, reported = [0.0], list[str]()
    log = InstallLog(reported.append, ("a.example/simple", "b.example"), clock=lambda: now[0])
    for line in lines:
        log.feed(f"{line}\n".encode())
    for now[0] in (1.0, 4.0, 5.0, 15.0, 40.0):
        log.tick()
    assert reported == words


def test_no_index_is_waited_for_without_one() -> None:
    now, reported = [0.0], list[str]()
    log = InstallLog(reported.append, clock=lambda: now[0])
    log.feed(f"{UV_COMMAND}\n".encode())
    now[0] = 60.0
    log.tick()
    assert reported == []
