"""The workflow for GitHub Actions."""

from __future__ import annotations

import json
import re
from typing import Any

from pytest_pyimages.cli.ci.jobs import CONFIGURED_EVERYWHERE, Jobs

FOLDER = ".github/workflows"
ALLOWED = "allowed-to-fail"
MOST_JOBS = 256  # of a matrix: GitHub's docs, "Running variations of jobs in a workflow"
# Lines that the configuration decides, which --check compares.
CONFIGURED = (
    re.compile(r"image: (?P<names>\[.*\])"),
    re.compile(r"shard: (?P<names>\[.*\])"),
    re.compile(r"SHARD: .*"),
    re.compile(rf"- \{{image: (?P<name>\".*\"), {ALLOWED}: true\}}"),
    *CONFIGURED_EVERYWHERE,
    re.compile(r"pyimages (build|merge) .*"),
)

_SETUP = """\
      - uses: actions/checkout@v7
        with:
          persist-credentials: false
      - uses: actions/setup-python@v7
        with:
          python-version: "@PYTHON@"
      - name: Install pytest-pyimages
        run: python -m pip install pytest-pyimages
"""
# What keeps the environment image may fail: the tests build it again, and report why if they cannot.
_RESTORE = """\
      - name: Find the name of the environment image
        id: environment
        continue-on-error: true
        run: |
          name=$(pyimages build --print-names "$IMAGE"@AFTER_DASHES@)
          echo "name=$name" >> "$GITHUB_OUTPUT"
      - name: Restore the environment image
        id: cache
        if: steps.environment.outcome == 'success'
        continue-on-error: true
        uses: actions/cache/restore@v6
        with:
          path: ${{ runner.temp }}/environment.tar
          key: ${{ steps.environment.outputs.name }}
      - name: Load the environment image
        if: steps.cache.outputs.cache-hit == 'true'
        continue-on-error: true
        run: docker load --input "$RUNNER_TEMP/environment.tar"
"""
_SAVE = """\
      - name: Save the environment image
        id: save
        if: ${{ !cancelled() && steps.environment.outcome == 'success' && steps.cache.outputs.cache-hit != 'true' }}
        continue-on-error: true
        env:
          NAME: ${{ steps.environment.outputs.name }}
        run: docker save --output "$RUNNER_TEMP/environment.tar" "$NAME"
      - name: Keep the environment image
        if: ${{ !cancelled() && steps.save.outcome == 'success' }}
        continue-on-error: true
        uses: actions/cache/save@v6
        with:
          path: ${{ runner.temp }}/environment.tar
          key: ${{ steps.environment.outputs.name }}
"""
_LOGIN = """\
      - name: Log in to the registry
        continue-on-error: true
        run: echo "$TOKEN" | docker login @HOST@ --username "$NAME" --password-stdin
        env:
          NAME: ${{ @NAME@ }}
          TOKEN: ${{ @TOKEN@ }}
"""
# Pull requests may only read the repository; pushes may write to it.
_REPOSITORY = """\

env:
  PY_IMAGES_CACHE_FROM: @REGISTRY@
  PY_IMAGES_CACHE_TO: ${{ github.event_name != 'pull_request' && '@REGISTRY@' || '' }}
"""
_PERMISSIONS = """\
    permissions:
      contents: read
      packages: write
"""
# No expression is part of a script: values reach it as variables.
_TEMPLATE = f"""\
# Printed by: @COMMAND@
# `pyimages ci --check` compares it with the project's configuration.
name: Images

on: [push, pull_request]

permissions:
  contents: read
@REPOSITORY@
jobs:
  test:
    name: ${{{{ matrix.image }}}}, shard ${{{{ matrix.shard }}}} of @SHARDS@
    runs-on: ubuntu-latest
@PERMISSIONS@    timeout-minutes: 60
    continue-on-error: ${{{{ matrix.{ALLOWED} || false }}}}
    strategy:
      fail-fast: false
      matrix:
@MATRIX@
    env:
      IMAGE: ${{{{ matrix.image }}}}
      SHARD: ${{{{ matrix.shard }}}}/@SHARDS@
    steps:
{_SETUP}\
@RESTORE@      - name: Run the tests
        run: >-
          pytest --py-images="$IMAGE" --py-images-shard="$SHARD" --py-images-github=no
          --py-images-report="$RUNNER_TEMP/report/report.json" --junitxml="$RUNNER_TEMP/report/junit.xml"@ARGUMENTS@
      - name: Upload the report
        if: always()
        uses: actions/upload-artifact@v7
        with:
          name: report-${{{{ strategy.job-index }}}}
          path: ${{{{ runner.temp }}}}/report
          if-no-files-found: error
          overwrite: true
@SAVE@
  result:
    name: Result
    needs: test
    if: always()
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
{_SETUP}\
@LOGIN@      - uses: actions/download-artifact@v8
        with:
          pattern: report-*
          path: ${{{{ runner.temp }}}}/reports
      - name: Merge the reports
        run: |
          mkdir -p "$RUNNER_TEMP/reports"
          pyimages merge "$RUNNER_TEMP/reports" \\
            @IMAGES@ \\
            -o "$RUNNER_TEMP/result/report.html" -o "$RUNNER_TEMP/result/report.json" \\
            -o "$RUNNER_TEMP/result/junit.xml"@COVERAGE@
      - name: Upload the result
        if: always()
        uses: actions/upload-artifact@v7
        with:
          name: result
          path: ${{{{ runner.temp }}}}/result
          overwrite: true
"""


def make_matrix(jobs: Jobs) -> dict[str, Any]:
    """Return the matrix: ``fromJSON`` reads it in a workflow that computes it."""
    matrix: dict[str, Any] = {"image": jobs.specs, "shard": list(range(1, jobs.shards + 1))}
    if jobs.allowed:
        matrix["include"] = [{"image": image, ALLOWED: True} for image in jobs.allowed]
    return matrix


def render(jobs: Jobs) -> str:
    """Return the workflow as YAML, which JSON strings and lists are."""
    matrix = make_matrix(jobs)
    lines = [f"{name}: {json.dumps(matrix[name])}" for name in ("image", "shard")]
    if jobs.allowed:
        lines += ["include:", *(f"  - {{image: {json.dumps(image)}, {ALLOWED}: true}}" for image in jobs.allowed)]
    return jobs.fill_in(_TEMPLATE, MATRIX="\n".join(f"        {line}" for line in lines), **_keep_images(jobs.registry))


def _keep_images(registry: str) -> dict[str, str]:
    """Return the parts that keep environment images: in a repository of a registry, or else in the service's cache."""
    if not registry:
        return {"REPOSITORY": "", "PERMISSIONS": "", "LOGIN": "", "RESTORE": _RESTORE, "SAVE": _SAVE}
    host = registry.partition("/")[0]
    is_own = host == "ghcr.io"
    login = _LOGIN.replace("@HOST@", host)
    login = login.replace("@NAME@", "github.actor" if is_own else "vars.REGISTRY_USERNAME")
    login = login.replace("@TOKEN@", "github.token" if is_own else "secrets.REGISTRY_TOKEN")
    repository = _REPOSITORY.replace("@REGISTRY@", registry)
    permissions = _PERMISSIONS if is_own else ""
    return {"REPOSITORY": repository, "PERMISSIONS": permissions, "LOGIN": login, "RESTORE": login, "SAVE": ""}
