"""``pyimages list`` and ``prune`` on an engine that keeps its images between commands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.plugin.conftest import SHOP, Done
from tests.support.golden import message

LONG_AGO = """
for path in pathlib.Path("cache-home/pytest-pyimages/used").iterdir():
    os.utime(path, (time.time() - {days} * 86400,) * 2)
"""
Steps = Callable[..., list[Done]]


def new_folder(pytester: pytest.Pytester, name: str, *requirements: str) -> str:
    """Return a step that goes to a new folder outside of the project; its name is made unique."""
    folder = pytester.path.parent / f"{pytester.path.name}-{name}"
    step = f"pathlib.Path({str(folder)!r}).mkdir(); os.chdir({str(folder)!r})"
    return f"{step}; pathlib.Path('requirements.txt').write_text({' '.join(requirements)!r})" if requirements else step


BUILD, LIST, PRUNE = ["build", "3.12,3.14-slim"], ["list"], ["prune"]


def test_a_project_without_images(pyimages: Steps) -> None:
    listed, everything, pruned, document = pyimages(LIST, ["list", "--all"], PRUNE, ["list", "--json"])
    assert listed.out.startswith("no environment images of the project shop (/")
    assert "a run here installs: .[test] (pyproject.toml)\n" in listed.out
    assert everything.out == "no environment images of any project\n"
    assert pruned.out == "nothing to remove\n"
    assert json.loads(document.out)["images"] == []
    assert {done.status for done in (listed, everything, pruned, document)} == {0}


def test_list_shows_images_and_current_plans(pytester: pytest.Pytester, pyimages: Steps) -> None:
    change = f"pathlib.Path('pyproject.toml').write_text({SHOP.replace('six', 'idna')!r})"
    first, _, _, changed, asked = (
        done
        for done in pyimages(BUILD, LIST, change, ["build", "3.14-slim"], LIST, ["list", "--", "--py-images=3.13"])[1:]
    )
    assert first.out.splitlines()[0].split("  ")[0].strip() == "image"
    assert sorted((row[0], row[2], row[3], row[-2], row[-1]) for row in first.rows) == [
        ("3.12", "shop", ".[test] (pyproject.toml)", "just now", "current"),
        ("3.14-slim", "shop", ".[test] (pyproject.toml)", "just now", "current"),
    ]
    assert [row[-1] for row in changed.rows].count("current") == 1
    assert [row[-1] for row in changed.rows].count("requirements changed since") == 2
    assert first.out.count("pip install") == 1, "equal requirements are listed once"
    assert re.search(r"\na run here installs the same for (3\.12, 3\.14-slim|3\.14-slim, 3\.12)\n$", first.out), (
        first.out
    )
    assert "\n  pip install pytest -e '.[test]'\n  the project requires: idna\n" in changed.out
    assert "a run here installs for 3.13: .[test] (pyproject.toml)" in asked.out
    assert "3 images, 3.0 MB on disk in addition to the base images" in changed.out


def test_image_of_an_option_is_current_until_the_project_changes(pytester: pytest.Pytester, pyimages: Steps) -> None:
    """A run without the option would not use it, but the next one with it: it is none to be pruned."""
    build = [[*BUILD, "--", *options] for options in ((), ("-n2", "--reruns=1"), ("-p", "xdist"))]
    change = f"pathlib.Path('pyproject.toml').write_text({SHOP.replace('six', 'idna')!r})"
    stale = ["prune", "--stale", "--dry-run"]
    *_, listed, kept, _, changed, pruned = pyimages(*build, LIST, stale, change, LIST, stale)
    assert [row[-1] for row in listed.rows] == ["current"] * 6
    assert sorted({row[3] for row in listed.rows}) == [
        ".[test] (pyproject.toml)",
        ".[test] (pyproject.toml), pytest-rerunfailures (--reruns), pytest-xdist (-n)",
        ".[test] (pyproject.toml), pytest-xdist (-p xdist)",
    ]
    assert kept.out == "nothing to remove\n"
    assert [row[-1] for row in changed.rows] == ["requirements changed since"] * 6
    assert pruned.out.count("would remove") == 6


def test_list_json(pytester: pytest.Pytester, pyimages: Steps) -> None:
    _, _, done = pyimages(["build", "3.12"], LONG_AGO.format(days=40), ["list", "--json"])
    document: dict[str, Any] = json.loads(done.out)
    assert document["engine"] == "fake://engine"
    assert document["project"] == {"name": "shop", "root": str(pytester.path)}
    installs = {
        "origin": ".[test] (pyproject.toml)",
        "steps": [["pytest", "-e", ".[test]"]],
        "dependencies": ["six"],
        "versions": "",
        "apt": [],
        "setup": 0,
        "dockerfile": "",
    }
    assert document["wanted"] == [{"image": "3.12", "reference": "python:3.12", "installs": installs}]
    (image,) = document["images"]
    expected = {
        "image": "3.12",
        "kind": "environment",
        "base": {"reference": "python:3.12", "id": "sha256:python:3.12"},
        "project": "shop",
        "used_in": [str(pytester.path)],
        "installs": installs,
        "freed_by_removal": 10**6,
        "state": "current",
        "stale": False,
    }
    assert {name: image[name] for name in expected} == expected
    assert image["last_used"] < image["created"], "what this user's file says, not when it was made"


def test_list_contacts_only_the_engine(pytester: pytest.Pytester, pyimages: Steps) -> None:
    gone = "del engine_of().images_by_reference['python:3.12']; engine_of().calls.clear()"
    check = "print([call for call in engine_of().calls if call.startswith(('pull', 'create'))])"
    _, _, listed, calls = pyimages(["build", "3.12"], gone, LIST, check)
    assert listed.rows[0][-1] == "base image is not here"
    assert calls.out == "[]\n"


def test_prune_removes_only_this_projects_images(pytester: pytest.Pytester, pyimages: Steps) -> None:
    elsewhere, other = new_folder(pytester, "other", "idna"), f"{pytester.path.name}-other"
    foreign = """
