"""What stands on top of a page of several data sets."""

import warnings

import pytest

from huse_bench.report.html.page import render_page
from huse_bench.report.summary import summary_notes
from huse_bench.results.summary import summarise

html5lib = pytest.importorskip("html5lib")


@pytest.fixture
def page(several, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(render_page(several[:2]), encoding="utf-8")
    return path


def parsed(source):
    with warnings.catch_warnings():
        # A file of bytes says its encoding itself.
        warnings.simplefilter("ignore")
        return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(source.encode())


def texts(tree, where):
    return [" ".join("".join(element.itertext()).split()) for element in tree.iterfind(where)]


def test_the_summary_is_the_first_part_and_the_first_link(page, several):
    tree = parsed(page.read_text(encoding="utf-8"))
    assert texts(tree, ".//section/h2")[:2] == ["Over all data sets", "Tables"]
    assert texts(tree, ".//nav/ul/li/a")[0] == "Over all data sets"
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert {element.get("href").removeprefix("#") for element in tree.iter("a")} <= set(ids)
    section = tree.find(".//section[@id='over-summary']")
    assert texts(section, ".//tbody/tr/th") == [
        *("CME", "TRIPLET", "HUSE"),
        *(f"{number} {name}" for names in _orders(several) for number, name in enumerate(names, 1)),
    ]
    assert set(summary_notes(summarise(several[:2]))) <= set(texts(section, ".//li"))
    figure = section.find(".//figure[@id='over-summary-figure-profile']")
    assert any(str(element.tag).endswith("svg") for element in figure.iter())


def _orders(several):
    from huse_bench.report.summary import best_first

    found = summarise(several[:2])
    return [[found.rows[place].label for place in best_first(each)] for each in found.scores]


def test_why_there_is_none_is_said_and_one_data_set_has_no_such_part(several, write_on, load_on):
    write_on("icons", "vse", 0, 0.5, folder="other")
    source = render_page([several[0], *load_on("other")])
    assert "No summary: no method ran on all of Emoji, Icons" in source
    write_on("emoji", "huse", 0, 0.5, folder="again")
    for folders in ([several[0]], [several[0], *load_on("again")]):
        assert "Over all data sets" not in render_page(folders)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_axe_finds_no_violation_and_only_tables_scroll(width, scheme, page, axe, opened):
    tab = opened(page, viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    # Not as an element, which the page's policy forbids.
    tab.evaluate(axe)
    report = tab.evaluate("axe.run('#over-summary')")
    assert [violation["id"] for violation in report["violations"]] == []
