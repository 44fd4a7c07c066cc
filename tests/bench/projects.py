"""The projects that are measured: nothing to install but pytest, so that an environment image serves every run."""

from __future__ import annotations

from pathlib import Path

MODULES = 100
TESTS = 10_000


def write_many(folder: Path) -> Path:
    """Write ten thousand tests that do next to nothing, in a hundred modules; return the project's folder."""
    modules = {
        f"test_{module:02}.py": "\n\n".join(
            f"def test_{number}():\n    assert {number} + 1 > {number}\n" for number in range(TESTS // MODULES)
        )
        for module in range(MODULES)
    }
    return _write(folder / "many", modules)


def write_one(folder: Path) -> Path:
    """Write a single test; return the project's folder."""
    return _write(folder / "one", {"test_one.py": "def test_one():\n    assert True\n"})


def _write(root: Path, modules: dict[str, str]) -> Path:
    (root / "tests").mkdir(parents=True)
    (root / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")
    for name, text in modules.items():
        (root / "tests" / name).write_text(text)
    return root
