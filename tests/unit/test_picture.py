"""The pictures of a terminal and of a page in the documentation."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree as ET

import pyte

from tools.picture import COLOURS, FOREGROUND, PAGE_SIZE, draw

PICTURE = Path(__file__).parents[2] / "docs" / "terminal.svg"


def texts(svg: str) -> list[tuple[str, str]]:
    """Return the text and colour of each part."""
    return [(part.text or "", part.attrib["fill"]) for part in ET.fromstring(svg) if part.tag.endswith("text")]


def test_each_colour_is_a_part() -> None:
    screen = pyte.Screen(40, 5)
    pyte.Stream(screen).feed("a <b> & \x1b[31mfailed\x1b[0m\r\n\r\n  \x1b[1;32mpassed\x1b[0m")
    svg = draw(screen)
    assert texts(svg) == [("a <b> &", FOREGROUND), ("failed", COLOURS["red"]), ("passed", COLOURS["green"])]
    assert svg.count("bold") == 1


def test_the_documentation_has_a_whole_run_without_this_machine() -> None:
    svg = PICTURE.read_text(encoding="utf-8")
    found = [text for text, _ in texts(svg)]
    assert "$ pytest --py-images=3.12,3.14-slim --tb=no --disable-warnings" in found
    assert "fails only on 3.14-slim" in found
    assert ("2 failed", COLOURS["red"]) in texts(svg)
    assert "rootdir: /src/calendar_cli" in found
    assert "unix:///var/run/docker.sock" in svg


def test_the_picture_of_the_page_is_as_large_as_the_tool_draws_it() -> None:
    head = PICTURE.with_name("report.png").read_bytes()[:24]
    assert (head[:8], struct.unpack(">II", head[16:])) == (b"\x89PNG\r\n\x1a\n", PAGE_SIZE)
