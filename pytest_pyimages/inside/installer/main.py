"""The install step, run in a container of the base image by the image's own Python; then the container is committed.

Standard library only, and the common syntax of Python 2.7 to 3.15. The modules and the job arrive on standard input, so
that neither is in the container's command, environment or history. Credentials and certificates are written to memory
(a tmpfs); uv and the project's cache of wheels are in volumes, which are not part of the container either.

Prints progress to standard error; the last line on standard output is the result as JSON.
"""

from __future__ import absolute_import, print_function

import json
import os
import py_compile
import shutil
import subprocess
import sys
import time
from importlib import import_module

from . import lock, partial
from .commands import (
    CACHE,
    HOME,
    MEMORY,
    call,
    check_pytest,
    end_with_host,
    finish,
    run_installer,
    say,
    write_in_memory,
    write_line,
)
from .interpreters import describe_implementation, describe_python, switch_python
from .programs import find_pip, find_uv, require_uv
from .project import (
    BuildOutput,
    find_built_extra,
    find_installed_from_addresses,
    prepare_build,
    remove_credentials,
)
from .tunnel import Tunnel
from .volumes import check_volumes, list_files, note_lost_files, read_note

APT_LISTS = "/var/lib/apt/lists"
CONSTRAINTS = "constraints.txt"  # in memory
LIMITS = ("-c", "variant.txt")  # see images/install_job.py


def build_environment(job):
    """Return the environment of the install commands, and their temporary folder."""
    environment = dict(os.environ)
    environment.update((name, to_variable(value)) for name, value in job["environment"].items())
    remove_leaked_folders()
    home = MEMORY + "/home"
    temporary = find_temporary_folder(job)
    for folder in (home, temporary):
        if not os.path.isdir(folder):
            os.makedirs(folder)
    environment.update(
        HOME=home,
        TMPDIR=temporary,
        PIP_CACHE_DIR=CACHE + "/pip",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",  # nobody can type a password
        PIP_ROOT_USER_ACTION="ignore",
        PIP_BREAK_SYSTEM_PACKAGES="1",
        PIP_SRC=HOME + "/src",  # editable checkouts: by default, in the tree, which is no part of the image
        UV_CACHE_DIR=CACHE + "/uv",
        UV_LINK_MODE="copy",
        UV_BREAK_SYSTEM_PACKAGES="1",
        UV_NO_PROGRESS="1",
        UV_NO_WRAP="1",  # redaction would not find a secret that is broken in two
        UV_PYTHON_DOWNLOADS="never",
    )
    # uv's default is 50, each with a name lookup; some name servers and mirrors drop a few of them, and the build
    # waits for 5 s (uv issue 10570).
    environment.setdefault("UV_CONCURRENT_DOWNLOADS", "10")
    if "UV_CONFIG_FILE" not in environment:
        environment["UV_NO_CONFIG"] = "1"
    for name, text in job["files"].items():
        write_in_memory(name, text)
    return environment, temporary


def find_temporary_folder(job):
    return "%s/tmp/%s" % (CACHE, job["name"])


def remove_leaked_folders():
    """Remove the temporary folders of killed builds from the cache volume; no build takes a day."""
    folder = os.path.join(CACHE, "tmp")
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        if time.time() - os.lstat(path).st_mtime > 24 * 3600:
            shutil.rmtree(path, ignore_errors=True)


def to_variable(text):
    return text.encode("utf-8") if sys.version_info[0] == 2 else text


def is_elsewhere(job):
    """Return whether the engine is on another machine than the host, whose folders are not here then."""
    return any(not os.path.lexists(folder + "/" + name) for folder, names in job["folders"] for name in names)


def install_system_packages(job, environment):
    """Install the configured system packages with the base image's own package manager."""
    if not job["apt"]:
        return
    # apt downloads as another user, who cannot enter this temporary folder.
    environment = dict(environment, DEBIAN_FRONTEND="noninteractive")
    del environment["TMPDIR"]
    if has_program("apt-get"):
        command = ["apt-get", "-q", "-o", "Acquire::Retries=3"]
        if "SSL_CERT_FILE" in environment:
            command += ["-o", "Acquire::https::CAInfo=" + environment["SSL_CERT_FILE"]]
        call(command + ["update"], environment, "apt")
        call(command + ["install", "-y", "--no-install-recommends"] + job["apt"], environment, "apt")
        call(command + ["clean"], environment, "apt")
        for name in os.listdir(APT_LISTS):
            path = APT_LISTS + "/" + name
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    elif has_program("apk"):
        call(["apk", "add", "--no-cache"] + job["apt"], environment, "apt")
    else:
        say("this image has neither apt-get nor apk")
        finish({"failed": "apt", "status": 127})


