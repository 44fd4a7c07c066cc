"""The install step, run in a container of the base image by the image's own Python; then the container is committed.

Standard library only, and the syntax that Python 2.7 to 3.15 have in common. Its source and its job arrive on standard
input, so nothing of either stands in the container's command, environment or history. Credentials and certificates go
to memory (a tmpfs); wheels and uv come from the cache volume, which is not part of the container either.

Prints progress to standard error; the last line on standard output is the result as JSON.
"""

from __future__ import print_function

import fcntl
import json
import os
import py_compile
import shutil
import subprocess
import sys
import time

CACHE = "/var/cache/pyimages"
MEMORY = "/run/pyimages"
HOME = "/opt/pyimages"
CONSTRAINTS = "constraints.txt"  # in memory
UV_FLOOR = (3, 8)  # what uv installs into
LAST_PIPS = {(2, 7): "20.3.4", (3, 5): "20.3.4", (3, 6): "21.3.1", (3, 7): "24.0"}


def say(text):
    print(text, file=sys.stderr)
    sys.stderr.flush()


def call(command, environment, what="install", shown=""):
    """Run a command; end with what failed if it does."""
    say("$ " + (shown or " ".join(command)))
    code = subprocess.call(
        command, env=environment, stdout=2, stdin=subprocess.DEVNULL if hasattr(subprocess, "DEVNULL") else None
    )
    if code:
        finish({"failed": what, "status": code, "command": shown or " ".join(command)})


def finish(result):
    print(json.dumps(result))
    sys.stdout.flush()
    sys.exit(0)


def build_environment(job):
    """Return the environment of the install commands: the image's own, and what must not be kept."""
    environment = dict(os.environ)
    environment.update((name, as_variable(value)) for name, value in job["environment"].items())
    forget_killed()
    home = MEMORY + "/home"
    temporary = "%s/tmp/%s" % (CACHE, job["name"])
    for folder in (home, temporary):
        if not os.path.isdir(folder):
            os.makedirs(folder)
    environment.update(
        HOME=home,
        TMPDIR=temporary,
        PIP_CACHE_DIR=CACHE + "/pip",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",  # an index that wants a password gets none by asking
        PIP_ROOT_USER_ACTION="ignore",
        PIP_BREAK_SYSTEM_PACKAGES="1",
        UV_CACHE_DIR=CACHE + "/uv",
        UV_LINK_MODE="copy",
        UV_BREAK_SYSTEM_PACKAGES="1",
        UV_NO_PROGRESS="1",
        UV_NO_WRAP="1",  # a secret that is broken in two would not be found
        UV_PYTHON_DOWNLOADS="never",
    )
    # Of uv's own 50 at once, each of which asks for its host's address, some name servers and mirrors drop a few, and
    # the build waits for 5 s (uv issue 10570).
    environment.setdefault("UV_CONCURRENT_DOWNLOADS", "10")
    if "UV_CONFIG_FILE" not in environment:
        environment["UV_NO_CONFIG"] = "1"
    for name, text in job["files"].items():
        write_in_memory(name, text)
    return environment, temporary


def forget_killed():
    """Remove what builds that were killed have left in the cache volume; none takes a day."""
    folder = os.path.join(CACHE, "tmp")
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        if time.time() - os.lstat(path).st_mtime > 24 * 3600:
            shutil.rmtree(path, ignore_errors=True)


def as_variable(text):
    return text.encode("utf-8") if sys.version_info[0] == 2 else text


def write_in_memory(name, text):
    """Write a file of this host's, readable by root alone; certificates by everybody, since apt gives its rights up."""
    path = MEMORY + "/" + name
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    mode = 0o644 if name == "ca.pem" else 0o600
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(text.encode("utf-8"))


def is_elsewhere(job):
    """Whether this is not the machine of the host: then what it names of its network and its files is not meant."""
    if job["machine"]:
        with open("/proc/sys/kernel/random/boot_id") as file:
            machine = [file.read().strip(), os.readlink("/proc/self/ns/net")]
        if machine != job["machine"]:
            return True
    return any(not os.path.lexists(folder + "/" + name) for folder, names in job["folders"] for name in names)


