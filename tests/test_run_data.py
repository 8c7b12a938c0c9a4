"""The data of a run: groups of near-duplicates, splits drawn for them, and what is said where data are others."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import huse_bench as hb
from huse_bench.config import resolve_config
from huse_bench.errors import ResultsError
from huse_bench.progress import Reporter
from huse_bench.run_data import load_data, refuse_other_data

EACH, COPIES, CLASSES = 25, 3, 4
COUNT = EACH * COPIES * CLASSES


@pytest.fixture
def folder(tmp_path) -> Path:
    """Features of four classes of 25 pictures, each in three rows with texts of their own."""
    rng = np.random.default_rng(0)
    pictures = np.arange(COUNT) // COPIES
    np.save(tmp_path / "image.npy", rng.normal(size=(COUNT // COPIES, 24)).astype(np.float32)[pictures])
    np.save(tmp_path / "text.npy", rng.normal(size=(COUNT, 24)).astype(np.float32))
    np.save(tmp_path / "class.npy", rng.normal(size=(CLASSES, 5)).astype(np.float32))
    np.save(tmp_path / "labels.npy", pictures % CLASSES)
    (tmp_path / "classes.csv").write_text("label\nant\nbee\ncat\ndog\n")
    return tmp_path


def loaded(folder: Path, **options):
    config = resolve_config(given={"dataset": "features", "data": folder, "training": {"batch_size": 32}, **options})
    return load_data(config, Reporter(quiet=True))


def test_near_duplicates_are_groups_and_splits_are_drawn_for_them(folder) -> None:
    def divided(items):
        splits = defaultdict(set)
        for row, split in enumerate(items.splits.tolist()):
            splits[row // COPIES].add(split)
        return sum(len(found) > 1 for found in splits.values())

    plain, title, _ = loaded(folder)
    assert title == folder.name
    assert plain.groups is None
    assert divided(plain) > 20
    items, _, data = loaded(folder, near_duplicates_as_groups=True)
    assert divided(items) == 0
    assert [items.groups[row] for row in range(COUNT)] == [
        min(str(copy) for copy in range(row - row % COPIES, row - row % COPIES + COPIES)) for row in range(COUNT)
    ]
    assert "near-duplicates are groups: 300 items in 100 groups, the largest of 3; without, they were in 300" in (
        data.notices
    )
    assert {len(set(split.groups.tolist())) for split in data.splits.values()} == {72, 8, 20}
    found = hb.features.audit(data, None)
    assert found.facts["features"]["image"]["within_test"]["near"] == 0
    assert found.facts["features"]["image"]["duplicates"]["near"] == 0


def test_methods_that_learn_from_class_names_that_are_alike_say_so(folder, tmp_path, quick_training) -> None:
    np.save(folder / "class.npy", np.ones((CLASSES, 5), dtype=np.float32))
    results = hb.run(
        ["huse", "cme"], "features", data=folder, results=tmp_path / "out", training=quick_training, quiet=True
    )
    warning = "the class embeddings are all alike, so nothing is learnt from the class names"
    assert {record.method.name: warning in record.warnings for record in results.records} == {
        "huse": True,
        "cme": False,
    }
    for record in results.records:
        assert record.audit["findings"][0].startswith("the 4 class embeddings are all alike (those of class.npy@")


@pytest.fixture
def recorded(folder, tmp_path, quick_training):
    """Records of one run on the data as they are."""
    return hb.run("cme", "features", data=folder, results=tmp_path / "out", training=quick_training, quiet=True).records


def spoil_text(folder):
    np.save(folder / "text.npy", np.load(folder / "text.npy") + 1)


def relabel(folder):
    labels = np.load(folder / "labels.npy")
    labels[[0, 3]] = labels[[3, 0]]
    np.save(folder / "labels.npy", labels)


def rename(folder):
    (folder / "classes.csv").write_text("label\nant\nbee\ncat\nelk\n")


def group(folder):
    np.save(folder / "groups.npy", np.load(folder / "labels.npy") * 0 + np.arange(COUNT))


def grow_a_tree(folder):
    (folder / "taxonomy.csv").write_text("parent,child\nlife,ant\nlife,bee\nlife,mammal\nmammal,cat\nmammal,dog\n")


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (spoil_text, {}, r"other text features \(text.npy@\w{12} before, text.npy@\w{12} now\)"),
        (rename, {}, "other classes; other labels; other taxonomy"),
        (group, {}, "other groups"),
        (grow_a_tree, {}, "other taxonomy"),
        (None, {"dataset_options": {"split_seed": 1}}, "other splits"),
    ],
)
def test_what_differs_from_the_runs_of_a_folder_is_named(folder, recorded, change, options, said) -> None:
    if change:
        change(folder)
    config = resolve_config(given={"dataset": "features", "data": folder, "training": {"batch_size": 32}, **options})
    _, _, data = load_data(config, Reporter(quiet=True))
    with pytest.raises(ResultsError, match=rf"no table could show together: {said}\. Choose another folder") as caught:
        refuse_other_data(recorded, data, config)
    assert f"--results results/features-{data.content_hash[:6]}" in str(caught.value)


def test_the_same_data_are_no_others(folder, recorded) -> None:
    config = resolve_config(given={"dataset": "features", "data": folder, "training": {"batch_size": 32}})
    refuse_other_data(recorded, load_data(config, Reporter(quiet=True))[2], config)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (spoil_text, r"other text features \(text.npy@\w{12} before, text.npy@\w{12} now\)"),
        (relabel, "its records do not say whether items, labels, splits, groups or features differ"),
    ],
)
def test_of_older_records_what_is_known_is_named(folder, recorded, change, said) -> None:
    change(folder)
    config = resolve_config(given={"dataset": "features", "data": folder, "training": {"batch_size": 32}})
    old = [
        record.model_copy(update={"dataset": record.dataset.model_copy(update={"parts": None})}) for record in recorded
    ]
    with pytest.raises(ResultsError, match=said):
        refuse_other_data(old, load_data(config, Reporter(quiet=True))[2], config)
