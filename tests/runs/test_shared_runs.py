"""Several processes on one results folder: each run is trained once, and what a killed one was at is taken up."""

import os
import re
import signal
import threading
import time

import pytest

import huse_bench as hb
from huse_bench.results import Store

SLOW = '''
import time
from huse_bench import Loss

class Slow(Loss):
    """The gap, slowly."""
    title = "Slow"

    def forward(self, batch):
        time.sleep(0.02)
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}
'''


@pytest.fixture
def command(toy, forks):
    (toy / "plugins").mkdir()
    (toy / "plugins/slow.py").write_text(SLOW)
    (toy / "quick.toml").write_text("[training]\nsteps = 50\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\n")
    options = ["--dataset", "toy", "--methods", "slow", "--config", "quick.toml", "--plugins-dir", "plugins"]

    def start(*more):
        return forks.start("run", *options, *more)

    return start


def trained(text):
    return re.findall(r"^Slow seed (\d+): finished", text, re.MULTILINE)


def claims(toy):
    return list((toy / "results/toy/runs").glob(".*.lock"))


@pytest.mark.parametrize("overwrite", ["never", "always"])
def test_two_commands_share_the_runs(command, toy, overwrite):
    if overwrite == "always":
        command("--seeds", "6").communicate()
    both = [command("--seeds", "6", "--overwrite", overwrite) for _ in range(2)]
    texts = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    done = [trained(text) for text in texts]
    assert sorted(done[0] + done[1]) == list("012345")
    assert all(done)
    assert len(hb.load_results(toy / "results/toy").records) == 6
    assert not claims(toy)


def test_what_a_killed_process_was_at_is_taken_up(command, toy):
    first = command("--seeds", "1")
    while not claims(toy):
        time.sleep(0.01)
        assert first.poll() is None
    # However long the other process takes to start, the run is not over by then.
    os.kill(first.pid, signal.SIGSTOP)
    second = command("--seeds", "1")
    line = next(line for line in second.stderr if "waiting" in line)
    assert line == "waiting for 1 run that other processes are at\n"
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert trained(second.communicate()[1]) == ["0"]
    assert not claims(toy)


def test_a_claim_is_one_processs(tmp_path):
    store = Store(tmp_path / "results", "toy")
    found = []

    def look():
        with store.claim("ab" * 32) as mine:
            found.append(mine)

    with store.claim("ab" * 32) as mine, store.claim("cd" * 32) as other:
        assert (mine, other) == (True, True)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    look()
    assert found == [False, True]
    assert store.read() == ([], [])
