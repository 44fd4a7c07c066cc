"""This plugin's options of the command line and keys of the ini file: the tables that every reader of them shares."""

from __future__ import annotations

# Our own command line options: name, metavar, help.
OPTIONS = (
    (
        "--py-images",
        "SPEC",
        (
            "run the suite in a container of each of these images: tags, ranges, references, 'auto', separated by"
            " commas, a trailing '?' allows an image to fail. May be repeated. Example: 3.12,3.14-slim,3.15-rc?"
            " Where pytest itself refuses the suite's configuration before any plugin is loaded (a plugin of -p that"
            " is not installed here, a minversion above this one's, a class of filterwarnings that cannot be imported"
            " here, where warnings are errors), 'pyimages test SPEC -- ARGUMENT...' does the same job."
        ),
    ),
    (
        "--py-images-registry",
        "PREFIX",
        (
            "where plain tags come from instead of the public registry, such as localhost:5000/library"
            " (default: PY_IMAGES_REGISTRY, else none)"
        ),
    ),
    (
        "--py-images-engine",
        "URL",
        (
            "the container engine, such as unix:///run/podman/podman.sock (default: DOCKER_HOST, else the docker"
            " command's current context)"
        ),
    ),
    ("--py-images-report", "FILE", "write the results of all images to FILE: .json, .html or .md; may be repeated"),
    (
        "--py-images-baseline",
        "IMAGE",
        "say at the end what newly fails, is slower or warns newly on the other images than on this one",
    ),
    (
        "--py-images-cov-context",
        "WHAT",
        "'image': with --cov, an image's label is (the first part of) the context of what it covers; 'none' (default)",
    ),
    (
        "--py-images-github",
        "WHEN",
        "'auto': in GitHub Actions, failures become annotations, and the step's summary has the results; 'no'",
    ),
    (
        "--py-images-pull",
        "POLICY",
        (
            "when a registry is asked for an image: 'missing', if the engine does not have it; 'always'; 'never'"
            " (default: missing)"
        ),
    ),
    (
        "--py-images-jobs",
        "N",
        "run so many containers at once, builds included (default: as many as the engine has processors, at least 2)",
    ),
    (
        "--py-images-fail-fast",
        "SCOPE",
        "what ends at the first failure: 'image', the suite of that image alone; 'session', all of them, as with -x",
    ),
    (
        "--py-images-shard",
        "K/N",
        (
            "run the K-th of N parts of every image's tests, which take about equally long as far as durations are"
            " recorded; 'pyimages merge' makes one report of all parts"
        ),
    ),
    (
        "--py-images-source",
        "MODE",
        (
            "how the source gets into a container: 'overlay' (a writable layer over it), 'copy', or 'auto', the first"
            " that works (default: auto)"
        ),
    ),
)
INI_KEYS = (
    ("py_images", "the images to run the suite in, as for --py-images, one or more per line"),
    ("py_images_registry", "as --py-images-registry"),
    ("py_images_baseline", "as --py-images-baseline"),
    ("py_images_cov_context", "as --py-images-cov-context"),
    ("py_images_pull", "as --py-images-pull"),
    ("py_images_fail_fast", "as --py-images-fail-fast"),
    ("py_images_jobs", "as --py-images-jobs"),
    ("py_images_lock", "a file that pins images to their digests, relative to the rootdir; `pyimages lock` writes it"),
    ("py_images_install", "what to install for the suite instead of what is found: pip arguments, one per line"),
    (
        "py_images_versions",
        "'locked': hold to the project's lock file or fail; 'free': leave it alone; by default, what works is held to",
    ),
    ("py_images_setup", "shell commands to run in an image before anything is installed, one per line"),
    ("py_images_apt", "system packages to install in the images: names of Debian's, or of Alpine's"),
    ("py_images_env", "variables for set-up and suite: NAME=VALUE, or NAME for the host's value, one per line"),
    ("py_images_dockerfile", "a Dockerfile for what the images stand on; gets the image as the argument PYTHON_IMAGE"),
)
OWN_OPTIONS = tuple((name, True) for name, _, _ in OPTIONS)
OWN_INI = tuple(name for name, _ in INI_KEYS)
