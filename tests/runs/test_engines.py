"""Runs in other processes: the records of one process, each once, whatever becomes of workers and of the command."""

import os
import re
import signal
import time

import psutil
import pytest

import huse_bench as hb

TRAINING = "[training]\nsteps = 40\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nwarmup_steps = 5\n"

#: What trains on when a file is gone, and what no process survives.
LOSSES = '''
import os, time
from pathlib import Path
from huse_bench import Loss

class Slow(Loss):
    """The gap. Its process leaves a file named after it, and waits as long as there is another."""
    title = "Slow"

    def forward(self, batch):
        folder = Path(os.environ["SLOW_FOLDER"])
        (folder / f"{os.getpid()}.pid").touch()
        while (folder / "wait").exists():
            time.sleep(0.02)
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}

class Deadly(Slow):
    """Ends its process."""
    title = "Deadly"

    def forward(self, batch):
        os.kill(os.getpid(), 9)
'''


@pytest.fixture
def slow(toy, monkeypatch):
    """A folder where runs of the loss ``slow`` leave the ids of their processes, and wait for a file to go."""
    (toy / "plugins").mkdir()
    (toy / "plugins/slow_losses.py").write_text(LOSSES)
    (toy / "quick.toml").write_text(TRAINING)
    folder = toy / "slow"
    folder.mkdir()
    monkeypatch.setenv("SLOW_FOLDER", str(folder))
    return folder


@pytest.fixture
def command(slow, forks):  # noqa: ARG001 - has the losses
    options = ["--dataset", "toy", "--config", "quick.toml", "--plugins-dir", "plugins"]
    started = []

    def start(*more):
        process = forks.start("run", *options, *more)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def ended(process):
    """Exit code, standard output and standard error of a command, once it has ended."""
    out, err = process.communicate()
    return process.returncode, out, err


def at_work(slow, count):
    """Ids of the processes that are in the middle of a run, when there are so many."""
    while len(found := list(slow.glob("*.pid"))) < count:
        time.sleep(0.02)
    return [int(path.stem) for path in found]


def same(results):
    """What the records say, but for times, memory and the command."""
    fields = [record.model_dump(mode="json", exclude={"created"}) for record in results.records]
    for each in fields:
        del each["training"]["seconds"], each["training"]["steps_per_second"]
        del each["device"]["peak_memory_bytes"], each["provenance"]["command"], each["provenance"]["torch threads"]
    return fields


def arrays(folder):
    return {path.name: path.read_bytes() for path in (folder / "runs").iterdir() if path.suffix != ".json"} | {
        path.name: b"" for path in (folder / "runs").glob("*.jsonl")
    }


def left_over(folder):
    """What nobody should leave in a results folder."""
    return [path.name for path in folder.rglob(".*") if path.name != ".huse-bench.lock"]


def test_any_number_of_jobs_gives_the_same_records(toy, quick_training):
    methods = ["huse", "triplet", "cme", "adamine"]
    common = {"dataset": "toy", "training": quick_training, "seeds": 2, "quiet": True}
    one = hb.run(methods, results="one", **common)
    two = hb.run(methods, results="two", jobs=2, **common)
    three = hb.run(methods[::-1], results="three", jobs=3, engine="loky", **common)
    assert len(one.records) == 8
    assert same(one) == same(two) == same(three)
    assert arrays(toy / "one").keys() == arrays(toy / "two").keys()
    assert {name: text for name, text in arrays(toy / "one").items() if not name.endswith("jsonl")} == {
        name: text for name, text in arrays(toy / "three").items() if not name.endswith("jsonl")
    }
    assert not left_over(toy / "two")


@pytest.mark.parametrize("engine", ["loky", "dask", "ray", "slurm"])
def test_a_run_whose_worker_is_lost_is_done_by_another_and_every_result_arrives_once(
    engine, clusters, command, slow, toy
):
    (slow / "wait").touch()
    with clusters[engine]() as address:
        where = [] if address is None else ["--address", address]
        running = command("--methods", "slow,gap", "--seeds", "2", "--jobs", "2", "--engine", engine, *where)
        lost = psutil.Process(at_work(slow, 2)[0])
        # With Dask a run is a child of the worker, and it is the worker that is lost.
        (lost.parent() if engine == "dask" else lost).kill()
        (slow / "wait").unlink()
        code, out, err = ended(running)
    assert code == 0, err
    assert "Table 1" in out
    finished = re.findall(r"^(.+ seed \d): finished in", err, re.MULTILINE)
    assert sorted(finished) == ["Gap only seed 0", "Gap only seed 1", "Slow seed 0", "Slow seed 1"]
    assert "Traceback" not in err
    if engine != "dask":
        assert re.search(r"^Slow seed \d: a worker was lost \(.+\); the run is given to another$", err, re.MULTILINE)
    assert ended(command("--methods", "slow,gap", "--seeds", "2", "--results", "alone"))[0] == 0
    assert same(hb.load_results(toy / "results/toy")) == same(hb.load_results(toy / "alone"))
    assert not left_over(toy / "results/toy")


