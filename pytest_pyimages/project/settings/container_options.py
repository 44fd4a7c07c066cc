"""Read what containers of tests may use: memory, CPUs, networks, mounts, devices, other fields of the Engine API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_pyimages.engines import CONTAINER_FIELDS, HOST_FIELDS, ContainerOptions, Mount
from pytest_pyimages.errors import ConfigurationError
from pytest_pyimages.project.settings.checks import read_strings
from pytest_pyimages.text import suggest

OPTION_KEYS = ("memory", "cpus", "shm_size", "network", "add_host", "mount", "device", "gpus", "socket", "container")
_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[kmgt]?)(?:i?b)?", re.IGNORECASE)  # as docker's -m
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_TRUTH = {**dict.fromkeys(("1", "true", "yes", "on"), True), **dict.fromkeys(("0", "false", "no", "off"), False)}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_OWN_VOLUMES = ("pytest-pyimages-", "pyimages-")  # a project must not change what builds of others believe
_HOST = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)[:=](?P<address>host-gateway|[0-9A-Fa-f.:\[\]]+)")
_DEVICE = re.compile(r"(?P<host>/[^:]*)(?::(?P<target>/[^:]*))?(?::(?P<access>[rwm]+))?")
_MOUNT_KEYS = {"source": "source", "src": "source", "target": "target", "dst": "target", "destination": "target"}
_SHARED = "it shares a namespace of the host, or of another container"
_OURS = "the plugin sets it"
_REFUSED = {
    "Privileged": "it gives tests the devices and the kernel of the host",
    "VolumesFrom": "it gives tests the volumes of other containers",
    "DeviceCgroupRules": "it gives tests devices of the host; name them with py_images_device",
    "MaskedPaths": "it shows tests settings of the host's kernel",
    "ReadonlyPaths": "it lets tests change settings of the host's kernel",
    **dict.fromkeys(("Binds", "Mounts"), "write py_images_mount"),
    "NetworkMode": "write py_images_network",
    "ExtraHosts": "write py_images_add_host",
    "Memory": "write py_images_memory",
    "NanoCpus": "write py_images_cpus",
    "ShmSize": "write py_images_shm_size",
    "Devices": "write py_images_device",
    "DeviceRequests": "write py_images_gpus",
    "Env": "write py_images_env",
    **dict.fromkeys(("Image", "Cmd", "Entrypoint", "WorkingDir", "User", "Labels", "Tty", "OpenStdin"), _OURS),
    **dict.fromkeys(("StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr", "Healthcheck", "Volumes"), _OURS),
    **dict.fromkeys(("LogConfig", "AutoRemove", "RestartPolicy", "Init", "HostConfig", "NetworkingConfig"), _OURS),
}
_NAMESPACES = ("PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode")
# With one of these, root in a container can leave it (capabilities(7)).
_ESCAPES = ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "DAC_READ_SEARCH", "BPF", "PERFMON", "NET_ADMIN")


def read_container_option(key: str, value: object, where: str) -> Any:
    """Return the value of one of ``OPTION_KEYS``, as ContainerOptions has it.

    :param value: a string, or a list of them; a number or a truth value in TOML; None if it is not set.
    :param where: what the user wrote it in.
    :raises ConfigurationError: for an invalid value, or one that would break the isolation of tests.
    """
    if key == "container":
        return _read_fields(value, where)
    if isinstance(value, int | float) and isinstance(value, bool) == (key == "socket"):
        value = str(value)
    texts = read_strings(value, where)
    if key in _LISTS:
        return tuple(_LISTS[key](text, where) for text in texts)
    if not texts:
        return getattr(ContainerOptions(), key)
    return _VALUES[key](texts[-1], where)


def check_project_option(key: str, value: Any, where: str, rootdir: Path) -> None:
    """Check that a project's files do not give its tests more of this machine than the project.

    Who runs the tests of a project that somebody else wrote may do so, on the command line or in the environment.

    :param value: as ``read_container_option`` returns it.
    :param rootdir: the folder whose files may be mounted.
    :raises ConfigurationError: for a mount of other files or of a volume, a device, the host's network, or the
        engine's socket.
    """
    what = ""
    if key == "mount":
        root = rootdir.resolve()
        others = [mount.source for mount in value if mount.source and not _is_part_of(mount, root)]
        what = f"{others[0]} is not part of the project" if others else ""
    elif key == "device" and value:
        what = f"{value[0][0]} is a device of the host"
    elif key == "network" and value == "host":
        what = "the network of the host is not the project's"
    elif key == "socket" and value:
        what = "the engine's socket gives control over its machine"
    if what:
        raise ConfigurationError(
            f"{where}: {what}", f"only the command line (--py-images-{key}) or PY_IMAGES_{key.upper()} may grant it"
        )


def _is_part_of(mount: Mount, root: Path) -> bool:
    return mount.kind == "bind" and Path(mount.source).resolve().is_relative_to(root)


def _read_size(text: str, where: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match["number"]) * (1 << _UNITS[match["unit"].lower()])) if match is not None else 0
    if size < 1:
        raise ConfigurationError(f'{where}: invalid size "{text}"', "write a number with a unit: 512m, 2g")
    return size


def _read_cpus(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.01 <= number < 1e6:
        raise ConfigurationError(f'{where}: invalid number of CPUs "{text}"', "write a number such as 1.5")
    return number


def _read_network(text: str, where: str) -> str:
    if text.startswith("container:"):
        raise ConfigurationError(f"{where}: {text} shares the network of another container", "name a network")
    if not _NAME.fullmatch(text):
        raise ConfigurationError(f'{where}: invalid network "{text}"', "write default, none, host or a network's name")
    return "" if text == "default" else text


def _read_flag(text: str, where: str) -> bool:
    word = text.lower()
    if word not in _TRUTH:
        raise ConfigurationError(f'{where}: invalid value "{text}"', "must be true or false")
    return _TRUTH[word]


def _read_gpus(text: str, where: str) -> str:
    if text != "all" and not re.fullmatch(r"[1-9][0-9]{0,3}|device=[A-Za-z0-9,-]+", text):
        raise ConfigurationError(f'{where}: invalid value "{text}"', "write all, a number or device=0,1")
    return text


def _read_host(text: str, where: str) -> str:
    match = _HOST.fullmatch(text)
    if match is None:
        raise ConfigurationError(f'{where}: invalid entry "{text}"', "write NAME:ADDRESS")
    return f"{match['name']}:{match['address']}"


def _read_device(text: str, where: str) -> tuple[str, str, str]:
    match = _DEVICE.fullmatch(text)
    if match is None:
        raise ConfigurationError(f'{where}: invalid device "{text}"', "write /dev/NAME[:/dev/NAME][:rwm]")
    return match["host"], match["target"] or match["host"], match["access"] or "rwm"


def _read_mount(text: str, where: str) -> Mount:
    """Return a mount, written as for docker's --mount or as SOURCE:TARGET[:ro]."""
    fields: dict[str, str] = {}
    read_only = False
    if "=" in text:
        for part in text.split(","):
            name, equals, value = part.partition("=")
            if name in ("readonly", "ro") and value in ("", "true", "1"):
                read_only = True
            elif equals and (name == "type" or name in _MOUNT_KEYS):
                fields[_MOUNT_KEYS.get(name, name)] = value
            else:
                raise ConfigurationError(
                    f'{where}: unknown field "{part}" in "{text}"', "choose from type, source, target, readonly"
                )
    else:
        source, _, rest = text.partition(":")
        target, _, mode = rest.partition(":")
        if mode not in ("", "ro", "rw"):
            raise ConfigurationError(f'{where}: unknown mode "{mode}" in "{text}"', "write ro, or nothing")
        fields, read_only = {"source": source, "target": target}, mode == "ro"
    source, target = fields.get("source", ""), fields.get("target", "")
    kind = fields.get("type") or ("bind" if source.startswith("/") else "volume")
    if kind not in ("bind", "volume", "tmpfs"):
        raise ConfigurationError(f'{where}: unknown type "{kind}"', "choose from bind, volume, tmpfs")
    if kind == "volume" and source.startswith(_OWN_VOLUMES):
        raise ConfigurationError(f'{where}: "{source}" is a volume of builds or of other tests', "name another volume")
    is_valid = not source if kind == "tmpfs" else source.startswith("/") if kind == "bind" else _NAME.fullmatch(source)
    if not is_valid or not target.startswith("/"):
        raise ConfigurationError(
            f'{where}: invalid mount "{text}"', "write SOURCE:TARGET[:ro], absolute paths or a volume's name"
        )
    return Mount(kind=kind, source=source, target=target.rstrip("/") or "/", read_only=read_only)  # type: ignore[arg-type] # checked


