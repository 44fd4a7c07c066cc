"""What a Dockerfile has to know of an environment image, as the program in it lists it."""

from __future__ import annotations

import io
import json
import os
import sys
import sysconfig
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.project_tree import write_tree

MODULE: Any = import_module("pytest_pyimages.inside.distributions")  # without annotations, for Python 2.7
URL = '{"url": "https://x.example/six.whl"}'


def test_distributions_have_name_version_and_origin(tmp_path: Path) -> None:
    """Of all kinds of metadata that installers write; what Python would import comes first."""
    write_tree(
        tmp_path,
        {
            "first/six-1.dist-info/METADATA": "Name: six\nVersion: 1\n\nName: of the description\n",
            "first/six-1.dist-info/direct_url.json": URL,
            "first/Old_Tool-2.egg-info/PKG-INFO": "Name: Old_Tool\nVersion: 2\n",
            "first/single-3.egg-info": "Name: single\nVersion: 3\n",
            "first/broken-1.dist-info/RECORD": "",
            "first/module.py": "",
            "second/six-9.dist-info/METADATA": "Name: SIX\nVersion: 9\n",
            "second/shop.egg-link": "/src/shop\n.\n",
        },
    )
    folders = [str(tmp_path / name) for name in ("first", "absent", "second")]
    editable = json.dumps({"url": "file:///src/shop", "dir_info": {"editable": True}})
    assert MODULE.list_distributions(folders) == [
        ["Old_Tool", "2", ""],
        ["shop", "", editable],
        ["single", "3", ""],
        ["six", "1", URL],
    ]


def test_generated_files_that_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also from below a folder such as src; not those that are only in the source."""
    site, made = tmp_path / "site", tmp_path / "made"
    write_tree(site, {"shop/_version.py": "", "shop/_x.so": ""})
    write_tree(made, {"shop/_version.py": "", "src/shop/_x.so": "", "docs/api.txt": ""})
    monkeypatch.setattr(MODULE, "MADE", str(made))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(site))
    assert sorted(MODULE.list_installed_only()) == [
        [f"{site}/shop/_version.py", "shop/_version.py"],
        [f"{site}/shop/_x.so", "src/shop/_x.so"],
    ]


@pytest.mark.parametrize(
    ("programs", "command"),
    [
        ({"python": sys.executable, "python3": sys.executable}, "python"),
        ({"python": "/bin/sh", "python3": sys.executable}, "python3"),
        ({"python": "/bin/sh"}, sys.executable),
    ],
    ids=["python", "another python", "no name"],
)
def test_the_shortest_command_that_runs_this_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: dict[str, str], command: str
) -> None:
    for name, target in programs.items():
        (tmp_path / name).symlink_to(target)
    monkeypatch.setenv("PATH", f"{tmp_path}/absent:{tmp_path}")
    assert MODULE.find_command() == command


def test_the_answer_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path, {"apt-get": "", "useradd": ""})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO("{}\n"))
    MODULE.main()
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["programs"] == ["apt-get", "useradd"]
    assert found["python"] == sys.executable
    assert os.getuid() in found["users"]
    assert "pytest" in {name for name, _, _ in found["distributions"]}
    assert isinstance(found["managed"], bool)
