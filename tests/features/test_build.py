"""Features made by backbones: what is encoded when, what is left out, and who is told."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from huse_bench.config import resolve_config
from huse_bench.errors import ConfigError, DataError, MissingExtraError, PluginError, UnknownComponentError
from huse_bench.features import load_dataset, make_features, prepare
from huse_bench.features.cache import Cache
from huse_bench.progress import Reporter


@pytest.fixture
def build(pictures, capsys):
    """Load the album with features; gives the items and what was said."""

    def call(workers=None, dataset="album", **options):
        config = resolve_config(given={"dataset": dataset, "data": pictures, **options})
        items = make_features(*load_dataset(config), config, Reporter(), workers)
        return items, capsys.readouterr().err

    return call


def expected_colours(paths):
    """Mean colours by Pillow's own box filter, which knows nothing of our decoder."""
    rows = []
    for path in paths:
        with Image.open(path) as image:
            small = np.asarray(image.convert("RGB").resize((12, 12)), float) / 255
        rows.append(small.reshape(3, 4, 3, 4, 3).mean((1, 3)).transpose(2, 0, 1).reshape(27) + 0.01)
    return np.array(rows)


@pytest.mark.parametrize("workers", [0, 2])
def test_rows_are_the_items_in_order(build, workers):
    items, said = build(workers)
    assert items.image_features.values.dtype == np.float32
    assert items.image_features.values == pytest.approx(expected_colours(items.images), abs=1e-6)
    assert items.text_features.values[:, :26].sum(1).tolist() == [sum(map(str.isalpha, t)) for t in items.texts]
    assert [items.class_features.values[i, 15] for i in range(3)] == [2, 0, 1]  # p in apple, lemon, plum
    assert items.image_features.backbone == "mean-colours@1"
    assert "image features by mean-colours: making 120\n" in said
    assert "image features by mean-colours: made 120 in" in said
    prepare(items, "album")


def test_the_second_time_nothing_is_encoded_or_said(build, encoded):
    first, _ = build()
    assert encoded() == {"pictures": 120, "texts": 120 + 3}
    second, said = build()
    assert encoded() == {}
    assert said == ""
    for kind in ("image_features", "text_features", "class_features"):
        assert (getattr(first, kind).values == getattr(second, kind).values).all()
    assert prepare(first, "album").content_hash == prepare(second, "album").content_hash


def test_weights_are_not_read_when_nothing_is_to_be_made(build, album, monkeypatch):
    build()
    plugin = album.parent / "site/album_plugins.py"
    text = plugin.read_text().replace(
        "def encode_pixels(self, pixels):", "def encode_pixels(self, pixels):\n        1/0"
    )
    plugin.write_text(text)
    monkeypatch.delitem(__import__("sys").modules, "album_plugins")
    build()


def test_equal_contents_are_encoded_once(build, pictures, encoded):
    twin = pictures / "apple/apple-2000.png"
    twin.write_bytes((pictures / "apple/apple-0000.png").read_bytes())
    items, _ = build(text_backbone="letters")
    assert encoded() == {"pictures": 120, "texts": 121 + 3}
    rows = {path.name: row for path, row in zip(items.images, items.image_features.values, strict=True)}
    assert (rows["apple-2000.png"] == rows["apple-0000.png"]).all()
    assert not (rows["apple-2000.png"] == rows["apple-0004.png"]).all()
    assert items.image_features.values == pytest.approx(expected_colours(items.images), abs=1e-6)


@pytest.fixture
def damage(pictures):
    """Spoil some pictures: two are no pictures at all, one is truncated."""
    (pictures / "apple/apple-0003.jpg").write_bytes(b"<html>404 not found</html>")
    (pictures / "plum/plum-0039.jpg").write_bytes(b"")
    path = pictures / "lemon/lemon-0005.jpg"
    path.write_bytes(path.read_bytes()[:700])


def test_what_a_worker_refuses_is_said_here(build):
    with pytest.raises(PluginError, match=r"Choosy failed to preprocess .*apple-0000.png"):
        build(1, image_backbone="choosy")


