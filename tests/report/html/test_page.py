"""The page as markup: what is in it, that it is well formed, and that no text can become more than text."""

import base64
import hashlib
import json
import sys
import warnings

import numpy as np
import pytest

from huse_bench.errors import MissingExtraError, ResultsError
from huse_bench.report import render
from huse_bench.report.html import page as page_module
from huse_bench.report.html.page import render_page
from huse_bench.report.html.section import Section
from huse_bench.report.html.texts import embedded_json, visible
from huse_bench.results import Results, Store, load_results
from huse_bench.results.card import make_card

html5lib = pytest.importorskip("html5lib")

XHTML = "{http://www.w3.org/1999/xhtml}"


ALWAYS = ["Tables", "Methods", "How it was run", "Data"]
PARTS = ["Tables", "Figures", "A against B", "Retrieval gallery", "Methods", "How it was run", "Data"]


def parsed(path):
    """The page's tree; an error of its markup is an error here."""
    with warnings.catch_warnings():
        # A file of bytes says its encoding itself.
        warnings.simplefilter("ignore")
        return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(path.read_bytes())


def texts(tree, where):
    return [" ".join("".join(element.itertext()).split()) for element in tree.iterfind(where)]


def table(tree, name="table1"):
    return tree.find(f".//div[@data-table='{name}']")


def rows(box):
    return [(row.get("data-label"), texts(row, "td")) for row in box.iterfind(".//tr[@data-label]")]


def test_the_page_is_well_formed_and_has_every_part(failed_page):
    tree = parsed(failed_page)
    assert tree.find(".").get("lang") == "en"
    assert texts(tree, ".//title") == ["Emoji: mine \u2013 results of huse-bench"]
    assert texts(tree, ".//section/h2") == PARTS
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    links = [element.get("href").removeprefix("#") for element in tree.iter("a")]
    assert set(links) <= set(ids)


