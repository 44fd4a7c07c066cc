"""Environment images come from a registry, and go to one; each run here has an engine of its own, like a new runner."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import Done, ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]
CACHE = "localhost:1/team/shop"
FROM, TO = f"--py-images-cache-from={CACHE}", f"--py-images-cache-to={CACHE}"


@pytest.fixture
def registry(pytester: pytest.Pytester) -> Path:
    """The folder of what was pushed."""
    pytester.makepyfile(test_it="def test_a(): pass")
    return pytester.mkdir("registry")


@pytest.fixture
def run(registry: Path, run_images: Run) -> Run:
    """Run the suite on a new engine; further ones of its settings are ``**settings``."""

    def run(*args: str, settings: str = "", **options: Any) -> ImagesRun:
        return run_images(*args, engine=f"FakeEngine(registry={str(registry)!r}, {settings})", **options)

    return run


def builds(run: ImagesRun) -> int:
    return run.calls.count("commit")


def pushed(registry: Path) -> list[Path]:
    return sorted(registry.iterdir())


def change(registry: Path, labels: Mapping[str, str] | None = None, **fields: Any) -> str:
    """Change the only image in the registry; return its reference."""
    (file,) = pushed(registry)
    image = json.loads(file.read_text())
    image["labels"] |= labels or {}
    file.write_text(json.dumps({**image, **fields}))
    return file.name.replace("_", "/")


def test_a_second_runner_builds_nothing(run: Run, registry: Path) -> None:
    first = run(FROM, TO, images="3.12,3.14-slim")
    assert builds(first) == 2
    assert len(pushed(registry)) == 2
    assert f" 3.12  pushed to {CACHE}" in first.out
    second = run(FROM, TO, images="3.12,3.14-slim")
    assert (second.result.ret, builds(second)) == (0, 0)
    assert f" 3.12  found in {CACHE}" in second.out
    assert [image["cached"] for image in second.images.values()] == [True, True]
    assert not [call for call in second.calls if call.startswith("push")], "the registry has what was found there"
    assert not [line for line in second.out.splitlines() if line.startswith(" note:")]


def test_without_cache_from_it_is_built_and_pushed_again(run: Run, registry: Path) -> None:
    """How a scheduled job gets newer versions of packages into the registry."""
    assert builds(run(TO)) == 1
    change(registry, {"org.pytest-pyimages.python": "3.0.0"})
    assert builds(run(TO)) == 1
    assert "3.0.0" not in pushed(registry)[0].read_text()


def test_first_repository_that_has_it_counts(run: Run, registry: Path) -> None:
    run(TO)
    other = "localhost:2/main"
    again = run(f"--py-images-cache-from={other}", FROM, f"--py-images-cache-to={other}")
    assert builds(again) == 0
    assert f"found in {CACHE}" in again.out
    assert f"pushed to {other}" in again.out
    assert len(pushed(registry)) == 2


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"PIP_INDEX_URL": "https://index.example/simple"}, id="index"),
        pytest.param({"UV_EXCLUDE_NEWER": "2026-01-01"}, id="time"),
        pytest.param({"PIP_CONSTRAINT": "limits.txt"}, id="constraints"),
        pytest.param({"PIP_FIND_LINKS": "wheels"}, id="wheels"),
        pytest.param({"PIP_PRE": "1"}, id="prereleases"),
    ],
)
def test_host_with_other_packages_builds_its_own(
    run: Run, registry: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    (pytester.path / "limits.txt").write_text("six<1.16\n")
    pytester.mkdir("wheels")
    (pytester.path / "wheels" / "six-1.0-py3-none-any.whl").write_text("")
    run(FROM, TO)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert builds(run(FROM, TO)) == 1
    assert builds(run(FROM, TO)) == 0
    (pytester.path / "limits.txt").write_text("six<1.15\n")
    (pytester.path / "wheels" / "six-2.0-py3-none-any.whl").write_text("")
    assert builds(run(FROM, TO)) == (1 if settings.keys() & {"PIP_CONSTRAINT", "PIP_FIND_LINKS"} else 0)


def test_how_the_index_is_reached_does_not_count(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:first-secret@index.example/simple")
    run(FROM, TO)
    monkeypatch.setenv("PIP_INDEX_URL", "https://you:second-secret@index.example/simple")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("PIP_TIMEOUT", "60")
    assert builds(run(FROM, TO)) == 0


def test_another_image_under_the_name_is_not_used(run: Run, registry: Path) -> None:
    run(TO)
    reference = change(registry, platform="linux/arm64")
    again = run(FROM)
    assert (again.result.ret, builds(again)) == (0, 1)
    problem = "it is for linux/arm64"
    assert message("images", "cache-other", label="3.12", reference=reference, problem=problem) in again.out
    assert f"found in {CACHE}" not in again.out


def test_registry_that_fails_is_asked_once_and_fails_no_run(run: Run) -> None:
    reason = "the registry refused the credentials: unauthorized"
    error = f"{{{CACHE!r}: EngineError({reason!r})}}"
    done = run(FROM, TO, "--py-images-jobs=1", images="3.12,3.13", settings=f"pulls={error}, pushes={error}")
    assert (done.result.ret, builds(done)) == (0, 2)
    assert len([call for call in done.calls if call.startswith(f"pull {CACHE}")]) == 1
    assert len([call for call in done.calls if call.startswith(f"push {CACHE}")]) == 1
    assert len([call for call in done.calls if call.startswith(f"remove {CACHE}")]) == 1, "it has no such name"
    lines = [line.strip() for line in done.out.splitlines()]
    for name in ("cache-unreachable", "cache-push-failed"):
        assert lines.count(f"note: {message('images', name, repository=CACHE, reason=reason)}") == 1


def test_pulled_image_that_does_not_work_is_built_and_replaced(run: Run, registry: Path) -> None:
    run(TO)
    reference = change(registry, {"org.pytest-pyimages.executable": "/bin/false"})
    again = run(FROM, TO)
    assert (again.result.ret, builds(again)) == (0, 1)
    assert "the cached image was damaged" in again.out
    assert f"push {reference}" in again.calls
    assert builds(run(FROM)) == 0


def test_no_registry_is_contacted_without_pulls(run: Run) -> None:
    run(TO)
    done = run(FROM, TO, "--py-images-pull=never")
    assert (done.result.ret, builds(done)) == (0, 1)
    assert not [call for call in done.calls if call.startswith(("pull", "push"))]
    for option in ("--py-images-cache-from", "--py-images-cache-to"):
        assert message("images", "cache-offline", option=option) in done.out


def test_empty_value_switches_the_variable_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PY_IMAGES_CACHE_FROM", CACHE)
    monkeypatch.setenv("PY_IMAGES_CACHE_TO", CACHE)
    assert builds(run()) == 1
    assert builds(run()) == 0
    assert builds(run("--py-images-cache-from=")) == 1


@pytest.mark.parametrize("way", ["from", "to"])
@pytest.mark.parametrize(
    ("file", "text", "origin"),
    [
        ("pytest.ini", "[pytest]\n{key} = {value}\n", "{key} in pytest.ini"),
        ("pytest.ini", "[pytest]\naddopts = {option}={value}\n", "{option} in addopts"),
        ("pyproject.toml", '[tool.pyimages]\n{short} = ["{value}"]\n', "{short} in pyproject.toml [tool.pyimages]"),
    ],
    ids=["ini", "addopts", "table"],
)
def test_project_may_not_name_a_registry(
    run: Run, pytester: pytest.Pytester, way: str, file: str, text: str, origin: str
) -> None:
    names = {"key": f"py_images_cache_{way}", "option": f"--py-images-cache-{way}", "short": f"cache_{way}"}
    if way == "to":
        text = text.replace('["{value}"]', '"{value}"')
    (pytester.path / file).write_text(text.format(value=CACHE, **names))
    done = run()
    assert done.result.ret == 4
    variable = f"PY_IMAGES_CACHE_{way.upper()}"
    told = message(
        "images", "cache-in-project", origin=origin.format(**names), option=names["option"], variable=variable
    )
    assert done.err.strip() == f"ERROR: {told}"
    assert [call for call in done.calls if call != "close"] == []


@pytest.mark.parametrize(
    "value",
    ["shop", "localhost:1/shop:tag", "https://localhost:1/shop", "localhost:1/Shop", "me:s3cret@localhost:1/shop"],
)
def test_invalid_repository(run: Run, value: str) -> None:
    done = run(f"--py-images-cache-to={value}")
    assert done.result.ret == 4
    (line,) = [line for line in done.err.splitlines() if line]
    assert line.startswith("ERROR: --py-images-cache-to: ")
    assert "write REGISTRY/NAME, such as registry.example/team/tests" in line
    assert "s3cret" not in line


def test_build_command_pushes_and_pulls(
    registry: Path, pyimages: Callable[..., list[Done]], pytester: pytest.Pytester
) -> None:
    engine = f"FakeEngine(registry={str(registry)!r})"
    command = ["build", "3.13", "--", FROM, TO]
    (first,) = pyimages(command, engine=engine)
    assert first.rows[0][2] == "built"
    assert f"3.13: pushed to {CACHE}" in first.err
    (second,) = pyimages(command, engine=engine)
    assert second.rows[0][2] == "pulled"
    assert f"3.13: found in {CACHE}" in second.err
