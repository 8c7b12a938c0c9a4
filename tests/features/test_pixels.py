"""Worker processes that decode: how many, what they share, and what they leave alone."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from huse_bench.config import MAX_PIXELS
from huse_bench.errors import DataError
from huse_bench.features import _pixels
from huse_bench.features._backbones import open_backbone
from huse_bench.features._pixels import default_workers, stream_pixels


@pytest.fixture
def stream(pictures):
    """Batches of the album's pictures by some workers."""
    paths = sorted(str(path) for path in pictures.rglob("*.*"))

    def call(workers, name="mean-colours"):
        return stream_pixels(open_backbone(name, "image").backbone, paths, workers, MAX_PIXELS)

    return call


@pytest.mark.parametrize(
    ("pictures", "cores", "room", "workers"),
    [
        (512, 64, 2**40, 0),
        (513, 1, 2**40, 0),
        (513, 2, 2**40, 1),
        (513, 4, 2**40, 1),
        (513, 5, 2**40, 2),
        (513, 64, 2**40, 8),
        # Docker's.
        (513, 64, 2**26, 0),
        (513, 64, 2**29, 2),
    ],
)
def test_how_many_workers_there_are(monkeypatch, pictures, cores, room, workers):
    monkeypatch.setattr(_pixels, "_cores", lambda: cores)
    monkeypatch.setattr(_pixels, "_shared_room", lambda: room)
    assert default_workers(pictures) == workers


@pytest.mark.parametrize(("workers", "cores", "threads"), [(1, 2, 2), (1, 4, 3), (2, 4, 2), (4, 4, 2), (1, 64, 4)])
def test_the_network_leaves_cores_to_the_workers(stream, monkeypatch, workers, cores, threads):
    monkeypatch.setattr(_pixels, "_cores", lambda: cores)
    usual = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        assert {torch.get_num_threads() for _ in stream(workers)} == {threads}
        assert torch.get_num_threads() == 4
        assert {torch.get_num_threads() for _ in stream(0)} == {4}
    finally:
        torch.set_num_threads(usual)


def test_workers_make_what_this_process_makes(stream):
    for here, there in zip(stream(0), stream(2), strict=True):
        np.testing.assert_array_equal(here.values, there.values)
        assert (here.size, here.rows, here.flaws) == (there.size, there.rows, there.flaws)


def test_what_a_backbone_prints_is_no_output(stream, capfd):
    assert len(list(stream(1, "loud"))) == 4
    said = capfd.readouterr()
    assert said.out == ""
    assert "an old friend" in said.err


def test_no_room_in_shared_memory_is_said(stream, monkeypatch):
    def refuse(_tensor):
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", refuse)
    with pytest.raises(DataError, match=r"one of the 64 pictures from .*apple-0000\.png to .*, or of room in /dev/shm"):
        list(stream(1))


SCRIPT = """
import sys
from huse_bench.config import MAX_PIXELS
from huse_bench.features import _pixels
from huse_bench.features._backbones import open_backbone

_pixels._START = "spawn"
print("begun")
batches = _pixels.stream_pixels(open_backbone("mean-colours", "image").backbone, sys.argv[1:], 2, MAX_PIXELS)
print(sum(batch.size for batch in batches))
"""


def test_processes_that_are_not_forked_run_no_script_again(pictures, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    paths = sorted(str(path) for path in pictures.rglob("*.*"))
    done = subprocess.run([sys.executable, script, *paths], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "begun\n120\n"), done.stderr
