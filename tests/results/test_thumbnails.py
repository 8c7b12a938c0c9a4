"""Thumbnails of test items: what is one, what a results folder keeps, and what a file of somebody else may not do."""

import dataclasses
import hashlib
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huse_bench.errors import RecordError
from huse_bench.results import Store, thumbnails
from huse_bench.results.card import make_card
from huse_bench.results.schema import DatasetInfo
from huse_bench.results.thumbnails import from_thumbnails_file, kept, thumbnail_fault, thumbnails_file

ITEMS = 12
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x28\0\0\0\x07\x08\x02\0\0\0"
IDS = [f"toy/{number}" for number in range(ITEMS)]
FILE = "data-card.thumbnails.parquet"


def picture(number: int) -> bytes:
    return PNG + bytes([number])


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", dataset="toys")


def card(**changes):
    fields = {"name": "toys", "title": "Toys", "content_hash": "c1", "classes": 2, "taxonomy_hash": "t1"}
    fields |= {"items": {"train": 9, "validation": 9, "test": ITEMS}}
    fields |= {"image_backbone": "a@1", "text_backbone": "b@1", "class_backbone": "c@1"}
    return make_card(
        DatasetInfo.model_validate(fields),
        class_names=["a", "b"],
        edges=[("root", "a"), ("root", "b")],
        distances=np.ones((2, 2)),
        ids=IDS,
        labels=np.arange(ITEMS) % 2,
        groups=np.arange(ITEMS),
        **changes,
    )


@pytest.mark.parametrize("form", ["PNG", "WEBP lossy", "WEBP lossless", "WEBP transparent"])
@pytest.mark.parametrize(
    ("size", "fault"), [((40, 40), None), ((1, 33), None), ((41, 2), "41 x 2"), ((2, 300), "2 x 300")]
)
def test_the_size_is_read_as_pillow_wrote_it(form, size, fault):
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    kind, _, how = form.partition(" ")
    contents = io.BytesIO()
    drawn = image.new(
        "RGBA" if how == "transparent" else "RGB", size, (200, 30, 30, 100)[: 4 if how == "transparent" else 3]
    )
    drawn.save(contents, kind, lossless=how == "lossless")
    found = thumbnail_fault(contents.getvalue())
    assert found is None if fault is None else f"has {fault} pixels" in found


@pytest.mark.parametrize(
    ("contents", "fault"),
    [
        (b"", "neither a PNG nor a WebP"),
        (b"<svg onload='alert(1)'/>", "neither a PNG nor a WebP"),
        (b"GIF89a" + bytes(40), "neither a PNG nor a WebP"),
        (PNG[:20], "neither a PNG nor a WebP"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "neither a PNG nor a WebP"),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(30), "neither a PNG nor a WebP"),
        (PNG[:16] + bytes(20), "has 0 x 0 pixels"),
        (PNG + bytes(8192), "bytes, and 8192 are the most"),
        ("text", "no bytes but str"),
        (None, "no bytes but NoneType"),
    ],
)
def test_what_is_no_thumbnail_is_told(contents, fault):
    assert fault in thumbnail_fault(contents)


def test_a_folder_keeps_them_and_gives_them_back(store):
    given = {item: picture(number) for number, item in enumerate(IDS) if number % 3}
    store.write_card(card(thumbnails={**given, "of the train split": picture(0)}))
    assert Store(store.folder).card().thumbnails == given
    assert pq.read_table(store.folder / FILE).to_pydict() == {"id": list(given), "picture": list(given.values())}


@pytest.mark.parametrize("none", [None, {}, {"of the train split": picture(0)}])
def test_a_dataset_without_any_leaves_no_file(store, none):
    store.write_card(card(thumbnails=none))
    assert store.card().thumbnails is None
    assert not (store.folder / FILE).exists()


