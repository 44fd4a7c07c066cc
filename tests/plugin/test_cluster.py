from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun
from tests.support.golden import message

Run = Callable[..., ImagesRun]
ADDRESS = "tcp://127.0.0.1:1"
OPTION = f"--py-images-cluster={ADDRESS}"


@pytest.mark.parametrize(
    ("file", "text", "origin"),
    [
        ("pytest.ini", f"[pytest]\npy_images_cluster = {ADDRESS}\n", "py_images_cluster in pytest.ini"),
        ("pytest.ini", f"[pytest]\naddopts = {OPTION}\n", "--py-images-cluster in addopts"),
        ("pyproject.toml", f'[tool.pyimages]\ncluster = "{ADDRESS}"\n', "cluster in pyproject.toml [tool.pyimages]"),
    ],
    ids=["ini", "addopts", "table"],
)
def test_project_may_not_choose_a_cluster(
    pytester: pytest.Pytester, run_images: Run, file: str, text: str, origin: str
) -> None:
    (pytester.path / file).write_text(text)
    run = run_images()
    assert run.result.ret == 4
    assert message("cluster", "in-project", origin=origin) in run.result.stderr.str()


@pytest.mark.parametrize("is_typed", [True, False], ids=["typed", "variable"])
def test_a_cluster_is_instead_of_engines(run_images: Run, monkeypatch: pytest.MonkeyPatch, *, is_typed: bool) -> None:
    arguments = [OPTION]
    if is_typed:
        arguments.append("--py-images-engine=default")
    else:
        monkeypatch.setenv("PY_IMAGES_ENGINE", "default")
    run = run_images(*arguments)
    assert run.result.ret == 4
    origin = "--py-images-engine" if is_typed else "PY_IMAGES_ENGINE"
    assert message("cluster", "with-engines", origin=origin) in run.result.stderr.str()
