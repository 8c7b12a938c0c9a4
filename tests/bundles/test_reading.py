"""Bundles that came from anybody: what is read, and what is refused with a reason."""

import hashlib
import json
import os
import shutil
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huse_bench.bundles import read_bundle
from huse_bench.errors import BundleError, ResultsError
from huse_bench.results import Store


@pytest.fixture
def bundle(tmp_path, make_record):
    """A bundle written by hand, by the description of its format alone."""
    folder = tmp_path / "bundle"
    store = Store(folder / "results" / "emoji", dataset="emoji")
    for seed in (0, 1):
        scores = {d: {"first_hit": np.arange(4), "hits@10": np.arange(4)} for d in ("i2i", "i2t", "t2i", "t2t")}
        store.write(make_record(seed=seed), scores)
    for lock in folder.rglob(".*"):
        lock.unlink()
    (folder / "README.md").write_text("tables\n")
    name(folder)
    return folder


def name(folder, **changes):
    """Write bundle.json over all that is in a folder."""
    own = ("bundle.json", "verification.json")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in own]
    facts = {
        "format": 1,
        "title": "Runs",
        "authors": ["A. Author"],
        "created": "2026-01-02T03:04:05Z",
        "results": ["emoji"],
        "versions": {"huse-bench": "0.1.0"},
        "files": {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths},
    }
    (folder / "bundle.json").write_text(json.dumps({**facts, **changes}))


def packed(folder):
    return Path(shutil.make_archive(str(folder), "zip", folder))


