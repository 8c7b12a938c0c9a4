import subprocess
import sys

import numpy as np
import pytest

from huse_bench.errors import ResultsError
from huse_bench.results import DIRECTIONS, Results, Store, load_results

TITLES = ["Image to Image", "Image to Text", "Text to Image", "Text to Text"]


def test_the_tables_have_the_papers_columns(make_record):
    tables = Results([make_record()]).tables()
    assert list(tables) == ["table1", "table2", "table3"]
    assert list(tables["table1"].columns) == [(title, f"R@{k}") for title in TITLES for k in (1, 5, 10)]
    assert list(tables["table2"].columns) == [(title, f"HP@{k}") for title in TITLES for k in (2, 5, 10)]
    assert list(tables["table3"].columns) == ["Image", "Text", "Fusion"]
    assert {table.index.name for table in tables.values()} == {"Method"}


def test_each_number_is_in_its_cell(make_record):
    record = make_record()
    tables = Results([record]).tables()
    for direction, title in zip(DIRECTIONS, TITLES, strict=True):
        for name, metrics in (("table1", ("R@1", "R@5", "R@10")), ("table2", ("HP@2", "HP@5", "HP@10"))):
            for metric in metrics:
                assert tables[name].loc["HUSE", (title, metric)] == record.retrieval[direction][metric]
    assert list(tables["table3"].loc["HUSE"]) == [0.7, 0.8, 0.9]


def test_seeds_are_averaged(make_record):
    starts = [0.1, 0.2, 0.6]
    tables = Results([make_record(seed=seed, start=start) for seed, start in enumerate(starts)]).tables()
    assert tables["table1"].shape == (1, 12)
    assert tables["table1"].loc["HUSE", ("Image to Image", "R@1")] == pytest.approx(np.mean(starts))


def test_methods_without_semantic_information_come_first_then_the_registrys_order(make_record):
    records = [
        make_record("huse", method__order=7),
        make_record("hie", method__order=4),
        make_record("zeta", method__order=9),
        make_record("cme", method__order=1),
        make_record("beta", method__order=9),
    ]
    expected = ["CME", "BETA", "ZETA", "HIE", "HUSE"]
    for order in (records, records[::-1]):
        assert list(Results(order).tables()["table2"].index) == expected


def test_what_has_no_numbers_is_nan(make_record):
    records = [make_record("huse", accuracies=None), make_record("hie", status="diverged")]
    tables = Results(records).tables()
    assert np.isnan(tables["table3"]).all(axis=None)
    assert not np.isnan(tables["table1"].loc["HUSE"]).any()
    assert np.isnan(tables["table1"].loc["HIE"]).all()


def test_a_seed_that_diverged_is_left_out_of_the_mean(make_record):
    results = Results([make_record(seed=0, start=0.3), make_record(seed=1, status="diverged")])
    assert results.tables()["table1"].loc["HUSE", ("Image to Image", "R@1")] == 0.3


def test_configurations_are_not_averaged(make_record):
    records = [make_record(start=0.1), make_record(start=0.5, configuration="other"), make_record("cme")]
    index = list(Results(records).tables()["table1"].index)
    assert sorted(index) == sorted(["CME", *(f"HUSE [{record.configuration[:6]}]" for record in records[:2])])
    values = Results(records).tables()["table1"][("Image to Image", "R@1")]
    assert values[f"HUSE [{records[0].configuration[:6]}]"] == 0.1
    assert values[f"HUSE [{records[1].configuration[:6]}]"] == 0.5


def test_two_methods_with_one_title_are_told_apart(make_record):
    index = list(Results([make_record("huse"), make_record("hoax", method__title="HUSE")]).tables()["table1"].index)
    assert len(set(index)) == 2
    assert all(label.startswith("HUSE [") for label in index)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset__name": "food101"},
            r"dataset\.name differs: 'emoji' in cme-s0-\w+, 'food101' in huse-s0-\w+; keep them",
        ),
        ({"dataset__content_hash": "other"}, r"dataset\.content_hash differs"),
        ({"dataset__taxonomy_hash": "other"}, r"dataset\.taxonomy_hash differs"),
        ({"dataset__items": {"train": 1, "validation": 2, "test": 3}}, r"dataset\.items differs"),
        ({"protocol__recall": "instance/v1"}, r"protocol\.recall differs: 'class-hit-rate/v1' in .*, 'instance/v1' in"),
    ],
)
def test_data_and_protocols_are_not_mixed(make_record, changes, message):
    with pytest.raises(ResultsError, match=message):
        Results([make_record("cme"), make_record("huse", **changes)])


def test_no_records_are_no_results():
    with pytest.raises(ResultsError, match=r"there are no run records to tabulate\. Make some with: huse-bench run"):
        Results([])


def test_a_folder_is_read_with_its_arrays(make_record, tmp_path):
    store = Store(tmp_path, dataset="emoji")
    per_query = {direction: {"first_hit": np.arange(5)} for direction in DIRECTIONS}
    written = store.write(make_record(), per_query, {"label": np.arange(4)})
    (tmp_path / "runs" / "x-s0-1.json").write_text("{", encoding="utf-8")
    results = load_results(str(tmp_path))
    assert results.records == (written,)
    assert len(results.problems) == 1
    np.testing.assert_array_equal(results.per_query(written)["t2t"]["first_hit"], np.arange(5))
    np.testing.assert_array_equal(results.predictions(written)["label"], np.arange(4))


def test_results_without_a_folder_have_no_arrays(make_record):
    with pytest.raises(ResultsError, match=r"no folder to read arrays from; open them with huse_bench\.load_results"):
        Results([make_record()]).per_query(make_record())


def test_a_folder_without_usable_records_says_how_to_make_them(tmp_path):
    Store(tmp_path, dataset="emoji")
    (tmp_path / "runs" / "x-s0-1.json").write_text("{", encoding="utf-8")
    with pytest.raises(ResultsError, match=r"run --dataset emoji --results .*\n  .*x-s0-1\.json: no readable"):
        load_results(tmp_path)


def test_reading_results_needs_no_torch():
    code = "import sys, huse_bench.results; print(sorted({'torch', 'huse_bench.components'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
