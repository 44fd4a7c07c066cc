"""Variants of the project: a second axis beside the images."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]
VARIANTS = """
[[tool.pyimages.variants]]
name = "lowest"
resolution = "lowest-direct"
env = { VARIANT = "lowest" }

[[tool.pyimages.variants]]
name = "extra"
constraints = ["six<2"]
args = ["-k", "not slow"]
"""
SUITE = "import os\ndef test_a(): assert 'VARIANT' not in os.environ\ndef test_slow(): pass\n"
# Checks what the installer is given.
ENGINE = """FakeEngine(installer=lambda spec, job: {
    **installs(spec, job),
    "log": f"{job['environment'].get('UV_RESOLUTION')} {job['files'].get('variant.txt', '').split()}",
} if job["environment"].get("UV_RESOLUTION") in (None, "lowest-direct") else {})"""


def test_variants_are_images_of_their_own(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it=SUITE)
    pytester.path.joinpath("pyproject.toml").write_text(VARIANTS)
    run = run_images(images="3.{12,14}{,+lowest,+extra}", engine=ENGINE)
    assert run.result.ret == 1
    labels = {"3.12", "3.12+lowest", "3.12+extra", "3.14", "3.14+lowest", "3.14+extra"}
    assert set(run.images) == labels
    failing = {label for label, outcome in run.tests["test_it.py::test_a"].items() if outcome == "failed"}
    assert failing == {"3.12+lowest", "3.14+lowest"}
    assert set(run.tests["test_it.py::test_slow"]) == {label for label in labels if not label.endswith("+extra")}
    assert " fails only with +lowest" in run.out.splitlines()
    assert "FAILED test_it.py::test_a[3.12+lowest]" in run.out
    assert "same image" not in run.out


@pytest.mark.parametrize("args", [["test_it.py::test_slow[3.12+lowest]"], ["-k", "3.12+lowest and slow"]])
def test_a_variant_can_be_selected(pytester: pytest.Pytester, run_images: Run, args: list[str]) -> None:
    pytester.makepyfile(test_it=SUITE)
    pytester.path.joinpath("pyproject.toml").write_text(VARIANTS)
    run = run_images(*args, images="3.12{,+lowest}")
    assert run.tests == {"test_it.py::test_slow": {"3.12+lowest": "passed"}}


def test_the_host_s_resolution_makes_another_image(
    pytester: pytest.Pytester, run_images: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    built = []
    for resolution in ("", "lowest"):
        if resolution:
            monkeypatch.setenv("UV_RESOLUTION", resolution)
        run = run_images(images="3.12")
        built.append(next(call for call in run.calls if call.startswith("find pytest-pyimages/environment")))
    assert built[0] != built[1]


def test_pip_cannot_resolve_to_the_lowest_versions(pytester: pytest.Pytester, run_images: Run) -> None:
    pytester.makepyfile(test_it="def test_a(): pass")
    pytester.path.joinpath("pyproject.toml").write_text(VARIANTS)
    run = run_images(images="3.12+lowest", engine="FakeEngine(installer=lambda spec, job: {'failed': 'sources'})")
    assert run.result.ret == 1
    problem = run.images["3.12+lowest"]["problem"]
    assert problem.startswith(
        "not installable with pip: the variant lowest requires resolution = lowest-direct · uv can"
    )


@pytest.mark.parametrize(
    ("table", "spec", "said"),
    [
        ("", "3.12+lowst", 'unknown variant "lowst" · did you mean lowest?'),
        ('[[tool.pyimages.variants]]\nname = "3x"', "3.12", "'3x' is not a name"),
        ('[[tool.pyimages.variants]]\nname = "x"\nresolution = "low"', "3.12", 'resolution: invalid value "low"'),
        ('[[tool.pyimages.variants]]\nname = "x"\nconstraints = ["-r x"]', "3.12", 'invalid requirement "-r x"'),
        ('[[tool.pyimages.variants]]\nname = "lowest"', "3.12", 'another variant is named "lowest"'),
        ('[[tool.pyimages.variants]]\nname = "x"\nskip = true', "3.12", 'unknown key "skip"'),
    ],
)
def test_an_invalid_variant_is_refused(
    pytester: pytest.Pytester, run_images: Run, table: str, spec: str, said: str
) -> None:
    pytester.path.joinpath("pyproject.toml").write_text(f"{VARIANTS}\n{table}\n")
    run = run_images(images=spec)
    assert run.result.ret == 4
    assert said in run.out + run.err
