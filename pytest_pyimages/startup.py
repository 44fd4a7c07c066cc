"""Let the plugin act before pytest reads its configuration; Python calls this module when it starts.

pytest loads installed plugins after it has checked ``minversion``, imported the modules of ``-p`` and resolved the
classes of ``filterwarnings``. Each of these may be satisfied in the containers only, so a run that requests images must
be recognised earlier. ``pytest_pyimages.pth`` calls ``watch`` when Python starts, ``pytest_pyimages.start`` (PEP 829)
from Python 3.15 on. Every Python of an environment does that: nothing is imported, no file is read and nothing is
changed unless pytest is being started, and nothing is changed unless something mentions images.
"""

import gc
import os
import sys

# pytest's own list (docs: "Configuration file formats").
INI_FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
INI_SUFFIXES = (".ini", ".cfg", ".toml")
MENTIONS = (b"py_images", b"py-images", b"tool.pyimages")
EARLY_PLUGIN = "pytest_pyimages.host.early_plugin"
GARBAGE_THRESHOLDS = (50_000, 50, 100)
_former_thresholds: list[tuple[int, int, int]] = []  # Python's own, while ours are in effect


def watch() -> None:
    """Add the early plugin to pytest's own plugins if this process starts pytest and something mentions images."""
    words = sys.orig_argv
    if any("pytest" in word or "py.test" in word for word in words) and mentions_images(words[1:]):
        sys.meta_path.insert(0, PytestFinder)  # type: ignore[arg-type]  # see below


def mentions_images(words: list[str]) -> bool:
    """Return whether an option, a variable or a configuration file mentions images; it need not be in effect.

    :param words: of the command line.
    """
    texts = (*words, os.environ.get("PYTEST_ADDOPTS", ""))
    if "PY_IMAGES" in os.environ or any("--py-images" in text for text in texts):
        return True
    if any(word.startswith("@") for text in texts for word in text.split()):  # a file with arguments
        return True
    try:
        return any(mentions(path) for path in _find_ini_files(words))
    except OSError:  # no current folder
        return False


def mentions(path: str) -> bool:
    """Return whether a file mentions images; False if it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib would be imported by every Python
            text = file.read()
    except OSError:
        return False
    return any(mention in text for mention in MENTIONS)


def _find_ini_files(words: list[str]) -> set[str]:
    """Return the files that may configure pytest: those named, and those beside or above the paths and this folder."""
    files, folders = set(), {os.getcwd()}  # noqa: PTH109 - see above
    for word in words:
        value = word.rpartition("=")[2] if word.startswith("--") else word.removeprefix("-c")
        path = os.path.abspath(value.partition("::")[0])  # noqa: PTH100 - see above
        if path.endswith(INI_SUFFIXES):
            files.add(path)
        elif value and os.path.exists(path):  # noqa: PTH110 - see above
            folders.add(path)
    for folder in folders:
        above = ""
        while folder != above:
            files.update(os.path.join(folder, name) for name in INI_FILES)  # noqa: PTH118 - see above
            above, folder = folder, os.path.dirname(folder)  # noqa: PLW2901, PTH120 - one folder up
    return files


def collect_garbage_seldom() -> None:
    """Let Python look for garbage seldom: imports and reports make objects that live to the end, and no cycles."""
    if not _former_thresholds:
        _former_thresholds.append(gc.get_threshold())
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def collect_garbage_as_usual() -> None:
    """Take ``collect_garbage_seldom`` back."""
    if _former_thresholds:
        gc.set_threshold(*_former_thresholds.pop())


class PytestFinder:
    """A meta path finder that waits for ``_pytest.config``; annotated without ``typing``, which is slow to import."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> object:  # noqa: ARG004 - the protocol's
        """Find that module as Python would; its loader adds the early plugin to those that pytest loads first."""
        if name != "_pytest.config":
            return None
        sys.meta_path.remove(PytestFinder)  # type: ignore[arg-type]  # see above
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_add(module: object) -> None:
                collect_garbage_seldom()
                execute(module)  # type: ignore[arg-type]
                module.default_plugins = (*getattr(module, "default_plugins", ()), EARLY_PLUGIN)  # type: ignore[attr-defined]

            spec.loader.exec_module = execute_and_add  # type: ignore[method-assign]
        return spec
