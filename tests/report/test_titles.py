"""Titles of any signs, in every format."""

import csv
import html
import io
import json
import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from huse_bench.report import render
from huse_bench.results import Results

TITLES = [
    "left|right `code` [link](x) **b** <i>",
    "`HUSE` with `and`",
    "A_1 & 50% of #2 {x} ~ ^ \\ $3",
    "~~struck~~ &lt; &#35; ![picture](y) $a_1$",
    "\\`\\|",
    "# 1. - > |",
    "λ → 0, Ω² (größer)",
    'comma, "quote" ; end',
]


def cells_of(markdown):
    """What a reader sees, by a parser that is not ours."""
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)
    return [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page, re.DOTALL)]


@pytest.mark.parametrize("title", TITLES)
def test_markdown_csv_and_json_show_a_title_as_it_is(make_record, title):
    results = Results([make_record(method__title=title, warnings=[f"of {title}"])])
    markdown = render(results, "markdown", tables=["table3"])
    assert cells_of(markdown)[0] == title
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)
    assert f"Note: of {title}." in html.unescape(page)
    assert {row["title"] for row in csv.DictReader(io.StringIO(render(results, "csv")))} == {title}
    assert {number["title"] for number in json.loads(render(results, "json"))["numbers"]} == {title}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "M"]) | st.just(" "), min_size=1))
def test_markdown_shows_any_title(make_record, title):
    results = Results([make_record(method__title=f"a{title}b")])
    assert cells_of(render(results, "markdown", tables=["table3"]))[0] == f"a{title}b"


def places(text):
    """Places of a terminal, by Unicode's own tables."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


@pytest.mark.parametrize("name", ["table1", "table3"])
def test_columns_stay_in_line(make_record, name):
    titles = ["plain", "语义损失", "größer".replace("ö", "o\u0308"), "語" * 60, "long" * 40]
    results = Results([make_record(f"m{i}", method__title=title) for i, title in enumerate(titles)])
    lines = render(results, tables=[name]).splitlines()
    rows = [line for line in lines if re.search(r"\d\.?\d*\*? *$", line) and re.search(r"0\.\d{3}|\d\d\.\d", line)]
    assert len(rows) == len(titles)
    number = r"0\.\d{3}|\d\d\.\d"
    assert len({places(row[: re.search(number, row).start()]) for row in rows}) == 1
    assert max(map(places, rows)) <= 120


def test_line_breaks_and_escapes_of_a_terminal_are_spaces(make_record):
    record = make_record(method__title="a\nb\x1b[2J\u2028c", dataset__title="my\r\ndata")
    assert (record.method.title, record.dataset.title) == ("a b [2J c", "my  data")


def test_latex_shows_what_it_would_read_otherwise(make_record):
    results = Results([make_record(method__title="a|b `c` --d --- \\", warnings=["two\nlines"])])
    text = render(results, "latex", tables=["table3"])
    assert r"a\textbar{}b \textasciigrave{}c\textasciigrave{} -{}-d -{}-{}- \textbackslash{} & 70.0" in text
    assert "\n% Note: two lines." in text
    assert "lualatex" not in text


def test_latex_says_which_signs_need_another_engine(make_record):
    text = render(Results([make_record(method__title="λ → größer “‡” 语义")]), "latex")
    assert text.splitlines()[1] == "% and lualatex or xelatex, with a font that has the signs 义 语"