def has_program(name):
    return any(os.path.exists(os.path.join(folder, name)) for folder in os.environ.get("PATH", os.defpath).split(":"))


def run_setup(job, environment):
    before = list_files(job["volumes"])
    for command in job["setup"]:
        call(["sh", "-c", command], environment, "setup", command)
    note_lost_files(before, list_files(job["volumes"]))


def is_extendable():
    """Return whether only installers are installed yet: then a later build may uninstall what it does not need."""
    try:
        from importlib.metadata import distributions
    except ImportError:
        return False
    installers = ("pip", "setuptools", "wheel", "uv")
    return all((found.metadata["Name"] or "").lower() in installers for found in distributions())


def install(job, environment, uv, addressed):
    """Run the steps; return whether another build may extend the result, how the lock file was used, and a built extra.

    :param uv: its path; None if pip installs.
    :param addressed: names of distributions that an earlier build installed from addresses; see ``project``.
    """
    extendable = bool(uv) and (job["extends"] or is_extendable())
    if uv:
        command = [uv, "pip", "install", "--python", sys.executable]
        if job["extends"]:  # with the result of a new installation: the newest versions, and nothing else
            command += ["--exact", "--upgrade"]
            if addressed:
                call([uv, "pip", "uninstall", "--python", sys.executable] + addressed, environment)
        command += list_sources(job, [("-r", "sources/pyproject.toml"), ("-c", "sources/constraints.txt"), LIMITS])
    elif job["uv_features"]:
        finish({"failed": "sources", "status": 1})
    else:
        command = [sys.executable] + find_pip(job, environment) + ["install", "--progress-bar", "off"]
        command += list_sources(job, [("-c", "sources/pip-constraints.txt"), LIMITS])
    fate = (
        run_partly(command, job, environment)
        if job["is_partial"]
        else run_steps(command, job["steps"], job, environment)
    )
    wants_extra = job["built_extras"] and not job["is_partial"]
    extra = find_built_extra(os.getcwd(), job["built_extras"]) if wants_extra else ""
    if extra:
        steps = [arguments[:-1] + ["%s[%s]" % (arguments[-1], extra)] for arguments in job["steps"]]
        fate = run_steps(command, steps, job, environment)
    if uv:
        bytecode = import_module("pyimages_installer.bytecode")  # for Python 3 only
        bytecode.compile_packages(sys.path, CACHE + "/bytecode", environment["TMPDIR"], say)
    return extendable, fate, extra


def run_partly(command, job, environment):
    """Run the steps; if that fails, install what can be installed, and record what cannot in the job."""

    def run(words):
        say("$ " + " ".join(words))
        return run_installer(words, environment)

    for arguments in job["steps"]:
        if run(command + arguments)[0]:
            status, left = partial.install(command, arguments, job["distribution"], run)
            if status:
                finish({"failed": "install", "status": status, "command": " ".join(command)})
            job["left"] = left
    return ""


def run_steps(command, steps, job, environment):
    fate = ""
    for arguments in steps:
        if job["lock"] and job["lock"]["constraints"]:
            fate = install_locked(command + arguments, job, environment)
        else:
            call(command + arguments, environment)
    return fate


def list_sources(job, options):
    """Return the options for those files that the host has written for an installer; see indexes/package_sources.py."""
    return [word for option, name in options if name in job["files"] for word in (option, MEMORY + "/" + name)]


def install_locked(command, job, environment):
    """Run an installer with the versions of the lock file; return how the lock file was used."""

    def run(constrained):
        arguments = ["-c", MEMORY + "/" + CONSTRAINTS] if constrained else []
        say("$ " + " ".join(command + arguments))
        return run_installer(command + arguments, environment)

    status, fate = lock.install(job["lock"], run, lambda text: write_in_memory(CONSTRAINTS, text), say)
    if status:
        excluded = fate == "excluded" and job["lock"]["is_required"]
        finish({"failed": "lock" if excluded else "install", "status": status, "command": " ".join(command)})
    return fate


