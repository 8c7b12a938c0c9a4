"""The steps that the builds of shipped datasets share."""

import hashlib
import io
import os
import sys
import tarfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from huse_bench import errors
from huse_bench_datasets._shipped import bits, command, files, near, pictures, sources, split

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72"><rect width="36" height="72" fill="red"/></svg>'

# 8 bits ------------------------------------------------------------------------------------------------------------

tables = arrays(np.float32, (7, 3), elements=st.floats(-1000, 1000, width=16))


@given(tables)
def test_no_number_moves_by_more_than_half_a_step(values) -> None:
    unpacked = bits.unpack(bits.pack(values))
    step = (values.max(axis=0) - values.min(axis=0)) / 255
    assert unpacked.dtype == np.float32
    assert (np.abs(unpacked - values) <= 0.501 * step + 1e-6 * np.abs(values).max()).all()


@given(tables)
def test_what_was_unpacked_packs_to_the_same_codes(values) -> None:
    packed = bits.pack(values)
    halved = bits.pack(bits.unpack(packed))
    # Rounding to halves moves a level where the column's range is small beside its numbers.
    wide = packed.step > 2e-3 * np.abs(values).max(axis=0)
    np.testing.assert_array_equal(halved.codes[:, wide], packed.codes[:, wide])


def test_levels_by_hand() -> None:
    packed = bits.pack(np.array([[0.0, -1.0, 3.0], [255.0, 1.0, 3.0], [99.6, 0.01, 3.0]]))
    assert packed.codes.tolist() == [[0, 0, 0], [255, 255, 0], [100, 129, 0]]
    assert packed.start.tolist() == [0, -1, 3]
    np.testing.assert_allclose(packed.step, [1, 2 / 255, 0], rtol=1e-6)
    np.testing.assert_allclose(bits.unpack(packed)[2], [100, 129 * 2 / 255 - 1, 3], atol=1e-6)


def test_files_are_read_as_they_were_written(tmp_path) -> None:
    rng = np.random.default_rng(0)
    features = {what: rng.normal(size=(4, 6)).astype(np.float32) for what in ("image", "text", "class")}
    files.write(tmp_path / "new", {"é": [1]}, features, [b"abc", b"", b"de"])
    contents = files.read(tmp_path / "new")
    assert contents.facts == {"é": [1]}
    assert contents.thumbnails == [b"abc", b"", b"de"]
    np.testing.assert_array_equal(contents.features["class"], features["class"].astype(np.float16))
    for what in ("image", "text"):
        np.testing.assert_array_equal(contents.features[what], bits.unpack(bits.pack(features[what])))


# Splits ------------------------------------------------------------------------------------------------------------

names = st.lists(st.text(min_size=1, max_size=6), min_size=8, max_size=200, unique=True)


@given(names)
def test_single_items_are_dealt_70_10_20_in_the_order_of_hashes(units) -> None:
    splits = split.deal(units, [0] * len(units), "salt")
    order = sorted(units, key=lambda unit: hashlib.sha256(f"salt:{unit}".encode()).digest())
    test, validation = round(0.2 * len(units)), max(1, round(0.1 * len(units)))
    assert [splits[unit] for unit in order] == (
        ["test"] * test + ["validation"] * validation + ["train"] * (len(units) - test - validation)
    )


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), min_size=1, max_size=200), st.randoms())
def test_deals_units_whole_and_whatever_their_order(items, random) -> None:
    def dealt(pairs):
        return split.deal([f"unit {unit}" for unit, _ in pairs], [label for _, label in pairs], "salt")

    splits = dealt(items)
    assert splits.keys() == {f"unit {unit}" for unit, _ in items}
    shuffled = random.sample(items, len(items))
    assert dealt(shuffled) == splits
    assert split.split_hash(dealt(shuffled)) == split.split_hash(splits)


def test_a_unit_that_is_too_large_goes_to_the_next_split() -> None:
    # 20 items: room for 4 to test on and 2 to validate on.
    units = ["large"] * 5 + ["middle"] * 2 + [f"small {n}" for n in range(13)]
    for salt in map(str, range(30)):
        splits = split.deal(units, [0] * 20, salt)
        counts = Counter(splits[unit] for unit in units)
        assert splits["large"] == "train"
        assert (counts["test"], counts["validation"]) == (4, 2)


