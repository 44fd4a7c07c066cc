"""What containers of tests may use: how it is written, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pyimages.engines import ContainerOptions, Mount
from pytest_pyimages.engines.base import ContainerSpec, EngineInfo
from pytest_pyimages.engines.body import SOCKET, SOCKET_IN_CONTAINER, find_own_socket, lend_socket, make_body
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.settings.container_options import (
    OPTION_KEYS,
    check_project_option,
    read_container_option,
)

ENGINE = EngineInfo(name="docker", version="29", api_version="1.47", endpoint="unix:///srv/engine.sock")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        *(
            ("memory", text, size)
            for text, size in (("512m", 1 << 29), ("1.5G", 3 << 29), ("7b", 7), ("64MiB", 1 << 26))
        ),
        ("memory", 4096, 4096),
        ("memory", None, 0),
        ("cpus", "1.5", 1.5),
        ("shm_size", "1g", 1 << 30),
        *(
            ("network", text, name)
            for text, name in (("none", "none"), ("host", "host"), ("default", ""), ("net_1", "net_1"))
        ),
        ("add_host", ["api.test:127.0.0.1", "v6=::1"], ("api.test:127.0.0.1", "v6:::1")),
        ("mount", "/data:/models:ro", (Mount(kind="bind", source="/data", target="/models", read_only=True),)),
        ("mount", "cache:/cache", (Mount(kind="volume", source="cache", target="/cache"),)),
        ("mount", "type=tmpfs,dst=/scratch/", (Mount(kind="tmpfs", target="/scratch"),)),
        ("mount", "src=/a,target=/b,readonly", (Mount(kind="bind", source="/a", target="/b", read_only=True),)),
        ("device", "/dev/fuse", (("/dev/fuse", "/dev/fuse", "rwm"),)),
        ("device", "/dev/a:/dev/b:r", (("/dev/a", "/dev/b", "r"),)),
        ("gpus", "device=0,1", "device=0,1"),
        *(("socket", value, True) for value in (True, "true", ["1"], "On")),
        *(("socket", value, False) for value in (False, "false", ["0"], None)),
        ("container", {"Hostname": "ci"}, {"Hostname": "ci"}),
        ("container", 'Hostname=ci\nUlimits=[{"Name": "nofile"}]', {"Hostname": "ci", "Ulimits": [{"Name": "nofile"}]}),
    ],
)
def test_values_are_read(key: str, value: object, expected: object) -> None:
    assert read_container_option(key, value, "here") == expected


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("memory", "much", 'invalid size "much"'),
        ("memory", "0", "invalid size"),
        ("memory", "5x", "invalid size"),
        ("cpus", "0", "invalid number of CPUs"),
        ("network", "container:db", "shares the network of another container"),
        ("network", "a b", "invalid network"),
        ("add_host", "api", "invalid entry"),
        ("mount", "./data:/data", "invalid mount"),
        ("mount", "/data:data", "invalid mount"),
        ("mount", "/a:/b:z", "unknown mode"),
        ("mount", "pytest-pyimages-cache-0123:/cache", "a volume of builds"),
        ("mount", "type=volume,source=pytest-pyimages-uv-0.1,target=/uv", "a volume of builds"),
        ("mount", "pyimages-0123456789ab-01234567:/other", "of other tests"),
        ("mount", "type=npipe,src=/a,dst=/b", "unknown type"),
        ("mount", "source=/a,target=/b,bind-propagation=shared", "unknown field"),
        ("device", "fuse", "invalid device"),
        ("gpus", "some", "invalid value"),
        ("socket", "/var/run/docker.sock", "must be true or false"),
        ("memory", True, "must be a string"),
        ("container", "Hostnam=ci", "did you mean Hostname?"),
        ("container", "Hostname", "invalid entry"),
        ("container", "Privileged=true", "the devices and the kernel of the host"),
        ("container", "PidMode=host", "shares a namespace"),
        ("container", 'IpcMode="container:x"', "shares a namespace"),
        ("container", {"CapAdd": ["CAP_SYS_ADMIN"]}, "with SYS_ADMIN tests can leave their container"),
        ("container", {"CapAdd": ["all"]}, "with ALL tests"),
        ("container", {"SecurityOpt": ["seccomp=unconfined"]}, "would remove a protection"),
        ("container", {"SecurityOpt": ["no-new-privileges:false"]}, "would remove a protection"),
        ("container", "PidsLimit=-1", "without a limit"),
        ("container", {"Binds": ["/:/host"]}, "write py_images_mount"),
        ("container", "Memory=1000000", "write py_images_memory"),
        ("container", {"Cmd": ["sh"]}, "the plugin sets it"),
    ],
)
def test_invalid_and_dangerous_values_are_refused(key: str, value: object, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_container_option(key, value, "here")
    assert problem in str(caught.value)
    assert str(caught.value).startswith("here: ")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("mount", "/etc:/etc/host", "/etc is not part of the project"),
        ("mount", "{root}/../other:/other", "/other is not part of the project"),
        ("mount", "{root}/link:/x", "/link is not part of the project"),
        ("mount", "data:/x", "data is not part of the project"),
        ("device", "/dev/kvm", "/dev/kvm is a device of the host"),
        ("network", "host", "the network of the host is not the project's"),
        ("socket", "true", "the engine's socket gives control over its machine"),
        ("socket", "false", ""),
        ("mount", "{root}/data:/x", ""),
        ("mount", "type=tmpfs,dst=/x", ""),
        ("network", "none", ""),
    ],
)
def test_files_of_a_project_grant_only_the_project(key: str, value: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    option = read_container_option(key, value.format(root=tmp_path), "here")
    if not problem:
        check_project_option(key, option, "here", tmp_path)
        return
    with pytest.raises(ConfigurationError) as caught:
        check_project_option(key, option, "here", tmp_path)
    assert problem in str(caught.value)
    assert f"PY_IMAGES_{key.upper()} may grant it" in str(caught.value)


def make_request(shared: str = "", **options: Any) -> dict[str, Any]:
    spec = ContainerSpec(
        name="x", image="i", command=("true",), labels={}, network=shared, options=ContainerOptions(**options)
    )
    return make_body(spec)


def test_options_become_fields_of_the_request() -> None:
    body = make_request(
        memory=1 << 29,
        cpus=1.5,
        shm_size=1 << 30,
        network="net",
        add_host=("api:127.0.0.1",),
        mount=(Mount(kind="bind", source="/a", target="/b"),),
        device=(("/dev/a", "/dev/b", "r"),),
        gpus="all",
        container={"Hostname": "ci", "PidsLimit": 9, "CapAdd": ["MKNOD"], "SecurityOpt": ["label=disable"]},
    )
    host = body["HostConfig"]
    assert body["Hostname"] == "ci"
    assert (host["Memory"], host["NanoCpus"], host["ShmSize"], host["PidsLimit"]) == (
        1 << 29,
        1_500_000_000,
        1 << 30,
        9,
    )
    assert (host["NetworkMode"], host["ExtraHosts"]) == ("net", ["api:127.0.0.1"])
    assert host["Mounts"] == [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": False}]
    assert host["Devices"] == [{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}]
    assert host["DeviceRequests"] == [{"Capabilities": [["gpu"]], "Count": -1}]
    assert host["SecurityOpt"] == ["no-new-privileges", "label=disable"]
    assert "MKNOD" not in host.get("CapDrop", ())


def test_services_decide_the_network_of_the_suite() -> None:
    host = make_request("container:abc", network="none", add_host=("api:127.0.0.1",))["HostConfig"]
    assert host["NetworkMode"] == "container:abc"
    assert "ExtraHosts" not in host


@pytest.mark.parametrize(
    ("endpoint", "system", "expected"),
    [
        ("unix:///srv/engine.sock", "linux", "/srv/engine.sock"),
        ("unix:///home/me/.docker/desktop/docker.sock", "linux", SOCKET),
        ("unix:///home/me/.rd/docker.sock", "linux", SOCKET),
        ("unix:///home/me/.local/share/containers/podman/machine/podman.sock", "linux", SOCKET),
        ("unix:///Users/me/.colima/default/docker.sock", "darwin", SOCKET),
        ("unix:///var/folders/xx/T/podman/podman-machine-default-api.sock", "darwin", SOCKET),
        ("tcp://engine:2376", "linux", SOCKET),
        ("ssh://me@engine", "darwin", SOCKET),
    ],
)
def test_socket_of_the_engine_on_its_own_machine(endpoint: str, system: str, expected: str) -> None:
    assert find_own_socket(replace(ENGINE, endpoint=endpoint), system) == expected


def test_linked_socket_is_found_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "docker.sock").symlink_to(tmp_path / ".orbstack" / "run" / "docker.sock")
    (tmp_path / "link.sock").symlink_to(tmp_path / "real.sock")
    assert find_own_socket(replace(ENGINE, endpoint=f"unix://{tmp_path}/docker.sock"), "linux") == SOCKET
    assert find_own_socket(replace(ENGINE, endpoint=f"unix://{tmp_path}/link.sock"), "linux") == f"{tmp_path}/real.sock"


def test_socket_is_lent_with_what_testcontainers_needs() -> None:
    options, variables = lend_socket(ContainerOptions(socket=True), ENGINE)
    assert options.mount == (Mount(kind="bind", source="/srv/engine.sock", target=SOCKET_IN_CONTAINER),)
    assert options.add_host == ("host.docker.internal:host-gateway",)
    assert variables == {
        "DOCKER_HOST": "unix:///run/docker.sock",
        "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE": "/srv/engine.sock",
        "TESTCONTAINERS_HOST_OVERRIDE": "host.docker.internal",
    }
    mounted = (Mount(kind="bind", source="/srv/other.sock", target=SOCKET),)
    assert lend_socket(ContainerOptions(socket=True, mount=mounted), ENGINE)[0].mount == options.mount
    own = ("host.docker.internal:10.0.0.1",)
    assert lend_socket(ContainerOptions(socket=True, add_host=own), ENGINE)[0].add_host == own
    _, variables = lend_socket(ContainerOptions(socket=True, network="host"), ENGINE)
    assert variables["TESTCONTAINERS_HOST_OVERRIDE"] == "localhost"
    options, variables = lend_socket(ContainerOptions(socket=True), replace(ENGINE, name="podman"))
    assert options.add_host == ()
    assert variables["TESTCONTAINERS_HOST_OVERRIDE"] == "host.containers.internal"
    assert lend_socket(ContainerOptions(), ENGINE) == (ContainerOptions(), {})


def test_every_key_is_an_option() -> None:
    assert set(OPTION_KEYS) == set(ContainerOptions.__dataclass_fields__)
