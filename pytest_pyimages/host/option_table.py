"""All settings of this plugin, declared once.

The parser's options, the ini keys, the environment variables, ``--help``, the documentation's table, the checks of
values and the suggestions for misspelt names are made from this table. This module is loaded by every pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.host.option import CONTAINER_TABLE, Option

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

OPTION_TABLE = (
    Option(
        ini="py_images",
        kind="images",
        metavar="SPEC",
        help="run the tests in a container of each of these images: tags, ranges, references, or words such as"
        " 'auto', 'supported', 'oldest' and 'rc', separated by commas; a trailing '?' allows an image to fail. May be"
        " repeated; 'none' runs pytest without images",
        example="3.12,3.14-slim,3.16-rc?",
    ),
    Option(
        ini="py_images_smoke",
        kind="flag",
        help="install what can be installed, compile and import each module of the project, and run only the tests that"
        " are marked 'smoke'; for images that cannot run the whole suite yet",
    ),
    Option(
        ini="py_images_watch",
        kind="flag",
        help="run the tests again when a file of the project changes or a key is typed, as 'pyimages watch' does",
    ),
    Option(
        ini="py_images_registry",
        kind="text",
        metavar="PREFIX",
        help="pull plain tags from this registry",
        default="the engine's default registry",
        example="localhost:5000/library",
    ),
    Option(
        ini="py_images_platform",
        kind="text",
        metavar="PLATFORM",
        help="platform of the images that have none of their own (3.12@linux/arm64)",
        default="DOCKER_DEFAULT_PLATFORM, else the engine's own",
        example="linux/arm64",
    ),
    Option(
        ini="py_images_engine",
        kind="engines",
        metavar="ENGINE",
        help="address of the container engine, or the name of a Docker context. If it is repeated, the images are"
        " divided among these engines",
        default="DOCKER_HOST, else the current Docker context, else the first socket of an engine, or Podman's service",
        example="unix:///run/podman/podman.sock",
    ),
    Option(
        ini="py_images_cluster",
        kind="text",
        metavar="ADDRESS",
        help="address of the scheduler of a Dask cluster, whose machines run the images",
        default="this host's engine",
        example="tcp://10.0.0.1:8786",
    ),
    Option(
        ini="py_images_report",
        kind="files",
        metavar="FILE",
        help="write the results of all images to FILE, which ends in .json, .html or .md. May be repeated",
        example="report.html",
    ),
    Option(
        ini="py_images_baseline",
        kind="text",
        metavar="IMAGE",
        help="report regressions (failures, slowdowns, warnings) relative to IMAGE, or to an earlier JSON report",
        example="3.12",
    ),
    Option(
        ini="py_images_cov_context",
        kind="choice",
        metavar="CONTEXT",
        help="with --cov, record the image name as coverage context",
        choices=("image", "none"),
        default="none",
    ),
    Option(
        ini="py_images_github",
        kind="choice",
        metavar="WHEN",
        help="in GitHub Actions, annotate failures and write the job summary",
        choices=("auto", "no"),
        default="auto",
    ),
    Option(
        ini="py_images_pull",
        kind="choice",
        metavar="POLICY",
        help="when to pull images",
        choices=("missing", "always", "never"),
        default="missing",
    ),
    Option(
        ini="py_images_cache_from",
        kind="lines",
        metavar="REGISTRY/NAME",
        help="look for environment images in this repository before they are built. May be repeated; only the command"
        " line and the variable may name it",
        example="ghcr.io/team/shop-tests",
    ),
    Option(
        ini="py_images_cache_to",
        kind="text",
        metavar="REGISTRY/NAME",
        help="push environment images to this repository; only the command line and the variable may name it",
        example="ghcr.io/team/shop-tests",
    ),
    Option(
        ini="py_images_jobs",
        kind="count",
        metavar="N",
        help="maximum number of containers (and builds) at once",
        default="one per CPU of the engine, at least 2",
        example="4",
    ),
    Option(
        ini="py_images_fail_fast",
        kind="choice",
        metavar="SCOPE",
        help="after the first failure stop this image only, or the whole session as -x does",
        choices=("image", "session"),
    ),
    Option(
        ini="py_images_timeout",
        kind="seconds",
        metavar="SECONDS",
        help="stop the suite of an image that takes longer, and report the stacks of its threads",
        example="600",
    ),
    Option(
        ini="py_images_silence",
        kind="seconds",
        metavar="SECONDS",
        help="stop the suite of an image that reports nothing for this long, and report the stacks of its threads",
        example="120",
    ),
    *CONTAINER_TABLE,
    Option(
        ini="py_images_shard",
        kind="shard",
        metavar="K/N",
        help="run the K-th of N parts of each image's tests, balanced by recorded durations;"
        " 'pyimages merge' combines the reports of all parts",
        example="1/3",
    ),
    Option(
        ini="py_images_source",
        kind="choice",
        metavar="MODE",
        help="how the source gets into the containers: 'overlay' puts a writable layer over it, 'auto' copies it where"
        " that does not work",
        choices=("auto", "overlay", "copy"),
        default="auto",
    ),
    Option(
        ini="py_images_copy",
        kind="lines",
        metavar="GLOB",
        help="if the source is copied, also copy files that match GLOB, relative to the rootdir; with '!' before it, do"
        " not copy them. The last GLOB that matches counts. May be repeated",
        default="in a git tree, what git does not ignore; elsewhere all but caches and environments",
        example="!data/*.bin",
    ),
    Option(
        ini="py_images_privileges",
        kind="choice",
        metavar="SET",
        help="privileges of the tests: 'reduced' gives setuid programs none, and allows no device files and no file"
        " capabilities; 'engine' is as by 'docker run', for sudo, su and ping of a user other than root",
        choices=("reduced", "engine"),
        default="reduced",
    ),
    Option(
        ini="py_images_user",
        kind="user",
        metavar="USER",
        help="user that the tests run as: UID[:GID], 'host' for yours, or 'root'",
        default="the image's own",
        example="1000:1000",
    ),
    Option(
        ini="py_images_keep_changes",
        kind="text",
        metavar="IMAGE",
        help="write the files that the tests of IMAGE have changed or added back into the project",
        default="for a single image, what options such as --snapshot-update ask for",
        example="3.12",
    ),
    Option(
        ini="py_images_artifacts",
        kind="lines",
        metavar="GLOB",
        help="copy the files of each image that match GLOB, relative to the rootdir, to .pyimages/IMAGE. May be"
        " repeated",
        example="reports/**",
    ),
    Option(
        ini="py_images_exclude",
        kind="lines",
        ini_only=True,
        help="files that containers must not see: patterns relative to the rootdir, one per line; '!' before one shows"
        " what matches. What git tracks is always shown",
        default="environments, and what was built on this host: build, *.egg-info, extension modules",
        example="data/private",
    ),
    Option(
        ini="py_images_root",
        kind="text",
        ini_only=True,
        help="folder that containers get, relative to the rootdir, for a project without git that uses files above it",
        default="the project's git tree, or the smallest folder that holds what is used",
        example="../..",
    ),
    Option(
        ini="py_images_lock",
        kind="text",
        ini_only=True,
        help="file with the digests that images are pinned to, relative to the rootdir; written by 'pyimages lock'",
        example="images.lock",
    ),
    Option(
        ini="py_images_install",
        kind="lines",
        ini_only=True,
        help="pip arguments that replace the detected requirements, one per line",
        example=".[test]",
    ),
    Option(
        ini="py_images_versions",
        kind="choice",
        ini_only=True,
        help="use of the project's lock file: 'locked' fails if it cannot be kept, 'free' ignores it",
        choices=("locked", "free"),
        default="keep what can be installed",
    ),
    Option(
        ini="py_images_setup",
        kind="lines",
        ini_only=True,
        help="shell commands to run before anything is installed, one per line",
        example="python tools/make_fixtures.py",
    ),
    Option(
        ini="py_images_apt",
        kind="lines",
        ini_only=True,
        help="system packages to install, by their Debian (or Alpine) names",
        example="libpq-dev",
    ),
    Option(
        ini="py_images_build_in",
        kind="choice",
        ini_only=True,
        help="where wheels for slim images are built: in the image itself, or in the full image of the same Python,"
        " which has compilers",
        choices=("image", "full"),
        default="image",
    ),
    Option(
        ini="py_images_env",
        kind="lines",
        ini_only=True,
        help="environment variables for set-up and tests, one per line: NAME=VALUE, or NAME for the host's value",
        example="DJANGO_SETTINGS_MODULE=shop.settings",
    ),
    Option(
        ini="py_images_services",
        kind="lines",
        help="servers that run beside the tests of each image, by their images: NAME=IMAGE, or IMAGE; in"
        " [[tool.pyimages.services]] with more settings",
        example="db=postgres:17",
        ini_only=True,
    ),
    Option(
        ini="py_images_dockerfile",
        kind="text",
        ini_only=True,
        help="Dockerfile to build the base image from; it gets the selected image as the argument PYTHON_IMAGE",
        example="tests/Dockerfile",
    ),
)
NO_IMAGES = "none"  # the value of --py-images for a pytest without images
OPTIONS = {option.ini: option for option in OPTION_TABLE}
INI_KEYS = tuple(OPTIONS)
OPTION_NAMES = tuple(option.name for option in OPTION_TABLE if not option.ini_only)
FLAG_NAMES = tuple(option.name for option in OPTION_TABLE if option.kind == "flag")
_NEARLY_OURS = ("--py-im", "--pyim")
TRUE = ("1", "true", "yes", "on")  # of a flag's variable or ini key


def add_options(parser: pytest.Parser) -> None:
    """Add all options and ini keys to pytest's parser."""
    group = parser.getgroup(
        "pyimages",
        "run the tests in containers of Python images"
        " (each option is also an environment variable, PY_IMAGES_JOBS, and an ini key, py_images_jobs)",
    )
    for option in OPTION_TABLE:
        if option.ini_only:
            parser.addini(option.ini, option.full_help, type=option.ini_type)
        elif option.kind == "flag":
            group.addoption(option.name, action="append_const", const=TRUE[0], default=[], help=option.full_help)
            parser.addini(option.ini, f"default of {option.name}", type=option.ini_type)
        else:
            group.addoption(option.name, action="append", default=[], metavar=option.metavar, help=option.full_help)
            parser.addini(option.ini, f"default of {option.name}", type=option.ini_type)


def has_misspelt_option(words: Sequence[str]) -> bool:
    """Return whether some word looks like an option of ours and is none."""
    return any(word.startswith(_NEARLY_OURS) and word.partition("=")[0] not in OPTION_NAMES for word in words)