def test_nothing_comes_from_elsewhere_and_nothing_runs_but_what_is_hashed(failed_page):
    path = failed_page
    tree = parsed(path)
    (policy,) = [m.get("content") for m in tree.iter("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe" not in policy
    for rule, tag in (("script-src", "script"), ("style-src", "style")):
        bodies = ["".join(e.itertext()) for e in tree.iter(tag) if e.get("type") != "application/json"]
        digests = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies]
        assert rules[rule].split() == [f"'sha256-{digest}'" for digest in digests]
    for element in tree.iter():
        assert not {name for name in element.attrib if name.startswith("on") or name in {"src", "style"}}
        assert element.tag not in {"link", "iframe", "object", "base"}


def test_the_tables_are_those_of_the_other_formats(failed, failed_page):
    tree = parsed(failed_page)
    for name in ("table1", "table2", "table3"):
        lines = render(load_results(failed), "markdown", tables=[name]).splitlines()
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        # With a grouped heading, the second line of headings is the first row.
        expected = [
            (label.replace("\\", ""), [text.replace("*", "") for text in row])
            for label, *row in cells
            if label and label != "Method" and not label.startswith((":-", "- -"))
        ]
        shown = []
        for row in table(tree, name).iterfind(".//tr[@data-label]"):
            (head,) = texts(row, "th")
            values = [
                " ".join(
                    part for part in (*texts(cell, "b"), *texts(cell, "span"), *texts(cell, "small[@class='interval']"))
                )
                for cell in row.iterfind("td")
            ]
            shown.append((head, values if len(values) > 1 else ["diverged", *[""] * (len(cells[0]) - 2)]))
        assert shown == expected


def test_headings_say_what_they_are_of(failed_page):
    box = table(parsed(failed_page))
    groups = [(th.get("colspan"), "".join(th.itertext())) for th in box.iterfind(".//th[@scope='colgroup']")]
    assert groups == [("3", f"{a} to {b}") for a in ("Image", "Text") for b in ("Image", "Text")]
    assert [group.get("span") for group in box.iterfind(".//colgroup")] == [None, "3", "3", "3", "3"]
    sortable = list(box.iterfind(".//th[@aria-sort]"))
    assert len(sortable) == 13
    assert all(th.get("scope") == "col" and th.find("button").get("type") == "button" for th in sortable)
    assert all(row.find("th").get("scope") == "row" for row in box.iterfind(".//tr[@data-label]"))


def test_ranks_are_intervals_and_ties_are_marked(page, folder):
    tree = parsed(page(folder))
    box = table(tree)
    numbers = [n for n in json.loads(render(load_results(folder), "json"))["numbers"] if n["table"] == "table1"]
    expected = [(n["rank_low"], n["rank_high"]) for n in numbers if n["rank_low"]]
    ranks = [text.removeprefix("#").split("\u2013") for text in texts(box, ".//td/small[@class='rank']")]
    assert [(int(rank[0]), int(rank[-1])) for rank in ranks] == expected
    assert {(1, 1), (2, 3)} <= set(expected)
    tied = sum(n["ties_with_best"] is True for n in numbers)
    assert len(list(box.iterfind(".//td/b"))) == tied > 0
    assert box.findall(".//td[@data-low]")


def test_the_dashed_line_stands_before_the_methods_with_semantic_information(page, folder):
    bodies = [
        (b.get("class"), [r.get("data-label") for r in b.iterfind("tr[@data-label]")])
        for b in table(parsed(page(folder))).iterfind(".//tbody")
    ]
    assert bodies[:2] == [(None, ["CME & friends", "Triplet"]), ("dashed", ["HUSE"])]


def test_a_mark_is_explained_where_it_stands(page, folder):
    (mark,) = [a for a in table(parsed(page(folder))).iter("a") if a.get("class") == "mark" and a.text == "§"]
    assert mark.get("aria-label") == "§: is trained with the taxonomy that HP@K is measured against."
    assert mark.get("title") in mark.get("aria-label")


def test_a_method_without_a_finished_run_says_so_and_why(failed_page):
    tree = parsed(failed_page)
    (status,) = texts(table(tree), ".//td[@class='status']")
    assert status == "diverged"
    entry = next(d for d in tree.iter("details") if texts(d, "summary/h3") == ["HIE*"])
    assert texts(entry, "summary/span") == ["no run finished: diverged"]
    assert texts(entry, "pre") == ["the loss diverged at step 7"]


def test_methods_say_where_parameters_came_from(page, tmp_path, make_record):
    study = {
        "trials": 20,
        "failed": 1,
        "steps": 40,
        "batch_size": 8,
        "objective": ["i2i R@1"],
        "value": 0.5,
        "default_value": 0.4,
        "seed": 0,
        "study": "0" * 64,
    }
    store = Store(tmp_path / "emoji", dataset="emoji")
    parameters = {"method__parameters": {"margin": 0.25, "mode": "hard", "beta": None}, "method__space": ["margin"]}
    changes = {"method__base": "huse", "method__changes": ["mode"], "tuning": study, "warnings": ["inert"]}
    store.write(make_record("huse", **parameters, **changes))
    tree = parsed(page(store.folder))
    section = tree.find(".//section[@data-section='methods']")
    found = [texts(row, "*") for row in section.findall(".//table")[0].iterfind("tbody/tr")]
    assert found == [
        ["margin", "0.25", "search of 20 trials"],
        ["mode", "hard", "config file of the variant"],
        ["beta", "none", "default, or set by the user"],
    ]
    assert "20, 1 of them failed" in texts(section, ".//dd")
    assert texts(section, ".//ul[@class='notice']/li") == ["inert"]


def test_methods_say_what_they_are_and_where_from_as_far_as_the_record_does(page, tmp_path, make_record):
    store = Store(tmp_path / "emoji", dataset="emoji")
    said = {"method__summary": "Pulls a < b\u202e & <b>c</b>.", "method__source": "A. One,\n<i>2020</i>, equation 3."}
    store.write(make_record("huse", **said))
    store.write(make_record("cme"))
    section = parsed(page(store.folder)).find(".//section[@data-section='methods']")
    found = {texts(entry, "summary/h3")[0]: texts(entry, "p") for entry in section.iter("details")}
    assert found == {
        "HUSE": ["Pulls a < b[U+202E] & <b>c</b>.", "Source: A. One, <i>2020</i>, equation 3."],
        "CME": [],
    }


def test_run_facts_name_every_machine_and_command(page, tmp_path, make_record):
    store = Store(tmp_path / "emoji", dataset="emoji")
    device = {"kind": "cpu", "name": "Pentium", "precision": "float32", "peak_memory_bytes": 2**30}
    for seed, python in enumerate(("3.11", "3.12", "3.12")):
        provenance = {"python": python, "command": f"huse-bench run --seeds {seed // 2}"}
        store.write(make_record("huse", seed, provenance=provenance, device=device, audit={"findings": ["copies"]}))
    section = parsed(page(store.folder)).find(".//section[@data-section='runs']")
    assert texts(section, ".//pre") == ["huse-bench run --seeds 0", "huse-bench run --seeds 1"]
    assert "3.12 (2 runs); 3.11 (1 run)" in texts(section, ".//dd")
    assert "3 finished" in texts(section, ".//dd")
    assert ["Pentium", "cpu", "float32", "1,024 MiB", "3"] in [texts(row, "*") for row in section.iterfind(".//tr")]
    assert texts(section, "ul[@class='notes']/li") == ["copies"]


def test_a_folder_without_a_card_says_so_and_a_damaged_card_too(page, folder):
    assert "no data card" in texts(parsed(page(folder)), ".//section[@data-section='data']/p")[0]
    (folder / "data-card.json").write_text("{")
    tree = parsed(page(folder))
    assert "The data card cannot be shown." in texts(tree, ".//section[@data-section='data']/p")[0]
    assert texts(tree, ".//section/h2") == PARTS
    reasons = texts(tree, ".//section[@data-section='figures']/ul[@class='notes']/li")
    assert any("no readable data card" in reason for reason in reasons)
    assert "no readable data card" in " ".join(texts(tree, ".//section[@data-section='versus']/p[@class='notice']"))


def test_several_folders_are_parts_of_one_page(page, folder, tmp_path, make_record):
    other = Store(tmp_path / "there" / "mine", dataset="emoji")
    other.write(make_record("cme"))
    tree = parsed(page(folder, other.folder))
    assert texts(tree, ".//article/h2") == ["Emoji: mine", "Emoji: mine (2)"]
    assert [texts(article, "section/h2") for article in tree.iter("article")] == [
        PARTS,
        # A method alone is against none.
        [part for part in PARTS if part != "A against B"],
    ]
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    # Of the page, of the tables, of the queries: each once.
    assert len([s for s in tree.iter("script") if s.get("type") is None]) == 3


def test_no_text_becomes_markup(hostile_page):
    path = hostile_page
    tree = parsed(path)
    assert len([s for s in tree.iter("script") if s.get("type") is None]) == 3
    assert list(tree.iter("img")) == []
    assert not [c for c in tree.iter() if not isinstance(c.tag, str)], "a comment"
    for element in tree.iter():
        assert not {name for name in element.attrib if name.startswith("on")}
    source = path.read_text(encoding="utf-8")
    assert "\u202e" not in source
    assert "\u0007" not in source
    assert "[U+202E]gnirts[U+0007]{{ 7 * 7 }}" in source
    assert "49" not in texts(tree, ".//section[@data-section='data']/p")[0]
    documents = [json.loads(script.text) for script in tree.iter("script") if script.get("type")]
    assert documents[0]["tables"]["table1"]["caption"].startswith("Table 1")
    assert [len(document["methods"]) for document in documents[1:]] == [2]
    # Every place that takes a text shows it whole.
    body = "".join(tree.find("body").itertext())
    assert body.count("gnirts") > 100


def test_texts_that_no_file_can_hold_are_shown_by_number():
    assert visible("a\ud800b\x00c\u2066d\u00e9\n\t\u05d0") == "a[U+D800]b[U+0000]c[U+2066]d\u00e9\n\t\u05d0"
    assert visible({"\x1b": ["\u200f", 1, None, True]}) == {"[U+001B]": ["[U+200F]", 1, None, True]}


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "]]>", "&amp;", "\u2028\u2029", "\"'\\", "\udfff"])
def test_data_of_scripts_cannot_end_them(text):
    source = embedded_json({text: [text]})
    assert not set("<>&\u2028\u2029") & set(source)
    assert json.loads(source) == visible({text: [text]})
    source.encode()


