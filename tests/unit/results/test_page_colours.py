"""The colours of the HTML page: texts have the contrast of WCAG 2.2, level AA, in both schemes."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

AA = 4.5  # WCAG 2.2, 1.4.3: text of usual size
PAGE = files("pytest_pyimages.results.output.page")
STYLE = PAGE.joinpath("report.css").read_text("utf-8")
Colour = tuple[float, float, float]
TEXTS = ("text", "faint", "good", "bad", "odd", "bar")


def schemes() -> dict[str, dict[str, Colour]]:
    """The variables of each scheme, as red, green and blue from 0 to 1."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE)
    return {"light": read(light), "dark": read(dark)}


def read(declarations: str) -> dict[str, Colour]:
    found = {}
    for name, digits in re.findall(r"--(\w+): #(\w+);", declarations):
        full = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
        red, green, blue = (int(full[at : at + 2], 16) / 255 for at in (0, 2, 4))
        found[name] = (red, green, blue)
    return found


def mix(one: Colour, other: Colour, part: float) -> Colour:
    red, green, blue = (part * first + (1 - part) * second for first, second in zip(one, other, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """WCAG 2.2, "relative luminance"."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("back", ["back", "row"])
@pytest.mark.parametrize("text", TEXTS)
def test_text(scheme: str, back: str, text: str) -> None:
    colours = schemes()[scheme]
    assert contrast(colours[text], colours[back]) >= AA


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_on_colours(scheme: str) -> None:
    """Failed outcomes, the hottest cell of the map, and what is marked in a traceback."""
    colours = schemes()[scheme]
    heat = re.search(r"Math\.round\((\d+) \+ \((\d+) \* bad\)", PAGE.joinpath("panels.js").read_text("utf-8"))
    marked = re.search(r"mark \{ background: color-mix\(in srgb, var\(--odd\) (\d+)%, var\(--back\)\)", STYLE)
    assert heat is not None
    assert marked is not None
    hottest = mix(colours["bad"], colours["back"], (int(heat[1]) + int(heat[2])) / 100)
    assert contrast(colours["bad"], colours["alarm"]) >= AA
    assert contrast(colours["text"], hottest) >= AA
    assert contrast(colours["text"], mix(colours["odd"], colours["back"], int(marked[1]) / 100)) >= AA


def test_text_is_never_faded() -> None:
    """Opacity would take contrast from every colour above."""
    assert re.findall(r"opacity: *([\d.]+)", STYLE) == ["1"]  # of placeholders, which some browsers fade
