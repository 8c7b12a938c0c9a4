"""A paper's numbers on the page: beside the measured ones, with verdicts, and never more than text."""

import csv
import io
import json
import warnings

import pytest

from huse_bench.errors import ResultsError
from huse_bench.measures import DIRECTION_TITLES
from huse_bench.report import render
from huse_bench.results import Store, load_results
from huse_bench.results.published import published_tables

html5lib = pytest.importorskip("html5lib")

HOSTILE = "<script>window.hacked = 1</script>\u202e{{ 7 * 7 }}"


def parsed(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(path.read_bytes())


def texts(tree, where):
    return [" ".join("".join(element.itertext()).split()) for element in tree.iterfind(where)]


def section(tree):
    return tree.find(".//section[@data-section='published']")


def shown(tree, name):
    """Label and cells of each row of a table."""
    box = tree.find(f".//div[@data-table='{name}']")
    return [texts(row, "th") + texts(row, "td") for row in box.iterfind(".//tr[@data-label]")]


def known(failed, paper):
    return json.loads(render(load_results(failed), "json", published=paper))["published"]


def test_printed_numbers_stand_below_the_measured_ones(beside_page):
    tree = parsed(beside_page)
    box = tree.find(".//div[@data-table='table1']")
    printed = [row for row in box.iterfind(".//tr[@data-label]") if row.get("data-kind") == "printed"]
    assert [row.get("data-label") for row in printed] == ["Triplet [3]", "CME", "HUSE", "Ours"]
    (title,) = [text for text in texts(box, ".//tr[@class='group']") if "printed" in text]
    assert title == "Numbers printed in the paper on Emoji (Journal 12 (2031), Table 3)."
    assert texts(printed[2], "td")[-3:] == ["0.020", "0.990", "0.950\u2020"]
    notes = [note for note in texts(box, "ul/li") if note[0] == "\u2020"]
    assert notes == ["\u2020 is below R@5."]
    # Of another paper's table there is nothing.
    assert not [r for r in tree.find(".//div[@data-table='table2']").iter("tr") if r.get("data-kind") == "printed"]


def test_verdicts_orders_and_leaders_are_those_of_the_other_formats(beside_page, failed, paper):
    expected = known(failed, paper)
    assert {verdict["outcome"] for verdict in expected["verdicts"]} == {"agrees", "differs", "not comparable"}
    tree = parsed(beside_page)

    def number(share):
        return "-" if share is None else f"{share:.3f}"

    assert shown(tree, "verdicts") == [
        [
            verdict["label"],
            DIRECTION_TITLES[verdict["task"]],
            verdict["metric"],
            *(number(verdict[name]) for name in ("ours", "low", "high", "theirs")),
            verdict["outcome"],
        ]
        for verdict in expected["verdicts"]
    ]
    leads = {(lead["task"], lead["metric"]): lead for lead in expected["leads"]}
    rows = shown(tree, "orders")
    assert len(rows) == len(expected["orderings"]) == 6
    for row, order in zip(rows, expected["orderings"], strict=True):
        lead = leads[order["task"], order["metric"]]
        assert row[:2] == [DIRECTION_TITLES[order["task"]], order["metric"]]
        assert row[2:5] == ["-" if order[n] is None else f"{order[n]:.2f}" for n in ("tau", "low", "high")]
        assert row[6:] == [", ".join(lead["printed"]), ", ".join(lead["measured"])]
    (said,) = texts(section(tree), "div[@data-table='orders']/ul/li")
    assert said.startswith("Who leads the 6 columns")
    assert texts(section(tree), "div[@data-table='verdicts']/ul/li")[1:] == [
        "Not comparable: the printed number cannot be (HUSE)."
    ]


def test_where_the_data_are_others_that_is_said_once(page, failed):
    tree = parsed(page(failed, printed=published_tables("huse")))
    assert texts(section(tree), "p") == [
        "Values here and in arXiv:1911.05978 are not comparable: other data: Emoji here, UPMC Food-101 there."
    ]
    assert [box.get("data-table") for box in section(tree).iterfind("div")] == ["orders"]
    assert "Not comparable with the rows above" in "".join(tree.find(".//div[@data-table='table1']").itertext())


def test_a_paper_without_these_methods_says_so(page, tmp_path, make_record, opened):
    store = Store(tmp_path / "emoji", dataset="emoji")
    store.write(make_record("mine"))
    path = page(store.folder, printed=published_tables("huse"))
    assert texts(section(parsed(path)), "p") == [
        "No method of arXiv:1911.05978 has numbers here, so there is nothing to compare with it."
    ]
    assert opened(path).locator("[data-table=table1] tr[data-kind=printed]").count() > 5


def test_it_is_there_only_where_it_was_asked_for(failed_page):
    assert section(parsed(failed_page)) is None


def test_no_text_of_a_paper_becomes_markup(page, failed, tmp_path, write_paper):
    path = write_paper(tmp_path / "hostile.json", source=HOSTILE, title=HOSTILE, dataset_title=HOSTILE)
    paper = json.loads(path.read_text())
    paper["tables"]["table1"]["place"] = HOSTILE
    paper["tables"]["table1"]["rows"][0]["title"] = HOSTILE
    paper["flags"][0]["note"] = HOSTILE
    path.write_text(json.dumps(paper))
    written = page(failed, printed=published_tables(path))
    tree = parsed(written)
    assert len([s for s in tree.iter("script") if s.get("type") is None]) == 3
    assert "\u202e" not in written.read_text(encoding="utf-8")
    assert "".join(tree.find("body").itertext()).count("{{ 7 * 7 }}") >= 4


def test_a_number_that_cannot_be_and_is_not_flagged_is_refused(page, failed, tmp_path, write_paper):
    path = write_paper(tmp_path / "slip.json", flags=[])
    with pytest.raises(ResultsError, match="hold a number that cannot be"):
        page(failed, printed=published_tables(path))


# In Chromium.


def download(tab, format_, table):
    box = tab.locator(f"[data-table={table}]")
    box.locator("select").select_option(format_)
    with tab.expect_download() as done:
        box.get_by_role("button", name="Download").click()
    assert done.value.suggested_filename == f"{table}.{format_}"
    return done.value.path().read_text(encoding="utf-8")


def visible(tab, table):
    return tab.eval_on_selector_all(
        f"[data-table={table}] tbody tr[data-label]",
        """rows => rows.filter(r => r.checkVisibility()).map(
             r => [...r.children].map(c => (c.firstElementChild ?? c).textContent))""",
    )


def test_verdicts_are_filtered_and_sorted_and_taken_along_as_shown(beside_page, opened):
    tab = opened(beside_page)
    part = tab.locator("section[data-section=published]")
    whole = visible(tab, "verdicts")
    part.get_by_label("agrees").uncheck()
    part.get_by_label("Text to Text").uncheck()
    rows = visible(tab, "verdicts")
    assert 0 < len(rows) < len(whole)
    assert sorted(rows) == sorted(row for row in whole if row[7] != "agrees" and row[1] != "Text to Text")
    assert {row[0] for row in visible(tab, "orders")} == {"Image to Image"}
    part.get_by_label("Methods whose name has").fill("huse")
    # A name is no column.
    assert len(visible(tab, "orders")) == 3
    part.get_by_label("Methods whose name has").fill("")
    tab.locator("[data-table=verdicts] th[data-name='Here Mean'] button").click()
    rows = visible(tab, "verdicts")
    assert [float(row[3]) for row in rows] == sorted((float(row[3]) for row in rows), reverse=True)
    head, *lines = csv.reader(io.StringIO(download(tab, "csv", "verdicts")))
    assert head == ["Method", "Task", "Metric", "Here Mean", "Here From", "Here To", "Printed Value", "Verdict"]
    assert lines == [["" if text == "-" else text for text in row] for row in rows]
    document = json.loads(download(tab, "json", "verdicts"))
    assert [list(row.values()) for row in document["rows"]] == [
        [None if text == "-" else float(text) if text[0].isdigit() else text for text in row] for row in rows
    ]
    assert download(tab, "md", "verdicts").count("\n| ") == len(rows) + 3
    source = download(tab, "tex", "orders")
    assert source.count("Image to Image &") == 3
    assert "\\cmidrule" in source


@pytest.mark.parametrize("of", ["huse", "mine"])
def test_markdown_and_latex_with_printed_rows_are_those_of_the_command_line(of, failed, paper, page, opened):
    name = paper if of == "mine" else "huse"
    tab = opened(page(failed, printed=published_tables(name)))
    tab.locator("section[data-section=tables]").get_by_label("rank", exact=True).uncheck()
    tab.get_by_label("trained on shuffled labels").check()
    results = load_results(failed)
    for table in ("table1", "table2"):
        assert download(tab, "tex", table) == render(results, "latex", name, tables=[table]) + "\n"
        # Less the padding of cells.
        ours, theirs = (
            [" ".join(line.split()) for line in text.splitlines() if line.startswith("|") and ":-" not in line]
            for text in (download(tab, "md", table), render(results, "markdown", name, tables=[table]))
        )
        assert ours == theirs[: len(ours)]


def test_printed_rows_say_so_where_there_are_no_headings(beside_page, opened):
    tab = opened(beside_page)
    head, *lines = csv.reader(io.StringIO(download(tab, "csv", "table1")))
    assert head[:3] == ["Method", "Source", "Status"]
    assert [line[0] for line in lines if line[1] == "printed"] == ["Triplet [3]", "CME", "HUSE", "Ours"]
    rows = json.loads(download(tab, "json", "table1"))["rows"]
    assert [row["method"] for row in rows if row["source"] == "printed"] == ["Triplet [3]", "CME", "HUSE", "Ours"]
    # Sorted, they stay below what was measured; and they can be hidden.
    tab.locator("[data-table=table1] th[data-name='Image to Image R@5'] button").click()
    kinds = tab.eval_on_selector_all(
        "[data-table=table1] tr[data-kind]", "rows => rows.filter(r => r.checkVisibility()).map(r => r.dataset.kind)"
    )
    assert kinds[-4:] == 4 * ["printed"]
    assert kinds[-5] == "control"
    tab.get_by_label("printed in the paper").uncheck()
    assert tab.locator("[data-table=table1] tr[data-kind=printed]:visible").count() == 0
    assert next(csv.reader(io.StringIO(download(tab, "csv", "table1"))))[:2] == ["Method", "Status"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_can_be_read_by_all(scheme, width, beside_page, axe, opened):
    tab = opened(beside_page, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    tab.evaluate(axe)
    report = tab.evaluate("axe.run()")
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in report["violations"]] == []
