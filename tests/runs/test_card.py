"""What a run writes of its data: the data card, and what the records say of the device."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import torch

import huse_bench as hb
from huse_bench.components import Features
from huse_bench.config import resolve_config
from huse_bench.discovery import load
from huse_bench.errors import DataError, ResultsError
from huse_bench.features import prepare
from huse_bench.progress import Reporter
from huse_bench.report.html import gallery
from huse_bench.results import Store, load_results, thumbnails
from huse_bench.results.thumbnails import thumbnail_fault
from huse_bench.runs.card import write_card
from huse_bench.runs.device import device_info

CLASSES = ("ant", "bee", "cat", "dog")
COUNT = 60
QUIET = Reporter(quiet=True)


@pytest.fixture
def table(tmp_path):
    """Pictures of four classes in folders of their own, three with one group; the last 20 rows are to test."""
    folder = tmp_path / "shop"
    rows = []
    for number in range(COUNT):
        label = CLASSES[number % 4]
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{number}.png").write_bytes(b"picture")
        split = "train" if number < 24 else "validation" if number < 40 else "test"
        rows.append((f"{label}/{number}.png", f"text {number}", label, split, f"{split} {number // 3}"))
    pd.DataFrame(rows, columns=["image", "text", "label", "split", "group"]).to_csv(folder / "shop.csv", index=False)
    return folder / "shop.csv"


def carded(tmp_path, data, reporter=QUIET, **options):
    """The card of a manifest, written without making features of its pictures."""
    config = resolve_config(given={"dataset": "manifest", "data": data, "dataset_options": options})
    dataset = load("dataset", "manifest")
    items = dataset(data, **options).load()
    rng = np.random.default_rng(0)
    made = {
        f"{kind}_features": Features(rng.normal(size=(count, 6)).astype(np.float32), f"{kind}@1")
        for kind, count in (("image", COUNT), ("text", COUNT), ("class", 4))
    }
    items = hb.Items(**{**vars(items), **made})
    store = Store(tmp_path / "out", dataset="manifest")
    write_card(store, config, dataset, items, prepare(items, "manifest", dataset.title), reporter)
    return store.card()


@pytest.mark.parametrize("given", ["absolute", "relative", "roundabout"])
def test_the_card_of_a_table_of_pictures(tmp_path, table, monkeypatch, given):
    """Pictures by their path in the user's folder, and nothing of where that is."""
    monkeypatch.chdir(tmp_path)
    data = {"absolute": table, "relative": "shop/shop.csv", "roundabout": tmp_path / "shop" / ".." / "shop/shop.csv"}
    found = carded(tmp_path, data[given])
    assert found.facts.dataset.title == "shop.csv"
    assert found.facts.class_names == CLASSES
    assert {child for _, child in found.facts.edges} == set(CLASSES)
    assert found.ids == tuple(f"{CLASSES[number % 4]}/{number}.png" for number in range(40, 60))
    assert found.pictures == found.ids
    assert found.facts.pictures == "data"
    assert [CLASSES[label] for label in found.labels] == [CLASSES[number % 4] for number in range(40, 60)]
    assert [len(np.unique(found.groups)), found.groups[0], found.groups[2]] == [7, 0, 1]
    # Nobody said that they may be shown.
    assert found.texts is None
    assert (found.facts.description, found.facts.licence) == ("The user's own pictures and texts", "")
    for path in (tmp_path / "out").glob("data-card*"):
        assert str(tmp_path).encode() not in path.read_bytes()


def test_what_the_user_says_of_a_table(tmp_path, table):
    found = carded(tmp_path, table, title="Shop", description="Of a shop.", licence="CC BY 4.0", publish_texts=True)
    assert (found.facts.dataset.title, found.facts.description) == ("Shop", "Of a shop.")
    assert found.facts.licence == "CC BY 4.0"
    assert found.texts == tuple(f"text {number}" for number in range(40, 60))


def test_pictures_elsewhere_are_known_by_name_alone(tmp_path, table):
    moved = tmp_path / "lists" / "shop.csv"
    moved.parent.mkdir()
    moved.write_bytes(table.read_bytes())
    found = carded(tmp_path, moved, images=str(table.parent))
    assert found.pictures == tuple(f"{number}.png" for number in range(40, 60))


@pytest.mark.usefixtures("toy")
def test_a_run_writes_the_card_and_names_its_device(quick_training):
    results = hb.run(["gap"], "toy", training=quick_training, controls=True, quiet=True)
    found = Store("results/toy").card()
    assert found.facts.dataset == results.records[0].dataset
    assert len(found.ids) == 32
    np.testing.assert_array_equal(found.labels, results.predictions(results.rows[0].records[0])["label"])
    by_kind = {record.kind: record for record in results.records}
    assert set(by_kind) == {"method", "trained control", "control"}
    for kind, record in by_kind.items():
        if kind == "control":
            assert (record.training, record.learning, record.device) == (None, None, None)
            continue
        assert (record.device.kind, record.device.precision) == ("cpu", "float32")
        assert record.device.name == record.provenance["processor"]
        assert record.device.peak_memory_bytes > 2**20
        assert record.learning.steps[-1] == record.training.steps == 40
        for term, last in record.training.losses.items():
            assert record.learning.losses[term][-1] == pytest.approx(last, rel=1e-5)


