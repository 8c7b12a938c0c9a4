"""The commands: a bundle is written, verified, trained again and refused, as a user would do it."""

import hashlib
import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import huse_bench as hb
from huse_bench.bundles import read_bundle
from huse_bench.cli import main


@pytest.fixture(autouse=True)
def the_same_fresh_seeds(monkeypatch):
    """One honest bundle in a hundred is refused by chance: let that be no matter of the day."""
    monkeypatch.setattr(random, "SystemRandom", lambda: random.Random(0))


@pytest.fixture
def bundle(toy, quick_training):
    """A bundle of runs that were trained on this machine a moment ago."""
    hb.run(["gap", "info-nce"], "toy", seeds=2, training=quick_training, results="runs", quiet=True)
    assert main(["publish", "runs", "-o", "bundle", "--title", "Toy runs", "--author", "A. One"]) == 0
    return toy / "bundle"


def test_a_bundle_is_verified_and_trained_again(bundle, capsys):
    capsys.readouterr()
    assert main(["verify", "bundle"]) == 0
    said = capsys.readouterr().out
    assert "accepted: re-rendered" in said
    assert "ok  tables in README.md: made again from the scores, byte for byte the same" in said
    assert main(["verify", "bundle", "--rerun", "2"]) == 0
    said = capsys.readouterr().out
    assert said.count("gave the same bits") == 2
    assert "would be found every second time" in said
    assert "accepted: spot-checked" in said
    verified = read_bundle(bundle).verified
    assert [check.level for check in verified.verifications] == ["re-rendered", "spot-checked"]
    for run in verified.verifications[1].reruns:
        assert run.exact is True
        assert len(run.seeds) == 2
        assert run.seeds[1] not in (0, 1)
        assert run.p >= 0.05


def test_on_another_processor_it_is_reproduced_elsewhere(bundle, capsys):
    for path in (bundle / "results" / "runs" / "runs").glob("*.json"):
        fields = json.loads(path.read_text())
        fields["device"]["name"] = fields["provenance"]["processor"] = "Abacus 3000"
        path.write_text(json.dumps(fields))
    assert main(["publish", "bundle/results/runs", "-o", "elsewhere"]) == 0
    assert main(["verify", "elsewhere", "--rerun", "1"]) == 0
    said = capsys.readouterr().out
    assert "accepted: reproduced elsewhere" in said
    assert "not compared bit by bit, for processor is" in said
    assert read_bundle("elsewhere").verified.verifications[0].reruns[0].exact is None


def test_other_numbers_than_the_code_gives_are_refused(bundle, capsys):
    """A whole lie: scores, predictions, numbers and pages agree, and no training gives them."""
    for path in (bundle / "results" / "runs" / "runs").glob("gap-*.json"):
        fields = json.loads(path.read_text())
        for direction in fields["retrieval"]:
            fields["retrieval"][direction] = {m: float(m[0] not in "RP") for m in fields["retrieval"][direction]}
        table = pq.read_table(path.with_name(fields["per_query"]))
        for place, column in enumerate(table.column_names):
            kind, _, k = column.partition("@")
            if kind in ("first_hit", "hits"):
                table = table.set_column(place, column, pa.array(np.zeros(len(table), np.int16)))
            elif kind == "hp":
                table = table.set_column(place, column, pa.array(np.full(len(table), int(k), np.int16)))
            elif kind == "similarity":
                table = table.set_column(place, column, table[f"ideal@{k}"])
        pq.write_table(table, path.with_name(fields["per_query"]))
        fields["per_query_sha256"] = hashlib.sha256(path.with_name(fields["per_query"]).read_bytes()).hexdigest()
        if fields["neighbours"]:
            path.with_name(fields["neighbours"]).unlink()
        fields |= {"neighbours": None, "neighbours_sha256": None, "curves": None}
        path.write_text(json.dumps(fields))
    assert main(["publish", "bundle/results/runs", "-o", "lie"]) == 0
    assert main(["verify", "lie"]) == 0
    capsys.readouterr()
    assert main(["verify", "lie", "--rerun", "2"]) == 1
    said = capsys.readouterr().out
    assert "WRONG  again Gap only" in said
    assert "gave OTHER numbers, with the same code and versions on the same processor" in said
    assert said.endswith("refused\n")
    assert read_bundle("lie").level == "re-rendered"


