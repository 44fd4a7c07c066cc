"""``python -m tools.picture FILE``: run an example; draw the terminal's last screen (.svg) or the HTML report (.png).

docs/terminal.svg and docs/report.png are made with it::

    python -m tools.standins run --images 3.12,3.14-slim -- python -m tools.picture docs/terminal.svg
    python -m tools.standins run --images 3.12,3.14-slim -- python -m tools.picture docs/report.png
"""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from fcntl import ioctl
from html import escape
from itertools import groupby
from pathlib import Path

import pyte

from tools.standins.browser import ensure_browser

FOLDER = Path(__file__).parents[1] / "examples" / "calendar_cli"
COMMAND = ("pytest", "--py-images=3.12,3.14-slim", "--tb=no", "--disable-warnings")
PAGE = "result.html"
PAGE_COMMAND = ("pytest", "--py-images=3.12,3.14-slim", f"--py-images-report={PAGE}")
PAGE_SIZE = 1000, 670  # pixels
COLUMNS, LINES = 104, 60
CELL_WIDTH, LINE_HEIGHT, MARGIN = 8.43, 19, 16  # pixels; a monospaced font of 14 pixels
BACKGROUND, FOREGROUND = "#1c1f26", "#d5d8df"
BOLD = ' font-weight="bold"'
COLOURS = {
    "black": "#5c6370",
    "red": "#ef6b73",
    "green": "#8fc97a",
    "brown": "#e2c07b",  # what pyte calls yellow
    "blue": "#6cb2f0",
    "magenta": "#c98be0",
    "cyan": "#5fc0c9",
    "white": FOREGROUND,
}


def record(command: tuple[str, ...], folder: Path) -> pyte.Screen:
    """Run a command on a terminal of its own; return the screen as it was in the end."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    stream.feed(f"$ {' '.join(command)}\r\n".encode())
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    program = find_program(command[0])
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen([program, *command[1:]], cwd=folder, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    output = b""
    while chunk := _read(ours):
        output += chunk
    os.close(ours)
    process.wait()
    stream.feed(_without_this_machine(output.decode(), folder).encode())
    return screen


def find_program(name: str) -> str:
    """Return the path of a program that is installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


def draw_page(picture: Path) -> None:
    """Run the example, and write a picture of the beginning of its HTML report."""
    page = FOLDER / PAGE
    try:
        subprocess.run([find_program(PAGE_COMMAND[0]), *PAGE_COMMAND[1:]], cwd=FOLDER, check=False)  # some tests fail
        text = _without_this_machine(page.read_text("utf-8"), FOLDER)
        text = re.sub(r'"commit":"[^"]*"', '"commit":"4f5e6a7"', text)
        page.write_text(re.sub(r'"version":"[^"]*"', '"version":"0.1.0"', text), "utf-8")
        with tempfile.TemporaryDirectory(prefix="pyimages-picture-") as profile:
            size = ",".join(map(str, PAGE_SIZE))
            options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}")
            command = [ensure_browser(), *options, f"--window-size={size}", f"--screenshot={picture.absolute()}"]
            subprocess.run([*command, page.as_uri()], check=True)
    finally:
        page.unlink(missing_ok=True)


def _without_this_machine(output: str, folder: Path) -> str:
    """Replace what differs from one developer's machine to another's."""
    output = output.replace(str(folder), f"/src/{folder.name}")
    output = re.sub(r"unix://[^ \"]+", "unix:///var/run/docker.sock", output)
    return re.sub(r"plugins: .*?(?=[\r\n])", "plugins: pyimages-0.1.0", output)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # EIO: the last process has closed the terminal
        return b""


def draw(screen: pyte.Screen) -> str:
    """Return the lines of a screen as an SVG document, without the empty ones at the end."""
    rows = [[screen.buffer[line][column] for column in range(screen.columns)] for line in range(screen.lines)]
    while rows and not "".join(cell.data for cell in rows[-1]).strip():
        rows.pop()
    width = round(screen.columns * CELL_WIDTH + 2 * MARGIN)
    height = len(rows) * LINE_HEIGHT + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"',
        ' font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14">',
        f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
    ]
    for number, row in enumerate(rows):
        baseline = MARGIN + number * LINE_HEIGHT + 14
        lines += [
            f'<text x="{MARGIN + start * CELL_WIDTH:.1f}" y="{baseline}" fill="{colour}"'
            f' textLength="{len(text) * CELL_WIDTH:.1f}" xml:space="preserve"'
            f"{BOLD if is_bold else ''}>{escape(text)}</text>"
            for start, text, colour, is_bold in _spans(row)
        ]
    return "\n".join([*lines, "</svg>", ""])


def _spans(row: list[pyte.screens.Char]) -> list[tuple[int, str, str, bool]]:
    """Return the column, text, colour and boldness of each part of a line that is not blank."""
    spans, start = [], 0
    for (colour, is_bold), cells in groupby(row, key=lambda cell: (cell.fg, cell.bold)):
        text = "".join(cell.data for cell in cells)
        if text.strip():
            indent = len(text) - len(text.lstrip())
            spans.append((start + indent, text.strip(), COLOURS.get(colour, FOREGROUND), is_bold))
        start += len(text)
    return spans


def main() -> int:
    """Write the picture."""
    if len(sys.argv) != 2 or not sys.argv[1].endswith((".svg", ".png")):
        sys.stderr.write("usage: python -m tools.picture FILE.svg|FILE.png\n")
        return 2
    picture = Path(sys.argv[1])
    if picture.suffix == ".png":
        draw_page(picture)
    else:
        picture.write_text(draw(record(COMMAND, FOLDER)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