def test_a_run_that_no_worker_survives_is_a_failed_one_and_the_others_go_on(command, toy):
    running = command("--methods", "deadly,gap", "--jobs", "2")
    _, err = running.communicate()
    assert running.returncode == 1
    assert err.count("Deadly seed 0: a worker was lost (its process was ended by SIGKILL(-9), as when memory runs") == 2
    assert re.search(r"Deadly seed 0: failed after \d+ s: 3 workers were lost .* take fewer --jobs", err)
    assert "Gap only seed 0: finished" in err
    by_name = {record.method.name: record for record in hb.load_results(toy / "results/toy").records}
    assert {name: record.status for name, record in by_name.items()} == {"deadly": "failed", "gap": "finished"}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, -15, marks=pytest.mark.soak),
        pytest.param(signal.SIGKILL, -9, marks=pytest.mark.soak),
    ],
)
def test_the_end_of_the_command_is_that_of_its_workers_and_the_next_goes_on(command, slow, toy, sent, code):
    (slow / "wait").touch()
    running = command("--methods", "gap,slow", "--seeds", "2", "--jobs", "2")
    workers = [psutil.Process(pid) for pid in at_work(slow, 2)]
    running.send_signal(sent)
    _, err = running.communicate(timeout=60)
    assert running.returncode in {code, 128 - code if code < 0 else code}
    assert "Traceback" not in err
    psutil.wait_procs(workers, timeout=30)
    assert not any(worker.is_running() for worker in workers)
    (slow / "wait").unlink()
    again = command("--methods", "gap,slow", "--seeds", "2", "--jobs", "2")
    _, err = again.communicate()
    assert again.returncode == 0
    # Of the first command both runs of the quick method had ended, or were stopped at any point.
    done = re.search(r"^(\d) of 4 runs are finished", err, re.MULTILINE)
    assert err.count(": finished in") == 4 - (int(done[1]) if done else 0)
    assert len(hb.load_results(toy / "results/toy").records) == 4


def test_two_commands_with_several_jobs_share_the_runs(command, toy):
    both = [command("--methods", "gap,huse", "--seeds", "4", "--jobs", "2") for _ in range(2)]
    texts = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    ended = [name for text in texts for name in re.findall(r"^(.+ seed \d): finished", text, re.MULTILINE)]
    assert len(ended) == len(set(ended)) == 8
    assert not left_over(toy / "results/toy")


def test_settings_of_engines_in_a_file_and_mistakes_in_them(command, toy):
    (toy / "quick.toml").write_text('jobs = 2\nengine = "loky"\n' + TRAINING)
    running = command("--methods", "gap")
    _, err = running.communicate()
    assert (running.returncode, "1 run on 2 processes of 1 thread" in err) == (0, True)
    for options, message in [
        (["--engine-option", "a"], "'a' is not NAME=VALUE"),
        (["--engine-option", "a=1"], "the engine 'loky' takes no engine options, and these were given: a"),
        (["--engine", "dask"], "the engine 'dask' needs the address of a scheduler"),
        (["--jobs", "0"], "0 is not in the range x>=1"),
    ]:
        wrong = command("--methods", "gap", *options)
        _, err = wrong.communicate()
        assert wrong.returncode == 2
        assert message in err
        assert "Traceback" not in err


def test_what_killed_commands_left_is_removed(command, toy):
    assert ended(command("--methods", "gap"))[0] == 0
    old = toy / "results/toy/.workers-old"
    old.mkdir()
    (old / "data").mkdir()
    os.utime(old, (0, 0))
    assert ended(command("--methods", "huse", "--jobs", "2"))[0] == 0
    assert not old.exists()
