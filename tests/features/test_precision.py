"""Features made in bfloat16 are other features, and everything that names them says so."""

import json

import numpy as np
import pytest

from huse_bench.cli import main
from huse_bench.config import resolve_config
from huse_bench.errors import ConfigError
from huse_bench.features import load_dataset, make_features, prepare
from huse_bench.features._backbones import open_backbone, own_features_fit
from huse_bench.features._contents import hash_texts
from huse_bench.features.cache import Cache
from huse_bench.fingerprint import fingerprint
from huse_bench.progress import Reporter

ROUNDED = {"image_backbone": "rounded"}
LOW = {"feature_precision": "bfloat16"}


@pytest.fixture
def build(pictures):
    """Load the album with features."""

    def call(dataset="album", **options):
        config = resolve_config(given={"dataset": dataset, "data": pictures, **options})
        return make_features(*load_dataset(config), config, Reporter(quiet=True))

    return call


def keys():
    return {(entry.facts["kind"], entry.facts["backbone"]): entry.facts["key"] for entry in Cache().entries()[0]}


def test_they_have_an_entry_of_their_own(build, encoded):
    exact = build(**ROUNDED)
    before = keys()
    encoded()
    low = build(**ROUNDED, **LOW)
    # Letters cannot, so that its features are those of before.
    assert encoded() == {"pictures": 120}
    made = keys()
    assert set(made) - set(before) == {("image", "rounded@1-bfloat16")}
    assert len(set(made.values())) == 4
    assert {name: made[name] for name in before} == before
    again = build(**ROUNDED, **LOW)
    assert encoded() == {}
    rows = {name: items.image_features.values for name, items in (("exact", exact), ("low", low), ("again", again))}
    assert (rows["low"] == rows["again"]).all()
    assert rows["low"].dtype == np.float32
    assert (rows["low"] != rows["exact"]).any()
    assert rows["low"] == pytest.approx(rows["exact"], rel=2**-7)


def test_keys_in_float32_are_those_of_before_there_was_another(build):
    build(feature_precision="float32")
    assert keys()["class", "letters@1"] == fingerprint(
        {
            "format": 1,
            "kind": "class",
            "distribution": "album-plugins",
            "backbone": "letters",
            "reference": None,
            "revision": "1",
            "contents": hash_texts(["apple", "lemon", "plum"]),
        }
    )


def test_data_made_of_them_are_other_data_and_say_so(build):
    exact, low = (prepare(build(**ROUNDED, **options), "album", "Album") for options in ({}, LOW))
    assert (exact.title, low.title) == ("Album", "Album, bfloat16 features")
    assert low.backbones == {"image": "rounded@1-bfloat16", "text": "letters@1", "class": "letters@1"}
    assert {part for part in low.parts if low.parts[part] != exact.parts[part]} == {"image features"}
    assert low.content_hash != exact.content_hash


def test_a_backbone_that_cannot_says_so(build):
    assert build(**ROUNDED).notices == ("this album is a test",)
    assert build(**ROUNDED, **LOW).notices[1:] == tuple(
        f"the {kind} features are in float32, for the backbone 'letters' cannot compute in bfloat16; name one that can "
        f"with --{kind}-backbone, or leave it so"
        for kind in ("text", "class")
    )


def test_where_none_can_nothing_is_made(build, encoded):
    with pytest.raises(ConfigError) as caught:
        build(**LOW)
    assert str(caught.value) == (
        "no features of the dataset 'album' would be made in bfloat16, for of the backbones that make them "
        "(mean-colours, letters, letters) none can; leave the feature precision out, or name a backbone that can, such "
        "as with --text-backbone"
    )
    with pytest.raises(ConfigError, match="made in bfloat16, for it brings all of them; leave"):
        build("emoji", data=None, **LOW)
    assert encoded() == {}


@pytest.mark.usefixtures("album")
@pytest.mark.parametrize(
    ("asked", "own", "precision", "fits"),
    [
        ("rounded", "rounded@7", "float32", True),
        ("rounded", "rounded@7", "bfloat16", False),
        ("rounded", "rounded@7-bfloat16", "bfloat16", True),
        ("rounded", "rounded@7-bfloat16", "float32", False),
        ("mean-colours", "mean-colours@7", "bfloat16", True),
        ("mean-colours", "rounded@7", "float32", False),
    ],
)
def test_features_of_the_data_in_another_precision_are_not_those_asked_for(asked, own, precision, fits):
    assert own_features_fit(asked, own, precision) is fits


@pytest.mark.usefixtures("album")
@pytest.mark.parametrize(("name", "precision"), [("rounded", "bfloat16"), ("tinted:3", "float32")])
def test_what_a_backbone_computes_in(name, precision):
    opened = open_backbone(name, "image", "bfloat16")
    assert opened.precision == opened.backbone.precision == precision
    assert open_backbone(name, "image").label == f"{name}@1"


@pytest.mark.parametrize("option", ["--precision", "--feature-precision"])
def test_features_build(pictures, capsys, option):
    build = ["features", "build", "album", "--data", str(pictures), "--image-backbone", "rounded"]
    assert main([*build, option, "bfloat16"]) == 0
    output = capsys.readouterr()
    assert "image features by rounded in bfloat16: making 120" in output.err
    assert "the text features are in float32, for the backbone 'letters'" in output.err
    assert "rounded@1-bfloat16" in output.out
    assert main(["features", "list"]) == 0
    assert "rounded@1-bfloat16" in capsys.readouterr().out
    assert main([*build, option, "float16"]) == 2
    assert "'float16' is not one of 'float32', 'bfloat16'" in capsys.readouterr().err


def test_runs_on_them_are_not_taken_for_others(album, pictures, capsys):
    (album / "quick.toml").write_text("[training]\nsteps = 2\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\n")
    run = ["run", "--dataset", "album", "--data", str(pictures), "--methods", "triplet", "--config", "quick.toml"]
    run += ["--image-backbone", "rounded"]
    assert main(run) == 0
    capsys.readouterr()
    low = [*run, "--feature-precision", "bfloat16"]
    assert main(low) == 2
    assert "other image features (rounded@1 before, rounded@1-bfloat16 now)" in capsys.readouterr().err
    assert main([*low, "--results", "low"]) == 0
    assert "on Album, bfloat16 features." in capsys.readouterr().out
    (path,) = (album / "low/runs").glob("triplet*.json")
    record = json.loads(path.read_text())
    assert record["dataset"]["image_backbone"] == "rounded@1-bfloat16"
    assert record["dataset"]["title"] == "Album, bfloat16 features"
    assert record["dataset"]["asked"] == {"image_backbone": "rounded", "feature_precision": "bfloat16"}
    # The towers were trained as ever.
    assert record["config"]["training.precision"]["value"] == "float32"
    card = json.loads((album / "low/data-card.json").read_text())
    assert card["dataset"]["image_backbone"] == "rounded@1-bfloat16"