def test_numbers_that_json_has_not_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded_json([float("nan")])


def test_what_is_too_large_is_left_out_largest_first_and_the_page_says_so(page, folder, monkeypatch):
    whole = page_module._sections

    def more(results, *others):
        extras = [
            Section(name, name.title(), "data.html", dict(whole(results, *others)[-1].context), "x" * size)
            for name, size in (("little", 1000), ("large", 2_000_000), ("larger", 3_000_000))
        ]
        return [*whole(results, *others), *extras]

    bare = page(folder).stat().st_size
    monkeypatch.setattr(page_module, "_sections", more)
    path = page(folder, most_bytes=bare + 20_000)
    assert path.stat().st_size <= bare + 20_000
    tree = parsed(path)
    assert texts(tree, ".//section/h2") == [*PARTS, "Little"]
    (notice,) = texts(tree, "body/header/p[@class='notice']")
    assert notice == (
        f"Left out to keep this page under {(bare + 20_000) / 1e6:g} MB: "
        "Larger of Emoji: mine (3.0 MB); Large of Emoji: mine (2.0 MB)."
    )
    # The tables are the report.
    assert texts(parsed(page(folder, most_bytes=1)), ".//section/h2") == ALWAYS


def test_200_methods(make_record):
    records = [make_record(f"m{number}", method__title=f"Method {number}") for number in range(200)]
    source = render_page([Results(records)])
    assert source.count('data-label="Method') == 600
    assert len(source.encode()) < 5_000_000


