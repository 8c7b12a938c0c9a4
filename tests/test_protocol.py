"""The protocol of a whole run: in its numbers, identity, controls and searches, and what is refused before it."""

import json
import re
import sys

import numpy as np
import pytest

import huse_bench as hb
from huse_bench import discovery
from huse_bench.cli import main
from huse_bench.config import resolve_config
from huse_bench.errors import ConfigError, DataError, ResultsError
from huse_bench.evaluation import HP_PROTOCOL, RECALL_PROTOCOL
from huse_bench.tuning import tune

DIRECTIONS = ("i2i", "i2t", "t2i", "t2t")


def with_groups(toy, groups):
    """Give the toys' dataset groups, an expression of the item's number i, and features that show the group."""
    path = toy.parent / "site/toy_plugins.py"
    text = path.read_text()
    text = text.replace("ids=[f", f'groups=[f"g{{{groups}}}" for i in range(160)],\n            ids=[f', 1)
    text = text.replace("rng.normal(size=(160, d))", "np.repeat(rng.normal(size=(80, d)), 2, 0) * 20", 1)
    text = text.replace("np.arange(160) % 4", "np.arange(160) // 2 % 4")
    path.write_text(text)
    sys.modules.pop("toy_plugins", None)
    discovery.refresh()


@pytest.fixture
def pairs(toy):
    """Toys of which every two are one group, much more like each other than like their class."""
    with_groups(toy, "i // 2")
    return toy


@pytest.mark.usefixtures("pairs")
def test_a_run_counts_as_its_protocol_says_and_writes_its_id(quick_training):
    results = {
        version: hb.run(
            ["gap"],
            "toy",
            protocol=version,
            controls=True,
            training=quick_training,
            results=version or "new",
            quiet=True,
        )
        for version in (None, "v1", "v2")
    }
    for version, given in results.items():
        assert {record.protocol["recall"] for record in given.records} == {RECALL_PROTOCOL[version or "v2"]}
        assert {record.protocol["hp"] for record in given.records} == {HP_PROTOCOL[version or "v2"]}
    tables = {version: given.tables()["table1"] for version, given in results.items()}
    assert tables[None].equals(tables["v2"])
    raw = {version: table.loc["Raw features", ("Image to Image", "R@1")] for version, table in tables.items()}
    # The nearest is the other one of the group.
    assert raw["v1"] == 1
    assert raw["v2"] < 0.9
    for label in ("Gap only", "Chance", "Raw features", "Class centroids"):
        assert not tables["v1"].loc[label].equals(tables["v2"].loc[label])
    assert not {r.fingerprint for r in results["v1"].records} & {r.fingerprint for r in results["v2"].records}
    # Of 32 items 8 are of the query's class; one of these, and no other, is the other one of its group.
    levels = {version: given.records[0].protocol["chance"]["R@1"] for version, given in results.items()}
    assert levels == pytest.approx({"v1": 8 / 32, "v2": 7 / 31, None: 7 / 31})
    # The groups of the queries are stored beside the controls that rank.
    for record in results["v2"].records:
        if record.per_query is not None:
            stored = results["v2"].predictions(record)
            np.testing.assert_array_equal(stored["group"], np.arange(32) // 2)
            assert len(stored["label"]) == 32


def test_runs_by_both_protocols_share_no_folder_and_no_table(pairs, quick_training):
    hb.run(["gap"], "toy", protocol="v1", training=quick_training, quiet=True)
    message = (
        r"the results folder results/toy holds runs by protocol v1, and these are by v2 \(default\), which no table "
        r"could show together; choose another folder with --results, or --protocol v1"
    )
    with pytest.raises(ResultsError, match=message):
        hb.run(["huse"], "toy", training=quick_training, quiet=True)
    hb.run(["huse"], "toy", training=quick_training, results="second", quiet=True)
    for path in (pairs / "second/runs").iterdir():
        path.rename(pairs / "results/toy/runs" / path.name)
    with pytest.raises(ResultsError, match=r"cannot share a table, protocol.recall differs: '.*v\d' in .*'.*v\d' in"):
        hb.load_results("results/toy")


def test_by_option_and_file(pairs, capsys):
    (pairs / "bench.toml").write_text(
        'protocol = "v1"\n[training]\nsteps = 3\nbatch_size = 32\nwidth = 8\nembedding_dim = 4\n'
    )
    command = ["run", "--dataset", "toy", "--methods", "gap", "--config", "bench.toml"]
    assert main(command) == 0
    assert RECALL_PROTOCOL["v1"] in capsys.readouterr().out.replace("\n  ", " ")
    assert main([*command, "--protocol", "v2", "--results", "second"]) == 0
    assert RECALL_PROTOCOL["v2"] in capsys.readouterr().out.replace("\n  ", " ")
    assert main([*command, "--protocol", "v3"]) == 2
    assert "protocol = 'v3' (command line): Input should be 'v1' or 'v2'" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="protocol = 2"):
        resolve_config(None, {"protocol": 2})


@pytest.mark.usefixtures("pairs")
def test_a_search_maximises_by_its_protocol(quick_training):
    found = {}
    for version in ("v1", "v2"):
        given = {"dataset": "toy", "methods": ["triplet"], "protocol": version, "results": f"results/{version}"}
        config = resolve_config(None, {**given, "training": {**quick_training, "steps": 1}})
        (tuned,), _ = tune(config, 1, ["i2i R@1"], quiet=True)
        found[version] = tuned.trials[0].value
    assert found["v1"] > found["v2"]


def test_queries_that_cannot_hit_are_counted_in_the_record(toy, quick_training):
    # A class of a test split with 32 items is one group of eight.
    with_groups(toy, "i // 2 % 4 if i >= 128 else i + 9")
    (record,) = hb.run(["gap"], "toy", training=quick_training, quiet=True).records
    assert "32 of 32 test queries are misses in-modal, with no item of their class in the gallery" in record.warnings
    assert record.retrieval["i2i"]["R@10"] == 0
    (record,) = hb.run(["gap"], "toy", protocol="v1", training=quick_training, results="v1", quiet=True).records
    assert not any("misses" in warning for warning in record.warnings)


@pytest.mark.parametrize(
    ("groups", "split"),
    [("0 if 96 <= i < 120 else i + 1", "validation"), ("0 if i >= 136 else i + 1", "test")],
)
def test_a_group_that_leaves_too_small_a_gallery_is_refused_before_training(toy, quick_training, groups, split):
    with_groups(toy, groups)
    message = re.escape(
        f"the {split} split of 'toy' has 32 items, of which 24 are the group 'g0': that leaves its queries a gallery "
        "of 8 items outside their group, and the tables need K = 10; give that split more groups, make the groups "
        "smaller, or use --protocol v1, which does not heed them"
    )
    with pytest.raises(DataError, match=message):
        hb.run(["gap"], "toy", training=quick_training, quiet=True)
    assert not (toy / "results").exists()
    assert hb.run(["gap"], "toy", protocol="v1", training=quick_training, quiet=True).records[0].status == "finished"


def test_records_say_who_cannot_miss(pairs, quick_training):
    hb.run(["gap"], "toy", training=quick_training, quiet=True)
    (path,) = (pairs / "results/toy/runs").glob("*.json")
    protocol = json.loads(path.read_text())["protocol"]
    # Two classes are within two hops; all four are within four.
    assert protocol["cannot_miss"] == {"2": 0.0, "5": 1.0, "10": 1.0}
    scores = json.loads(path.read_text())["retrieval"]
    assert all("BHP@5" in scores[direction] for direction in DIRECTIONS)