def plain_zip(path, members):
    """A .zip of (name, contents, attributes), however wrong."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, contents, mode in members:
            info = zipfile.ZipInfo(member)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, contents)
    return path


@pytest.mark.parametrize("form", [lambda folder: folder, packed], ids=["folder", "zip"])
def test_a_bundle_is_read(bundle, form):
    read = read_bundle(form(bundle))
    assert read.facts.authors == ("A. Author",)
    assert [record.seed for record in read.results("emoji").records] == [0, 1]
    assert read.level == "self-reported"
    files = json.loads((bundle / "bundle.json").read_text())["files"]
    text = json.dumps(files, sort_keys=True, separators=(",", ":"))
    assert read.short_hash == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_what_an_archive_was_unpacked_to_goes_with_the_bundle(bundle):
    read = read_bundle(packed(bundle))
    folder = read.folder
    assert folder.is_dir()
    del read
    assert not folder.exists()


def test_there_is_nothing_at_the_path(tmp_path):
    with pytest.raises(ResultsError, match=r"there is no bundle .*none"):
        read_bundle(tmp_path / "none")


def test_an_empty_folder(tmp_path):
    with pytest.raises(BundleError, match="no bundle, or was not written to its end: it is empty"):
        read_bundle(tmp_path)


def test_a_bundle_that_was_not_written_to_its_end(bundle):
    (bundle / "bundle.json").unlink()
    with pytest.raises(BundleError, match=r"it has no bundle.json. Make one with: huse-bench publish"):
        read_bundle(bundle)


def test_no_archive(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK\3\4 and so on")
    with pytest.raises(BundleError, match=r"x.zip is no readable .zip file"):
        read_bundle(tmp_path / "x.zip")


def test_an_archive_that_was_cut_or_flipped(bundle):
    path = packed(bundle)
    contents = bytearray(path.read_bytes())
    path.write_bytes(contents[:-200])
    with pytest.raises(BundleError, match=r"no readable .zip file"):
        read_bundle(path)
    with zipfile.ZipFile(path.with_name("whole.zip"), "w") as archive:
        archive.write(bundle / "README.md", "README.md")
    flipped = bytearray(path.with_name("whole.zip").read_bytes())
    flipped[flipped.index(b"tables")] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(BundleError, match=r"no readable .zip file \(Bad CRC-32"):
        read_bundle(path)


ESCAPES = [
    "../evil",
    "results/../../evil",
    "/etc/evil",
    "C:/evil",
    "C:\\evil",
    "..\\evil",
    "results//x",
    "./x",
    ".hidden",
    "a/b/c/d/e",
    "x\n.json",
    "\u202exslx.json",
    "x\0.json",
    "results/caf\u00e9",
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_names_that_lead_elsewhere(tmp_path, escape):
    path = tmp_path / "x.zip"
    plain = escape.replace("\0", "%")
    plain_zip(path, [(plain, b"evil", 0o644)])
    # zipfile writes no zero: it is put there, in both places that have the name.
    path.write_bytes(path.read_bytes().replace(plain.encode(), escape.encode()))
    with pytest.raises(BundleError, match="no bundle has a file or folder named") as caught:
        read_bundle(path)
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == [path]
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644])
def test_a_link_in_an_archive(tmp_path, mode):
    path = plain_zip(tmp_path / "x.zip", [("README.md", b"/etc/passwd", mode)])
    with pytest.raises(BundleError, match=r"'README.md' is a link or a device"):
        read_bundle(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")
def test_a_link_in_a_folder(bundle, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (bundle / "README.md").unlink()
    (bundle / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(BundleError, match=r"'README.md' is a link"):
        read_bundle(bundle)
    (bundle / "README.md").unlink()
    os.mkfifo(bundle / "README.md")
    with pytest.raises(BundleError, match=r"'README.md' is neither a file nor a folder"):
        read_bundle(bundle)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name(tmp_path):
    path = plain_zip(tmp_path / "x.zip", [("README.md", b"1", 0o644), ("README.md", b"2", 0o644)])
    with pytest.raises(BundleError, match=r"there are two files 'README.md' and 'README.md'"):
        read_bundle(path)
    path = plain_zip(tmp_path / "x.zip", [("README.md", b"1", 0o644), ("readme.md", b"2", 0o644)])
    with pytest.raises(BundleError, match=r"there are two files 'README.md' and 'readme.md'"):
        read_bundle(path)


def test_a_bomb(tmp_path):
    path = plain_zip(tmp_path / "x.zip", [("README.md", bytes(50 * 2**20), 0o644)])
    assert path.stat().st_size < 100_000
    with pytest.raises(
        BundleError, match=r"'README.md' would grow from [\d,]+ to 52,428,800 bytes, more than 200 times"
    ):
        read_bundle(path)


def test_a_bomb_that_lies_about_its_size(tmp_path):
    path = plain_zip(tmp_path / "x.zip", [("bundle.json", bytes(50 * 2**20), 0o644)])
    contents = path.read_bytes()
    # Both headers say that it becomes 10 bytes.
    path.write_bytes(contents.replace(struct.pack("<L", 50 * 2**20), struct.pack("<L", 10)))
    with pytest.raises(BundleError, match=r"no readable .zip file \(Bad CRC-32"):
        read_bundle(path)


def test_too_much_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr("huse_bench.bundles.archive.MOST_FILES", 3)
    path = plain_zip(tmp_path / "x.zip", [(f"x{i}", b"", 0o644) for i in range(4)])
    with pytest.raises(BundleError, match="holds more than 3 files or 4 GiB"):
        read_bundle(path)
    (tmp_path / "many").mkdir()
    for i in range(4):
        (tmp_path / "many" / f"x{i}").touch()
    with pytest.raises(BundleError, match="holds more than 3 files or 4 GiB"):
        read_bundle(tmp_path / "many")


def test_an_encrypted_file(tmp_path):
    path = plain_zip(tmp_path / "x.zip", [("README.md", b"1", 0o644)])
    contents = bytearray(path.read_bytes())
    contents[contents.index(b"PK\3\4") + 6] |= 1
    contents[contents.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(contents)
    with pytest.raises(BundleError, match=r"'README.md' is encrypted"):
        read_bundle(path)


def test_a_file_that_was_changed(bundle):
    (bundle / "README.md").write_text("better tables\n")
    with pytest.raises(BundleError, match=r"README.md was changed: its sha256 is"):
        read_bundle(bundle)


def test_a_file_that_is_missing_and_one_too_many(bundle):
    (bundle / "extra.txt").touch()
    with pytest.raises(BundleError, match=r"extra.txt is none of the files that bundle.json names; remove it"):
        read_bundle(bundle)
    (bundle / "README.md").unlink()
    with pytest.raises(BundleError, match=r"README.md is missing; get the bundle again"):
        read_bundle(bundle)


def test_swapped_scores_of_two_runs(bundle):
    first, second = sorted((bundle / "results" / "emoji" / "runs").glob("*.parquet"))
    pq.write_table(pq.read_table(first).slice(1), second)
    name(bundle)
    with pytest.raises(BundleError, match=rf"results/emoji: .*{second.name} is not the file that was written"):
        read_bundle(bundle).results("emoji")


def test_a_record_of_a_newer_schema(bundle):
    path = next((bundle / "results" / "emoji" / "runs").glob("*.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    name(bundle)
    with pytest.raises(BundleError, match=r"results/emoji: .* written by a newer huse-bench \(schema 99"):
        read_bundle(bundle).results("emoji")
    with pytest.raises(BundleError) as caught:
        read_bundle(packed(bundle)).results("emoji")
    assert "/huse-bench-" not in str(caught.value)


def test_a_record_that_is_nested_too_deep(bundle):
    path = next((bundle / "results" / "emoji" / "runs").glob("*.json"))
    path.write_text("[" * 100_000)
    name(bundle)
    with pytest.raises(BundleError, match="results/emoji: "):
        read_bundle(bundle).results("emoji")


def test_a_newer_format(bundle):
    name(bundle, format=7)
    with pytest.raises(
        BundleError, match=r"bundle.json was written by a newer huse-bench \(format 7, this one reads 1\)"
    ):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"files": {"../x": "0" * 64}}, "files.../x.*match pattern"),
        ({"files": {"README.md": "0"}}, "files.README.md"),
        ({"results": ["../emoji"]}, "results.0"),
        ({"results": []}, "results"),
        ({"results": ["other"]}, "the results folder other has no huse-bench.json"),
        ({"extra": 1}, "extra"),
        ({"created": "2026-01-02"}, "created"),
        ({"title": ""}, "title"),
    ],
)
def test_facts_that_cannot_be(bundle, changes, reason):
    name(bundle, **changes)
    with pytest.raises(BundleError, match=f"bundle.json cannot be used: .*{reason}"):
        read_bundle(bundle)


def test_a_bundle_that_vouches_for_its_own_facts(bundle):
    facts = json.loads((bundle / "bundle.json").read_text())
    name(bundle, files={**facts["files"], "bundle.json": "0" * 64})
    with pytest.raises(BundleError, match=r"names bundle.json among its files"):
        read_bundle(bundle)


def test_signs_that_steer_a_terminal_become_spaces(bundle):
    name(bundle, title="Runs\x1b[2J\nof mine")
    assert read_bundle(bundle).facts.title == "Runs [2J of mine"


def test_a_verification_of_another_bundle(bundle):
    check = {"level": "re-rendered", "date": "2026-01-02T03:04:05Z", "versions": {}, "machine": {}, "checked": ["all"]}
    fields = {"format": 1, "bundle": read_bundle(bundle).hash, "verifications": [check]}
    (bundle / "verification.json").write_text(json.dumps(fields))
    assert read_bundle(bundle).level == "re-rendered"
    (bundle / "verification.json").write_text(json.dumps({**fields, "bundle": "0" * 64}))
    with pytest.raises(BundleError, match=r"verification.json is of another bundle, 000000000000, and this one is"):
        read_bundle(bundle)


def test_arrays_that_would_fill_the_memory(bundle):
    path = next((bundle / "results" / "emoji" / "runs").glob("*.parquet"))
    numbers = pa.array(np.zeros(2**20, np.int64))
    pq.write_table(pa.table({f"c{i}": numbers for i in range(260)}), path)
    assert path.stat().st_size < 2**21
    name(bundle)
    with pytest.raises(BundleError, match=r"would take 272,629,760 values"):
        read_bundle(bundle)
