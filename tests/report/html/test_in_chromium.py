"""The page as a reader has it: sorted, filtered, taken along, by keyboard, on a telephone and on paper."""

import csv
import io
import json
import re
import shutil
import subprocess

import pytest

from huse_bench.report import render
from huse_bench.results import Store, load_results


def tables(tab):
    """The part of the page that these tests are about; others have controls of the same names."""
    return tab.locator("section[data-section=tables]")


def press(tab, name, table="table1"):
    """The button of a column."""
    tab.locator(f"[data-table={table}] th[data-name='{name}'] button").click()


def labels(tab, table="table1"):
    return tab.eval_on_selector_all(
        f"[data-table={table}] tbody tr[data-label]",
        "rows => rows.filter(r => r.checkVisibility()).map(r => r.dataset.label)",
    )


def columns(tab, table="table1"):
    return tab.eval_on_selector_all(
        f"[data-table={table}] th[data-name]", "ths => ths.filter(t => t.checkVisibility()).map(t => t.dataset.name)"
    )


def cells(tab, what, table="table1"):
    """Texts of the visible cells of the visible rows."""
    return tab.eval_on_selector_all(
        f"[data-table={table}] tbody tr[data-label]",
        """(rows, what) => rows.filter(r => r.checkVisibility()).map(r => [...r.querySelectorAll("td")]
             .filter(d => d.checkVisibility()).map(d => d.querySelector(what)?.textContent ?? ""))""",
        what,
    )


def download(tab, format_, table="table1"):
    box = tab.locator(f"[data-table={table}]")
    box.locator("select").select_option(format_)
    with tab.expect_download() as done:
        box.get_by_role("button", name="Download").click()
    assert done.value.suggested_filename == f"{table}.{format_}"
    return done.value.path().read_text(encoding="utf-8")


def find(tab, words):
    tables(tab).get_by_label("Methods whose name has").fill(words)


PAPER = ["CME & friends", "Triplet", "HIE*", "HUSE", "Chance"]


def test_a_column_sorts_down_then_up_then_back(failed_page, opened):
    tab = opened(failed_page)
    assert labels(tab) == PAPER
    head = tab.locator("[data-table=table1] th[data-name='Image to Image R@1']")
    press(tab, "Image to Image R@1")
    numbers = [float(row[0]) for row in cells(tab, ":first-child") if row[0] not in {"", "diverged"}]
    assert numbers[:3] == sorted(numbers[:3], reverse=True)
    # What did not finish comes last of the methods, and controls stay below them.
    assert labels(tab)[0] == "HUSE"
    assert labels(tab)[3:] == ["HIE*", "Chance"]
    assert head.get_attribute("aria-sort") == "descending"
    press(tab, "Image to Image R@1")
    assert labels(tab)[2:] == ["HUSE", "HIE*", "Chance"]
    assert head.get_attribute("aria-sort") == "ascending"
    assert tab.locator("[aria-sort=ascending], [aria-sort=descending]").count() == 1
    press(tab, "Image to Image R@1")
    assert labels(tab) == PAPER
    assert tab.locator("[aria-sort=ascending], [aria-sort=descending]").count() == 0


def test_what_prints_alike_keeps_the_order_of_the_paper(tmp_path, make_record, page, opened):
    store = Store(tmp_path / "emoji", dataset="emoji")
    for name, start in (("b", 0.3), ("a", 0.50001), ("c", 0.5)):
        store.write(make_record(name, start=start))
    tab = opened(page(store.folder))
    press(tab, "Image to Image R@1")
    assert labels(tab) == ["A", "C", "B"]
    press(tab, "Image to Image R@1")
    assert labels(tab) == ["B", "A", "C"]


def test_the_dashed_line_is_gone_while_sorted(failed_page, opened):
    tab = opened(failed_page)
    line = "e => getComputedStyle(e).borderTopStyle"
    dashed = tab.locator("[data-table=table1] tbody.dashed")
    assert dashed.evaluate(line) == "dashed"
    press(tab, "Text to Text R@10")
    assert dashed.evaluate(line) != "dashed"
    tab.locator("[data-table=table1]").get_by_role("button", name="Order of the paper").click()
    assert dashed.evaluate(line) == "dashed"


