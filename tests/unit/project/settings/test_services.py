"""Services as users write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.settings.services import Service, ServiceFile, read_services

WHERE = "py_images_services"


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (None, {}),
        ("redis:7", {"redis": "redis:7"}),
        ("redis:7\ndb=postgres:17", {"redis": "redis:7", "db": "postgres:17"}),
        (["redis:7, db=postgres:17"], {"redis": "redis:7", "db": "postgres:17"}),
        (["registry.example:5000/some/redis:7"], {"redis": "registry.example:5000/some/redis:7"}),
        (["redis@sha256:12"], {"redis": "redis@sha256:12"}),
        ([{"image": "postgres:17"}], {"postgres": "postgres:17"}),
    ],
)
def test_names_and_images(entries: object, expected: dict[str, str], tmp_path: Path) -> None:
    assert {service.name: service.image for service in read_services(entries, tmp_path, WHERE)} == expected


def test_all_keys(tmp_path: Path) -> None:
    (tmp_path / "init.sql").touch()
    (service,) = read_services(
        [
            {
                "name": "db",
                "image": "postgres:17",
                "env": {"POSTGRES_PASSWORD": "x"},
                "ports": [5432],
                "ready": "pg_isready",
                "tmpfs": ["/var/lib/postgresql/data"],
                "command": "postgres -c 'fsync=off'",
                "volumes": ["init.sql:/docker-entrypoint-initdb.d/init.sql:ro"],
                "timeout": 90,
            }
        ],
        tmp_path,
        WHERE,
    )
    assert service == Service(
        name="db",
        image="postgres:17",
        env={"POSTGRES_PASSWORD": "x"},
        ports=(5432,),
        ready="pg_isready",
        tmpfs=("/var/lib/postgresql/data",),
        command=("postgres", "-c", "fsync=off"),
        files=(ServiceFile(source=tmp_path / "init.sql", target="/docker-entrypoint-initdb.d/init.sql"),),
        timeout=90.0,
    )


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"name": "db"}], "has no image"),
        ([{"image": "postgres:17", "port": 5432}], 'unknown key "port" · did you mean ports'),
        ([{"image": "postgres:17", "name": "My DB"}], '"My DB" cannot be the name of a service'),
        ([{"image": "postgres:17", "ports": ["5432"]}], "'5432' is not a port"),
        ([{"image": "postgres:17", "ports": [True]}], "True is not a port"),
        ([{"image": "postgres:17", "command": "echo 'a"}], "command: No closing quotation · close the quotation"),
        ([{"image": "postgres:17", "tmpfs": "data"}], '"data" is not an absolute path'),
        ([{"image": "postgres:17", "env": {"A": 1}}], "A is 1, not a string"),
        ([{"image": "postgres:17", "timeout": "1m"}], "timeout is '1m'"),
        ([{"image": "postgres:17", "ready": ["a"]}], "ready is ['a'], not a string"),
        ([{"image": "postgres:17", "volumes": ["no.sql:/x"]}], '"no.sql:/x" does not name a file of the project'),
        ([{"image": "postgres:17", "volumes": ["../other.sql:/x"]}], '"../other.sql:/x" does not name a file of'),
        ([{"image": "postgres:17", "volumes": ["/etc/passwd:/x"]}], '"/etc/passwd:/x" does not name a file of'),
        ([{"image": "postgres:17", "volumes": ["link:/x"]}], '"link:/x" does not name a file of the project'),
        ([{"image": "postgres:17", "volumes": ["a.sql"]}], '"a.sql" does not name a file of the project'),
        (["redis:7", "redis:6"], 'two services are named "redis"'),
        ([7], "must be a string or a list of strings"),
        (["=redis:7"], '"" cannot be the name'),
        (["db="], '"db=" names no image'),
        (["Redis:7"], '"Redis" cannot be the name'),
    ],
)
def test_errors(entries: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(ConfigurationError) as caught:
        read_services(entries, tmp_path, WHERE)
    assert message in str(caught.value)
    assert WHERE in str(caught.value) or "[[tool.pyimages.services]]" in str(caught.value)
