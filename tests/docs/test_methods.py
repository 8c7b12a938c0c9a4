"""Each built-in loss has a page with its formula, its source and what its class declares."""

import re
from pathlib import Path

import pytest

from huse_bench.discovery import components

PAGES = Path(__file__).parents[2] / "docs" / "methods"
NAMES = sorted(each.name for each in components("loss") if each.distribution == "huse-bench")


@pytest.mark.parametrize("name", NAMES)
def test_a_method_has_a_page(name):
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert re.search(r"^\$\$\n.+?^\$\$$", page, flags=re.DOTALL | re.MULTILINE), "add its formula between lines of $$"
    assert f"```{{method-facts}} {name}\n" in page
    source = page.partition("## Source\n")[2].partition("\n## ")[0]
    assert re.search(r"(19|20)\d\d", source), "say whose it is, and of which year"


def test_a_page_has_a_method_and_is_in_the_contents():
    pages = {path.stem for path in PAGES.glob("*.md")} - {"index"}
    assert pages == set(NAMES)
    contents = re.search(r"```\{toctree\}\n:hidden:\n\n(.*?)```", (PAGES / "index.md").read_text(), flags=re.DOTALL)
    assert contents is not None
    assert set(contents[1].split()) == pages