def test_what_is_refused_exits_with_1_and_what_is_not_there_with_2(bundle, capsys):
    (bundle / "README.md").write_text("better\n")
    assert main(["verify", "bundle"]) == 1
    assert "WRONG  files: bundle: README.md was changed" in capsys.readouterr().out
    assert main(["verify", "nowhere"]) == 2
    assert "there is no bundle nowhere" in capsys.readouterr().err
    assert main(["publish", "nowhere", "-o", "x"]) == 2
    assert main(["merge", "bundle", "-o", "x"]) == 2


def test_more_runs_than_there_are(bundle, capsys):
    assert main(["verify", str(bundle), "--rerun", "3"]) == 2
    assert "has finished runs of 2 rows, fewer than the 3 that --rerun asks for" in capsys.readouterr().err


def test_other_data_are_refused_before_a_training(bundle, capsys):
    for path in (bundle / "results" / "runs" / "runs").glob("*.json"):
        fields = json.loads(path.read_text())
        fields["dataset"]["content_hash"] = "0" * 64
        path.write_text(json.dumps(fields))
    (bundle / "results" / "runs" / "data-card.json").unlink()
    assert main(["publish", "bundle/results/runs", "-o", "other"]) == 0
    assert main(["verify", "other", "--rerun", "1"]) == 2
    assert "the data 'toy' are not the same here as in the bundle: content_hash is" in capsys.readouterr().err


@pytest.fixture
def twins(tmp_path):
    """Arrays of a user, in which each item is there twice, all but alike."""
    folder = tmp_path / "my-twins"
    folder.mkdir()
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(80) % 4, 2)
    for name, width in (("image", 6), ("text", 5)):
        rows = (rng.normal(size=(4, width))[labels[::2]] + 0.3 * rng.normal(size=(80, width))).repeat(2, axis=0)
        np.save(folder / f"{name}.npy", (rows + 1e-6 * rng.normal(size=rows.shape)).astype(np.float32))
    np.save(folder / "class.npy", rng.normal(size=(4, 8)).astype(np.float32))
    splits = np.repeat(["train", "validation", "test"], [96, 32, 32])
    lines = [f"item{n},{'abcd'[label]},{split}" for n, (label, split) in enumerate(zip(labels, splits, strict=True))]
    (folder / "items.csv").write_text("id,label,split\n" + "\n".join(lines) + "\n")
    (folder / "classes.csv").write_text("label\na\nb\nc\nd\n")
    return folder


def test_data_of_ones_own_are_found_where_one_says_and_met_as_they_were(toy, twins, quick_training, capsys):
    hb.run(
        ["gap", "info-nce"],
        "features",
        data=twins,
        near_duplicates_as_groups=True,
        seeds=2,
        training=quick_training,
        results="runs",
        quiet=True,
    )
    assert main(["publish", "runs", "-o", "own"]) == 0
    (asked,) = {json.dumps(record.dataset.asked) for record in read_bundle("own").results("runs").records}
    assert json.loads(asked) == {"near_duplicates_as_groups": True}
    # Its name is the title of the data.
    assert not [path for path in (toy / "own").rglob("*.json") if str(twins.parent) in path.read_text()]
    capsys.readouterr()
    # Not found by their name alone.
    assert main(["verify", "own", "--rerun", "1"]) == 2
    assert "--data PATH" in capsys.readouterr().err
    assert main(["verify", "own", "--rerun", "1", "--data", str(twins)]) == 0
    said = capsys.readouterr().out
    assert "gave the same bits" in said
    assert "accepted: spot-checked" in said


def test_what_is_asked_of_data_is_told_but_no_place(tmp_path):
    from huse_bench.config import resolve_config
    from huse_bench.runs.card import _public

    given = {"image_backbone": "timm:resnet18", "text_backbone": f"hf-text:{tmp_path}/mine", "max_pixels": 1000}
    assert _public(resolve_config(None, given)) == {"image_backbone": "timm:resnet18", "max_pixels": 1000}
    assert _public(resolve_config(None, {"dataset": "toy", "strict": False})) == {}
