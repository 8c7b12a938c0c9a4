"""Performance profiles over several data sets, by counting."""

import re
from itertools import product

import numpy as np

from huse_bench.cli import main
from huse_bench.report.figures import OVER, draw_over
from huse_bench.report.figures.profile import MOST_NAMED, profile_of
from huse_bench.report.figures.writing import figure_bytes
from huse_bench.results.summary import summarise


def test_shares_are_counted_data_sets_alike():
    runs = [np.array([0.1, 0.4, 0.8]), np.array([0.2, 0.9])]
    levels = np.linspace(0, 1, 21)
    expected = [(np.mean(runs[0] > level) + np.mean(runs[1] > level)) / 2 for level in levels]
    found = profile_of(runs, levels)
    np.testing.assert_allclose(found.share, expected)
    assert (found.low <= found.share).all()
    assert (found.share <= found.high).all()


def test_bands_are_those_of_all_draws():
    """Of three runs two are drawn, and of two one: nine times two draws."""
    runs, levels = [np.array([0.1, 0.4, 0.8]), np.array([0.2, 0.9])], np.array([0.3, 0.5])
    draws = [
        [(np.mean(np.array(pair) > level) + (one > level)) / 2 for level in levels]
        for pair in product(runs[0], repeat=2)
        for one in runs[1]
    ]
    found = profile_of(runs, levels)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0, method="inverted_cdf")
    np.testing.assert_allclose(found.low, low, atol=0.02)
    np.testing.assert_allclose(found.high, high, atol=0.02)


def test_one_run_has_no_band():
    found = profile_of([np.array([0.1]), np.array([0.2, 0.3])], np.array([0.15]))
    assert (found.share.tolist(), found.low, found.high) == ([0.5], None, None)


def test_the_figure_has_a_panel_for_each_score_and_names_its_methods(several):
    (figure,) = draw_over(summarise(several))
    panels = {panel.get_title(loc="left"): panel for panel in figure.figure.axes if panel.get_visible()}
    assert list(panels) == ["R@1 in-modal", "R@1 cross-modal", "HP@5", "Fusion accuracy"]
    legends = {title: [t.get_text() for t in panel.get_legend().get_texts()] for title, panel in panels.items()}
    assert legends["Fusion accuracy"] == ["HUSE", "CME"]
    assert {legends[title][0] for title in legends} == {"HUSE"}
    assert "Emoji, Clipart, Icons" in figure.caption
    assert "0 is what chance gets" in figure.caption
    assert "Bands" in figure.caption
    assert not re.search("nan|None|  |`|grey", figure.caption)
    again = draw_over(summarise(several))[0]
    assert figure_bytes(figure, "svg") == figure_bytes(again, "svg")
    assert draw_over(summarise(several), only=["cost"]) == []


def test_of_many_methods_the_best_are_named(write_on, load_on):
    for dataset in ("emoji", "icons"):
        for number in range(MOST_NAMED + 2):
            write_on(dataset, f"m{number}", 0, 0.3 + 0.06 * number)
    (figure,) = draw_over(summarise(load_on("emoji", "icons")))
    names = [text.get_text() for text in figure.figure.axes[0].get_legend().get_texts()]
    assert len(names) == MOST_NAMED
    assert "M0" not in names
    assert f"The {MOST_NAMED} methods of the largest interquartile means are named" in figure.caption
    assert "Bands" not in figure.caption


def test_the_command_draws_each_folder_and_all_together(several, tmp_path, capsys):
    folders = [str(each.folder) for each in several[:2]]
    only = ["--only", "cost,profile", "--format", "svg"]
    assert main(["figures", *folders, "-o", str(tmp_path / "out"), *only]) == 0
    out = capsys.readouterr().out.splitlines()
    expected = ["emoji/cost.svg", "clipart/cost.svg", "profile.svg"]
    assert out == [str(tmp_path / "out" / name) for name in expected]
    assert all((tmp_path / "out" / name).is_file() for name in expected)
    assert main(["figures", folders[0], "-o", str(tmp_path / "one"), *only]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [str(tmp_path / "one/cost.svg")]
    assert "no figure profile: No summary: a summary is over several data sets, and here is Emoji alone" in err
    # Of one folder nobody who asks for all misses it.
    assert set(OVER) == {"profile"}
    assert main(["figures", folders[0], "-o", str(tmp_path / "all"), "--format", "svg"]) == 0
    assert "profile" not in "".join(capsys.readouterr())
