"""``huse-bench features`` and ``huse-bench run`` on raw pictures, as a user calls them."""

import io
import json
import os
import time

import pytest

from huse_bench.cli import main

TRAINING = (
    "[training]\nsteps = 200\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nlearning_rate = 0.01\ndropout = 0.0\n"
)


@pytest.fixture
def call(capsys):
    """Run a command in this process; gives exit code, standard output and standard error."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@pytest.fixture
def built(pictures, call):
    """The album's features, made."""
    code, _, err = call("features", "build", "album", "--data", pictures)
    assert code == 0, err


def names(call):
    return [entry["name"] for entry in json.loads(call("features", "list", "--json")[1])["entries"]]


@pytest.mark.usefixtures("built")
def test_details_and_silence(pictures, call):
    build = ("features", "build", "album", "--data", pictures)
    _, table, normal = call(*build)
    assert "from the cache" not in normal
    _, same, details = call(*build, "--verbose")
    assert "image features by mean-colours: 120 from the cache, " in details
    assert "class features by letters: 3 from the cache, " in details
    assert table == same
    assert call(*build, "-q") == (0, table, "")


def test_from_picture_files_to_tables(album, pictures, call, encoded):
    (pictures / "apple/apple-0003.jpg").write_bytes(b"<html>404 not found</html>")
    (album / "quick.toml").write_text(TRAINING)
    arguments = [
        "run",
        "--dataset",
        "album",
        "--data",
        "pictures",
        "--methods",
        "huse,triplet",
        "--config",
        "quick.toml",
    ]
    code, tables, notices = call(*arguments)
    assert code == 0, notices
    for words in (
        "image features by mean-colours: making 120",
        "text features by letters: making 119",
        "class features by letters: making 3",
        "album: 95 train / 12 validation / 12 test items of 3 classes",
        "  this album is a test",
        "  1 of 120 pictures cannot be decoded and are left out: apple/apple-0003.jpg (cannot identify image file: it",
    ):
        assert words in notices
    assert "Table 3: Classification accuracy (%) on Album." in tables
    (path,) = (album / "results/album/runs").glob("huse*.json")
    record = json.loads(path.read_text())
    # Colours and letters tell these classes apart.
    assert record["retrieval"]["i2i"]["R@1"] == record["retrieval"]["t2t"]["R@1"] == 1
    assert record["classification"]["fusion"] == 1
    assert record["dataset"]["image_backbone"] == "mean-colours@1"
    assert "this album is a test" in record["warnings"]
    assert any("apple-0003.jpg" in warning for warning in record["warnings"])
    # These texts are their class's letters, and these pictures hardly more than their class's colour.
    findings = record["audit"]["findings"]
    assert findings[0].startswith("40 of 119 items (33.6%) have one and the same text features (by letters@1), such as")
    assert findings[1].startswith("12 of 12 test items (100.0%) have a near-duplicate image")
    assert f"  audit: {record['audit']['findings'][0]}\n" in notices

    encoded()
    _, again, notices = call(*arguments)
    assert again == tables
    assert encoded() == {}
    assert "features by" not in notices
    assert "2 of 2 runs are finished" in notices
    assert f"  audit: {record['audit']['findings'][0]}\n" in notices


def test_other_data_do_not_get_into_the_same_results(album, pictures, call):
    (album / "quick.toml").write_text(TRAINING)
    arguments = ["run", "--dataset", "album", "--data", "pictures", "--methods", "triplet", "--config", "quick.toml"]
    assert call(*arguments)[0] == 0
    before = sorted((album / "results/album/runs").iterdir())
    (pictures / "apple/apple-0003.jpg").unlink()
    code, tables, err = call(*arguments)
    assert (code, tables) == (2, "")
    assert (
        "the results folder results/album holds runs on other data of 'album', which no table could show together: "
        "other items (120 before, 119 now); other labels; other splits (96 / 12 / 12 before, 95 / 12 / 12 now); other "
        "image features; other text features. Choose another folder, such as"
    ) in err
    assert "--results results/album-" in err
    assert sorted((album / "results/album/runs").iterdir()) == before
    other = err.split("such as ")[1].split()[:2]
    code, _, err = call(*arguments, *other)
    assert code == 0, err


def test_splits_that_are_too_small_are_refused_before_the_first_picture(album, call, encoded):
    for index in range(20):
        for name in ("apple", "lemon"):
            path = album / f"few/{name}/{name}-{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"never opened")
    code, _, err = call("run", "--dataset", "album", "--data", "few")
    assert code == 2
    assert "the validation split of 'album' leaves a gallery of 3 items" in err
    assert encoded() == {}