def trust_checkouts(path="/etc/gitconfig"):
    """Let git use the source, which belongs to the host's user, whoever runs it and with whatever variables.

    Not by a variable: setuptools-scm removes those of git, and git before 2.38 ignores this setting in them.
    """
    text = "[safe]\n\tdirectory = *\n"
    if os.path.isfile(path):
        with open(path) as file:
            if text in file.read():
                return
    with open(path, "a") as file:
        file.write(text)


def install_worker(job):
    """Write the worker into the image, compiled by the Python that will run it."""
    folder = HOME + "/worker"
    shutil.rmtree(folder, ignore_errors=True)  # of the image that this one extends
    os.makedirs(folder)
    for name, text in job["worker"].items():
        path = "%s/%s.py" % (folder, name)
        with open(path, "wb") as file:
            file.write(text.encode("utf-8"))
        # No such file exists, so that coverage ignores it.
        py_compile.compile(path, cfile=path + "c", dfile="<pyimages worker %s>" % name, doraise=True)
        if not hasattr(sys, "pypy_version_info"):  # whose Python 2 wants to see the source
            os.remove(path)


def warm_up(environment):
    """Run pytest once on an empty test, so that the modules that it imports are kept as bytecode.

    Base images ship the standard library without bytecode, and every container would compile it again.
    """
    folder = environment["TMPDIR"] + "/warm-up"
    os.makedirs(folder)
    with open(folder + "/test_warm_up.py", "w") as file:
        file.write("def test_warm_up():\n    pass\n")
    environment = dict(environment, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", folder, "-p", "no:cacheprovider"]
    if subprocess.call(command + [folder], env=environment, stdout=2, cwd=folder):
        say("pytest does not run by itself here; the suite will show why")


def enter_source(job, tree):
    """Finish if the container lacks what the job needs; else hide what it must not see, and change into the source."""
    if is_elsewhere(job):
        finish({"elsewhere": True})
    require_uv(job)
    missing = tree.find_missing_file(job["witness"])
    if missing is not None:
        finish({"nosource": missing})
    check_volumes(job["volumes"])
    tree.hide(job["source"])
    os.chdir(job["root"] if os.path.isdir(job["root"]) else "/")


def main(job):
    """Install all that the job names, and finish with the result."""
    jobs, tree = import_module("pyimages_worker.jobs"), import_module("pyimages_worker.tree")
    jobs.check_job(job, jobs.INSTALL_JOB)
    tunnel = Tunnel(write_line, say)
    end_with_host(find_temporary_folder(job), tunnel.feed)
    enter_source(job, tree)
    tunnel.listen(job["servers"], job["hosts"])
    environment, temporary = build_environment(job)
    try:
        output = BuildOutput(os.getcwd(), HOME + "/made", job["skipped"])
        if job["extends"] or job["phase"] == "install":
            tree.put_in_place(HOME + "/made/setup", os.getcwd())
        else:
            install_system_packages(job, environment)
            if job["setup"]:
                output.begin()
                run_setup(job, environment)
                output.keep("setup")
        if job["phase"] == "setup":
            finish(dict(describe_python(), extendable=False, note=read_note()))
        switch_python(job, environment)
        uv = find_uv(job, environment)
        is_built = job["kind"] != "none" or bool(job["packages"])
        output.has_uv = bool(uv)
        if is_built:
            output.begin()
            output.note = prepare_build(job, environment, bool(uv))
        addressed = find_installed_from_addresses(os.getcwd()) if job["extends"] else []
        extendable, fate, extra = install(job, environment, uv, addressed)
        remove_credentials(environment["PIP_SRC"])
        if is_built:
            output.keep("build", compiled=job["kind"] == "wheel")
        check_pytest()
        install_worker(job)
        trust_checkouts()
        if not job["extends"]:
            warm_up(environment)
    finally:
        os.chdir("/")
        shutil.rmtree(temporary, ignore_errors=True)
    result = describe_python()
    result.update(
        {
            "implementation": describe_implementation(),
            "extendable": extendable,
            "lock": fate,
            "extra": extra,
            "note": "; ".join(filter(None, (output.note, read_note()))),
            "left": json.dumps(job.get("left", {}), sort_keys=True),
            "worker": tree.hash_worker(HOME + "/worker"),
            "variables": job.get("variables", {}),  # that set the version
        }
    )
    finish(result)