@pytest.mark.usefixtures("toy")
def test_a_folder_that_has_none_gets_a_card(quick_training):
    """As a folder from before there were cards: nothing is trained for it."""
    hb.run(["gap"], "toy", training=quick_training, quiet=True)
    store = Store("results/toy")
    before = {path.name: path.read_bytes() for path in store.folder.glob("data-card*")}
    for name in before:
        (store.folder / name).unlink()
    hb.run(["gap"], "toy", training=quick_training, quiet=True)
    assert {path.name: path.read_bytes() for path in store.folder.glob("data-card*")} == before
    assert len(store.read()[0]) == 1


@pytest.mark.usefixtures("toy")
def test_a_card_of_other_data_is_refused_as_runs_are(quick_training):
    """Where no record is left, the card still says whose folder it is."""
    hb.run(["gap"], "toy", training=quick_training, quiet=True)
    store = Store("results/toy")
    for path in (store.folder / "runs").iterdir():
        path.unlink()
    facts = json.loads((store.folder / "data-card.json").read_text())
    facts["dataset"]["taxonomy_hash"] = "another"
    (store.folder / "data-card.json").write_text(json.dumps(facts))
    with pytest.raises(ResultsError, match="other data of 'toy', which no table could show together: other taxonomy"):
        hb.run(["gap"], "toy", training=quick_training, quiet=True)
    assert list((store.folder / "runs").glob("*.json")) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_says_what_its_tensors_took():
    torch.cuda.reset_peak_memory_stats()
    rows = torch.zeros(1 << 20, device="cuda")
    found = device_info(rows.device, "tf32", "a processor")
    assert (found.kind, found.precision, found.name) == ("cuda", "tf32", torch.cuda.get_device_name())
    assert found.peak_memory_bytes >= 4 << 20


@pytest.mark.parametrize("name", ["emoji", "clipart", "food101", "manifest", "features", "synthetic", "food101-scale"])
def test_built_in_datasets_say_what_they_are(name):
    dataset = load("dataset", name)
    assert 20 <= len(dataset.description) <= 300
    assert "\n" not in dataset.description + dataset.licence
    # Their authors have given them to everybody.
    assert dataset.publish_texts is (name == "clipart")
    assert not dataset.publish_pictures
    # What the user brings is the user's to say.
    assert bool(dataset.licence) is (name not in {"manifest", "features"})


def test_thumbnails_of_test_items_are_kept_and_bad_ones_refused(tmp_path):
    dataset = load("dataset", "emoji")
    items = dataset().load()
    config = resolve_config(given={"dataset": "emoji"})
    prepared = prepare(items, "emoji", dataset.title)
    store = Store(tmp_path / "out", dataset="emoji")
    bad = hb.Items(
        **{**vars(items), "thumbnails": {**items.thumbnails, items.ids[0]: b"", prepared.splits["test"].ids[7]: b"GIF"}}
    )
    with pytest.raises(
        DataError, match=f"the thumbnail of item '{prepared.splits['test'].ids[7]}' is neither a PNG nor"
    ):
        write_card(store, config, dataset, bad, prepared, QUIET)
    assert store.card() is None
    write_card(store, config, dataset, hb.Items(**{**vars(items), "thumbnails": None}), prepared, QUIET)
    assert store.card().thumbnails is None
    write_card(store, config, dataset, items, prepared, QUIET)
    assert store.card().thumbnails == items.thumbnails


PAINTERS = """
import numpy as np
from huse_bench import ImageBackbone, TextBackbone

class Colours(ImageBackbone):
    title = "Mean colours"
    revision = "1"
    dim = 27

    def preprocess(self, image):
        return (np.asarray(image.resize((3, 3)), np.float32) / 255).transpose(2, 0, 1)

    def encode_pixels(self, pixels):
        return pixels.reshape(len(pixels), 27) + np.float32(0.01)

class Letters(TextBackbone):
    title = "Letters"
    revision = "1"
    dim = 27

    def encode(self, texts):
        return np.array([[text.lower().count(chr(97 + i)) for i in range(26)] + [1] for text in texts], np.float32)
"""

PAINTER_POINTS = """
[huse_bench.backbones]
colours = painters:Colours
letters = painters:Letters
"""