engine = engine_of()
ours = next(name for name in engine.images_by_reference if name.startswith("pytest-pyimages/"))
engine.images_by_reference["mine:1"] = engine.images_by_reference[ours]._replace(id="sha256:mine")
"""
    names = (
        "print(*sorted(name.partition(':')[0] for name in engine_of().images_by_reference if 'python:' not in name))"
    )
    steps = pyimages(
        *(BUILD, foreign, elsewhere, ["build", "3.12"], ["list", "--all"], ["prune", "--dry-run"], names),
        *(PRUNE, names, ["prune", "--all"], names),
    )
    everything, dry, untouched, pruned, after, last, end = steps[4:]
    assert [row[2] for row in everything.rows] == [other, "shop", "shop"]
    assert [row[:4:3] for row in dry.rows] == [["would remove", other]]
    assert dry.out.endswith("would free 1.0 MB; nothing removed\n")
    assert untouched.out.split() == ["mine", *["pytest-pyimages/environment"] * 3]
    assert [row[:4:3] for row in pruned.rows] == [["removed", other]]
    assert pruned.out.endswith("\nfreed 1.0 MB\n")
    assert after.out.split() == ["mine", *["pytest-pyimages/environment"] * 2]
    assert [row[3] for row in last.rows] == ["shop", "shop"]
    assert end.out.split() == ["mine"]
    assert {done.status for done in steps} == {0}


def test_prune_by_age_size_and_state(pytester: pytest.Pytester, pyimages: Steps) -> None:
    change = f"pathlib.Path('pyproject.toml').write_text({SHOP.replace('six', 'idna')!r})"
    steps = pyimages(
        *(["build", "3.12"], LONG_AGO.format(days=40), ["build", "3.13"], LIST),
        *(["prune", "--older-than", "41d", "-n"], ["prune", "--older-than", "30d", "-n"]),
        *(["prune", "--keep-storage", "1MB", "-n"], ["prune", "--keep-storage", "2MB", "-n"]),
        *(["prune", "--stale", "-n"], change, ["build", "3.13"], ["prune", "--stale"], LIST),
    )
    listed, too_old, old, small, enough, stale = steps[3:9]
    assert [row[-2:] for row in listed.rows] == [["just now", "current"], ["40 days ago", "current"]]
    assert too_old.out == "nothing to remove\n"
    assert [row[1] for row in old.rows] == ["3.12"]
    assert [row[1] for row in small.rows] == ["3.12"]
    assert enough.out == "nothing to remove\n"
    assert stale.out == "nothing to remove\n"
    pruned, left = steps[-2:]
    assert {row[1] for row in pruned.rows} == {"3.12", "3.13"}
    assert [row[0] for row in left.rows] == ["3.13"]
    assert left.rows[0][-1] == "current"


def test_build_ignores_images_derived_by_others(pyimages: Steps) -> None:
    """It has inherited all the labels, and is newer."""
    derived = """
