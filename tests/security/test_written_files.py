"""Files that are written may be read by whom the user's umask lets, whatever temporary file they were first."""

import os
import shutil
import stat
import zipfile

import numpy as np
import pytest
import torch

from huse_bench.bundles import read_bundle
from huse_bench.bundles.publishing import publish
from huse_bench.features._partial import Partial
from huse_bench.features.cache import Cache
from huse_bench.files import write_atomically
from huse_bench.results import Store
from huse_bench.runs.checkpoints import Checkpoints

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=["022", "077", "002"])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def assert_as_the_umask_says(top, umask):
    paths = [top, *top.rglob("*")]
    assert any(path.is_file() for path in paths)
    for path in paths:
        # Locks hold nothing.
        if not path.name.startswith("."):
            due = (0o777 if path.is_dir() else 0o666) & ~umask
            assert oct(stat.S_IMODE(path.stat().st_mode)) == oct(due), path


def test_a_file_that_is_written_at_once(tmp_path, umask):
    write_atomically(tmp_path / "made.json", b"{}")
    assert stat.S_IMODE((tmp_path / "made.json").stat().st_mode) == 0o666 & ~umask


def test_a_results_folder_and_its_bundle(tmp_path, umask, write_scored):
    write_scored(tmp_path / "emoji", "huse", 0, 0.8)
    assert Store(tmp_path / "emoji").read()[1] == []
    assert_as_the_umask_says(tmp_path / "emoji", umask)
    publish([tmp_path / "emoji"], tmp_path / "bundle")
    assert_as_the_umask_says(tmp_path / "bundle", umask)
    publish([tmp_path / "emoji"], tmp_path / "bundle.zip")
    assert stat.S_IMODE((tmp_path / "bundle.zip").stat().st_mode) == 0o666 & ~umask


def test_features_and_checkpoints(tmp_path, umask):
    cache = Cache(tmp_path / "cache")
    stem = cache.stem("image", "b@1", "k" * 64)
    with cache.locked(stem, lambda: None):
        partial = Partial(stem, {"key": "k" * 64})
        partial.append(np.ones((2, 3), np.float32), {})
        cache.finish(stem, partial, {"key": "k" * 64})
    assert_as_the_umask_says(tmp_path / "cache", umask)
    Checkpoints(tmp_path / "checkpoint", "f").write(1, {"w": torch.ones(1)})
    assert_as_the_umask_says(tmp_path / "checkpoint", umask)


def test_what_is_unpacked_is_the_users_alone(tmp_path, write_scored):
    write_scored(tmp_path / "emoji", "huse", 0, 0.8)
    publish([tmp_path / "emoji"], tmp_path / "bundle.zip")
    bundle = read_bundle(tmp_path / "bundle.zip")
    assert stat.S_IMODE(bundle.folder.stat().st_mode) == 0o700


def test_an_archive_makes_no_file_that_runs(tmp_path, write_scored):
    write_scored(tmp_path / "emoji", "huse", 0, 0.8)
    publish([tmp_path / "emoji"], tmp_path / "bundle")
    made = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "bundle")
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(tmp_path / "forged.zip", "w") as new:
        for member in old.infolist():
            contents = old.read(member)
            member.external_attr = (stat.S_IFREG | 0o6777) << 16
            if not member.is_dir():
                new.writestr(member, contents)
    bundle = read_bundle(tmp_path / "forged.zip")
    for path in bundle.folder.rglob("*"):
        assert path.is_dir() or not stat.S_IMODE(path.stat().st_mode) & 0o7111, path
