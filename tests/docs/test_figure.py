"""The figure of the README is what its script makes of the records, and shows what Table 1 says."""

import runpy
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from huse_bench.results import load_results

ROOT = Path(__file__).parents[2]
SVG = {"svg": "http://www.w3.org/2000/svg"}


@pytest.fixture(scope="module")
def figure():
    return (ROOT / "docs" / "figures" / "result.svg").read_text(encoding="utf-8")


def test_it_is_made_from_the_records(figure):
    made = runpy.run_path(str(ROOT / "docs" / "figures" / "result.py"))["drawing"]
    assert made(load_results(ROOT / "results" / "emoji" / "tuned")) == figure


def test_dots_and_intervals_are_those_of_the_printed_table(figure):
    page = (ROOT / "results" / "emoji" / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page[page.index("**Table 1") : page.index("**Table 2")].splitlines()]
    # Name, then three columns of image to image, then R@1 of image to text; what the paper printed stands below.
    printed = {row[1].strip(" §¶").replace("\\*", "*"): row[5] for row in reversed(rows) if len(row) == 15}
    drawn = ET.fromstring(figure).findall("svg:g", SVG)
    assert len(drawn) == 16
    ticks = {text.text: float(text.get("x")) for text in ET.fromstring(figure).findall("svg:text", SVG)}
    scale = (ticks[".6"] - ticks[".0"]) / 0.6
    for group in drawn:
        label, dot, line = (group.find(f"svg:{name}", SVG) for name in ("text", "circle", "line"))
        cell = printed[label.text]
        mean, low, high = _numbers(cell)
        assert (group.get("class") == "best") == ("**" in cell)
        assert float(dot.get("cx")) == pytest.approx(ticks[".0"] + mean * scale, abs=1.5)
        # The table prints the larger reach for both, where they differ by less than an eighth.
        assert float(line.get("x1")) == pytest.approx(ticks[".0"] + (mean - low) * scale, abs=1.5 + low * scale / 8)
        assert float(line.get("x2")) == pytest.approx(ticks[".0"] + (mean + high) * scale, abs=1.5 + high * scale / 8)


def _numbers(cell):
    """The mean, and how far the interval reaches down and up, of a cell such as ``**0.587** ±.045``."""
    mean, reach = cell.replace("*", "").split()
    up, _, down = reach.replace("±", "").partition("/")
    return float(mean), abs(float(down or up)), float(up)