def test_rows_and_directions_are_filtered(failed_page, opened):
    tab = opened(failed_page)
    find(tab, "TRIP, huse")
    assert labels(tab) == ["Triplet", "HUSE"]
    assert labels(tab, "table3") == ["Triplet", "HUSE"]
    assert tables(tab).locator("[data-said]").text_content() == "2 of 6 rows shown."
    find(tab, "")
    tab.get_by_label("with semantic information", exact=True).uncheck()
    tab.get_by_label("trained on shuffled labels").check()
    assert labels(tab) == ["CME & friends", "Triplet", "Chance", "HUSE, labels shuffled"]
    tables(tab).get_by_label("Image to Text").uncheck()
    tables(tab).get_by_label("Text to Image").uncheck()
    kept = [f"{d} R@{k}" for d in ("Image to Image", "Text to Text") for k in (1, 5, 10)]
    assert columns(tab) == kept
    assert columns(tab, "table3") == ["Image", "Text", "Fusion"]
    assert {len(row) for row in cells(tab, "span")} == {6}
    heads = tab.locator("[data-table=table1] th[scope=colgroup]:visible")
    assert heads.all_text_contents() == ["Image to Image", "Text to Text"]


def test_a_heading_stays_above_what_is_left_of_its_part(tmp_path, make_record, page, opened):
    store = Store(tmp_path / "emoji", dataset="emoji")
    beyond = {"method__section": "Beyond the paper"}
    for name, more in (("cme", {}), ("huse", {}), ("siglip", beyond), ("hie-tree", beyond)):
        store.write(make_record(name, **more))
    tab = opened(page(store.folder))
    headings = tab.locator("[data-table=table1] tr.group:visible")
    dashed = tab.locator("[data-table=table1] tbody.dashed")
    assert (headings.count(), dashed.count()) == (1, 2)
    tab.get_by_label("without semantic information").uncheck()
    assert labels(tab) == ["HUSE", "HIE-TREE"]
    assert (headings.all_text_contents(), dashed.count()) == (["Beyond the paper"], 0)
    source = download(tab, "tex")
    assert source.index("HUSE") < source.index("Beyond the paper") < source.index("HIE-TREE")
    assert "hdashline" not in source
    find(tab, "huse")
    assert headings.count() == 0
    find(tab, "")
    press(tab, "Image to Image R@1")
    assert headings.count() == 0


def test_intervals_and_ranks_are_shown_on_request(failed_page, opened):
    tab = opened(failed_page)
    boxes = [tab.get_by_label(name, exact=True) for name in ("interval", "rank")]
    small = tab.locator("[data-table=table1] td small:visible")
    assert small.count() == 12 * 6
    boxes[0].uncheck()
    assert set(small.all_text_contents()) == set(tab.locator("[data-table=table1] td .rank").all_text_contents())
    boxes[1].uncheck()
    assert small.count() == 0


def arranged(tab):
    """Sorted and filtered, so that nothing is as it was written."""
    find(tab, "huse, cme, hie, triplet")
    tables(tab).get_by_label("Text to Image").uncheck()
    press(tab, "Text to Text R@5")


def test_csv_is_what_is_shown(failed_page, opened):
    tab = opened(failed_page)
    arranged(tab)
    head, *lines = csv.reader(io.StringIO(download(tab, "csv")))
    shown = columns(tab)
    besides = ("", " low", " high", " rank low", " rank high")
    assert head == ["Method", "Status", *(f"{name}{beside}" for name in shown for beside in besides)]
    assert [line[0] for line in lines] == labels(tab)
    texts = cells(tab, ":first-child")
    for line, values in zip(lines, texts, strict=True):
        if line[1] == "finished":
            assert line[2::5] == values
    ranks = cells(tab, ".rank")
    best = next(place for place, line in enumerate(lines) if line[0] == "HUSE")
    assert [
        f"#{low}" + (f"\u2013{high}" if low != high else "")
        for low, high in zip(lines[best][5::5], lines[best][6::5], strict=True)
    ] == ranks[best]
    assert [line[1:3] for line in lines if line[0] == "HIE*"] == [["diverged", ""]]
    for name in ("interval", "rank"):
        tab.get_by_label(name, exact=True).uncheck()
    assert next(csv.reader(io.StringIO(download(tab, "csv")))) == ["Method", "Status", *shown]