@pytest.mark.usefixtures("damage")
def test_damaged_pictures_are_listed_and_left_out(build, encoded):
    items, _ = build()
    assert encoded()["pictures"] == 118
    assert len(items.ids) == len(items.texts) == len(items.images) == 118
    assert not {"apple/apple-0003.jpg", "plum/plum-0039.jpg"} & set(items.ids)
    assert all(str(path).endswith(name) for path, name in zip(items.images, items.ids, strict=True))
    assert items.image_features.values == pytest.approx(expected_colours_where_whole(items), abs=1e-6, nan_ok=True)
    own, left_out, truncated = items.notices
    assert own == "this album is a test"
    # A count, the first, and where the list is, without places of this machine.
    name = next(entry.name for entry in Cache().entries()[0] if entry.name.startswith("image"))
    assert left_out == (
        "2 of 120 pictures cannot be decoded and are left out, such as apple/apple-0003.jpg (cannot identify image "
        f"file: it is an HTML page, as of a failed download); huse-bench features show {name} lists them all"
    )
    assert truncated == (
        "1 of 120 pictures are truncated and were read as far as they go: lemon/lemon-0005.jpg (the file ends too "
        "early)"
    )
    # The cache remembers what could not be decoded.
    again, said = build()
    assert (again.notices, said) == (items.notices, "")
    assert encoded() == {}
    prepare(items, "album")


def expected_colours_where_whole(items):
    whole = [path for path in items.images if path.name != "lemon-0005.jpg"]
    rows = iter(expected_colours(whole))
    values = items.image_features.values
    return np.array([next(rows) if path in whole else values[i] for i, path in enumerate(items.images)])


@pytest.mark.usefixtures("damage")
def test_strict_refuses_damaged_pictures_also_from_the_cache(build):
    for _ in range(2):
        with pytest.raises(DataError, match="--strict refuses") as caught:
            build(strict=True)
        for name in ("apple-0003.jpg", "plum-0039.jpg", "lemon-0005.jpg"):
            assert name in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_larger_pictures_are_read_where_that_is_asked_for(build, pictures, encoded, workers):
    Image.new("RGB", (60, 40), "red").save(pictures / "apple/apple-2000.png")
    items, _ = build(workers, max_pixels=2399)
    assert len(items.ids) == 120
    assert items.notices[1] == (
        "1 of 121 pictures have more than max_pixels = 2399 and are left out (a larger max_pixels reads them): "
        "apple/apple-2000.png (too many pixels: 60 x 40 are more than 2,399; a decompression bomb?)"
    )
    items, _ = build(workers, max_pixels=2400)
    assert len(items.ids) == 121
    assert len(items.notices) == 1
    # The usual limit leaves the files of earlier versions as they are.
    encoded()
    build()
    assert encoded()["pictures"] == 121
    build(max_pixels=89_478_485)
    assert encoded() == {}


def test_groups_are_left_out_with_their_items(build, pictures, monkeypatch):
    (pictures / "apple/apple-0003.jpg").write_bytes(b"")
    album = __import__("huse_bench").load("dataset", "album")
    whole = album(pictures).load()
    grouped = replace(whole, groups=[name[-5:-4] + name[:3] for name in whole.ids])
    monkeypatch.setattr(album, "load", lambda _self: grouped)
    items, _ = build()
    assert items.groups == [name[-5:-4] + name[:3] for name in items.ids]
    assert len(items.groups) == 119


def test_a_class_that_loses_all_its_pictures(build, pictures):
    for path in (pictures / "plum").iterdir():
        path.write_bytes(b"gone")
    with pytest.raises(
        DataError, match=r"none of the 40 pictures of the class 'plum' can be decoded.*\(1 such classes\)"
    ):
        build()
    for path in (pictures / "lemon").iterdir():
        path.write_bytes(b"gone")
    for path in (pictures / "apple").iterdir():
        path.write_bytes(b"gone")
    with pytest.raises(
        DataError, match=r"none of the 120 pictures can be decoded, the first, .*apple-0000.png: cannot"
    ):
        build()


def test_a_class_that_loses_its_train_pictures(build, pictures):
    for path in (pictures / "plum").iterdir():
        if path.stem[-1] not in "89":
            path.write_bytes(b"gone")
    items, _ = build()
    with pytest.raises(DataError, match="the class 'plum' has no item in the train split"):
        prepare(items, "album")


def test_missing_pictures_are_listed_in_one_report(build, pictures, monkeypatch):
    gone = sorted((pictures / "plum").iterdir())[:25]
    album = __import__("huse_bench").load("dataset", "album")
    items = album(pictures).load()
    monkeypatch.setattr(album, "load", lambda _self: items)
    for path in gone:
        path.unlink()
    with pytest.raises(DataError, match="25 of 120 pictures cannot be read") as caught:
        build()
    assert str(caught.value).count("(No such file or directory)") == 20
    assert str(gone[19]) in str(caught.value)
    assert "and 5 more" in str(caught.value)


