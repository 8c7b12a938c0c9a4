"""The page as text: what stands where, and that strangers' texts do no harm."""

import json
import re

import pytest
from click.testing import CliRunner

from huse_bench.cli import main
from huse_bench.cli.leaderboard import leaderboard
from huse_bench.leaderboard.page import render_leaderboard


@pytest.fixture
def page(contents, two_data_sets, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(render_leaderboard(contents()), encoding="utf-8")
    assert two_data_sets.exists()
    return path


@pytest.fixture
def hostile_page(contents, hostile, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(render_leaderboard(contents()), encoding="utf-8")
    assert hostile.exists()
    return path


def test_ranks_levels_budgets_and_expired(page):
    text = page.read_text(encoding="utf-8")
    assert "7 ranked results from 4 bundles on 2 data sets. 1 result beside them, expired or given twice." in text
    for word in (
        "spot-checked",
        "re-rendered",
        "self-reported",
        "200 steps of 1,024",
        "20 trials",
        "Grace",
        "2026-01-02",
    ):
        assert word in text
    assert "an old protocol: recall is counted by" in text
    data = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    ranks = {place["ranks"] for place in data["boards"][1]["i2t R@1"]}
    assert ranks == {"1", "2\u20133"}
    over = data["over"]["i2t R@1"]
    assert over["names"][0] == "HUSE"
    assert over["wins"][0][1][0] == "100"
    assert "0 is chance" in over["scale"]
    assert "<bdi>HIE (tuned)</bdi>: not on <bdi>Toys</bdi>" in text


def test_nothing_of_a_stranger_is_markup(hostile_page):
    text = hostile_page.read_text(encoding="utf-8")
    assert "<script>window" not in text
    assert "<img" not in text
    assert "\u202e" not in text
    assert "[U+202E]" in text
    assert "49" not in re.findall(r"\{\{.*?\}\}|49(?= \}\})", text)
    assert "1.0e+400 steps" in text
    assert text.count("<script") == 2


def test_no_usable_bundle_is_an_error_and_writes_nothing(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    output = tmp_path / "page.html"
    (tmp_path / "empty" / "half").mkdir()
    assert main(["leaderboard", str(tmp_path / "empty"), "-o", str(output)]) == 2
    said = capsys.readouterr().err
    assert "left out: half:" in said
    assert "none of these is a bundle that can be used; make one with: huse-bench publish" in said
    assert not output.exists()


def test_a_missing_extra_and_a_missing_folder_are_said_first(tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(leaderboard, [str(tmp_path), "-o", str(tmp_path / "no" / "page.html")])
    assert result.exit_code == 2
    assert "does not exist" in result.stderr
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    assert main(["leaderboard", str(tmp_path)]) == 2
    assert "pip install 'huse-bench[report]'" in capsys.readouterr().err


def rows(tab, board=0):
    return tab.eval_on_selector_all(
        f"[data-board='{board}'] tbody tr",
        "rows => rows.filter(r => r.checkVisibility()).map(r => r.querySelector('th bdi').textContent)",
    )


def test_filters_and_columns_in_chromium(page, opened):
    tab = opened(page)
    assert rows(tab)[0] == "HUSE"
    assert len(rows(tab)) == 4
    tab.locator("[data-find]").fill("charles")
    assert rows(tab) == ["HIE"]
    assert "1 of 7 results shown" in tab.locator("[data-said]").inner_text()
    tab.locator("[data-find]").fill("")
    tab.locator("select[data-level]").select_option(label="spot-checked")
    assert (rows(tab), len(rows(tab, 1))) == ([], 3)
    tab.locator("select[data-level]").select_option("0")
    tab.locator("select[data-tuned]").select_option("tuned")
    assert rows(tab) == ["HIE"]
    tab.locator("select[data-tuned]").select_option("")
    before = tab.locator("[data-board='1'] [data-value]").first.inner_text()
    tab.locator("select[data-column]").select_option("fusion accuracy")
    assert tab.locator("[data-board='1'] [data-value]").first.inner_text() != before
    assert "accuracy by fusion" in tab.locator("caption").first.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_scrolls_sideways_on_a_telephone(page, opened, scheme):
    tab = opened(page, viewport={"width": 360, "height": 800}, color_scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") == 360


def test_hostile_texts_do_nothing_in_chromium(hostile_page, opened):
    tab = opened(hostile_page)
    assert tab.evaluate("window.hacked") is None
    tab.locator("select[data-column]").select_option("i2i R@1")
    assert tab.evaluate("window.hacked") is None
