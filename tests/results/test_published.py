import codecs
import json
import re
from pathlib import Path

import pytest

from huse_bench.cli import main
from huse_bench.errors import ResultsError
from huse_bench.results.consistency import broken_claims, flagged_cells, impossible_cells
from huse_bench.results.published import published_names, published_tables


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


def test_printed_decimals_and_their_rounding():
    tables = published_tables().tables
    assert [tables[name].decimals for name in tables] == [3, 3, 1]
    assert [tables[name].rounding for name in tables] == pytest.approx([0.0005, 0.0005, 0.05])


# Files of one's own.


def original():
    return json.loads((Path(__file__).parents[2] / "results" / "published" / "huse.json").read_text(encoding="utf-8"))


@pytest.fixture
def refused(tmp_path):
    def call(document):
        path = tmp_path / "mine.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        with pytest.raises(ResultsError) as error:
            published_tables(path)
        assert str(error.value).startswith(f"the published tables {path} cannot be used: ")
        assert str(error.value).endswith("; correct it as docs/published.md says")
        return str(error.value)

    return call


def test_a_file_may_have_what_it_has(tmp_path):
    document = original()
    for name in ("claims", "flags", "setup"):
        del document[name]
    del document["tables"]["table1"], document["tables"]["table3"]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    mine = published_tables(path)
    assert list(mine.tables) == ["table2"]
    assert mine.setup.image is None
    # Without the recalls nothing contradicts the other table.
    assert flagged_cells(mine, "table2") == {}
    assert published_tables(str(path)) == mine


def test_faults_are_named_with_their_place(refused):
    document = original()
    document["sauce"] = document.pop("source")
    assert "source: Field required (and 1 more)" in refused(document)

    document = original()
    document["tables"]["table1"]["rows"][0]["cells"]["i2i"]["Recall@1"] = 0.5
    assert "tables.table1.rows.0.cells.i2i.Recall@1" in refused(document)

    document = original()
    document["tables"]["table4"] = document["tables"].pop("table3")
    assert "tables.table4" in refused(document)

    document = original()
    document["tables"]["table1"]["rows"].append(document["tables"]["table1"]["rows"][0])
    assert "the file: table1 has two rows 'triplet'; give one of them method null" in refused(document)

    assert "Invalid JSON" in refused("{")


def test_claims_and_flags_must_speak_of_cells_that_are_there(refused):
    document = original()
    document["claims"][0]["metrics"] = ["R@3"]
    message = refused(document)
    assert "the claim 'HUSE is outperforming" in message
    assert "speaks of table1, row 'huse', i2i R@3, which is not there" in message

    document = original()
    document["flags"][0]["method"] = "clip"
    assert "a flag speaks of table2, row 'clip', i2i HP@2, which is not there" in refused(document)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ResultsError, match=r"nowhere\.json cannot be read \(No such file or directory\); correct it"):
        published_tables(tmp_path / "nowhere.json")
    path = tmp_path / "mine.json"
    path.write_bytes(codecs.BOM_UTF8 + json.dumps(original()).encode())
    assert published_tables(path).tables
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ResultsError, match=r"mine\.json are not UTF-8 text .*; correct it"):
        published_tables(path)


def test_an_unknown_paper_names_those_there_are():
    assert published_names() == ["huse"]
    with pytest.raises(
        ResultsError, match=r"called 'huze': there are huse\. Did you mean 'huse'\? For a file of your own"
    ):
        published_tables("huze")


def test_the_documented_file_is_one_and_says_what_the_page_says(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "published.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```json\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    path = tmp_path / "ours.json"
    path.write_text(block, encoding="utf-8")
    document = published_tables(path)
    assert [(cell.row, cell.task, cell.metric) for cell in impossible_cells(document)] == [("huse", "i2t", "R@5")]
    (broken,) = broken_claims(document)
    assert broken.cells == ("t2i R@1: 0.008 (0.630 - 0.622 of huse), and the text says at least 0.02",)


def test_the_page_shows_what_the_command_prints(capsys):
    page = (Path(__file__).parents[2] / "docs" / "published.md").read_text(encoding="utf-8")
    main(["published", "check"])
    printed = "".join(f"    {line}\n" if line else "\n" for line in capsys.readouterr().out.splitlines())
    assert printed in page
