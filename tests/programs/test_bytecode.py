"""Bytecode of installed packages: compiled once, kept for later images, and never for another text."""

from __future__ import annotations

import importlib.util
import marshal
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.support.project_tree import write_tree

PROGRAM = Path(str(resources.files("pytest_pyimages.inside"))) / "installer" / "bytecode.py"
# Coverage could not write its data where files must stay small.
UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
CALL = """
import os, resource, sys
if "MOST_BYTES" in os.environ:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["MOST_BYTES"]),) * 2)
names = {"__name__": "bytecode"}
exec(compile(sys.stdin.read(), sys.argv[1], "exec"), names)
names["compile_packages"](sys.argv[4:], sys.argv[2], sys.argv[3], print)
"""


class Engine:
    """A folder of packages, and what outlives it."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "lib" / "site-packages"
        self.store = folder / "cache" / "bytecode"
        self.temporary = folder / "cache" / "tmp"
        self.errors = ""
        self.site.mkdir(parents=True)
        self.temporary.mkdir(parents=True)

    def compile(
        self, *more: Path, temporary: Path | None = None, settings: Mapping[str, str] = MappingProxyType({})
    ) -> list[str]:
        """Run it as an install step does, with the interpreter of these tests; return the lines that it says.

        :param more: of ``sys.path``.
        :param settings: variables of the image.
        """
        arguments = (PROGRAM, self.store, temporary or self.temporary, self.site, *more)
        done = subprocess.run(
            (sys.executable, "-c", CALL, *map(str, arguments)),
            input=PROGRAM.read_text(encoding="utf-8"),
            env={**(UNMEASURED if "MOST_BYTES" in settings else os.environ), **settings},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        self.errors = done.stderr
        return done.stdout.splitlines()

    def forget_compiled(self) -> None:
        """As in another image: the same packages, a second later, without bytecode."""
        for path in self.site.rglob("*.pyc"):
            path.unlink()
        for path in self.site.rglob("*.py"):
            os.utime(path, (path.stat().st_mtime + 1,) * 2)

    def compiled(self) -> set[str]:
        """Return the modules that Python would not compile when it imports them."""
        return {
            path.relative_to(self.site).as_posix()
            for path in self.site.rglob("*.py")
            if Path(importlib.util.cache_from_source(str(path))).exists()
        }

    def packs(self) -> list[Path]:
        return [path for path in self.store.rglob("*") if path.is_file()]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path)
    write_tree(
        made.site, {"shop/__init__.py": "PRICE = 17\n", "shop/deep/cart.py": "PRICE = 18\n", "six.py": "x = 1\n"}
    )
    return made


def test_the_next_build_uses_the_kept_bytecode(engine: Engine) -> None:
    assert engine.compile() == ["bytecode: 3 modules compiled, 0 from earlier builds"]
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py"}
    engine.forget_compiled()
    assert engine.compile() == ["bytecode: 0 modules compiled, 3 from earlier builds"]
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py"}
    assert list(engine.temporary.iterdir()) == []


@pytest.mark.parametrize("found", [False, True], ids=["compiled", "from an earlier build"])
def test_python_accepts_the_bytecode(engine: Engine, found: bool) -> None:
    engine.compile()
    if found:
        engine.forget_compiled()
        engine.compile()
    command = (sys.executable, "-v", "-c", "import shop.deep.cart as cart; print(cart.PRICE, cart.__file__)")
    environment = {**os.environ, "PYTHONPATH": str(engine.site)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["18", str(engine.site / "shop" / "deep" / "cart.py")]
    cached = importlib.util.cache_from_source(str(engine.site / "shop" / "deep" / "cart.py"))
    assert f"{cached} matches {engine.site / 'shop' / 'deep' / 'cart.py'}" in done.stderr
    code = marshal.loads(Path(cached).read_bytes()[16:])  # noqa: S302 - ours
    assert code.co_filename == str(engine.site / "shop" / "deep" / "cart.py")


def test_another_text_of_the_same_size_is_compiled(engine: Engine) -> None:
    engine.compile()
    engine.forget_compiled()
    (engine.site / "six.py").write_text("x = 2\n")
    assert engine.compile() == ["bytecode: 1 modules compiled, 2 from earlier builds"]


def test_another_path_is_compiled_again(engine: Engine, tmp_path: Path) -> None:
    engine.compile()
    engine.forget_compiled()
    engine.site = (tmp_path / "lib").rename(tmp_path / "lib64") / "site-packages"
    assert engine.compile() == ["bytecode: 3 modules compiled, 0 from earlier builds"]


@pytest.mark.parametrize("damage", [b"", b"torn"], ids=["empty", "short"])
def test_a_damaged_pack_is_not_used(engine: Engine, damage: bytes) -> None:
    engine.compile()
    engine.forget_compiled()
    for pack in engine.packs():
        pack.write_bytes(pack.read_bytes()[:40] + damage if damage else b"")
    assert engine.compile() == ["bytecode: 3 modules compiled, 0 from earlier builds"]
    engine.forget_compiled()
    assert engine.compile() == ["bytecode: 0 modules compiled, 3 from earlier builds"]


@pytest.mark.parametrize(
    "settings",
    [{"PYTHONWARNINGS": "error"}, {"SOURCE_DATE_EPOCH": "1"}, {"PYTHONDONTWRITEBYTECODE": "1"}],
    ids="".join,
)
def test_settings_that_do_not_change_bytecode(engine: Engine, settings: dict[str, str]) -> None:
    write_tree(engine.site, {"old.py": "DIGIT = '\\d'\n"})
    assert engine.compile(settings=settings) == ["bytecode: 4 modules compiled, 0 from earlier builds"]
    assert engine.errors == ""
    assert engine.compile(settings=settings) == ["bytecode: 0 modules compiled, 0 from earlier builds"]
    engine.forget_compiled()
    assert engine.compile() == ["bytecode: 0 modules compiled, 4 from earlier builds"]
    assert len(engine.compiled()) == 4


@pytest.mark.parametrize("settings", [{"PYTHONOPTIMIZE": "2"}, {"PYTHONNODEBUGRANGES": "1"}], ids="".join)
def test_settings_that_change_bytecode(engine: Engine, settings: dict[str, str]) -> None:
    engine.compile(settings=settings)
    engine.forget_compiled()
    assert engine.compile() == ["bytecode: 3 modules compiled, 0 from earlier builds"]


def test_a_full_disk_leaves_no_partial_bytecode(engine: Engine) -> None:
    write_tree(engine.site, {"large.py": "".join(f"name_{number} = {number}\n" for number in range(3000))})
    engine.compile()
    engine.forget_compiled()
    assert engine.compile(settings={"MOST_BYTES": "20000"})[0].startswith("bytecode: not all modules could be compiled")
    command = (sys.executable, "-c", "import large; print(large.name_2999)")
    environment = {**os.environ, "PYTHONPATH": str(engine.site), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "2999\n", done.stderr


def test_a_write_error_is_not_a_compile_error(engine: Engine) -> None:
    obstacle = engine.site / "shop" / "__pycache__"
    obstacle.write_text("")
    assert engine.compile()[0].startswith("bytecode: not all modules could be compiled")
    obstacle.unlink()
    engine.compile()
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py"}


def test_a_linked_folder_is_compiled_under_its_first_name(engine: Engine) -> None:
    again = engine.site.parent.with_name("lib64")
    again.symlink_to("lib")
    assert engine.compile(again / "site-packages") == ["bytecode: 3 modules compiled, 0 from earlier builds"]
    (code,) = (path.read_bytes()[16:] for path in engine.site.glob("__pycache__/six.*"))
    assert marshal.loads(code).co_filename == str(engine.site / "six.py")  # noqa: S302 - ours


def test_invalid_python_is_left_out(engine: Engine) -> None:
    write_tree(engine.site, {"shop/template.py": "class {{ name }}:\n", "shop/nul.py": "\0"})
    engine.compile()
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py"}
    engine.forget_compiled()
    engine.compile()
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py"}


def test_tests_of_packages_and_pip_are_left_out(engine: Engine) -> None:
    write_tree(engine.site, {"shop/tests/test_x.py": "", "pip/__init__.py": "", "shop/pip/__init__.py": ""})
    (engine.site / "dangling.py").symlink_to("nowhere")
    engine.compile()
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py", "shop/pip/__init__.py"}


def test_compiled_modules_are_not_compiled_again(engine: Engine) -> None:
    engine.compile()
    write_tree(engine.site, {"new.py": ""})
    assert engine.compile() == ["bytecode: 1 modules compiled, 0 from earlier builds"]


def test_long_unused_packs_are_removed(engine: Engine) -> None:
    engine.compile()
    for pack in engine.packs():
        os.utime(pack, (time.time() - 80 * 86400,) * 2)
    unused = [engine.packs()[0].with_name("unused"), engine.store / "cpython-38-550d0d0a-0" / "unused"]
    for path in unused:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
        os.utime(path, (time.time() - 91 * 86400,) * 2)
    engine.forget_compiled()
    engine.compile()
    assert len(engine.packs()) == 3
    assert not any(path.exists() for path in unused)
    assert all(pack.stat().st_mtime > time.time() - 3600 for pack in engine.packs())


def test_an_error_is_reported_and_the_build_goes_on(engine: Engine, tmp_path: Path) -> None:
    said = engine.compile(temporary=tmp_path / "gone")
    assert said[0] == "bytecode: not all modules could be compiled; the rest is compiled when imported"
    assert said[-1] == "bytecode: 0 modules compiled, 0 from earlier builds"


def test_other_folders_are_not_touched(engine: Engine) -> None:
    engine.site = engine.site.rename(engine.site.with_name("python3.12"))
    assert engine.compile() == ["bytecode: 0 modules compiled, 0 from earlier builds"]