def test_a_unit_is_of_the_class_that_most_of_its_items_have() -> None:
    # Class 1 has three items of its own and none of the shared unit: one for validation, one for test.
    units = ["shared"] * 3 + [f"a{n}" for n in range(7)] + [f"b{n}" for n in range(3)]
    labels = [0, 0, 1] + [0] * 7 + [1] * 3
    counts = Counter(split for unit, split in split.deal(units, labels, "salt").items() if unit.startswith("b"))
    assert counts == {"test": 1, "validation": 1, "train": 1}


def test_the_hash_of_splits_sees_one_unit_that_moved() -> None:
    splits = {"a": "train", "b": "test"}
    assert split.split_hash(splits) == hashlib.sha256(b"a train\nb test\n").hexdigest()
    assert split.split_hash(splits | {"a": "test"}) != split.split_hash(splits)


# Near-duplicates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plain"), [("  Straße, No. 7! ", "strasse no 7"), ("snake_case", "snake case"), ("—", ""), ("Éa", "éa")]
)
def test_texts_are_normalised(text, plain) -> None:
    assert near.normalised(text) == plain


def test_near_pairs_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(1500, 16))
    rows[700:800] = 3 * rows[:100] + rng.normal(scale=rng.uniform(0, 1.5, (100, 1)), size=(100, 16))
    chosen = rows[np.linspace(0, 1499, 512).round().astype(int)]
    distances = [1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b) for i, a in enumerate(chosen) for b in chosen[:i]]
    limit = 0.05 * np.median(distances)
    expected = {
        (i, j)
        for i in range(1500)
        for j in range(i + 1, 1500)
        if rows[i] @ rows[j] >= (1 - limit) * np.linalg.norm(rows[i]) * np.linalg.norm(rows[j])
    }
    assert 10 < len(expected) < 100
    assert set(map(tuple, near.near_pairs(rows).tolist())) == expected


def test_chains_of_texts_and_features_are_groups() -> None:
    rows = np.eye(6)[[0, 1, 2, 3, 4, 4]]
    groups = near.near_groups(["f", "e", "d", "c", "b", "a"], ["A lemon", "x", "a lemon!", "y", "z", "x"], [rows])
    # The first and third by text; the second and last by text, and the last two by features.
    assert groups == ["d", "a", "d", "c", "a", "a"]


# Sources -----------------------------------------------------------------------------------------------------------


