"""The emoji pictures, written as a manifest, are read back as the items that they are."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from huse_bench_datasets._shipped.sources import npm
from huse_bench_datasets.emoji import Emoji, _drawings, export
from huse_bench_datasets.emoji._split import assign
from huse_bench_datasets.manifest import Manifest

HEXCODES = [f"1F4{number:02X}" for number in range(20)]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72"><circle cx="36" cy="36" r="30" fill="red"/></svg>'


def picture(kind: str, colour: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (64, 64), (colour, 0, 0, 255)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def sources(tmp_path, monkeypatch) -> Path:
    """Packages of twenty emoji: eight of a class, nine of another, and three, which are too few for a class."""
    entries = [
        {"hexcode": code, "label": f"name {code}", "group": int(n > 7), "subgroup": (n > 7) + (n > 16), "order": n}
        for n, code in enumerate(HEXCODES)
    ]
    groups = {"groups": {"0": "nature", "1": "objects"}, "subgroups": {"0": "animal-mammal", "1": "tool", "2": "rare"}}
    datasource = [{"unified": code, "image": f"{code.lower()}.png", "name": f"NAME {code}"} for code in HEXCODES]
    pngs = {entry["image"]: picture("PNG", number) for number, entry in enumerate(datasource)}
    openmoji = [{"hexcode": code, "annotation": f"open {code}", "openmoji_tags": "a, b"} for code in HEXCODES]
    contents = {
        "emojibase": {"en/data.json": entries, "meta/groups.json": groups},
        "noto": {"emoji.json": datasource, **{f"img/google/64/{name}": png for name, png in pngs.items()}},
        "twemoji": {"emoji.json": datasource, **{f"img/twitter/64/{name}": png for name, png in pngs.items()}},
        "emojilib": {"dist/emoji-en-US.json": {chr(int(code, 16)): ["one", "two"] for code in HEXCODES}},
        "fluent": {f"assets/{code.lower()}.webp": picture("WEBP", 9) for code in HEXCODES},
        "openmoji": {"data/openmoji.json": openmoji, **{f"color/svg/{code}.svg": SVG for code in HEXCODES}},
    }
    packages = {}
    for name, files in contents.items():
        path = tmp_path / f"{name}-1.0.0.tgz"
        with tarfile.open(path, "w:gz") as archive:
            for file, content in files.items():
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                member = tarfile.TarInfo(f"package/{file}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        packages[name] = npm(name, "1.0.0", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(_drawings, "PACKAGES", packages)
    return tmp_path


def test_what_is_written_is_read(sources, tmp_path) -> None:
    output = tmp_path / "out"
    result = CliRunner().invoke(export.main, ["--output", str(output), "--sources", str(sources)])
    assert result.exit_code == 0, result.output
    assert f"wrote 68 pictures and {output / 'manifest.csv'}" in result.output
    assert (output / "LICENSES.md").stat().st_size > 1000

    items = Manifest(output / "manifest.csv").load()
    # The whole tree is written, whose other classes have no items here.
    assert len(items.notices) == 2
    assert "the column 'group' puts 68 items in 17 groups" in items.notices[0]
    assert "68 classes without items" in items.notices[1]
    assert items.groups == [Path(item).stem for item in items.ids]
    assert items.class_names == ["animal-mammal", "tool"]
    assert items.class_texts == ["animal mammal", "tool"]
    assert set(items.taxonomy.edges) == set(Emoji().load().taxonomy.edges)
    splits = assign(HEXCODES[:8]) | assign(HEXCODES[8:17])
    found = dict(zip(items.ids, zip(items.texts, items.labels.tolist(), items.splits, strict=True), strict=True))
    for number, code in enumerate(HEXCODES[:17]):
        label, split = int(number > 7), splits[code]
        assert found[f"noto/{code}.png"] == (f"name {code.lower()}", label, split)
        assert found[f"twemoji/{code}.png"] == ("one, two", label, split)
        assert found[f"fluent/{code}.webp"] == (f"name {code}", label, split)
        assert found[f"openmoji/{code}.png"] == (f"open {code}: a, b", label, split)
    for path in items.images:
        with Image.open(path) as image:
            assert image.format == path.suffix[1:].upper()
            assert image.size == ((224, 224) if path.parent.name == "openmoji" else (64, 64))


def test_a_folder_in_use_is_left_alone(sources, tmp_path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "mine.txt").touch()
    result = CliRunner().invoke(export.main, ["--output", str(output), "--sources", str(sources)])
    assert result.exit_code == 1
    assert f"{output} is not empty: name a new folder, or empty it" in result.output
    assert [path.name for path in output.iterdir()] == ["mine.txt"]
