"""The steps that make the dataset 'emoji'."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from huse_bench_datasets._shipped.sources import npm
from huse_bench_datasets.emoji import _drawings, _split

PNG = b"a picture"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Put small packages in the place of the real ones."""
    packages = {}
    monkeypatch.setattr(_drawings, "PACKAGES", packages)

    def make(name: str, files: Mapping[str, bytes]) -> Path:
        path = tmp_path / f"{name}-1.0.0.tgz"
        with tarfile.open(path, "w:gz") as archive:
            for file, content in files.items():
                member = tarfile.TarInfo(f"package/{file}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        packages[name] = npm(name, "1.0.0", hashlib.sha256(path.read_bytes()).hexdigest())
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


def test_the_split_of_a_class_is_dealt_by_emoji() -> None:
    codes = [f"{code:X}" for code in range(0x1F400, 0x1F420)]
    order = sorted(codes, key=lambda code: hashlib.sha256(f"huse-bench emoji split 1:{code}".encode()).digest())
    expected = dict(zip(order, ["test"] * 6 + ["validation"] * 3 + ["train"] * 23, strict=True))
    assert _split.assign(codes) == expected


def test_small_classes_and_emoji_without_drawings_are_left_out() -> None:
    def emoji(number: int, subgroup: str, *, drawn: bool = True) -> _drawings.Emoji:
        drawings = {"noto": _drawings.Drawing(PNG, "text")} if drawn else {}
        return _drawings.Emoji(f"{number:X}", "name", "group", subgroup, drawings)

    large = [emoji(number, "large") for number in range(8)]
    small = [emoji(number, "small") for number in range(20, 27)]
    undrawn = [emoji(number, "small", drawn=False) for number in range(30, 40)]
    assert _split.by_class([*small, *large, *undrawn]) == {"large": large}
