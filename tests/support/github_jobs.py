"""Run the jobs of a GitHub workflow on this machine: each in a fresh folder, with its scripts, artifacts and caches."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_CONTEXT = re.compile(r"\b(?:steps|matrix|runner|strategy)(?:\.[\w-]+)+")
_NOT_RUN = ("actions/checkout", "actions/setup-python")  # the folder is a copy, and the Python is that of the tests


@dataclass
class Step:
    """A step that has ended."""

    outcome: str  # "success", "failure" or "skipped"
    outputs: dict[str, str] = field(default_factory=dict)
    text: str = ""  # what its script has printed


class Workflow:
    """The services that jobs share.

    :param source: the project's folder.
    :param folder: for the folders of jobs, artifacts and caches.
    """

    def __init__(self, document: Mapping[str, Any], source: Path, folder: Path) -> None:
        self._jobs = document["jobs"]
        self._source = source
        self._folder = folder
        self.artifacts = folder / "artifacts"
        self.cache = folder / "cache"
        self.artifacts.mkdir(parents=True)

    def expand_matrix(self) -> list[dict[str, Any]]:
        """Return the combinations of the job ``test``, as GitHub makes them of a matrix with ``include``."""
        matrix = dict(self._jobs["test"]["strategy"]["matrix"])
        include = matrix.pop("include", [])
        combinations = [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]
        for entry, combination in itertools.product(include, combinations):
            if all(combination.get(name, value) == value for name, value in entry.items()):
                combination.update(entry)
        return combinations

    def run(self, name: str, matrix: Mapping[str, Any] | None = None, index: int = 0) -> dict[str, Step]:
        """Run a job; return its steps by name or id, and the job's own outcome as the step ``""``."""
        job = self._jobs[name]
        place = self._folder / f"{name}-{index}"
        shutil.copytree(self._source, place / "checkout")
        (place / "temp").mkdir()
        run = _JobRun(self, place, {"matrix": dict(matrix or {}), "strategy": {"job-index": index}})
        variables = {key: run.fill_in(str(value)) for key, value in job.get("env", {}).items()}
        failed = False
        for step in job["steps"]:
            ended = run.run(step, variables) if run.is_due(step.get("if"), failed=failed) else Step("skipped")
            run.steps[step.get("id", step.get("name", step.get("uses", "")))] = ended
            failed = failed or (ended.outcome == "failure" and not step.get("continue-on-error"))
        run.steps[""] = Step("failure" if failed else "success")
        return run.steps


class _JobRun:
    def __init__(self, workflow: Workflow, place: Path, contexts: dict[str, Any]) -> None:
        self.steps: dict[str, Step] = {}
        self._workflow = workflow
        self._checkout, self._temp = place / "checkout", place / "temp"
        self._contexts = {**contexts, "runner": {"temp": str(self._temp)}}

    def _get(self, path: str) -> Any:
        context, *names = path.split(".")
        if context == "steps":
            step = self.steps.get(names[0], Step("skipped"))
            return step.outcome if names[1] == "outcome" else step.outputs.get(names[2], "")
        return self._contexts[context].get(names[0], "")

    def fill_in(self, text: str) -> str:
        return _EXPRESSION.sub(lambda match: str(self._get(match[1])), text)

    def is_due(self, condition: str | None, *, failed: bool) -> bool:
        """Evaluate a condition of the few forms that are printed."""
        text = _EXPRESSION.sub(r"\1", condition or "success()")
        if not re.search(r"always\(\)|cancelled\(\)", text) and failed:
            return False
        text = re.sub(r"!cancelled\(\)|always\(\)|success\(\)", "True", text).replace("&&", " and ")
        text = _CONTEXT.sub(lambda match: repr(self._get(match[0])), text)
        return bool(eval(text, {"__builtins__": {}}))  # noqa: S307 - of our own workflow

    def run(self, step: Mapping[str, Any], variables: Mapping[str, str]) -> Step:
        if "run" in step:
            if "pip install" in step["run"]:
                return Step("success")
            return self._run_script(step["run"], {**variables, **self._fill_in_all(step.get("env", {}))})
        action = step["uses"].partition("@")[0]
        if action in _NOT_RUN:
            return Step("success")
        actions: dict[str, Callable[..., Step]] = {
            "actions/cache/restore": self._restore,
            "actions/cache/save": self._save,
            "actions/upload-artifact": self._upload,
            "actions/download-artifact": self._download,
        }
        values = self._fill_in_all(step["with"])
        return actions[action](**{name.replace("-", "_"): value for name, value in values.items()})

    def _fill_in_all(self, values: Mapping[str, Any]) -> dict[str, str]:
        return {name: self.fill_in(str(value)) for name, value in values.items()}

    def _run_script(self, script: str, variables: Mapping[str, str]) -> Step:
        output = self._temp / "output"
        output.write_text("")
        environment = {
            **os.environ,
            "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(self._temp),
            "GITHUB_OUTPUT": str(output),
            **variables,
        }
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self._checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return Step("failure" if done.returncode else "success", outputs, done.stdout)

    def _restore(self, path: str, key: str) -> Step:
        kept = self._workflow.cache / key
        if kept.exists():
            shutil.copy(kept, path)
        return Step("success", {"cache-hit": "true" if kept.exists() else ""})

    def _save(self, path: str, key: str) -> Step:
        kept = self._workflow.cache / key
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, kept)
        return Step("success")

    def _upload(self, name: str, path: str, overwrite: str, if_no_files_found: str = "warn") -> Step:
        if not Path(path).is_dir():
            return Step("failure" if if_no_files_found == "error" else "success")
        shutil.copytree(path, self._workflow.artifacts / name, dirs_exist_ok=overwrite == "True")
        return Step("success")

    def _download(self, pattern: str, path: str) -> Step:
        for artifact in self._workflow.artifacts.glob(pattern):
            shutil.copytree(artifact, Path(path) / artifact.name)
        return Step("success")
