"""The data of a run: groups of near-duplicates, splits drawn for them, and what is said where data are others."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import huse_bench as hb
from huse_bench.config import resolve_config
from huse_bench.errors import ResultsError
from huse_bench.progress import Reporter
from huse_bench.runs.data import load, make_ready, refuse_other_data

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
    return make_ready(load(config), config, Reporter(quiet=True))


def test_near_duplicates_are_groups_and_splits_are_drawn_for_them(folder) -> None:
    def divided(items):
        splits = defaultdict(set)
        for row, split in enumerate(items.splits.tolist()):
            splits[row // COPIES].add(split)
        return sum(len(found) > 1 for found in splits.values())

    plain, data = loaded(folder)
    assert data.title == folder.name
    assert plain.groups is None
    assert divided(plain) > 20
    items, data = loaded(folder, near_duplicates_as_groups=True)
    assert divided(items) == 0
    assert [items.groups[row] for row in range(COUNT)] == [
        min(str(copy) for copy in range(row - row % COPIES, row - row % COPIES + COPIES)) for row in range(COUNT)
    ]
    counts = "300 items in 100 groups, the largest of 3 (in 300 groups without this option)"
    assert f"near-duplicates are groups: {counts}" in data.notices
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


def test_pictures_that_are_left_out_do_not_upset_the_groups(tmp_path) -> None:
    # The third of each four pictures is the copy of the one before; two are no pictures.
    rng = np.random.default_rng(3)
    rows = []
    pixels = rng.integers(0, 256, (120, 16, 16, 3), dtype=np.uint8)
    for number in range(120):
        Image.fromarray(pixels[number - (number % 4 == 2)]).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{' '.join(rng.choice(WORDS, 6))},{'ab'[number // 4 % 2]}")
    for number in (0, 3):
        (tmp_path / f"{number}.png").write_bytes(b"")
    (tmp_path / "shop.csv").write_text("image,text,label\n" + "\n".join(rows) + "\n")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/pixels.py").write_text(PIXELS)
    program = PROGRAM.format(data=str(tmp_path / "shop.csv"))
    environment = {
        "HUSE_BENCH_CACHE": str(tmp_path / "cache"),
        "HUSE_BENCH_PLUGINS_DIR": str(tmp_path / "plugins"),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["ids"]) == 118
    assert found["title"] == "shop.csv"
    together = defaultdict(set)
    for item, group, split in zip(found["ids"], found["groups"], found["splits"], strict=True):
        together[group].add((item, split))
    assert len(together) == 118 - 30
    assert {min(number for number, _ in pair) for pair in together.values() if len(pair) > 1} == {
        min(f"{number}.png", f"{number + 1}.png") for number in range(1, 120, 4)
    }
    assert all(len({split for _, split in pair}) == 1 for pair in together.values())
    assert found["notices"][-1].startswith("near-duplicates are groups: 118 items in 88 groups, the largest of 2")


WORDS = [first + second for first in "abcdefgh" for second in "klmnopqr"]

PIXELS = """
import numpy as np
import huse_bench as hb


class Pixels(hb.ImageBackbone):
    title = "Pixels"
    revision = "1"
    dim = 768

    def preprocess(self, image):
        return np.asarray(image, np.float32).transpose(2, 0, 1) - 127

    def encode_pixels(self, pixels):
        return pixels.reshape(len(pixels), -1)
"""

PROGRAM = """
import json
from huse_bench.config import resolve_config
from huse_bench.progress import Reporter
from huse_bench.runs.data import load, make_ready

options = {{"near_duplicates_as_groups": True, "training": {{"batch_size": 32}}}}
backbones = {{"image_backbone": "pixels", "text_backbone": "tfidf", "class_backbone": "tfidf"}}
config = resolve_config(given={{"dataset": "manifest", "data": {data!r}, **backbones, **options}})
items, data = make_ready(load(config), config, Reporter(quiet=True))
facts = {{"ids": items.ids, "groups": items.groups, "splits": items.splits.tolist(), "title": data.title}}
print(json.dumps({{**facts, "notices": data.notices}}))
"""


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
    _, data = make_ready(load(config), config, Reporter(quiet=True))
    with pytest.raises(ResultsError, match=rf"no table could show together: {said}\. Choose another folder") as caught:
        refuse_other_data(recorded, data, config)
    assert f"--results results/features-{data.content_hash[:6]}" in str(caught.value)


def test_the_same_data_are_no_others(folder, recorded) -> None:
    config = resolve_config(given={"dataset": "features", "data": folder, "training": {"batch_size": 32}})
    refuse_other_data(recorded, make_ready(load(config), config, Reporter(quiet=True))[1], config)


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
        refuse_other_data(old, make_ready(load(config), config, Reporter(quiet=True))[1], config)
