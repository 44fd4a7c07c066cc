"""Bytecode of installed packages: compiled once, kept for later images, and never for another text."""

from __future__ import annotations

import importlib.util
import marshal
import os
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import pytest

from .project_tree import write_tree

SOURCE = resources.files("pytest_pyimages.images").joinpath("installer_bytecode.py").read_text(encoding="utf-8")
CALL = """
import sys
names = {"__name__": "installer_bytecode"}
exec(compile(sys.stdin.read(), "installer_bytecode.py", "exec"), names)
names["compile_packages"](sys.argv[1:2], sys.argv[2], sys.argv[3], print)
"""


class Engine:
    """A folder of packages, and what outlives it."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "lib" / "site-packages"
        self.store = folder / "cache" / "bytecode"
        self.temporary = folder / "cache" / "tmp"
        self.site.mkdir(parents=True)
        self.temporary.mkdir(parents=True)

    def compile(self, temporary: Path | None = None) -> list[str]:
        """Run it as an install step does, with the interpreter of these tests; return the lines that it says."""
        arguments = (str(self.site), str(self.store), str(temporary or self.temporary))
        done = subprocess.run(
            (sys.executable, "-c", CALL, *arguments), input=SOURCE, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
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


def test_what_one_build_compiled_the_next_one_finds(engine: Engine) -> None:
    assert engine.compile() == ["bytecode: 3 modules compiled, 0 from earlier builds"]
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py"}
    engine.forget_compiled()
    assert engine.compile() == ["bytecode: 0 modules compiled, 3 from earlier builds"]
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py"}
    assert list(engine.temporary.iterdir()) == []


@pytest.mark.parametrize("found", [False, True], ids=["compiled", "from an earlier build"])
def test_python_takes_it(engine: Engine, found: bool) -> None:
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


def test_another_place_is_another_bytecode(engine: Engine, tmp_path: Path) -> None:
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


def test_what_is_no_python_is_left_to_its_users(engine: Engine) -> None:
    write_tree(engine.site, {"shop/template.py": "class {{ name }}:\n", "shop/nul.py": "\0"})
    engine.compile()
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py"}
    engine.forget_compiled()
    engine.compile()
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py"}


def test_suites_of_packages_and_pip_are_left_out(engine: Engine) -> None:
    write_tree(engine.site, {"shop/tests/test_x.py": "", "pip/__init__.py": "", "shop/pip/__init__.py": ""})
    (engine.site / "dangling.py").symlink_to("nowhere")
    engine.compile()
    assert engine.compiled() == {"shop/__init__.py", "shop/deep/cart.py", "six.py", "shop/pip/__init__.py"}


def test_what_is_compiled_already_is_not_compiled_again(engine: Engine) -> None:
    engine.compile()
    write_tree(engine.site, {"new.py": ""})
    assert engine.compile() == ["bytecode: 1 modules compiled, 0 from earlier builds"]


def test_what_nobody_used_for_long_is_not_kept(engine: Engine) -> None:
    engine.compile()
    for pack in engine.packs():
        os.utime(pack, (time.time() - 80 * 86400,) * 2)
    (unused,) = (pack.with_name("unused") for pack in engine.packs()[:1])
    unused.write_bytes(b"")
    os.utime(unused, (time.time() - 91 * 86400,) * 2)
    engine.forget_compiled()
    engine.compile()
    assert len(engine.packs()) == 3
    assert not unused.exists()
    assert all(pack.stat().st_mtime > time.time() - 3600 for pack in engine.packs())


def test_a_failure_is_told_and_ends_nothing(engine: Engine, tmp_path: Path) -> None:
    said = engine.compile(temporary=tmp_path / "gone")
    assert said[0] == "bytecode: not all could be compiled; it is compiled as it is imported"
    assert said[-1] == "bytecode: 0 modules compiled, 0 from earlier builds"


def test_other_folders_are_not_touched(engine: Engine) -> None:
    engine.site = engine.site.rename(engine.site.with_name("python3.12"))
    assert engine.compile() == ["bytecode: 0 modules compiled, 0 from earlier builds"]