def _read_fields(value: object, where: str) -> dict[str, Any]:
    """Return fields of the Engine API: a table, or lines of NAME=JSON."""
    if isinstance(value, Mapping):
        fields = dict(value)
    else:
        fields = {}
        for text in read_strings(value, where):
            name, equals, given = text.partition("=")
            if not equals:
                raise ConfigurationError(f'{where}: invalid entry "{text}"', "write NAME=VALUE")
            fields[name.strip()] = _read_json(given.strip())
    for name, given in fields.items():
        _check_field(name, given, where)
    return fields


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _check_field(name: str, value: object, where: str) -> None:
    reason = _REFUSED.get(name, "")
    if name in _NAMESPACES and str(value).startswith(("host", "container:")):
        reason = _SHARED
    elif name == "CapAdd":
        added = {str(each).upper().removeprefix("CAP_") for each in (value if isinstance(value, list) else [value])}
        lost = sorted(added & set(_ESCAPES))
        reason = f"with {', '.join(lost)} tests can leave their container" if lost else ""
    elif name == "SecurityOpt":
        texts = [str(each) for each in (value if isinstance(value, list) else [value])]
        lost = [each for each in texts if "unconfined" in each or each.startswith("no-new-privileges")]
        reason = f"{', '.join(lost)} would remove a protection of the host" if lost else ""
    elif name == "PidsLimit" and not (isinstance(value, int) and value > 0):
        reason = "without a limit, tests can use up the processes of the host"
    if reason:
        raise ConfigurationError(f"{where}: {name} is refused", reason)
    if name not in (*HOST_FIELDS, *CONTAINER_FIELDS):
        raise ConfigurationError(f'{where}: unknown field "{name}"', suggest(name, (*HOST_FIELDS, *CONTAINER_FIELDS)))


_LISTS: dict[str, Callable[[str, str], Any]] = {"add_host": _read_host, "mount": _read_mount, "device": _read_device}
_VALUES: dict[str, Callable[[str, str], Any]] = {
    "memory": _read_size,
    "cpus": _read_cpus,
    "shm_size": _read_size,
    "network": _read_network,
    "gpus": _read_gpus,
    "socket": _read_flag,
}