images = engine_of().images_by_reference
ours = next(info for name, info in images.items() if name.startswith("pytest-pyimages/"))
images["mine:1"] = ours._replace(id="sha256:mine", created=ours.created + 60)
pathlib.Path("pyproject.toml").write_text(pathlib.Path("pyproject.toml").read_text().replace("six", "idna"))
"""
    calls = "print([call for call in engine_of().calls if call.startswith('create')][-1])"
    *_, created = pyimages(["build", "3.12"], derived, ["build", "3.12"], calls)
    assert created.out.startswith("create sha256:pytest-pyimages/environment:")


IN_USE = """
from tests.support.fake_engine import Leftover
engine = engine_of()
images = engine.images_by_reference.values()
image = next(info.id for info in images if info.labels.get("org.pytest-pyimages.tag") == "3.12")
engine.found.append(Leftover(kind="container", id="c", name="live", labels={}, image=image))
"""


def test_prune_keeps_images_in_use(pyimages: Steps) -> None:
    *_, pruned, left = pyimages(BUILD, IN_USE, PRUNE, LIST)
    assert pruned.status == 0
    assert [(row[0], row[1]) for row in pruned.rows] == [("removed", "3.14-slim"), ("kept", "3.12")]
    assert pruned.rows[1][-1] == "in use by the container live"
    assert [row[0] for row in left.rows] == ["3.12"]


def test_prune_keeps_images_of_other_projects(pytester: pytest.Pytester, pyimages: Steps) -> None:
    """Two folders that ask for the same share an image, whoever built it."""
    one, two = new_folder(pytester, "one"), new_folder(pytester, "two")
    steps = pyimages(one, ["build", "3.12"], two, ["build", "3.12"], LIST, PRUNE)
    built, listed, pruned = steps[3:]
    assert built.rows[0][2] == "cached"
    assert [row[-1] for row in listed.rows] == ["current"]
    assert pruned.rows[0][0] == "kept"
    assert pruned.rows[0][-1] == f"also used by {pytester.path}-one"


def test_images_of_a_deleted_project(pytester: pytest.Pytester, pyimages: Steps) -> None:
    make = new_folder(pytester, "gone", "idna")
    remove = f"import shutil; os.chdir({str(pytester.path)!r}); shutil.rmtree('{pytester.path}-gone')"
    steps = pyimages(make, ["build", "3.12"], remove, ["list", "--all"], ["prune", "--all", "--stale"])
    assert steps[3].rows[0][-1] == "project is gone"
    assert steps[4].rows[0][:2] == ["removed", "3.12"]


DEAD = """
import time
from tests.support.fake_engine import Leftover
from pytest_pyimages.containers.leases import identify_host, make_state_directory
labels = {"org.pytest-pyimages": "1", "org.pytest-pyimages.session": "dead"}
labels["org.pytest-pyimages.host"] = identify_host(make_state_directory())
engine = engine_of()
engine.found.append(Leftover(kind="container", id="c", name="forgotten", labels=labels))
"""


def test_prune_removes_leaks_and_caches(pytester: pytest.Pytester, pyimages: Steps) -> None:
    names = "print(sorted(name.rpartition('-')[0] for name in engine_of().volumes))"
    _, _, _, _, dry, plain, cache, own, all_, volumes = pyimages(
        *(["build", "3.12"], new_folder(pytester, "other"), ["build", "3.12"], DEAD, ["prune", "-n", "--cache"]),
        *(["prune", "--older-than", "1d"], ["prune", "--older-than", "1d", "--cache"], names),
        *(["prune", "--all", "--older-than", "1d", "--cache"], names),
    )
    assert "would remove  container forgotten, leaked by a killed session" in dry.out
    assert "would remove  volume pytest-pyimages-cache-" in dry.out
    assert ", a download cache, 1.0 GB" in dry.out
    assert "removed  container forgotten" in plain.out
    assert "cache" not in plain.out
    assert cache.out.count("removed  volume pytest-pyimages-cache-") == 1
    assert cache.out.endswith("\nfreed 1.0 GB\n")
    assert own.out == "['pytest-pyimages-cache', 'pytest-pyimages-uv']\n"
    assert all_.out.endswith("\nfreed 2.0 GB\n")
    assert volumes.out == "[]\n"


def test_prune_removes_unused_bytecode(pytester: pytest.Pytester, pyimages: Steps) -> None:
    """With its size, which counts; that of another host is kept for a week."""
    make = """