def fetched(requirement, folder, program, environment):
    """Return the path of a program in the cache volume, fetched once per engine; None where it cannot be had."""
    # What is said of the project's packages is not said of the installers.
    about = ("PRE", "NO_BINARY", "PREFER_BINARY", "CONSTRAINT", "BUILD_CONSTRAINT", "UPLOADED_PRIOR_TO")
    environment = dict(item for item in environment.items() if item[0] not in ["PIP_" + name for name in about])
    path = folder + "/" + program
    with open(CACHE + "/uv.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            fresh = folder + ".new"
            shutil.rmtree(fresh, ignore_errors=True)
            say("fetching " + requirement)
            code = subprocess.call(
                [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", fresh, requirement],
                env=dict(environment, PIP_ONLY_BINARY=":all:"),
                cwd="/",  # which -m puts on the path
                stdout=2,
            )
            if code or not os.path.exists(fresh + "/" + program):
                say("%s cannot be had here; the image's pip installs" % requirement)
                return None
            os.rename(fresh, folder)
    return path


def find_uv(environment):
    """Return uv's path; None where this Python cannot have it."""
    if sys.version_info < UV_FLOOR:
        return None
    libc = "musl" if any(name.startswith("ld-musl") for name in os.listdir("/lib")) else "gnu"
    return fetched("uv", "%s/uv-bin-%s-%s" % (CACHE, os.uname()[4], libc), "bin/uv", environment)


def find_pip(job, environment):
    """Return what to give to Python to run pip: the last one for it if it has to take choices back, else the image's.

    Before 20.3 pip fails over the newest file if that is for another Python. A folder of packages, unlike an index with
    data-requires-python (PEP 503), does not tell for which one a file is. Without folders the old one is faster.
    """
    last = LAST_PIPS.get(sys.version_info[:2])
    if not job["folders"] or last is None or pip_version() >= (20, 3):
        return ["-m", "pip"]
    path = fetched("pip==" + last, CACHE + "/pip-" + last, "pip/__main__.py", environment)
    if path is None:
        return ["-m", "pip"]
    if sys.version_info[0] == 2:
        environment["PIP_USE_FEATURE"] = "2020-resolver"
    return [os.path.dirname(path)]


def pip_version():
    try:
        from pip import __version__
    except ImportError:
        return (0,)
    return tuple(int(part) for part in __version__.split(".")[:2])


def install_system_packages(job, environment):
    """Install what the user names, with the base image's own package manager."""
    if not job["apt"]:
        return
    # apt gives its rights up for downloads, and could not enter a temporary folder of ours.
    environment = dict(environment, DEBIAN_FRONTEND="noninteractive")
    del environment["TMPDIR"]
    if has_program("apt-get"):
        command = ["apt-get", "-q", "-o", "Acquire::Retries=3"]
        if "SSL_CERT_FILE" in environment:
            command += ["-o", "Acquire::https::CAInfo=" + environment["SSL_CERT_FILE"]]
        call(command + ["update"], environment, "apt")
        call(command + ["install", "-y", "--no-install-recommends"] + job["apt"], environment, "apt")
        call(command + ["clean"], environment, "apt")
        for name in os.listdir("/var/lib/apt/lists"):
            path = "/var/lib/apt/lists/" + name
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    elif has_program("apk"):
        call(["apk", "add", "--no-cache"] + job["apt"], environment, "apt")
    else:
        say("this image has neither apt-get nor apk")
        finish({"failed": "apt", "status": 127})


def has_program(name):
    return any(os.path.exists(os.path.join(folder, name)) for folder in os.environ.get("PATH", os.defpath).split(":"))


def run_setup(job, environment):
    for command in job["setup"]:
        call(["sh", "-c", command], environment, "setup", command)


def is_extendable():
    """Whether nothing but installers is here yet: then a later build may take away what it does not need."""
    try:
        from importlib.metadata import distributions
    except ImportError:
        return False
    installers = ("pip", "setuptools", "wheel", "uv")
    return all((found.metadata["Name"] or "").lower() in installers for found in distributions())


def load(source, name):
    """Return the names that a module's text defines."""
    names = {"__name__": name}
    exec(compile(source, name + ".py", "exec"), names)  # noqa: S102 - ours
    return names


def install(job, environment, addressed):
    """Install what the steps say; return whether another build may go on from the result, and the lock's fate.

    :param addressed: what an earlier build has installed from addresses; see installer_project.
    """
    uv = find_uv(environment)
    extendable = bool(uv) and (job["extends"] or is_extendable())
    if uv:
        command = [uv, "pip", "install", "--python", sys.executable]
        if job["extends"]:  # as if it were installed from nothing: the newest, and nothing else
            command += ["--exact", "--upgrade"]
            if addressed:
                call([uv, "pip", "uninstall", "--python", sys.executable] + addressed, environment)
    else:
        command = [sys.executable] + find_pip(job, environment) + ["install", "--progress-bar", "off"]
    fate = ""
    for arguments in job["steps"]:
        if job["lock"] and job["lock"]["constraints"]:
            fate = install_locked(command + arguments, job, environment)
        else:
            call(command + arguments, environment)
    if uv:
        bytecode = load(job["installer_bytecode"], "installer_bytecode")
        bytecode["compile_packages"](sys.path, CACHE + "/bytecode", environment["TMPDIR"], say)
    return extendable, fate


def install_locked(command, job, environment):
    """Run an installer with the versions of the lock file; return what became of that."""
    lock = load(job["installer_lock"], "installer_lock")

    def run(constrained):
        arguments = ["-c", MEMORY + "/" + CONSTRAINTS] if constrained else []
        say("$ " + " ".join(command + arguments))
        return lock["heard"](command + arguments, environment)

    status, fate = lock["install"](job["lock"], run, lambda text: write_in_memory(CONSTRAINTS, text), say)
    if status:
        excluded = fate == "excluded" and job["lock"]["is_required"]
        finish({"failed": "lock" if excluded else "install", "status": status, "command": " ".join(command)})
    return fate


def install_worker(job):
    """Put the worker where the run finds it, compiled by the Python that will run it."""
    folder = HOME + "/worker"
    shutil.rmtree(folder, ignore_errors=True)  # that of the image below
    os.makedirs(folder)
    for name, text in job["worker"].items():
        path = "%s/%s.py" % (folder, name)
        with open(path, "wb") as file:
            file.write(text.encode("utf-8"))
        # No file of that name: coverage takes no notice of it.
        py_compile.compile(path, cfile=path + "c", dfile="<pyimages worker %s>" % name, doraise=True)
        if not hasattr(sys, "pypy_version_info"):  # whose Python 2 wants to see the source
            os.remove(path)


def warm_up(environment):
    """Run pytest once on nothing: what it imports is then there as bytecode.

    Base images ship the standard library without it, and every container of theirs compiles it anew.
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
        say("pytest does not run by itself here; the suite will tell")


def python_version():
    level, serial = sys.version_info[3:5]
    suffix = {"final": ""}.get(
        level, "%s%d" % ({"alpha": "a", "beta": "b", "candidate": "rc"}.get(level, level), serial)
    )
    return "%d.%d.%d%s" % (sys.version_info[:3] + (suffix,))


def main(job):
    if is_elsewhere(job):
        finish({"elsewhere": True})
    tree = load(job["worker"]["tree"], "tree")
    missing = tree["missing_source"](job["witness"])
    if missing is not None:
        finish({"nosource": missing})
    os.chdir(job["root"] if os.path.isdir(job["root"]) else "/")
    environment, temporary = build_environment(job)
    project = load(job["installer_project"], "installer_project")
    try:
        made = project["MadeFiles"](os.getcwd(), HOME + "/made", job["skipped"])
        if job["extends"]:
            tree["put_in_place"](HOME + "/made/setup", os.getcwd())
        else:
            install_system_packages(job, environment)
            if job["setup"]:
                made.begin()
                run_setup(job, environment)
                made.keep("setup")
        if job["kind"] != "none":
            made.begin()
            made.note = project["prepare_build"](job, environment)
        addressed = project["installed_from_addresses"](os.getcwd()) if job["extends"] else []
        extendable, fate = install(job, environment, addressed)
        if job["kind"] != "none":
            made.keep("build", compiled=job["kind"] == "wheel")
        install_worker(job)
        if not job["extends"]:
            warm_up(environment)
    finally:
        os.chdir("/")
        shutil.rmtree(temporary, ignore_errors=True)
    finish(
        {
            "python": python_version(),
            "executable": sys.executable,
            "extendable": extendable,
            "lock": fate,
            "note": made.note,
        }
    )


main(JOB)  # noqa: F821 - defined by what executes this text