def test_json_is_what_is_shown(failed_page, opened):
    tab = opened(failed_page)
    arranged(tab)
    document = json.loads(download(tab, "json"))
    assert (document["table"], document["unit"]) == ("table1", "share")
    assert [row["method"] for row in document["rows"]] == labels(tab)
    (huse,) = [row for row in document["rows"] if row["method"] == "HUSE"]
    assert [f"{number['direction']} {number['metric']}" for number in huse["numbers"]] == columns(tab)
    numbers = {
        (n["title"], n["task"], n["metric"]): n
        for n in json.loads(render(load_results(failed_page.parent / "mine"), "json"))["numbers"]
    }
    titles = {"Image to Image": "i2i", "Image to Text": "i2t", "Text to Text": "t2t"}
    for number in huse["numbers"]:
        known = numbers["HUSE", titles[number["direction"]], number["metric"]]
        for name in ("value", "low", "high"):
            assert number[name] == pytest.approx(known[name], abs=0.00051)
        assert (number["rank_low"], number["rank_high"]) == (known["rank_low"], known["rank_high"])
        assert number["best"] == known["ties_with_best"]
    assert [row["status"] for row in document["rows"] if row["method"] == "HIE*"] == ["diverged"]


def blocks(markdown):
    """Cells of a Markdown document's tables, whatever their padding and without the lines below the headings."""
    lines = [
        line for line in markdown.splitlines() if line.startswith("|") and not line.replace(" ", "").startswith("|:-")
    ]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize("table", ["table1", "table2", "table3"])
def test_markdown_and_latex_of_a_whole_table_are_those_of_the_command_line(table, failed_page, opened):
    tab = opened(failed_page)
    tab.get_by_label("rank", exact=True).uncheck()
    tab.get_by_label("trained on shuffled labels").check()
    results = load_results(failed_page.parent / "mine")
    assert blocks(download(tab, "md", table)) == blocks(render(results, "markdown", tables=[table]))
    assert download(tab, "tex", table) == render(results, "latex", tables=[table]) + "\n"


def test_markdown_and_latex_are_what_is_shown(failed_page, opened):
    tab = opened(failed_page)
    arranged(tab)
    rows = [row for row in blocks(download(tab, "md")) if row[0] not in {"", "Method"}]
    assert [row[0].replace("\\", "").rstrip("§") for row in rows] == labels(tab)
    numbers = [row[0] or "diverged" for row in cells(tab, ":first-child")]
    assert [row[1].split()[0].strip("*") for row in rows] == numbers
    source = download(tab, "tex")
    assert "Text to Image" not in source
    assert "hdashline" not in source
    assert source.index("HUSE") < source.index("CME") < source.index("HIE*")


def test_a_copy_is_the_download(failed_page, opened):
    tab = opened(failed_page, permissions=["clipboard-read", "clipboard-write"])
    for format_ in ("csv", "md", "tex", "json"):
        saved = download(tab, format_)
        tab.locator("[data-table=table1]").get_by_role("button", name="Copy").click()
        tab.get_by_text("Copied.").wait_for()
        assert tab.evaluate("navigator.clipboard.readText()") == saved


def test_a_spreadsheet_is_given_no_formula_and_no_table_is_broken(hostile_page, opened):
    tab = opened(hostile_page)
    assert tab.evaluate("window.hacked") is None
    head, *lines = csv.reader(io.StringIO(download(tab, "csv")))
    assert {len(line) for line in lines} == {len(head)}
    assert sorted(line[0][0] for line in lines) == ["'", "H"]
    assert {len(row) for row in blocks(download(tab, "md"))} == {13}
    assert "<script>" not in download(tab, "md").replace("\\<script>", "")
    names = [row["method"] for row in json.loads(download(tab, "json"))["rows"]]
    assert names == labels(tab)