def test_a_card_without_any_gets_them_and_keeps_the_rest(store):
    store.write_card(card(description="the first"))
    before = {path.name: path.read_bytes() for path in store.folder.glob("*.parquet")}
    store.write_card(card(description="the second", thumbnails={IDS[3]: picture(3)}))
    assert store.card().thumbnails == {IDS[3]: picture(3)}
    assert store.card().facts.description == "the first"
    assert {name: (store.folder / name).read_bytes() for name in before} == before
    # Those that are there stay.
    store.write_card(card(thumbnails={IDS[4]: picture(4)}))
    assert store.card().thumbnails == {IDS[3]: picture(3)}


def test_of_too_many_a_choice_is_kept_that_is_the_same_each_time(monkeypatch):
    given = {item: picture(number) for number, item in enumerate(IDS)}
    monkeypatch.setattr(thumbnails, "MOST", 5)
    few = kept(IDS, given)
    assert len(few) == 5
    assert few == kept(IDS, dict(reversed(given.items())))
    assert list(few) == [item for item in IDS if item in few]
    monkeypatch.setattr(thumbnails, "MOST_BYTES", 3 * len(picture(0)))
    assert len(kept(IDS, given)) == 3
    assert kept(IDS, given).items() <= few.items()


def _parquet(columns, **options) -> bytes:
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), buffer, **options)
    return bytes(buffer.getvalue())


@pytest.mark.parametrize(
    ("contents", "fault"),
    [
        (b"no parquet", "no thumbnails"),
        (_parquet({"id": IDS[:1], "image": [PNG]}), "its columns are id, image"),
        (_parquet({"id": IDS[:1], "picture": [b"<svg/>"]}), "of 'toy/0' is neither a PNG"),
        (_parquet({"id": IDS[:1], "picture": pa.array([None], pa.binary())}), "of 'toy/0' is no bytes"),
        (_parquet({"id": pa.array([None], pa.string()), "picture": [PNG]}), "of None has no id"),
        (_parquet({"id": [IDS[0]] * 2, "picture": [PNG] * 2}), "stands in it twice"),
        (_parquet({"id": ["another"], "picture": [PNG]}), "of other items than data-card.items"),
        (_parquet({"id": [str(i) for i in range(30_001)], "picture": [PNG] * 30_001}), "it would take 60,002 values"),
        # Few bytes on the disk, and 2 GB when they are unpacked.
        (
            _parquet({"id": [str(i) for i in range(20_000)], "picture": [bytes(100_000)] * 20_000}),
            "its words would take 2,000,088,890 bytes",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_none_is_refused_with_the_cure(store, contents, fault):
    """Also where its hash is right: whoever wrote the file wrote the hash as well."""
    store.write_card(card(thumbnails={IDS[0]: PNG}))
    (store.folder / FILE).write_bytes(contents)
    with pytest.raises(RecordError, match="is not the file that was written with the data card; restore it, or delete"):
        store.card()
    facts = json.loads((store.folder / "data-card.json").read_text())
    facts["thumbnails_sha256"] = hashlib.sha256(contents).hexdigest()
    (store.folder / "data-card.json").write_text(json.dumps(facts))
    with pytest.raises(RecordError, match=fault) as caught:
        store.card()
    assert FILE in str(caught.value)
    assert "delete data-card.json" in str(caught.value)


def test_a_file_that_is_missing_is_named(store):
    store.write_card(card(thumbnails={IDS[0]: PNG}))
    (store.folder / FILE).unlink()
    with pytest.raises(RecordError, match=r"thumbnails\.parquet cannot be read"):
        store.card()
    (store.folder / "data-card.json").unlink()
    store.write_card(card(thumbnails={IDS[0]: PNG}))
    assert store.card().thumbnails == {IDS[0]: PNG}


def test_the_file_is_the_same_each_time():
    given = {item: picture(number) for number, item in enumerate(IDS)}
    assert thumbnails_file(given) == thumbnails_file(given)
    assert from_thumbnails_file(thumbnails_file(given)) == given


def test_cards_differ_in_nothing_else():
    assert dataclasses.replace(card(thumbnails={IDS[0]: PNG}), thumbnails=None).facts == card().facts
