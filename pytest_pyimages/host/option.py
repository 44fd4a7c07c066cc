"""The declaration of one setting, and the settings of what containers of tests may use.

This module is loaded by every pytest.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["text", "user", "flag", "choice", "count", "seconds", "shard", "images", "files", "lines", "engines"]
_LISTS = ("images", "files", "lines", "engines")  # one per line in an ini file or a variable


class Option(NamedTuple):
    """One setting; of several sources the first counts: command line, environment variable, ini key, default."""

    ini: str  # "py_images_jobs"
    kind: Kind
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    default: str = ""  # the value, or what it depends on; empty for none
    example: str = ""  # a value
    ini_only: bool = False  # it describes the project, not a run of its tests

    @property
    def name(self) -> str:
        """The command line option: ``--py-images-jobs``."""
        return "--" + self.ini.replace("_", "-")

    @property
    def environment(self) -> str:
        """The environment variable: ``PY_IMAGES_JOBS``."""
        return self.ini.upper()

    @property
    def full_help(self) -> str:
        """The help text with the choices, the default and an example, as ``--help`` shows it."""
        notes = (("choices", ", ".join(self.choices)), ("default", self.default), ("example", self.example))
        shown = "; ".join(f"{title}: {text}" for title, text in notes if text)
        return f"{self.help} ({shown})" if shown else self.help

    @property
    def is_list(self) -> bool:
        """Whether there may be several values."""
        return self.kind in _LISTS

    @property
    def ini_type(self) -> Literal["linelist", "string"]:
        """The type of the ini key for pytest."""
        return "linelist" if self.is_list else "string"


CONTAINER_TABLE = (
    Option(
        ini="py_images_memory",
        kind="text",
        metavar="SIZE",
        help="memory of each container of tests, as for docker run",
        default="no limit",
        example="2g",
    ),
    Option(
        ini="py_images_cpus",
        kind="text",
        metavar="N",
        help="CPUs of each container of tests",
        default="no limit",
        example="1.5",
    ),
    Option(
        ini="py_images_shm_size",
        kind="text",
        metavar="SIZE",
        help="size of /dev/shm",
        default="the engine's, 64m",
        example="1g",
    ),
    Option(
        ini="py_images_network",
        kind="text",
        metavar="NETWORK",
        help="network of the tests: default, none, host, or the name of one of the engine's networks",
        default="default",
        example="none",
    ),
    Option(
        ini="py_images_add_host",
        kind="lines",
        metavar="NAME:ADDRESS",
        help="add a host name to the containers of tests. May be repeated",
        example="api.test:127.0.0.1",
    ),
    Option(
        ini="py_images_mount",
        kind="lines",
        metavar="MOUNT",
        help="mount a folder of the engine's host, a volume or memory into the containers of tests: SOURCE:TARGET[:ro],"
        " or as for docker run --mount. May be repeated",
        example="/data/models:/models:ro",
    ),
    Option(
        ini="py_images_device",
        kind="lines",
        metavar="DEVICE",
        help="give tests a device of the engine's host. May be repeated",
        example="/dev/fuse",
    ),
    Option(
        ini="py_images_gpus",
        kind="text",
        metavar="GPUS",
        help="give tests GPUs: all, a number, or device=0,1",
        example="all",
    ),
    Option(
        ini="py_images_socket",
        kind="flag",
        help="give tests the engine's socket, for suites that start containers (Testcontainers). Their code then"
        " controls the engine, and by it the engine's machine",
    ),
    Option(
        ini="py_images_container",
        kind="lines",
        ini_only=True,
        help="further fields of the Engine API for containers of tests, one per line: NAME=JSON. Those that would break"
        " the isolation of tests are refused",
        example='Ulimits=[{"Name": "nofile", "Soft": 1024, "Hard": 2048}]',
    ),
)