@pytest.fixture
def painted(table):
    """The table with real pictures: PNG and, under the same names, JPEG files; two test pictures are damaged."""
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    rng = np.random.default_rng(0)
    for path in sorted(table.parent.rglob("*.png")):
        colour = 60 * CLASSES.index(path.parent.name)
        pixels = rng.integers(colour, colour + 70, (90, 120, 3), np.uint8)
        image.fromarray(pixels).save(path, "JPEG" if int(path.stem) % 2 else "PNG")
    for number in (44, 55):
        (table.parent / CLASSES[number % 4] / f"{number}.png").write_bytes(b"\x89PNG no more")
    return table


@pytest.fixture
def draw(distribution, painted, quick_training):
    """Runs a method on the painted table with backbones that take no time."""
    distribution("painters", PAINTERS, PAINTER_POINTS)

    def run(**options):
        backbones = {"image_backbone": "colours", "text_backbone": "letters", "class_backbone": "letters"}
        training = {**quick_training, "batch_size": 16}
        options = {"dataset_options": options, "training": training, "quiet": True, **backbones}
        hb.run(["huse"], "manifest", data=painted, results="out", **options)
        return Store("out")

    return run


def test_pictures_are_shown_only_where_the_user_says_so(draw):
    store = draw()
    assert store.card().thumbnails is None
    before = (store.folder / "data-card.items.parquet").read_bytes()
    card = draw(publish_pictures=True).card()
    assert tuple(card.thumbnails) == card.ids
    assert len(card.ids) == 18
    assert not {f"{CLASSES[0]}/44.png", f"{CLASSES[3]}/55.png"} & set(card.ids)
    assert [thumbnail_fault(contents) for contents in card.thumbnails.values()] == [None] * 18
    assert card.texts is None
    assert (store.folder / "data-card.items.parquet").read_bytes() == before
    # It changes no run.
    assert len(store.read()[0]) == 1


def test_each_item_has_the_thumbnail_of_its_own_picture(draw, painted):
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    for item, contents in draw(publish_pictures=True).card().thumbnails.items():
        with image.open(io.BytesIO(contents)) as small, image.open(painted.parent / item) as whole:
            assert small.size == (40, 30)
            found, expected = (np.asarray(one.convert("RGB")).mean((0, 1)) for one in (small, whole))
        np.testing.assert_allclose(found, expected, atol=6)


class Watched(Reporter):
    """Notes its bars."""

    def __init__(self):
        super().__init__(quiet=True)
        self.bars = []

    def items(self, label, total, done=0):
        self.bars.append((label, total))
        return super().items(label, total, done)


def test_thumbnails_are_made_once_for_a_folder_and_the_same_anew(tmp_path, painted):
    reporter = Watched()
    first = carded(tmp_path, painted, reporter, publish_pictures=True)
    # The two that are damaged have none here, where features were not made of them.
    assert list(first.thumbnails) == [item for item in first.ids if item not in {"ant/44.png", "dog/55.png"}]
    assert reporter.bars == [("making thumbnails", 20)]
    written = {path: path.read_bytes() for path in (tmp_path / "out").glob("data-card*")}
    assert carded(tmp_path, painted, reporter, publish_pictures=True).thumbnails == first.thumbnails
    assert len(reporter.bars) == 1
    for path in written:
        path.unlink()
    carded(tmp_path, painted, reporter, publish_pictures=True)
    assert {path: path.read_bytes() for path in (tmp_path / "out").glob("data-card*")} == written
    assert len(reporter.bars) == 2


def test_of_too_many_pictures_not_all_are_opened(tmp_path, painted, monkeypatch):
    monkeypatch.setattr(thumbnails, "MOST", 5)
    reporter = Watched()
    card = carded(tmp_path, painted, reporter, publish_pictures=True)
    assert reporter.bars == [("making thumbnails", 5)]
    assert 3 <= len(card.thumbnails) <= 5
    assert card.thumbnails.keys() <= set(card.ids)


def test_the_gallery_shows_them(draw):
    for options, count in (({}, 0), ({"publish_pictures": True}, 18)):
        store = draw(**options)
        (section,) = gallery.sections(load_results(store.folder))
        assert section.context["pictures"] == len(section.data["thumbnails"]) == count


def test_thumbnails_that_the_dataset_gives_are_the_only_ones(tmp_path, painted):
    config = resolve_config(given={"dataset": "emoji"})
    dataset = load("dataset", "emoji")
    items = dataset().load()
    store = Store(tmp_path / "out", dataset="emoji")
    first = items.ids[np.flatnonzero(items.splits == "test")[0]]
    changes = {
        "images": [painted.parent / "ant" / "0.png"] * len(items.ids),
        "publish_pictures": True,
        "thumbnails": {first: items.thumbnails[first]},
    }
    items = hb.Items(**{**vars(items), **changes})
    write_card(store, config, dataset, items, prepare(items, "emoji", dataset.title), QUIET)
    assert set(store.card().thumbnails) == {first}
