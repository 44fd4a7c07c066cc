"""Requirements files in all forms that pip reads, and those that cannot be read."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from pytest_pyimages.project.requirements import RequirementsFile, join_lines, read_requirements_file
from tests.support.project_tree import write_tree


def read(root: Path) -> RequirementsFile:
    return read_requirements_file(root / "requirements.txt", root=root, name="shop")


def test_continued_lines_begin_where_they_began() -> None:
    text = "six \\\n  >=1\n\n# a comment \\\nattrs  # another\nidna \\"
    assert list(join_lines(text)) == [(1, "six   >=1"), (5, "attrs"), (6, "idna")]


def test_files_may_refer_to_each_other(tmp_path: Path) -> None:
    """Each is read once, and of constraints nothing is a requirement."""
    root = write_tree(
        tmp_path,
        {
            "requirements.txt": "-r more/a.txt\nsix\n-c limits.txt\n-r requirements.txt\n",
            "more/a.txt": "attrs\n-r ../requirements.txt\n",
            "limits.txt": "idna<3\n-r more/b.txt\n",
            "more/b.txt": "wheel\n",
        },
    )
    found = read(root)
    assert found.requirements == ["attrs", "six"]
    assert [path.name for path in found.chain] == ["requirements.txt", "a.txt", "limits.txt", "b.txt"]
    assert (found.is_plain, found.problem) == (False, None)


@pytest.mark.parametrize("line", ["-r https://x.example/a.txt", "-r ${FOLDER}/a.txt", "--find-links wheels"])
def test_what_only_pip_can_follow_is_left_to_it(tmp_path: Path, line: str) -> None:
    found = read(write_tree(tmp_path, {"requirements.txt": f"six\n{line}\n"}))
    assert (found.requirements, found.is_plain, found.problem) == (["six"], False, None)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
    ids=["UTF-8", "UTF-16 LE", "UTF-16 BE"],
)
def test_encodings_are_known_by_their_marks(tmp_path: Path, mark: bytes, encoding: str) -> None:
    """PowerShell writes such files."""
    (tmp_path / "requirements.txt").write_bytes(mark + "six  # größer\n".encode(encoding))
    assert read(tmp_path).requirements == ["six"]


def test_files_that_cannot_be_read_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes("six\n".encode("utf-16-le"))
    assert str(read(tmp_path).problem) == f"{tmp_path}/requirements.txt contains null characters · save it as UTF-8"
    name = "a" * 300
    (tmp_path / "requirements.txt").write_text(f"-r gone.txt\n-r {name}\nsix\n")
    found = read(tmp_path)
    assert str(found.problem).startswith(f"{tmp_path}/requirements.txt:1: {tmp_path}/gone.txt does not exist · ")
    assert found.requirements == ["six"]
    (tmp_path / "requirements.txt").write_text(f"-r {name}\n")
    problem = str(read(tmp_path).problem)
    assert name in problem
    assert "File name too long" in problem