def test_10000_classes(page, tmp_path, make_record):
    store = Store(tmp_path / "emoji", dataset="emoji")
    record = store.write(make_record("huse", dataset__classes=10_000))
    count = record.dataset.items.test
    store.write_card(
        make_card(
            record.dataset,
            class_names=[f"class {n}" for n in range(10_000)],
            edges=[],
            distances=np.zeros((10_000, 10_000), dtype=np.float32),
            ids=[str(n) for n in range(count)],
            labels=np.arange(count),
            groups=np.arange(count),
        )
    )
    tree = parsed(page(store.folder))
    assert len(tree.findall(".//ul[@class='classes']/li")) == 1000
    assert "And 9,000 more, which data-card.json has." in texts(tree, ".//section[@data-section='data']//p")


def test_half_written_runs_are_named(page, folder):
    (folder / "runs" / "x-s0-1.json").write_text("{", encoding="utf-8")
    tree = parsed(page(folder))
    assert texts(tree, ".//article/p")[0].startswith("1 record could not be read and is left out")
    (problem,) = texts(tree, ".//section[@data-section='runs']/ul[@class='notice']/li")
    assert "x-s0-1.json" in problem


def test_an_empty_folder_is_refused(tmp_path):
    Store(tmp_path / "emoji", dataset="emoji")
    with pytest.raises(ResultsError, match="no usable run records"):
        load_results(tmp_path / "emoji")


def test_without_jinja_the_error_names_the_extra(make_record, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"needs the package 'jinja2'.*pip install 'huse-bench\[report\]'"):
        render_page([Results([make_record("huse")])])
