"""Figures as wholes: which there are, why others are not, and that files are the same to the byte."""

import builtins
import re
import sys

import pytest

from huse_bench.errors import MissingExtraError, UsageError
from huse_bench.report.figures import FIGURES, Drawn, LeftOut, draw_all, drawn
from huse_bench.report.figures.writing import FORMATS, figure_bytes
from huse_bench.results import Results, load_results


def reasons(results):
    return {one.name: one.reason for one in draw_all(results) if isinstance(one, LeftOut)}


def test_a_full_folder_gives_every_figure_with_its_caption(full):
    figures = drawn(load_results(full.folder))
    assert [figure.name for figure in figures] == list(FIGURES)
    for figure in figures:
        assert figure.caption.endswith(".")
        assert not re.search("nan|None|  |`", figure.caption), figure.caption
        if not figure.name.startswith("tun"):
            assert "seed" in figure.caption, figure.name


@pytest.mark.parametrize("form", FORMATS)
def test_files_are_the_same_to_the_byte(full, form):
    first, second = ([figure_bytes(figure, form) for figure in drawn(load_results(full.folder))] for _ in range(2))
    assert first == second
    assert all(content.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[form]) for content in first)
    if form != "png":
        assert not any(re.search(rb"/CreationDate|dc:date|D:20\d\d", content) for content in first)


def test_the_users_own_style_changes_nothing(full):
    import matplotlib as mpl

    results = load_results(full.folder)
    only = ["cost", "learning-losses"]
    before = [figure_bytes(figure, "svg") for figure in drawn(results, only)]
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.grid": True}):
        assert [figure_bytes(figure, "svg") for figure in drawn(results, only)] == before
        assert mpl.rcParams["font.size"] == 20


def test_old_records_give_the_figures_that_they_hold_and_say_what_others_lack(world):
    for seed in (0, 1):
        world.write("huse", seed, leave_out=("curves", "learning", "classes"))
    left_out = reasons(load_results(world.folder))
    assert set(left_out) == {
        "recall-curves",
        "precision-curves",
        "semantics",
        "semantics-pairs",
        "class-map",
        "learning-validation",
        "learning-losses",
        "tuning",
        "tuned",
    }
    assert "no curves" in left_out["recall-curves"]
    assert "no data card" in left_out["class-map"]
    assert "no search" in left_out["tuned"]


def test_one_seed_gives_a_forest_without_intervals_that_says_so(world):
    world.write("huse")
    (figure,) = drawn(load_results(world.folder), ["forest-recall"])
    assert "there are no intervals" in figure.caption
    assert "seed 0," in figure.caption


def test_records_without_a_folder_give_what_records_hold(make_record):
    left_out = reasons(Results([make_record("huse"), make_record("cme")]))
    assert "forest-recall" not in left_out
    assert "cost" not in left_out
    assert left_out["class-recall"] == "the records were given without their folder"


def test_runs_that_all_failed_give_nothing(make_record):
    done = draw_all(Results([make_record("huse", status="diverged")]))
    assert all(isinstance(one, LeftOut) for one in done)
    assert {one.reason for one in done} == {
        "no run of a method has finished",
        "the records were given without their folder",
    }


def test_a_card_without_distances_leaves_the_semantics_out(world, monkeypatch):
    monkeypatch.setattr("huse_bench.results.card.MOST_CLASSES", 4)
    world.write("huse")
    world.write_card()
    left_out = reasons(load_results(world.folder))
    assert left_out["semantics"] == left_out["semantics-pairs"]
    assert "semantics" in left_out
    assert "class-map" not in left_out


def test_a_damaged_file_leaves_its_figure_out_with_the_reason(full):
    results = load_results(full.folder)
    (full.folder / "tuning" / "journal.log").write_text("{}\n")
    left_out = reasons(results)
    assert "journal.log is no readable journal of trials" in left_out["tuning"]


def test_what_a_method_lacks_is_said_in_the_caption(full):
    full.write("vse-pp", leave_out=("curves", "learning", "classes"), classifier=False)
    captions = {figure.name: figure.caption for figure in drawn(load_results(full.folder))}
    assert captions["recall-curves"].endswith("Not shown, having no curves: VSE-PP.")
    assert captions["class-accuracy"].endswith("Not shown, having no such scores: TRIPLET, VSE-PP.")
    assert "means over 1 to 2 seeds" in captions["class-recall"]


def test_forty_methods_and_names_of_any_kind_are_drawn(world):
    titles = [
        "$\\frac{1}$",
        "a_b^c$d$",
        "<script>alert(1)</script>",
        "&amp;",
        "\u202eevil",
        "表情",
        "x" * 300,
        "%s {0}",
    ]
    for number in range(40):
        title = titles[number] if number < len(titles) else f"Method {number}"
        world.write(f"m{number}", method__title=title)
    world.write_card(class_names=["<b>", "$x$", "</svg>", "\u202ecat", "y" * 200], edges=[("r", n) for n in "abcde"])
    figures = drawn(load_results(world.folder))
    assert {"forest-recall", "recall-curves", "class-map", "semantics"} <= {figure.name for figure in figures}
    for figure in figures:
        svg = figure_bytes(figure, "svg").decode()
        assert "<script" not in svg
        assert "\u202e" not in svg
    curves = next(figure for figure in figures if figure.name == "recall-curves")
    assert "12 methods of the largest R@1 are named; 28 others are grey" in curves.caption


@pytest.mark.parametrize("sign", ["W", "名", "<"])
def test_names_too_wide_for_a_figure_make_it_larger(world, sign):
    """A warning is an error here; a lack of room would be one."""
    for name in ("cme", "huse"):
        world.write(name, method__title=f"{name} {sign * 200}")
    world.write_card(class_names=[f"{number} {sign * 200}" for number in range(5)], edges=[])
    (figure,) = drawn(load_results(world.folder), {"class-recall"})
    narrow = figure.figure.get_size_inches().copy()
    once = figure_bytes(figure, "svg")
    width, height = figure.figure.get_size_inches()
    assert sign == "<" or width > narrow[0]
    assert (width / narrow[0]) == pytest.approx(height / narrow[1])
    assert min(axes.get_position().width for axes in figure.figure.axes) > 0.03
    (again,) = drawn(load_results(world.folder), {"class-recall"})
    assert figure_bytes(again, "svg") == once


def test_only_some_are_drawn_in_their_own_order(full):
    results = load_results(full.folder)
    assert [figure.name for figure in drawn(results, ["cost", "forest-recall"])] == ["forest-recall", "cost"]
    with pytest.raises(UsageError, match=r"no figure 'forest-recal'\..*forest-recall"):
        drawn(results, ["forest-recal"])


def test_without_matplotlib_the_extra_is_named(full, monkeypatch):
    results = load_results(full.folder)
    real = builtins.__import__

    def refuse(name, *arguments, **more):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *arguments, **more)

    for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"'matplotlib'.*huse-bench\[report\]"):
        drawn(results)


def test_a_figure_is_drawn_once_and_written_in_any_format(full):
    (figure,) = drawn(load_results(full.folder), ["cost"])
    assert isinstance(figure, Drawn)
    before = figure_bytes(figure, "svg")
    figure_bytes(figure, "png")
    assert figure_bytes(figure, "svg") == before
