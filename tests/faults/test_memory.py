"""Memory that runs out, in the process of a command and in that of a worker."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

# A made-up data set whose splits have more items than are embedded at once in smaller blocks.
CONFIG = """
[training]
steps = 150
batch_size = 32
width = 16
embedding_dim = 8

[dataset_options]
items = 2600
classes = 8
"""

LOSSES = '''
import os
from pathlib import Path

import torch
from torch.nn.functional import normalize
from huse_bench import Loss

class Roomy(Loss):
    """Takes 4 MB for each item that is embedded at once, and leaves a file named after its process."""
    title = "Roomy"
    similarity = "roomy/v1"

    def forward(self, batch):
        Path("pids").mkdir(exist_ok=True)
        Path("pids", str(os.getpid())).touch()
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}

    def ranking_rows(self, view):
        torch.empty(len(view.rows), 2**20)
        unit = normalize(view.rows, dim=1)
        return unit, unit

class Cramped(Roomy):
    """Finds no memory for blocks of any size but for those of the learning curve, until there is a file."""
    title = "Cramped"
    similarity = "cramped/v1"

    def ranking_rows(self, view):
        if len(view.rows) != 256 and not Path("room").exists():
            raise MemoryError
        return super().ranking_rows(view)
'''

#: What an item of the loss takes, and how many of them the learning curve and the smaller blocks embed at once.
ITEM, ITEMS = 2**22, 256

MADE_UP = ("--dataset", "synthetic", "--plugins-dir", "plugins")


@pytest.fixture
def losses(command, toy):
    """A folder of losses that take memory, and the settings of their training; gives the command."""
    (toy / "plugins").mkdir()
    (toy / "plugins/losses.py").write_text(LOSSES)
    (toy / "quick.toml").write_text(CONFIG)
    return command


def leave(process, room):
    """Leave a process no more memory than it has and this many bytes."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("this system cannot limit the memory of another process")
    size = psutil.Process(process.pid).memory_info().vms + room
    resource.prlimit(process.pid, resource.RLIMIT_AS, (size, size))


def record_of(results, name):
    (path,) = Path(results, "runs").glob(f"{name}-*.json")
    return json.loads(path.read_text())


@pytest.mark.fault(
    "memory that runs out in the evaluation of a run",
    seen="a line: it is evaluated again in smaller blocks; a warning in the record",
    lost="nothing",
)
def test_too_little_memory_for_an_evaluation(losses, undisturbed):
    process = losses.training("results", *MADE_UP, methods="roomy,gap")
    leave(process, ITEM * ITEMS * 4 // 3)
    _, said = losses.finish(process)
    notice = "memory ran out in its evaluation, which was made again in blocks of 256 items"
    assert said.count(f"Roomy seed 0: {notice}\n") == 1
    assert "goes on from its checkpoint" not in said
    record = record_of("results", "roomy")
    assert f"{notice}: the last bits may differ" in record["warnings"]
    (quiet,) = (
        left for name, left in undisturbed("roomy,gap", *MADE_UP)[0].items() if re.match(r"roomy.*\.json$", name)
    )
    assert notice not in str(quiet)
    assert (record["learning"], record["retrieval"]) == (quiet["learning"], quiet["retrieval"])
    assert not list(Path("results").rglob("*.checkpoint"))


def fails_and_goes_on(losses, undisturbed, left_by, name, process, said_so):
    """A command, which ends with a failed run of too little memory; with enough of it the run goes on."""
    _, said = losses.finish(process, 1)
    assert "Gap only seed 0: finished" in said
    record = record_of("results", name)
    assert record["status"] == "failed"
    assert record["error"].startswith(said_so)
    assert "run it again with --overwrite failed, which goes on from the last checkpoint" in record["error"]
    Path("room").touch()
    _, said = losses("results", *MADE_UP, "--overwrite", "failed", methods=f"{name},gap")
    assert f"{name.title()} seed 0: goes on from its checkpoint after step" in said
    assert left_by("results") == undisturbed(f"{name},gap", *MADE_UP)[0]
    return said


@pytest.mark.fault(
    "memory that runs out in the evaluation, and in smaller blocks too",
    seen="a record that says so, and what to do; exit code 1",
    lost="nothing; `--overwrite failed` evaluates it from its last checkpoint",
)
def test_too_little_memory_for_an_evaluation_in_smaller_blocks(losses, undisturbed, left_by):
    process = losses.start("results", *MADE_UP, methods="cramped,gap")
    said = fails_and_goes_on(
        losses, undisturbed, left_by, "cramped", process, "memory ran out in the evaluation (MemoryError). "
    )
    assert "after step 150\n" in said


@pytest.mark.fault(
    "memory that runs out while a run trains",
    seen="a record that says so, and what to do; exit code 1",
    lost="the steps since the last checkpoint; `--overwrite failed` goes on from there",
)
def test_too_little_memory_for_a_training(losses, undisturbed, left_by):
    process = losses.training("results", *MADE_UP, methods="roomy,gap")
    leave(process, ITEM * ITEMS // 2)
    fails_and_goes_on(losses, undisturbed, left_by, "roomy", process, "memory ran out after step ")


def worker(process):
    """The process that is at a run, or None once the command has ended."""
    while process.poll() is None:
        pids = [int(path.name) for path in Path("pids").glob("*")]
        alive = [pid for pid in pids if psutil.pid_exists(pid)]
        if alive:
            return alive[0]
        time.sleep(0.01)
    return None


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGKILL")
@pytest.mark.fault(
    "a worker of `--jobs` that the kernel kills, as when memory runs out",
    seen="a line; another takes the run up at its last checkpoint",
    lost="the steps since then",
)
def test_a_worker_is_killed(losses, undisturbed, left_by):
    process = losses.training("results", *MADE_UP, "--jobs", "2", methods="roomy,gap")
    # Until the checkpoint is that of this run.
    while not list(Path("results/runs").glob("roomy-*/step-*")):
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(worker(process), signal.SIGKILL)
    _, said = losses.finish(process)
    assert "Roomy seed 0: a worker was lost (its process was ended by SIGKILL(-9), as when memory runs out)" in said
    assert "it went on from its checkpoint after step" in said
    assert left_by("results") == undisturbed("roomy,gap", *MADE_UP, "--jobs", "2")[0]


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGKILL")
@pytest.mark.fault(
    "a run that the kernel kills three workers of",
    seen="a record that says so, and what to do; exit code 1",
    lost="that run alone; `--overwrite failed` goes on from its last checkpoint",
)
def test_each_worker_is_killed(losses, undisturbed, left_by):
    options = (*MADE_UP, "--jobs", "2")
    process = losses.training("results", *options, methods="roomy,gap")
    while not list(Path("results/runs").glob("roomy-*/step-*")):
        assert process.poll() is None
        time.sleep(0.002)
    killed = set()
    while (pid := worker(process)) is not None:
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
        Path("pids", str(pid)).unlink()
    _, said = losses.finish(process, 1)
    assert len(killed) == 3
    assert "Gap only seed 0: finished" in said
    error = record_of("results", "roomy")["error"]
    assert error.startswith("3 workers were lost that this run was given to, the last because its process was ended by")
    assert "SIGKILL(-9), as when memory runs out. Where memory is short, take fewer --jobs" in error
    _, said = losses("results", *options, "--overwrite", "failed", methods="roomy,gap")
    assert "it went on from its checkpoint after step" in said
    assert left_by("results") == undisturbed("roomy,gap", *options)[0]