from tests.support.fake_engine import KIND_LABEL
from pytest_pyimages.containers.leases import identify_host, make_state_directory
for name, host in {"own": identify_host(make_state_directory()), "other": "other"}.items():
    labels = {KIND_LABEL: "bytecode", "org.pytest-pyimages.host": host}
    labels["org.pytest-pyimages.created"] = str(int(time.time() - 86400))
    engine_of().create_volume(f"pytest-pyimages-bytecode-{name}", labels=labels, options={})
"""
    names = "print(*engine_of().volumes)"
    _, dry, unchanged, pruned, left, again = pyimages(make, ["prune", "-n"], names, PRUNE, names, PRUNE)
    line = "volume pytest-pyimages-bytecode-own, the bytecode of a source tree, 1.0 GB\n"
    assert dry.out == f" would remove  {line}would free 1.0 GB; nothing removed\n"
    assert unchanged.out.split() == ["pytest-pyimages-bytecode-own", "pytest-pyimages-bytecode-other"]
    assert pruned.out == f" removed  {line}freed 1.0 GB\n"
    assert left.out.split() == ["pytest-pyimages-bytecode-other"]
    assert again.out == "nothing to remove\n"


def test_run_updates_the_last_use(pytester: pytest.Pytester, pyimages: Steps) -> None:
    pytester.makepyfile("def test(): pass")
    run = "import pytest; assert pytest.main(['--py-images=3.12', '-q']) == 0"
    *_, before, _, after = pyimages(["build", "3.12"], LONG_AGO.format(days=40), LIST, run, LIST)
    assert before.rows[0][-2] == "40 days ago"
    assert after.rows[0][-2] == "just now"


def test_new_image_supersedes_one_unused_for_a_month(pytester: pytest.Pytester, pyimages: Steps) -> None:
    pytester.makepyfile("def test(): pass")
    change = f"pathlib.Path('pyproject.toml').write_text({SHOP.replace('six', 'idna')!r})"
    run = "import pytest; assert pytest.main(['--py-images=3.12,3.13']) == 0"
    *_, ran, left = pyimages(
        ["build", "3.12"], LONG_AGO.format(days=31), ["build", "3.13"], change, run, ["list", "--json"]
    )
    assert ran.out.count("removed the former image of") == 1
    note = message("images", "superseded", images="the former image", label="3.12")
    assert f"note: {note}" in ran.out
    states = [(image["image"], image["state"]) for image in json.loads(left.out)["images"]]
    assert sorted(states) == [("3.12", "current"), ("3.13", "current"), ("3.13", "requirements changed since")]


def test_broken_project_is_reported_and_others_listed(pytester: pytest.Pytester, pyimages: Steps) -> None:
    away = new_folder(pytester, "other")
    broken = f"pathlib.Path('{pytester.path}/pyproject.toml').write_text('[project')"
    *_, listed = pyimages(["build", "3.12"], away, broken, ["list", "--all"])
    assert listed.status == 0
    assert listed.rows[0][-1] == "unknown"
    assert f"note: {pytester.path}: " in listed.err
