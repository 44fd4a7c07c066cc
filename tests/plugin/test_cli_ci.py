"""``pyimages ci``: workflows for the configured matrix, and whether those in the repository agree with it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sysconfig
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pytest_pyimages.host.option_table import OPTION_TABLE
from tests.plugin.conftest import run_command
from tests.support.golden import message
from tests.support.reports import read_junit

PYIMAGES = str(Path(sysconfig.get_path("scripts")) / "pyimages")
SCHEMAS = files("check_jsonschema.builtin_schemas").joinpath("vendor")
IMAGES = ["3.10", "3.14-slim", "pypy:3.11", "3.16-rc?"]


@pytest.fixture(autouse=True)
def _project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")  # no engine is needed
    for name in ("CI", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini("[pytest]\npy_images =\n" + "".join(f"  {image}\n" for image in IMAGES))
    pytester.makepyfile("def test_it(): pass")
    pytester.mkdir(".git")


def ci(*args: str) -> pytest.RunResult:
    return run_command(PYIMAGES, "ci", *args)


def printed(*args: str) -> str:
    result = ci(*args)
    assert (result.ret, result.stderr.lines) == (0, [])
    return f"{result.stdout.str()}\n"


def read(text: str) -> dict[Any, Any]:
    """Read YAML as GitHub does, where ``on`` is no boolean: quoted names are texts, unquoted 3.10 is a number."""
    document: dict[Any, Any] = yaml.safe_load(re.sub(r"^on:", '"on":', text, flags=re.MULTILINE))
    return document


@pytest.mark.parametrize("service", ["github", "gitlab"])
@pytest.mark.parametrize(
    "args", [(), ("--shards=3",), ("3.12?",), ("3.12", "--", "--junit-prefix", "a 'b' \"c\" # $d: e", "--cov")]
)
def test_workflow_is_valid(service: str, args: tuple[str, ...]) -> None:
    schema = json.loads(
        SCHEMAS.joinpath("github-workflows.json" if service == "github" else "gitlab-ci.json").read_text()
    )
    text = printed(service, *args)
    jsonschema.validate(read(text), schema)
    arguments = shlex.join(args[2:])
    # Every script has the arguments as they were given; the first comment has them, too.
    assert not arguments or json.dumps(read(text)).count(json.dumps(arguments)[1:-1]) == text.count(arguments) - 1


def test_github_matrix_is_that_of_the_configuration() -> None:
    workflow = read(printed("github", "--shards=2"))
    test, result = workflow["jobs"]["test"], workflow["jobs"]["result"]
    matrix = test["strategy"]["matrix"]
    assert matrix == {
        "image": IMAGES,
        "shard": [1, 2],
        "include": [{"image": "3.16-rc?", "allowed-to-fail": True}],
    }
    assert json.loads(printed("github", "--shards=2", "--json")) == matrix
    assert test["strategy"]["fail-fast"] is False
    assert test["continue-on-error"] == "${{ matrix.allowed-to-fail || false }}"
    assert workflow["permissions"] == {"contents": "read"}
    assert (result["needs"], result["if"]) == ("test", "always()")
    setups = [step for job in (test, result) for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert [step["with"]["python-version"] for step in setups] == ["3.14", "3.14"], "texts: 3.10 would be 3.1"


def test_github_scripts_have_no_expressions() -> None:
    for job in read(printed("github", "--", "-k", "a or b"))["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            assert re.fullmatch(r"actions/[a-z-]+(/[a-z]+)?@v\d+", step.get("uses", "actions/checkout@v7"))


def test_gitlab_matrix_is_that_of_the_configuration() -> None:
    jobs = read(printed("gitlab", "--shards=2"))
    matrices = {name: job["parallel"]["matrix"] for name, job in jobs.items() if "parallel" in job}
    assert matrices == json.loads(printed("gitlab", "--shards=2", "--json"))
    allowed = {name for name, job in jobs.items() if job.get("allow_failure")}
    assert [matrices[name] for name in allowed] == [[{"IMAGE": ["3.16-rc?"], "SHARD": ["1", "2"]}]]
    assert [need["job"] for need in jobs["pyimages result"]["needs"]] == list(matrices)
    assert jobs["pyimages result"]["when"] == "always"


def test_images_are_kept_in_a_registry() -> None:
    """The options are variables, so that what merges uses them as well."""
    workflow = read(printed("github", "--registry=ghcr.io/team/shop"))
    assert workflow["env"] == {
        "PY_IMAGES_CACHE_FROM": "ghcr.io/team/shop",
        "PY_IMAGES_CACHE_TO": "${{ github.event_name != 'pull_request' && 'ghcr.io/team/shop' || '' }}",
    }
    test = workflow["jobs"]["test"]
    assert test["permissions"] == {"contents": "read", "packages": "write"}
    assert not any("cache" in step.get("uses", "") or "docker load" in step.get("run", "") for step in test["steps"])
    assert sum("docker login ghcr.io" in step.get("run", "") for step in test["steps"]) == 1
    other = read(printed("github", "--registry=registry.test:5000/shop"))
    assert "permissions" not in other["jobs"]["test"]
    assert "secrets.REGISTRY_TOKEN" in str(other["jobs"]["test"]["steps"])
    jobs = read(printed("gitlab", "--registry=$CI_REGISTRY_IMAGE/environments"))
    assert jobs[".pyimages"]["variables"]["PY_IMAGES_CACHE_TO"] == "$CI_REGISTRY_IMAGE/environments"
    assert "cache" not in jobs[".pyimages test"]


def test_options_of_the_registry_exist() -> None:
    names = {option.environment for option in OPTION_TABLE}
    assert {"PY_IMAGES_CACHE_FROM", "PY_IMAGES_CACHE_TO"} <= names


def test_merge_names_all_images() -> None:
    for service in ("github", "gitlab"):
        assert f"'--images={','.join(IMAGES)}'" in printed(service)


def test_skipped_images_have_no_job(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(
        '[tool.pyimages]\nimages = ["3.12", "3.13"]\n[[tool.pyimages.overrides]]\nselect = "3.13"\nskip = true\n'
    )
    (pytester.path / "tox.ini").unlink()
    assert json.loads(printed("github", "--json"))["image"] == ["3.12"]


@pytest.mark.parametrize(
    ("args", "name"),
    [
        ((), "ci-no-service"),
        (("github", "--check"), "ci-check-alone"),
        (("github", "--shards=0"), "ci-no-shards"),
        (("github", "--shards=65"), "ci-many-jobs"),
        (("github", "--registry=user:secret@a b"), "ci-no-repository"),
        (("github", "--", "--junitxml=x.xml"), "ci-own-option"),
        (("github", "--", "--junit-prefix", "${{ github.token }}"), "ci-expression"),
        (("--check",), "ci-no-workflow"),
    ],
)
def test_wrong_usage(pytester: pytest.Pytester, args: tuple[str, ...], name: str) -> None:
    result = ci(*args)
    fields = {"root": pytester.path} if name == "ci-no-workflow" else {}
    assert (result.ret, result.stdout.str()) == (4, "")
    assert result.stderr.lines == [f"ERROR: {message('cli', name, **fields)}"]


FILES = {"github": ".github/workflows/images.yml", "gitlab": ".gitlab/images.yml"}


def keep(pytester: pytest.Pytester, service: str, *args: str) -> Path:
    path = pytester.path / FILES[service]
    path.parent.mkdir(parents=True)
    path.write_text(printed(service, *args))
    return path


@pytest.mark.parametrize("service", FILES)
@pytest.mark.parametrize("args", [(), ("--shards=2",), ("3.12,3.13?", "--", "-k", "a or b")])
def test_workflow_agrees_until_the_configuration_changes(
    pytester: pytest.Pytester, service: str, args: tuple[str, ...]
) -> None:
    path = keep(pytester, service, *args)
    path.write_text(path.read_text().replace("docker:29", "docker:30") + "# what the project has added\n")
    result = ci("--check")
    assert (result.ret, result.stdout.lines) == (0, [message("cli", "ci-agrees", path=path)])
    pytester.makeini("[pytest]\npy_images = 3.10, 3.15")
    result = ci("--check")
    assert result.ret == (0 if "3.12,3.13?" in args else 1)
    if result.ret:
        lacking, further = "image 3.15", "image 3.14-slim, image pypy:3.11"
        result.stdout.fnmatch_lines([f"{path}: does not agree with the configuration: it lacks {lacking}; *{further}*"])
        assert len(result.stdout.lines) == 1


@pytest.mark.parametrize(
    ("service", "old", "new"),
    [
        ("github", '"3.14-slim", ', ""),
        ("github", '"3.10", ', '"3.9", "3.10", '),
        ("github", "shard: [1, 2]", "shard: [1]"),
        ("github", "shard }}/2", "shard }}/3"),
        ("github", ", 3.16-rc?'", "'"),
        (
            "github",
            '          - {image: "3.16-rc?"',
            '          - {image: "3.10", allowed-to-fail: true}\n          - {image: "3.16-rc?"',
        ),
        ("github", "image: [", "image: &names ["),
        ("github", 'junit.xml" -k fast', 'junit.xml"'),
        ("gitlab", '"3.14-slim", ', ""),
        ("gitlab", 'SHARD: ["1", "2"]', 'SHARD: ["1"]'),
        ("gitlab", "pypy:3.11,", ""),
        ("gitlab", 'junit.xml" -k fast', 'junit.xml"'),
    ],
)
def test_edited_workflow_does_not_agree(pytester: pytest.Pytester, service: str, old: str, new: str) -> None:
    path = keep(pytester, service, "--shards=2", "--", "-k", "fast")
    text = path.read_text()
    old = old.replace(", 3", ",3")
    assert old in text
    path.write_text(text.replace(old, new))
    result = ci("--check")
    assert (result.ret, len(result.stdout.lines)) == (1, 1)
    assert result.stdout.str().startswith(f"{path}: does not agree with the configuration: it ")


@pytest.mark.parametrize("command", ["pyimages ci 'git", "pyimages ci jenkins", "pyimages ci github --pods=2"])
def test_unknown_command_is_refused(pytester: pytest.Pytester, command: str) -> None:
    path = keep(pytester, "github")
    path.write_text(path.read_text().replace("pyimages ci github\n", f"{command}\n"))
    result = ci("--check")
    assert (result.ret, result.stderr.lines) == (4, [f"ERROR: {message('cli', 'ci-unknown-command', path=path)}"])


DOCKER = """\
#!/bin/sh
echo "$@" >> "$DOCKER_LOG"
if [ "$1" = save ]; then touch "$3"; fi
"""


def test_gitlab_scripts_run_in_a_shell(
    pytester: pytest.Pytester, images_command: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each job in a copy of the project, with the artifacts and the cache of earlier ones."""
    images_command()  # whose environment has an engine
    pytester.makepyfile("import os\ndef test_it(): assert '3.13' not in os.environ['FAKE_IMAGE']")
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    jobs = read(printed("gitlab", "3.12,3.13"))
    monkeypatch.setenv("PATH", os.pathsep.join((str(tmp_path), sysconfig.get_path("scripts"), os.environ["PATH"])))
    monkeypatch.setenv("DOCKER_LOG", str(tmp_path / "docker.log"))
    test = "\n".join(jobs[".pyimages test"]["script"])
    merge = "\n".join(jobs["pyimages result"]["script"])
    statuses = []
    for number, image in enumerate(("3.12", "3.13", "3.12")):
        for name, value in {"IMAGE": image, "SHARD": "1", "CI_JOB_ID": f"{number}"}.items():
            monkeypatch.setenv(name, value)
        statuses.append(run_command("sh", "-e", "-c", test).ret)
        if number == 1:
            assert run_command("sh", "-e", "-c", merge).ret == 1
            assert list(read_junit(".pyimages/result/junit.xml")) == ["3.12", "3.13"]
            shutil.rmtree(".pyimages/reports")
            Path(".pyimages/environment").rename("3.13")  # caches are those of jobs
    assert statuses == [0, 1, 0]
    calls = [line.split()[0] for line in (tmp_path / "docker.log").read_text().splitlines()]
    assert calls == ["save", "save", "save"]
    assert run_command("sh", "-e", "-c", test).ret == 0
    assert (tmp_path / "docker.log").read_text().splitlines()[-1].startswith("load --input .pyimages/environment/")
    assert run_command("sh", "-e", "-c", merge).ret == 1, "the report of 3.13 is not there"