def test_a_fitted_backbone_sees_the_train_texts_alone(build, encoded):
    items, _ = build(text_backbone="words")
    train = [text for text, split in zip(items.texts, items.splits, strict=True) if split == "train"]
    words = sorted({word for text in train for word in text.split()})
    assert items.text_features.values.shape == (120, len(words) + 1)
    assert items.text_features.values[0].sum() == 1 + 2
    assert encoded()["fit"] == 96
    build(text_backbone="words")
    assert encoded() == {}
    # Other train texts are other features, the same texts in other splits too.
    build(text_backbone="words", class_backbone="words")
    assert encoded() == {"fit": 96, "texts": 3}


def test_a_reference_reaches_the_backbone(build):
    plain, _ = build()
    tinted, _ = build(image_backbone="album-plugins::tinted:0.5")
    assert tinted.image_features.backbone == "tinted:0.5@1"
    assert tinted.image_features.values == pytest.approx(plain.image_features.values + 0.5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"image_backbone": "mean-colour"}, UnknownComponentError, "no backbone is named 'mean-colour'; did you mean"),
        ({"image_backbone": "nobody::tinted:1"}, UnknownComponentError, "no backbone is named 'nobody::tinted'"),
        (
            {"image_backbone": "letters"},
            ConfigError,
            "'letters' encodes texts, and --image-backbone needs one that enc",
        ),
        ({"class_backbone": "mean-colours"}, ConfigError, "encodes pictures, and --class-backbone needs .* texts"),
        ({"text_backbone": "letters:x"}, ConfigError, "'letters' takes nothing after its name, but 'letters:x'"),
        ({"image_backbone": "tinted"}, ConfigError, "'tinted' needs a number after its name; .* tinted:REFERENCE"),
        ({"image_backbone": "tinted:"}, ConfigError, "'tinted' needs a number after its name"),
        (
            {"dataset": "mute", "class_backbone": "words"},
            ConfigError,
            "'words' learns from the texts .*'mute' has no texts",
        ),
        (
            {"dataset": "mute", "text_backbone": "letters"},
            ConfigError,
            "'mute' brings text features of ears@1 and no raw",
        ),
        ({"dataset": "bare"}, ConfigError, "'bare' brings no image features and names no backbone .* --image-backbone"),
        (
            {"dataset_options": {"uper": True}},
            ConfigError,
            r"the dataset 'album' has no option 'uper' \(argument\); it h.*",
        ),
        ({"dataset_options": {"data": "x"}}, ConfigError, "the dataset 'album' has no option 'data'"),
        (
            {"dataset_options": {"seed": "x"}},
            ConfigError,
            r"dataset_options.seed = 'x' \(argument\): must be a whole num",
        ),
    ],
)
def test_mistakes_are_met_before_the_first_picture(build, encoded, options, error, message):
    with pytest.raises(error, match=message):
        build(**options)
    assert encoded() == {}


def test_own_features_are_used_where_no_other_backbone_is_named(build, encoded):
    items, _ = build(dataset="mute")
    assert items.text_features.backbone == "ears@1"
    assert items.text_features.values.shape == (120, 2)
    assert encoded() == {"pictures": 120, "texts": 3}


def test_dataset_options_reach_the_dataset(build):
    items, _ = build(dataset_options={"upper": True})
    assert all(text.isupper() for text in items.texts)


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("wrong", r"'wrong' of album-plugins gave features of shape \(32, 27\) where \(32, 5\) were due"),
        ("choosy", r"Choosy failed to preprocess .*apple-0000.png \(30 x 24 pixels\): ZeroDivisionError: too bright"),
        ("uneven", r"Uneven gave pixels of shape \(3, 25, 30\) for .*apple-0001.jpg, and \(3, 24, 30\) was expected"),
    ],
)
def test_backbones_that_misbehave(build, backbone, message):
    with pytest.raises(PluginError, match=message):
        build(image_backbone=backbone)


def test_a_backbone_that_cannot_go_to_other_processes(build):
    with pytest.raises(PluginError, match="Unpicklable cannot be sent to worker processes"):
        build(1, image_backbone="unpicklable")
    items, _ = build(0, image_backbone="unpicklable")
    assert items.image_features.values.shape == (120, 27)


def test_a_worker_that_dies_is_named_with_its_pictures(build):
    with pytest.raises(DataError, match=r"a worker process died \(exit code 9\) .* from .*apple-0000.png to "):
        build(1, image_backbone="deadly")


def test_without_pillow(build, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"huse-bench\[images\]"):
        build(0)


def test_a_cache_that_cannot_be_written_to(build, monkeypatch):
    monkeypatch.setenv("HUSE_BENCH_CACHE", "/proc/nowhere")
    with pytest.raises(ConfigError, match=r"cannot write to the feature cache /proc/nowhere.*HUSE_BENCH_CACHE"):
        build()