def test_everything_is_reached_by_keyboard(failed_page, opened):
    tab = opened(failed_page)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the results"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    tab.keyboard.press("Tab")
    tab.keyboard.type("huse")
    assert labels(tab) == ["HUSE"]
    for _ in range(60):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.closest('th')?.dataset.name") == "Image to Image R@5":
            break
    tab.keyboard.press("Enter")
    assert tab.locator("[aria-sort=descending]").get_attribute("data-name") == "Image to Image R@5"
    tab.keyboard.press("Space")
    assert tab.locator("[aria-sort=ascending]").get_attribute("data-name") == "Image to Image R@5"
    assert (
        tab.locator("[data-table=table1] [data-taken]")
        .text_content()
        .startswith("Sorted by Image to Image R@5, ascending")
    )


def test_a_method_in_a_table_leads_to_its_entry(failed_page, opened):
    tab = opened(failed_page)
    tab.get_by_label("trained on shuffled labels").check()
    tab.locator("[data-table=table1] tbody").get_by_role("link", name="HUSE, labels shuffled").click()
    assert tab.locator("details.method[open] > summary h3").all_text_contents() == ["HUSE, labels shuffled"]
    assert tab.locator("details.method[open] dl").first.is_visible()


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("which", ["failed_page", "hostile_page"])
def test_nothing_but_tables_scrolls_sideways(width, which, request, opened):
    tab = opened(request.getfixturevalue(which), viewport={"width": width, "height": 800})
    tab.get_by_role("button", name="Open all").click()
    tab.eval_on_selector_all("details", "all => all.forEach(e => { e.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    wide = """all => all.filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible")
                .map(e => e.className)"""
    assert set(tab.eval_on_selector_all("main *", wide)) <= {"scroll"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_violation(scheme, width, failed_page, axe, opened):
    tab = opened(failed_page, color_scheme=scheme, viewport={"width": width, "height": 800})
    tab.get_by_role("button", name="Open all").click()
    tab.eval_on_selector_all("details", "all => all.forEach(e => { e.open = true; })")
    press(tab, "Image to Image R@1")
    # Not as an element, which the page's policy forbids.
    tab.evaluate(axe)
    report = tab.evaluate("axe.run()")
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in report["violations"]] == []
    assert len(report["passes"]) > 20


def test_the_policy_is_in_force(failed_page, opened, said):
    tab = opened(failed_page)
    ran = tab.evaluate(
        """async () => {
            const script = document.createElement("script");
            script.textContent = "window.foreign = 1";
            const violation = new Promise(done =>
              document.addEventListener("securitypolicyviolation", e => done(e.effectiveDirective), {once: true}));
            document.body.append(script);
            return [await violation, window.foreign ?? null];
        }"""
    )
    assert ran == ["script-src-elem", None]
    (line,) = said
    assert "Content Security Policy" in line
    said.clear()


def test_it_prints_without_controls_and_with_what_is_closed(failed_page, opened, tmp_path):
    tab = opened(failed_page)
    tab.emulate_media(media="print")
    assert tab.locator("form:visible").count() == 0
    assert not tab.locator(".take").first.is_visible()
    assert (
        tab.locator("[data-table=table1] th[data-name]").first.evaluate("e => getComputedStyle(e, '::before').content")
        == '"R@1"'
    )
    tab.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    if shutil.which("pdftotext"):
        text = subprocess.run(
            ["pdftotext", "-layout", tmp_path / "page.pdf", "-"], capture_output=True, text=True, check=True
        ).stdout
        assert "training.steps" in text
        assert "Copy" not in text
        assert text.count("Image to Image") >= 2


def test_without_scripts_everything_is_there_but_what_scripts_draw(failed_page, opened):
    tab = opened(failed_page, java_script_enabled=False)
    assert tab.locator("[data-table=table1] tbody tr[data-label]:visible").count() == 6
    assert tab.locator("form:visible").count() == 0
    assert not tab.get_by_role("button", name="Copy").first.is_visible()
    said = tab.locator("section[data-section=versus] noscript p:visible")
    assert said.all_text_contents() == ["The comparison is drawn by the page's script, which does not run here."]
    assert tab.locator("[data-drawn]:visible").count() == 0
