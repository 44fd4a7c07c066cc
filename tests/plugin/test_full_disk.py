"""Files that cannot be written cost neither results nor the summary."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ImagesRun

Run = Callable[..., ImagesRun]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("/dev/full", "No space left on device", id="full disk"),
    ],
)
@pytest.mark.parametrize("fails", [False, True], ids=["passes", "fails"])
def test_a_junit_file_that_cannot_be_written(
    pytester: pytest.Pytester, run_images: Run, path: str, reason: str, fails: bool
) -> None:
    (pytester.path / "file.txt").write_text("")
    pytester.makepyfile(test_it=f"def test_a(): pass\ndef test_b(): assert not {fails}\n")
    run = run_images(f"--junitxml={path}", images="3.12,3.14")
    assert run.result.ret == 1
    assert "Traceback" not in run.out + run.err
    assert "generated xml file" not in run.out
    assert [image["counts"]["passed"] for image in run.images.values()] == [2 - fails] * 2
    run.result.stdout.re_match_lines(
        [rf" note: --junitxml: .*{path.rpartition('/')[2]} cannot be written \(.*({reason}).*\)"]
    )
