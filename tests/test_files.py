"""Files that are either whole or not there."""

import os
import threading
import time

import pytest

from huse_bench.files import TEMPORARY_PREFIX, is_incidental, remove_stale_temporaries, write_atomically


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_reader_meets_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "record.json"
    versions = {bytes([letter]) * 200_000 for letter in b"ab"}
    write_atomically(path, b"a" * 200_000)
    done = threading.Event()

    def write():
        for round_ in range(20):
            write_atomically(path, (b"b", b"a")[round_ % 2] * 200_000)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(path.read_bytes())
    writer.join()
    assert seen <= versions
    assert names(tmp_path) == ["record.json"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "record.json"
    folder.mkdir()
    with pytest.raises(OSError, match=r"record\.json"):
        write_atomically(folder, b"new")
    assert names(tmp_path) == ["record.json"]
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "nowhere" / "record.json", b"new")


def test_only_old_temporaries_are_removed(tmp_path):
    young, old, other = (tmp_path / name for name in (f"{TEMPORARY_PREFIX}1", f"{TEMPORARY_PREFIX}2", "x.json"))
    for path in (young, old, other):
        path.write_text("{", encoding="utf-8")
    for path in (old, other):
        os.utime(path, (time.time() - 7200,) * 2)
    remove_stale_temporaries(tmp_path)
    assert names(tmp_path) == sorted([young.name, other.name])


@pytest.mark.parametrize(
    ("name", "incidental"),
    [
        (".DS_Store", True),
        ("._x", True),
        ("Thumbs.db", True),
        ("desktop.INI", True),
        ("x.json", False),
        ("x.db", False),
    ],
)
def test_what_systems_leave_everywhere(tmp_path, name, incidental):
    assert is_incidental(tmp_path / name) is incidental