def test_build_says_what_it_made(pictures, call):
    code, out, err = call("features", "build", "album", "--data", pictures, "--text-backbone", "words", "--workers", 0)
    assert code == 0
    assert [line.split() for line in out.splitlines()[2:]] == [
        ["image", "mean-colours@1", "120", "27"],
        ["text", "words@1", "120", "100"],
        ["class", "letters@1", "3", "27"],
    ]
    assert "this album is a test" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["albun"], "no dataset is named 'albun'; did you mean 'album'?"),
        (["album", "--image-backbone", "letters"], "encodes texts"),
        (["album", "--workers", "-1"], "-1 is not in the range x>=0"),
        (["album", "--strict"], "damaged pictures, which --strict refuses"),
        ([], "Missing argument 'DATASET'"),
    ],
)
def test_mistakes_exit_with_2(pictures, call, arguments, message):
    (pictures / "apple/apple-0003.jpg").write_bytes(b"")
    data = ["--data", pictures] if arguments else []
    code, out, err = call("features", "build", *arguments, *data)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.usefixtures("built")
def test_list_and_show(call, pictures):
    code, out, _ = call("features", "list")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["name", "dataset", "backbone", "features", "size", "used"]
    assert [line.split()[2] for line in lines[2:5]] == ["letters@1", "mean-colours@1", "letters@1"]
    assert "120 x 27" in lines[3]
    assert lines[-1].startswith("2") or " kB in " in lines[-1]
    name = names(call)[1]
    assert name.startswith("image-mean-colours-")
    code, out, _ = call("features", "show", "image")
    assert code == 0
    assert name in out
    assert "120 x 27 float32" in out
    (pictures / "apple/apple-0003.jpg").write_bytes(b"no picture")
    call("features", "build", "album", "--data", pictures)
    (other,) = {each for each in names(call) if each.startswith("image")} - {name}
    assert (
        f"left out: {pictures}/apple/apple-0003.jpg: cannot identify image file" in call("features", "show", other)[1]
    )
    code, out, err = call("features", "show", "image")
    assert code == 2
    assert "several features are called 'image'" in err
    assert name in err
    assert "no features are called 'sound'" in call("features", "show", "sound")[2]


def test_an_empty_cache(album, call):  # noqa: ARG001 - the cache is the test's own
    code, out, _ = call("features", "list")
    assert code == 0
    assert "Make some with: huse-bench features build DATASET" in out
    assert call("features", "verify")[0] == 0
    assert "Nothing to remove" in call("features", "prune", "--all", "--yes")[1]


@pytest.mark.usefixtures("built")
def test_verify_and_prune_what_is_damaged(album, call):
    assert call("features", "verify") == (0, "".join(f"ok      {name}\n" for name in names(call)), "")
    folder = album.parent / "cache/features"
    one, two, three = (folder / f"{name}.safetensors" for name in names(call))
    data = bytearray(one.read_bytes())
    data[-1] ^= 1
    one.write_bytes(data)
    two.write_bytes(b"short")
    code, out, _ = call("features", "verify")
    assert code == 1
    assert f"damaged {one.stem}\n" in out
    assert f"damaged {two} cannot be used" in out
    assert f"ok      {three.stem}\n" in out
    assert f"damaged: {two} cannot be used" in call("features", "list")[2]
    code, out, _ = call("features", "prune", "--damaged", "--yes")
    assert code == 0
    assert (one.exists(), two.exists(), three.exists()) == (False, False, True)


@pytest.mark.usefixtures("built")
def test_prune_by_age_and_all(album, call, monkeypatch):
    folder = album.parent / "cache/features"
    old, *rest = sorted(folder.glob("*.safetensors"))
    os.utime(old, (time.time() - 8 * 86400,) * 2)
    (folder / "text-x-1.partial").write_bytes(b"rows")
    (folder / "text-x-1.journal").write_bytes(b"")
    code, out, _ = call("features", "prune", "--unused", 7, "--dry-run")
    assert code == 0
    assert old.name in out
    assert "would be removed" in out
    assert old.exists()
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert call("features", "prune", "--unused", 7)[0] == 130
    assert old.exists()
    assert call("features", "prune", "--unused", 7, "--yes")[0] == 0
    assert not old.exists()
    assert all(path.exists() for path in rest)
    assert call("features", "prune", "--unfinished", "--yes")[0] == 0
    assert not list(folder.glob("text-x-1.[pj]*"))
    assert call("features", "prune", "--all", "--yes")[0] == 0
    assert {path.suffix for path in folder.iterdir()} <= {".lock"}
    assert not (album.parent / "cache/hashes").exists()
    assert call("features", "prune")[0] == 2
    assert "say what to remove: --unused DAYS" in call("features", "prune")[2]


@pytest.mark.usefixtures("built")
def test_what_is_being_made_is_not_pruned(album, call):
    from huse_bench.features.cache import Cache

    entry = Cache().entries()[0][0]
    with Cache().locked(entry.path.with_suffix(""), lambda: None):
        code, _, err = call("features", "prune", "--all", "--yes")
    assert code == 0
    assert f"{entry.path.name} is being made now and was left alone" in err
    assert list((album.parent / "cache/features").glob("*.safetensors")) == [entry.path]


def test_the_dataset_with_features_of_its_own_needs_no_cache(album, call):
    assert call("features", "build", "emoji")[0] == 0
    assert not (album.parent / "cache").exists()
