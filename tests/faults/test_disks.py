"""Disks that are full, cannot be written to, or lose what lay on them."""

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

import pytest

# The workers of --jobs take the same path to the disk, and twice the time.
with_jobs = pytest.mark.parametrize("more", [(), pytest.param(("--jobs", "2"), marks=pytest.mark.soak)])


def fill(folder):
    """Take all room that a file system has left; gives the file that does."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (2**16, 2**10, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return ballast


@pytest.mark.fault(
    "a disk that becomes full while a run trains",
    seen="one line; the training goes on, the record cannot be written, exit code 2",
    lost="nothing that is finished; once there is room, the same command goes on from the last checkpoint",
)
def test_a_full_disk(command, small_disk, undisturbed, left_by):
    disk = small_disk("disk", "size=4m")
    results = disk / "results"
    command(results, methods="gap")
    process = command.training(results, methods="gap,huse")
    ballast = fill(disk)
    _, said = command.finish(process, 2)
    assert "huse-bench: error: cannot write the run huse-s0-" in said
    assert "(No space left on device); make room or make the folder writable, and run it again" in said
    assert [path.name[:4] for path in (results / "runs").glob("*.json")] == ["gap-"]
    ballast.unlink()
    _, said = command(results, methods="gap,huse")
    assert "1 of 2 runs are finished" in said
    assert "HUSE seed 0: goes on from its checkpoint after step" in said
    assert left_by(results) == undisturbed("gap,huse")[0]


@pytest.mark.fault(
    "a results folder that cannot be written to",
    seen="one line before any training, exit code 2",
    lost="nothing",
)
def test_a_read_only_disk(command, small_disk):
    disk = small_disk("disk", "size=4m,ro")
    out, said = command(disk / "results", code=2)
    assert out == ""
    assert "huse-bench: error: cannot write to the results folder disk/results (" in said.replace(f"{Path.cwd()}/", "")


@pytest.mark.fault(
    "a results folder that becomes read-only while a run trains",
    seen="one line; the training goes on, the record cannot be written, exit code 2",
    lost="nothing that is finished; once it can be written to, the same command goes on from the last checkpoint",
)
@with_jobs
def test_a_folder_that_becomes_read_only(command, read_only, undisturbed, left_by, more):
    results = Path.cwd() / "results"
    command(results, methods="gap")
    process = command.training(results, *more, methods="gap,huse")
    with read_only(results):
        _, said = command.finish(process, 2)
    assert "huse-bench: error: cannot write the run huse-s0-" in said
    assert "; make room or make the folder writable, and run it again" in said
    _, said = command(results, *more, methods="gap,huse")
    assert "1 of 2 runs are finished" in said
    assert re.search("HUSE(?: seed 0: goes|: it went) on from its checkpoint after step", said)
    assert left_by(results) == undisturbed("gap,huse", *more)[0]


TOLD = '''
import numpy as np
from huse_bench import Dataset, Items, TextBackbone
from toy_plugins import Toy

class Letters(TextBackbone):
    """How often each letter occurs."""
    title = "Letters"
    revision = "1"
    dim = 27

    def encode(self, texts):
        return np.array([[text.count(chr(97 + i)) for i in range(26)] + [1] for text in texts], np.float32)

class Told(Toy, Dataset):
    """The toy data with words in place of the features of its texts."""
    title = "Told"
    backbones = {"text": "letters"}

    def load(self):
        items = super().load()
        words = "a hat", "two hats", "no hat"
        texts = [f"{items.class_names[label]} with {words[i % 3]}" for i, label in enumerate(items.labels)]
        return Items(**{**vars(items), "texts": texts, "text_features": None})
'''


@pytest.mark.fault(
    "the cache of features, or what workers of `--jobs` read of them, removed while runs train",
    seen="nothing; the next command makes the features again",
    lost="nothing",
)
@with_jobs
def test_features_that_are_removed(command, undisturbed, left_by, toy, monkeypatch, more):
    monkeypatch.setenv("HUSE_BENCH_CACHE", str(toy / "cache"))
    (toy / "plugins").mkdir()
    (toy / "plugins/told.py").write_text(TOLD)
    options = ("--dataset", "told", "--plugins-dir", "plugins", "--steps", "200", *more)
    process = command.training("results", *options, methods="huse,cme")
    # Both workers have the data once both trainings are under way.
    while more and sum("measured" in path.read_text() for path in Path("results/runs").glob("*.events.jsonl")) < 2:
        assert process.poll() is None
        time.sleep(0.002)
    assert list((toy / "cache").rglob("*.safetensors"))
    shutil.rmtree(toy / "cache")
    for folder in Path("results").glob(".workers-*/data"):
        shutil.rmtree(folder)
    assert process.poll() is None
    command.finish(process)
    _, said = command("results", *options, methods="huse,cme")
    assert "2 of 2 runs are finished" in said
    assert list((toy / "cache").rglob("*.safetensors"))
    assert left_by("results") == undisturbed("huse,cme", *options)[0]


@pytest.mark.fault(
    "a record that is torn, as by a power failure",
    seen="the run is trained again",
    lost="that run",
)
def test_a_torn_record(command, undisturbed, left_by):
    command("results", methods="gap,huse")
    (record,) = Path("results/runs").glob("huse-*.json")
    record.write_bytes(record.read_bytes()[:1000])
    _, said = command("results", methods="gap,huse")
    assert "1 of 2 runs are finished" in said
    assert "HUSE seed 0: finished" in said
    assert left_by("results") == undisturbed("gap,huse")[0]


@pytest.mark.fault(
    "a checkpoint that is torn or was changed",
    seen="a line that names it",
    lost="the steps since the checkpoint before it; all steps where both are",
)
@pytest.mark.parametrize("damaged", [1, 2])
def test_torn_checkpoints(command, undisturbed, left_by, damaged):
    process = command.training("results", before=0.2)
    process.kill()
    process.communicate()
    files = sorted(Path("results").rglob("step-*"))
    assert files
    for path in files[-damaged:]:
        path.write_bytes(path.read_bytes()[:-5])
    _, said = command("results")
    assert said.count("is left out: it is torn or was changed") == min(damaged, len(files))
    assert ("goes on from its checkpoint" in said) == (damaged < len(files))
    assert ("so it begins anew" in said) == (damaged >= len(files))
    assert left_by("results") == undisturbed()[0]


CLOCK = """
import time
now = time.time
time.time = lambda: now() - 86400 * (1 + time.monotonic() // 1 % 3)
"""


@pytest.mark.fault(
    "a clock that jumps, back and forth by days",
    seen="nothing but wrong times in records and logs",
    lost="nothing",
)
def test_a_clock_that_jumps(command, undisturbed, left_by, toy, monkeypatch):
    # What each process of Python imports at its start.
    (toy / "clock").mkdir()
    (toy / "clock/sitecustomize.py").write_text(CLOCK)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(toy / "clock"), os.environ["PYTHONPATH"]]))
    process = command.start("results", "--checkpoint-every", "0.02", anew=True)
    while not list(Path("results").rglob("step-*")):
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.communicate()
    _, said = command.finish(command.start("results", anew=True))
    assert "HUSE seed 0: goes on from its checkpoint after step" in said
    assert left_by("results") == undisturbed()[0]
