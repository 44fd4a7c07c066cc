"""Servers that other tools of a project start."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from pytest_pyimages.project.environments.services import find_declared_services

COMPOSE = """
    # for development
    services:
      web:
        build: .
        ports:
          - "8000:8000"
      db:
        environment:
          - POSTGRES_PASSWORD=x
        image: "postgres:17"  # as in production
      cache:
        image: redis:7
    volumes:
      data:
        image: no
"""
WORKFLOW = """
    on: [push]
    jobs:
      test:
        container:
          image: python:3.12
        services:
          postgres:
            image: postgres:17
            ports:
              - 5432:5432
        steps:
          - name: tests
            run: pytest
          - uses: docker://alpine
"""
GITLAB = """
    test:
      image: python:3.12
      services:
        - docker:dind
        - redis:7
        - name: postgres:17
          alias: db
      script:
        - pytest
"""


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("compose.yaml", COMPOSE, [("db", "postgres:17"), ("cache", "redis:7")]),
        ("docker-compose.yml", COMPOSE, [("db", "postgres:17"), ("cache", "redis:7")]),
        (".github/workflows/ci.yml", WORKFLOW, [("postgres", "postgres:17")]),
        (".gitlab-ci.yml", GITLAB, [("", "redis:7"), ("", "postgres:17")]),
        ("tox.ini", "[testenv]\ndocker = db\n[docker:db]\nimage = postgres:17\n", [("db", "postgres:17")]),
        ("tox.ini", "image = a\n", []),
        ("compose.yaml", "services:\n  web:\n    image: ${REGISTRY}/web\n", []),
        ("compose.yaml", "services:\n", []),
        ("compose.yaml", "\0\n- [\n", []),
    ],
)
def test_servers_are_found(file: str, text: str, expected: list[tuple[str, str]], tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(dedent(text))
    found = find_declared_services(tmp_path)
    assert [(service.name, service.image) for service in found] == expected
    assert {service.file for service in found} <= {file}


def test_nothing_is_declared(tmp_path: Path) -> None:
    assert find_declared_services(tmp_path) == []
