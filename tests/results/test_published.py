import json
import shutil
from pathlib import Path

import pytest

from huse_bench.errors import ResultsError
from huse_bench.results import DIRECTIONS
from huse_bench.results.published import _read, impossible_cells, published_tables

CONTRADICTIONS = {
    ("i2i", "HP@2"),
    ("i2i", "HP@5"),
    ("i2t", "HP@2"),
    ("i2t", "HP@5"),
    ("t2i", "HP@2"),
    ("t2t", "HP@2"),
    ("t2t", "HP@5"),
}


def rows(name):
    return {row.title: row for row in published_tables().tables[name].rows}


def flat(row):
    return [value for scores in row.cells.values() for value in scores.values()]


def test_the_rows_are_the_papers():
    methods = ["Triplet", "CME", "AdaMine", "DeViSE*", "HIE*", "HUSE-P", "HUSE"]
    assert list(rows("table1")) == list(rows("table2")) == methods
    assert [row.group for row in rows("table1").values()] == ["plain"] * 3 + ["semantic"] * 4
    cited = ["Wang et al. [36]", "Kiela et al. [16]"]
    assert list(rows("table3")) == [*cited, "Separate Models", "CME", "HIE*", "HUSE-P", "HUSE"]


# Typed from the printed page, cell by cell, in the order of the columns.
@pytest.mark.parametrize(
    ("table", "title", "values"),
    [
        ("table1", "Triplet", [0.469, 0.685, 0.746, 0.282, 0.541, 0.632, 0.171, 0.410, 0.539, 0.484, 0.705, 0.783]),
        ("table1", "HUSE", [0.685, 0.806, 0.835, 0.702, 0.763, 0.778, 0.803, 0.889, 0.903, 0.875, 0.917, 0.927]),
        ("table2", "CME", [0.031, 0.086, 0.167, 0.033, 0.077, 0.162, 0.034, 0.079, 0.166, 0.031, 0.085, 0.167]),
        ("table2", "HUSE", [0.705, 0.740, 0.787, 0.741, 0.784, 0.831, 0.824, 0.848, 0.878, 0.884, 0.897, 0.916]),
        ("table3", "Separate Models", [72.4, 87.2, 91.9]),
        ("table3", "HUSE", [73.8, 87.3, 92.3]),
    ],
)
def test_rows_as_printed(table, title, values):
    assert flat(rows(table)[title]) == values


def test_huse_is_best_everywhere_as_section_4_3_says():
    for name in ("table1", "table2"):
        columns = zip(*(flat(row) for row in rows(name).values()), strict=True)
        assert all(max(column) == column[-1] for column in columns)


def test_the_gains_that_section_4_5_names():
    """Over the previous best: 17.1 on images, -0.7 on texts, 1.5 fused; over separate models: 0.4 fused."""
    kiela, separate, huse = (rows("table3")[name] for name in ("Kiela et al. [16]", "Separate Models", "HUSE"))
    image, text, fusion = (b - a for a, b in zip(flat(kiela), flat(huse), strict=True))
    assert (image, text, fusion) == pytest.approx((17.1, -0.7, 1.5))
    assert flat(huse)[2] - flat(separate)[2] == pytest.approx(0.4)


def test_exactly_seven_cells_of_cme_contradict_table_1():
    found = {
        title: set(impossible_cells(row.cells, rows("table2")[title].cells)) for title, row in rows("table1").items()
    }
    assert found.pop("CME") == CONTRADICTIONS
    assert set(map(len, found.values())) == {0}


def test_the_flags_are_those_cells():
    assert set(published_tables().flagged("table2")) == {("cme", *cell) for cell in CONTRADICTIONS}
    assert published_tables().flagged("table1") == {}


def test_a_real_ranking_is_never_impossible():
    """Brute force: queries of which some have one hit at rank 1, 5 or 10 and no other correct item."""
    ranks = [1, 1, 5, 10, 0, 0]
    recall = {f"R@{k}": sum(0 < rank <= k for rank in ranks) / len(ranks) for k in (1, 5, 10)}
    precision = {f"HP@{k}": sum(0 < rank <= k for rank in ranks) / k / len(ranks) for k in (2, 5, 10)}
    assert impossible_cells(dict.fromkeys(DIRECTIONS, recall), dict.fromkeys(DIRECTIONS, precision)) == []
    below = {metric: value - 0.001 for metric, value in precision.items()}
    assert len(impossible_cells(dict.fromkeys(DIRECTIONS, recall), dict.fromkeys(DIRECTIONS, below))) == 12


def original():
    return Path(__file__).parents[2] / "results" / "published" / "huse.json"


def test_a_contradiction_without_a_flag_is_refused(tmp_path):
    document = json.loads(original().read_text(encoding="utf-8"))
    document["flags"][0]["cells"].pop()
    path = tmp_path / "huse.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ResultsError, match="CME t2t HP@5 of table2 contradicts table1 and is not flagged"):
        _read(path)


def test_a_damaged_file_says_reinstall(tmp_path):
    path = tmp_path / "huse.json"
    shutil.copy(original(), path)
    path.write_text(path.read_text(encoding="utf-8").replace('"source"', '"sauce"'), encoding="utf-8")
    with pytest.raises(ResultsError, match=r"huse\.json cannot be used .*(?s:.*)reinstall huse-bench"):
        _read(path)


def test_an_unknown_paper_names_both_places():
    with pytest.raises(ResultsError, match=r"clip\.json are in neither .*published nor .*published; reinstall"):
        published_tables("clip")
