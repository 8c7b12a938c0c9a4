"""The figure of the README is what its script makes of the records, and shows what Table 1 of each bundle says."""

import runpy
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from huse_bench.bundles import read_bundle

ROOT = Path(__file__).parents[2]
SVG = {"svg": "http://www.w3.org/2000/svg"}
DATA = ["emoji", "clipart", "icons"]


@pytest.fixture(scope="module")
def figure():
    return (ROOT / "docs" / "figures" / "result.svg").read_text(encoding="utf-8")


def test_it_is_made_from_the_records(figure):
    script = runpy.run_path(str(ROOT / "docs" / "figures" / "result.py"))
    bundles = [read_bundle(path) for path in script["BUNDLES"]]
    assert script["drawing"]([bundle.results("tuned") for bundle in bundles]) == figure


@pytest.mark.parametrize(("panel", "data"), list(enumerate(DATA)))
def test_dots_and_intervals_are_those_of_the_printed_table(figure, panel, data):
    page = (ROOT / "results" / data / "tables.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page[page.index("**Table 1") : page.index("**Table 2")].splitlines()]
    # Name, then three columns of image to image, then R@1 of image to text; what the paper printed stands below.
    printed = {row[1].strip(" §¶").replace("\\*", "*"): row[5] for row in reversed(rows) if len(row) == 15}
    root = ET.fromstring(figure)
    texts = root.findall("svg:text", SVG)
    labels = {float(text.get("y")) - 4: text.text for text in texts if text.get("text-anchor") == "end"}
    assert len(labels) == 16
    # The panels' axes stand one after another below all.
    zero, one = ([float(text.get("x")) for text in texts if text.text == tick][panel] for tick in (".0", ".6"))
    scale = (one - zero) / 0.6
    drawn = root.findall("svg:g", SVG)[panel :: len(DATA)]
    assert len(drawn) == 16
    for group in drawn:
        dot, line = (group.find(f"svg:{name}", SVG) for name in ("circle", "line"))
        cell = printed[labels[float(dot.get("cy"))]]
        mean, low, high = _numbers(cell)
        assert (group.get("class") == "best") == ("**" in cell)
        assert float(dot.get("cx")) == pytest.approx(zero + mean * scale, abs=1)
        # The table prints the larger reach for both, where they differ by less than an eighth.
        assert float(line.get("x1")) == pytest.approx(zero + (mean - low) * scale, abs=1 + low * scale / 8)
        assert float(line.get("x2")) == pytest.approx(zero + (mean + high) * scale, abs=1 + high * scale / 8)


@pytest.mark.parametrize("path", sorted(ROOT.glob("results/**/tables.md")), ids=lambda path: path.parent.name)
def test_tables_to_look_at_are_those_of_the_bundle(path):
    bundle = read_bundle(path.with_name("bundle.zip"))
    assert (bundle.folder / "README.md").read_bytes() == path.read_bytes()


def _numbers(cell):
    """The mean, and how far the interval reaches down and up, of a cell such as ``**0.587** ±.045``."""
    mean, reach = cell.replace("*", "").split()
    up, _, down = reach.replace("±", "").partition("/")
    return float(mean), abs(float(down or up)), float(up)
