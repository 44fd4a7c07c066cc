"""The configuration for GitLab CI, to be included by the project's own."""

from __future__ import annotations

import json
import re
from typing import Any

from pytest_pyimages.cli.ci.jobs import CONFIGURED_EVERYWHERE, Jobs

FILE = ".gitlab-ci.yml"
FOLDER = ".gitlab"
TEST, ALLOWED = "pyimages test", "pyimages test, allowed to fail"
MOST_JOBS = 200  # of a matrix: GitLab's docs, "parallel:matrix"
# Lines that the configuration decides, which --check compares.
CONFIGURED = (
    re.compile(r"- IMAGE: (?P<names>\[.*\])"),
    re.compile(r"SHARD: (?P<names>\[.*\])"),
    *CONFIGURED_EVERYWHERE,
    re.compile(r"name=\$\(pyimages build .*"),
    re.compile(r"pyimages merge .*"),
)

# A cache cannot be named by what a job finds out, so that the archive is: by the digest of the recipe.
_KEPT = {
    "CACHE": """\
  cache:
    key: pyimages-$CI_JOB_NAME_SLUG
    paths:
      - .pyimages/environment/
    when: always
""",
    "RESTORE": """\
    - >-
      name=$(pyimages build --print-names "$IMAGE"@AFTER_DASHES@) || name=
    - archive=.pyimages/environment/${name##*:}.tar
    - if [ -n "$name" ] && [ -f "$archive" ]; then docker load --input "$archive" || rm "$archive"; fi
""",
    "SAVE": """\
    - |
      if [ -n "$name" ] && [ ! -f "$archive" ]; then
        rm -rf .pyimages/environment
        mkdir -p .pyimages/environment
        docker save --output "$archive" "$name" || rm -f "$archive"
      fi
""",
}
_REPOSITORY = """\
    PY_IMAGES_CACHE_FROM: @REGISTRY@
    PY_IMAGES_CACHE_TO: @REGISTRY@
"""
_LOGIN = """\
    - echo "$CI_REGISTRY_PASSWORD" | docker login "$CI_REGISTRY" --username "$CI_REGISTRY_USER" --password-stdin
"""
_TEMPLATE = """\
# Printed by: @COMMAND@
# `pyimages ci --check` compares it with the project's configuration.
.pyimages:
  image: docker:29
  services:
    - docker:29-dind
  variables:
    DOCKER_HOST: tcp://docker:2375
    DOCKER_TLS_CERTDIR: ""
@REPOSITORY@  before_script:
    - apk add --no-cache python3 git
    - python3 -m venv /opt/pytest-pyimages
    - export PATH="/opt/pytest-pyimages/bin:$PATH"
    - python -m pip install pytest-pyimages
    - timeout 60 sh -c 'until docker info > /dev/null 2>&1; do sleep 1; done'
@LOGIN@
.pyimages test:
  extends: .pyimages
  stage: test
@CACHE@  script:
@RESTORE@    - status=0
    - >-
      pytest --py-images="$IMAGE" --py-images-shard="$SHARD/@SHARDS@"
      --py-images-report=".pyimages/reports/$CI_JOB_ID/report.json"
      --junitxml=".pyimages/reports/$CI_JOB_ID/junit.xml"@ARGUMENTS@ || status=$?
@SAVE@    - exit $status
  artifacts:
    when: always
    paths:
      - .pyimages/reports/
    expire_in: 1 week
@TESTS@
pyimages result:
  extends: .pyimages
  stage: test
  needs:
@NEEDS@
  when: always
  script:
    - mkdir -p .pyimages/reports
    - >-
      pyimages merge .pyimages/reports
      @IMAGES@
      -o .pyimages/result/report.html -o .pyimages/result/report.json
      -o .pyimages/result/junit.xml@COVERAGE@
  artifacts:
    when: always
    paths:
      - .pyimages/result/
    reports:
      junit: .pyimages/result/junit.xml
"""
_TEST = """
{name}:
  extends: .pyimages test
{allowed}  parallel:
    matrix:
      - IMAGE: {images}
        SHARD: {shards}
"""


def make_matrix(jobs: Jobs) -> dict[str, Any]:
    """Return the matrices of the jobs, by their names."""
    shards = [str(number) for number in range(1, jobs.shards + 1)]
    names = {TEST: jobs.required, ALLOWED: jobs.allowed}
    return {name: [{"IMAGE": images, "SHARD": shards}] for name, images in names.items() if images}


def render(jobs: Jobs) -> str:
    """Return the configuration as YAML, which JSON strings and lists are."""
    matrices = make_matrix(jobs)
    tests = (
        _TEST.format(
            name=name,
            allowed="  allow_failure: true\n" if name == ALLOWED else "",
            images=json.dumps(entry["IMAGE"]),
            shards=json.dumps(entry["SHARD"]),
        )
        for name, (entry,) in matrices.items()
    )
    needs = "\n".join(f"    - job: {json.dumps(name)}" for name in matrices)
    return jobs.fill_in(_TEMPLATE, TESTS="".join(tests), NEEDS=needs, **_keep_images(jobs.registry))


def _keep_images(registry: str) -> dict[str, str]:
    """Return the parts that keep environment images: in a repository of a registry, or else in the service's cache."""
    if not registry:
        return {"REPOSITORY": "", "LOGIN": "", **_KEPT}
    repository = _REPOSITORY.replace("@REGISTRY@", registry)
    login = _LOGIN if registry.startswith(("$CI_REGISTRY", "registry.gitlab.com/")) else ""
    return {"REPOSITORY": repository, "LOGIN": login, **dict.fromkeys(_KEPT, "")}
