"""The consistency checker, against hand-computed bounds, brute force and the paper."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huse_bench.errors import ResultsError
from huse_bench.results.consistency import broken_claims, flagged_cells, impossible_cells, refuse_unflagged
from huse_bench.results.published import Published, published_tables

# The cells of the paper's Table 2 that its Table 1 rules out, with the bound worked out by hand from Table 1.
CME = {
    ("i2i", "HP@2"): 0.660 / 2,
    ("i2i", "HP@5"): 0.790 / 5,
    ("i2t", "HP@2"): 0.430 / 2,
    ("i2t", "HP@5"): 0.552 / 5,
    ("t2i", "HP@2"): 0.090 / 2,
    ("t2t", "HP@2"): 0.802 / 2,
    ("t2t", "HP@5"): 0.880 / 5,
}


def paper(*tables, unit="share", claims=()):
    """A paper whose tables are given as cells of one row each, or as rows by key."""
    return Published.model_validate(
        {
            "schema_version": 1,
            "name": "mine",
            "title": "Mine",
            "source": "a drawer",
            "dataset": "toy",
            "dataset_title": "Toys",
            "tables": {
                f"table{number}": {
                    "place": f"Table {number}",
                    "unit": unit,
                    "rows": [
                        {"method": key, "title": key.upper(), "group": "plain", "cells": cells}
                        for key, cells in rows.items()
                    ],
                }
                for number, rows in enumerate(tables, start=1)
            },
            "claims": list(claims),
        }
    )


def found(*scores, unit="share", finest=None):
    """Metrics of one row that cannot be; ``finest`` is a number that says with how many decimals the table is."""
    beside = {} if finest is None else {"image": {"accuracy": finest}}
    document = paper(*({"m": {"i2i": values, **beside}} for values in scores), unit=unit)
    return [cell.metric for cell in impossible_cells(document)]


def without_flags():
    return published_tables().model_copy(update={"flags": []})


def test_the_papers_cme_row_is_found_and_no_other():
    cells = impossible_cells(without_flags())
    assert {cell.row for cell in cells} == {"cme"}
    assert {cell.table for cell in cells} == {"table2"}
    assert {(cell.task, cell.metric) for cell in cells} == set(CME)
    for cell in cells:
        bound = float(cell.text.split("<")[1].split(",")[0])
        # Below the bound by hand by what rounding may hide.
        assert CME[cell.task, cell.metric] - 0.0006 < bound < CME[cell.task, cell.metric]


def test_the_files_own_flags_are_what_is_found():
    document = published_tables()
    assert {(f.table, f.method) for f in document.flags} == {("table2", "cme")}
    assert {cell for flag in document.flags for cell in flag.cells} == set(CME)
    assert set(flagged_cells(document, "table2")) == {("cme", *cell) for cell in CME}
    assert set(flagged_cells(without_flags(), "table2")) == {("cme", *cell) for cell in CME}
    assert flagged_cells(document, "table1") == flagged_cells(document, "table3") == {}


def test_a_cell_that_cannot_be_is_refused_without_a_flag():
    refuse_unflagged(published_tables())
    document = json.loads(published_tables().model_dump_json())
    # Of seven, the flag of one is gone.
    document["flags"][0]["cells"].remove(["t2i", "HP@2"])
    with pytest.raises(ResultsError) as error:
        refuse_unflagged(Published.model_validate(document))
    assert str(error.value).startswith(
        "the published tables 'huse' hold a number that cannot be: Table 2, section 4.4, CME, "
        "t2i HP@2 0.034 < 0.0447, the least that R@1 0.090 / 2 allows; a hit is one correct item of K: "
    )
    assert "more)" not in str(error.value)
    # What the message says to add is enough.
    flag = str(error.value).partition("under flags: ")[2].partition(". huse-bench published check lists all")[0]
    document["flags"].append(json.loads(flag))
    refuse_unflagged(Published.model_validate(document))
    with pytest.raises(ResultsError, match=r"Table 2, section 4\.4, CME, i2i HP@2 .* \(and 6 more\)\. Correct it, or"):
        refuse_unflagged(without_flags())


def test_a_corrected_row_is_found_no_more():
    document = json.loads(without_flags().model_dump_json())
    row = next(row for row in document["tables"]["table2"]["rows"] if row["method"] == "cme")
    for (task, metric), bound in CME.items():
        row["cells"][task][metric] = round(bound, 3)
    # HP@5 of 2.5 times less would mean that correct items had vanished from the first two.
    row["cells"]["t2i"]["HP@5"] = 0.079
    assert impossible_cells(Published.model_validate(document)) == []


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        # Values that there can be.
        ({"R@1": 1.2}, ["R@1"]),
        ({"R@1": -0.1}, ["R@1"]),
        ({"accuracy": 1.01}, ["accuracy"]),
        ({"R@1": 0.0, "R@5": 1.0}, []),
        # R@K does not fall.
        ({"R@1": 0.5, "R@5": 0.4, "R@10": 0.45}, ["R@5", "R@10"]),
        ({"R@1": 0.5, "R@5": 0.6, "R@10": 0.5}, ["R@10"]),
        ({"R@5": 0.500, "R@10": 0.499}, []),  # 0.4995 rounds to both
        ({"R@5": 0.500, "R@10": 0.498}, ["R@10"]),
        # A hit is one item of K.
        ({"R@1": 0.8, "HP@2": 0.4}, []),
        ({"R@1": 0.8, "HP@2": 0.398}, ["HP@2"]),
        ({"R@1": 0.1, "R@2": 0.8, "HP@2": 0.39}, ["HP@2"]),
        ({"R@10": 0.8, "HP@5": 0.1}, []),  # the hit may come sixth
        ({"R@5": 0.8, "P@5": 0.15}, ["P@5"]),
        # The first result.
        ({"R@1": 0.5, "P@1": 0.7}, ["P@1"]),
        ({"R@1": 0.5, "HP@1": 0.7}, ["HP@1"]),
        ({"R@1": 0.5, "P@1": 0.5, "HP@1": 0.5}, []),
        # A query with a correct item has a hit.
        ({"R@5": 0.3, "P@5": 0.4}, ["P@5"]),
        ({"R@10": 0.3, "P@5": 0.4}, ["P@5"]),
        ({"R@5": 0.3, "HP@5": 0.4}, []),  # correct items of other classes
        # The own class is correct.
        ({"P@5": 0.4, "HP@5": 0.3}, ["HP@5"]),
        # What is correct stays correct: 10 * 0.2 < 5 * 0.5.
        ({"HP@5": 0.5, "HP@10": 0.2}, ["HP@10"]),
        ({"HP@5": 0.5, "HP@10": 0.25}, []),
        ({"P@5": 0.5, "HP@10": 0.2}, ["HP@10"]),
        # Five more items cannot hold more than five: 10 * 0.8 > 5 * 0.5 + 5.
        ({"P@5": 0.5, "P@10": 0.8}, ["P@10"]),
        ({"P@5": 0.5, "P@10": 0.75}, []),
        ({"HP@5": 0.5, "HP@10": 0.8}, []),  # for the correct sets grow
    ],
)
def test_bounds_by_hand(scores, expected):
    assert found(scores, finest=0.999) == expected


def test_bounds_hold_across_tables_and_in_percent():
    assert found({"R@1": 80.0}, {"HP@2": 39.8}, unit="percent", finest=99.9) == ["HP@2"]
    assert found({"R@1": 80.0}, {"HP@2": 40.0}, unit="percent", finest=99.9) == []
    assert found({"R@1": 101.0}, unit="percent") == ["R@1"]


def test_fewer_decimals_leave_more_room():
    """0.5 may be 0.45, whose half is 0.225, which 0.2 may be."""
    assert found({"R@1": 0.5}, {"HP@2": 0.2}) == []
    assert found({"R@1": 0.500, "R@5": 0.501}, {"HP@2": 0.201}) == ["HP@2"]


def test_a_row_without_a_method_is_checked_by_its_title():
    rows = [{"method": None, "title": "Old", "group": "previous", "cells": {"i2i": {"R@1": 0.9, "HP@2": 0.1}}}]
    document = published_tables().model_dump()
    document |= {"tables": {"table1": {"place": "here", "unit": "share", "rows": rows}}, "claims": [], "flags": []}
    (cell,) = impossible_cells(Published.model_validate(document))
    assert (cell.row, cell.title, cell.place) == ("Old", "Old", "here")
    assert list(flagged_cells(Published.model_validate(document), "table1")) == [("Old", "i2i", "HP@2")]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_a_real_ranking_is_never_impossible(seed, decimals):
    """Brute force: random rankings with random growing correct sets, scored one query at a time and rounded."""
    rng = np.random.default_rng(seed)
    queries, depth = 20, 10
    own = rng.random((queries, depth)) < rng.random()
    scores = {}
    correct = own.copy()
    for k in range(1, depth + 1):
        scores[f"R@{k}"] = np.mean([row[:k].any() for row in own])
        scores[f"P@{k}"] = np.mean([row[:k].sum() / k for row in own])
        if k > 1:
            # The set at depth k holds that of k - 1.
            correct |= rng.random((queries, depth)) < 0.1
        scores[f"HP@{k}"] = np.mean([row[:k].sum() / k for row in correct])
    rounded = {metric: round(float(value), decimals) for metric, value in scores.items()}
    assert found(rounded) == []


# The text against the tables.


def test_the_papers_range_of_cross_modal_gains_does_not_hold():
    broken = {item.claim.quote: item.cells for item in broken_claims(published_tables())}
    cells = broken.pop("these gains are even more prominent in cross-modal retrieval tasks (0.055 to 0.251)")
    assert [cell.split(" (")[0] for cell in cells] == ["i2t HP@5: 0.042", "i2t HP@10: 0.032"]
    # HUSE-P 0.656, 0.729, 0.776 against DeViSE* 0.683, 0.742, 0.799.
    cells = broken.pop(
        "HUSE-P is incorporating more semantic information than the other two methods as measured by HP@K"
    )
    assert [cell.split(" (")[0] for cell in cells] == ["i2t HP@2: -0.027", "i2t HP@5: -0.013", "i2t HP@10: -0.023"]
    assert broken == {}


def test_the_papers_claims_are_in_its_text():
    claims = published_tables().claims
    assert len(claims) == 13
    assert {claim.place for claim in claims} <= {"section 4.3", "section 4.4", "section 4.5"}


def claim(**fields):
    shared = {"place": "here", "quote": "so it is", "table": "table1", "row": "a", "tasks": ["i2i"], "metrics": ["R@1"]}
    return {**shared, **fields}


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({"over": ["b", "c"], "low": 0.1}, True),  # 0.612 - 0.512
        ({"over": ["b", "c"], "low": 0.11}, False),
        ({"over": ["b", "c"], "low": 0.103}, False),  # at most 0.101, and the claim at least 0.1025
        ({"over": ["b", "c"], "low": 0.101}, True),  # 0.6125 - 0.5115
        ({"over": ["b", "c"], "high": 0.09}, False),
        ({"over": ["b"], "low": 0.2, "high": 0.2}, True),
        ({"low": 0.612, "high": 0.612}, True),
        ({"low": 0.62}, False),
        ({"high": 0.605}, False),
        ({"high": 0.6}, True),  # a claim of one decimal
        ({"row": "b", "over": ["a"], "low": 0}, False),
        ({"row": "b", "over": ["a"], "high": 0}, True),
    ],
)
def test_claims_by_hand(fields, holds):
    rows = {key: {"i2i": {"R@1": value}} for key, value in {"a": 0.612, "b": 0.412, "c": 0.512}.items()}
    assert (broken_claims(paper(rows, claims=[claim(**fields)])) == []) is holds


def test_the_command_prints_what_was_found_and_exits_with_1(tmp_path, capsys):
    from huse_bench.cli import main

    assert main(["published", "check"]) == 1
    out = capsys.readouterr().out
    assert "7 of 189 cells cannot be" in out
    assert "t2i HP@2 0.034 < 0.0447, the least that R@1 0.090 / 2 allows" in out
    assert "2 of 13 statements of the text do not hold in its tables" in out
    assert max(map(len, out.splitlines())) <= 120

    assert main(["published", "check", "huse", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert len(document["impossible_cells"]) == 7
    assert document["broken_claims"][0]["claim"]["place"] == "section 4.4"

    mine = tmp_path / "mine.json"
    mine.write_text(paper({"a": {"i2i": {"R@1": 0.5}}}).model_dump_json(), encoding="utf-8")
    assert main(["published", "check", str(mine)]) == 0
    out = capsys.readouterr().out
    assert "0 of 1 cells cannot be" in out
    assert "0 of 0 statements" in out


def test_show_list_and_schema(capsys):
    from huse_bench.cli import main

    assert main(["published", "list"]) == 0
    assert "arXiv:1911.05978" in capsys.readouterr().out
    assert main(["published", "show"]) == 0
    out = capsys.readouterr().out
    assert "0.031†" in out
    assert "0.660 " in out
    assert out.count("†") == 7 + 1
    assert main(["published", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["required"]) <= set(json.loads(_file().read_text(encoding="utf-8")))


def _file():
    return Path(__file__).parents[2] / "results" / "published" / "huse.json"