def _tar(contents: Mapping[str, bytes], mode: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (("a/link.txt", "1.txt"), ("a/deep/link.txt", "../1.txt"), ("a/lost.txt", "2.txt")):
            link = tarfile.TarInfo(next(iter(contents)).replace("a/1.txt", name))
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return file.getvalue()


def _ar(contents: Mapping[str, bytes]) -> bytes:
    parts = [b"!<arch>\n"]
    for name, content in contents.items():
        parts += [f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(content):<10}`\n".encode(), content]
        parts += [b"\n"] * (len(content) % 2)
    return b"".join(parts)


NPM = _tar({"package/a/1.txt": b"one", "package/b.txt": b"two"}, "w:gz")
DEB = _ar({"debian-binary": b"2.0", "control.tar.xz": b"12345", "data.tar.xz": _tar({"./a/1.txt": b"one"}, "w:xz")})
PACKAGES = {
    "npm": (sources.npm("@some/thing", "1.0.0", hashlib.sha256(NPM).hexdigest()), "some-thing-1.0.0.tgz", NPM),
    "apt": (
        sources.debian("thing", "1:2.0-3", hashlib.sha256(DEB).hexdigest(), "t/thing"),
        "thing_1%3a2.0-3_all.deb",
        DEB,
    ),
}
COMMANDS = {"npm": "npm pack @some/thing@1.0.0", "apt": "apt-get download thing=1:2.0-3"}
each_kind = pytest.mark.parametrize("kind", PACKAGES)


@each_kind
def test_files_under_a_folder_are_read_and_links_where_asked(kind, tmp_path) -> None:
    package, name, contents = PACKAGES[kind]
    (tmp_path / name).write_bytes(contents)
    assert sources.members(tmp_path, package, "a/") == {"1.txt": b"one"}
    expected = dict.fromkeys(["1.txt", "link.txt", "deep/link.txt"], b"one")
    assert sources.members(tmp_path, package, "a/", links=True) == expected


@each_kind
def test_a_changed_package_is_refused(kind, tmp_path) -> None:
    package, name, contents = PACKAGES[kind]
    (tmp_path / name).write_bytes(contents + b"\0")
    with pytest.raises(errors.DataError, match=r"is not the .*thing \S+ that.*fetch it anew") as caught:
        sources.members(tmp_path, package, "")
    assert str(tmp_path / name) in str(caught.value)


@each_kind
def test_a_missing_package_is_named_with_the_command_that_fetches_it(kind, tmp_path) -> None:
    package, name, _ = PACKAGES[kind]
    with pytest.raises(errors.DataError, match=f"with: {COMMANDS[kind]}, or leave --sources out") as caught:
        sources.members(tmp_path, package, "")
    assert str(tmp_path / name) in str(caught.value)


@each_kind
def test_fetching_without_the_tool_says_so(kind, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    package, name, _ = PACKAGES[kind]
    with pytest.raises(errors.DataError, match=rf"{kind}\S*, which fetches .*is not installed.*put {name}.*--sources"):
        sources.fetch([package], tmp_path)


@each_kind
def test_fetching_that_fails_shows_what_the_tool_says(kind, tmp_path, monkeypatch) -> None:
    package, _, _ = PACKAGES[kind]
    tool = tmp_path / COMMANDS[kind].split()[0]
    tool.write_text("#!/bin/sh\necho 'E404 no such package' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(errors.DataError, match=rf"{tool.name} cannot fetch .*thing \S+: E404 no such package"):
        sources.fetch([package], tmp_path)


@each_kind
def test_what_is_there_is_not_fetched_and_what_was_fetched_is_deleted(kind, tmp_path, monkeypatch) -> None:
    package, name, contents = PACKAGES[kind]
    (tmp_path / name).write_bytes(contents)
    tool = tmp_path / "bin" / COMMANDS[kind].split()[0]
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho \"$@\" >> {tmp_path}/calls\ncp '{tmp_path}/{name}' .\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    with sources.opened([package], tmp_path) as folder:
        assert folder == tmp_path
    assert not (tmp_path / "calls").exists()
    with sources.opened([package], None) as folder:
        sources.fetch([package], folder)
        assert sources.members(folder, package, "a/1") == {".txt": b"one"}
    assert (tmp_path / "calls").read_text() == COMMANDS[kind].partition(" ")[2] + "\n"
    assert not folder.exists()


def test_a_build_prints_the_message_of_a_mistake_alone(tmp_path) -> None:
    package, name, contents = PACKAGES["npm"]

    def build(folder: Path, output: Path) -> None:
        content = sources.members(folder, package, "b.txt")[""]
        output.mkdir()
        (output / "found").write_bytes(content)

    main = command.build_command("Build it.", [package], build)
    arguments = ["--output", str(tmp_path / "out"), "--sources", str(tmp_path)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: {tmp_path / name} is missing.")
    assert not (tmp_path / "out").exists()
    (tmp_path / name).write_bytes(contents)
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert (tmp_path / "out" / "found").read_bytes() == b"two"


# Pictures ----------------------------------------------------------------------------------------------------------


def test_a_missing_rasteriser_is_named_with_its_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(errors.MissingExtraError, match=r"resvg-py.*huse-bench\[datasets-build\]"):
        pictures.rasterise(b"<svg/>")


def _needs_rasteriser() -> None:
    pytest.importorskip("resvg_py", reason="resvg-py is not installed")
    pytest.importorskip("PIL", reason="pillow is not installed")


def test_drawings_are_rasterised_with_their_transparency() -> None:
    _needs_rasteriser()
    picture = pictures.decode(SVG)
    assert picture.size == (224, 224)
    assert picture.getpixel((50, 100)) == (255, 0, 0, 255)
    assert picture.getpixel((170, 100))[3] == 0


def test_a_thumbnail_is_the_drawing_on_white_in_small() -> None:
    _needs_rasteriser()
    contents = pictures.thumbnail(SVG)
    pixels = np.asarray(pictures.decode(contents).convert("RGB"), dtype=float)
    assert contents[8:12] == b"WEBP"
    assert pixels.shape == (40, 40, 3)
    np.testing.assert_allclose(pixels[:, 4:12].mean(axis=(0, 1)), [255, 0, 0], atol=12)
    np.testing.assert_allclose(pixels[:, 28:].mean(axis=(0, 1)), [255, 255, 255], atol=4)
