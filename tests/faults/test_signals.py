"""Commands that are killed, ended and interrupted go on with the bits of one that was not."""

import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest

GOES_ON = re.compile(r"^\S.* seed 0: goes on from its checkpoint after step \d+$", re.MULTILINE)


#: So many that none of the kills comes too late.
LONG = ("--steps", "800")


def kill_and_finish(command, undisturbed, left_by, method, kills):
    draw = random.Random(method)
    killed = 0
    for _ in range(kills):
        process = command.training("killed", *LONG, methods=method, before=draw.random() * 1.5 / kills)
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    table, said = command("killed", *LONG, methods=method)
    # Otherwise it had ended before the last blow.
    assert killed < kills or GOES_ON.search(said), said
    assert killed > kills // 2
    assert (left_by("killed"), table) == undisturbed(method, *LONG)


@pytest.mark.fault(
    "`kill -9`, a machine that goes down, at any moment",
    seen="nothing; the next command says from which step each run goes on",
    lost="the steps since the last checkpoint",
)
def test_a_command_that_is_killed_three_times_gives_the_bits_of_one_that_is_not(command, undisturbed, left_by):
    kill_and_finish(command, undisturbed, left_by, "huse", kills=3)


@pytest.mark.soak
@pytest.mark.parametrize("method", ["huse", "cme", "siglip"])
def test_a_command_that_is_killed_twenty_times_gives_the_bits_of_one_that_is_not(command, undisturbed, left_by, method):
    kill_and_finish(command, undisturbed, left_by, method, kills=20)


@pytest.mark.fault(
    "SIGTERM, as schedulers and `docker stop` send it; SIGINT, by Ctrl-C",
    seen="a checkpoint, the command that goes on, and exit code 143 or 130",
    lost="nothing",
)
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_command_with_a_checkpoint_and_says_how_to_go_on(command, signum):
    process = command.training("results")
    process.send_signal(signum)
    out, said = command.finish(process, 128 + signum)
    assert out == ""
    pattern = r"^HUSE seed 0: stopped after step (\d+); the next time it goes on from step (\d+)$"
    kept = re.search(pattern, said, re.MULTILINE)
    assert kept is not None, said
    assert kept[1] == kept[2]
    last = said.splitlines()[-1]
    name = signal.Signals(signum).name
    again = "--dataset toy --methods huse --config quick.toml --results results --checkpoint-every 0.02"
    assert last == f"huse-bench: stopped by {name}; what is done is kept. To go on: huse-bench run {again}"
    out, said = command("results")
    assert f"HUSE seed 0: goes on from its checkpoint after step {kept[1]}\n" in said
    assert "HUSE" in out


SLEEPY = '''
import pathlib, time
from huse_bench import Loss

class Sleepy(Loss):
    """Takes a nap."""
    title = "Sleepy"

    def forward(self, batch):
        pathlib.Path("napping").touch()
        time.sleep(600)
'''


@pytest.mark.fault(
    "a second Ctrl-C, more than half a second after the first",
    seen="the command ends at once",
    lost="the steps since the last checkpoint",
)
def test_a_second_signal_ends_a_command_at_once(command, toy):
    (toy / "plugins").mkdir()
    (toy / "plugins/sleepy.py").write_text(SLEEPY)
    process = command.start("results", "--plugins-dir", "plugins", methods="sleepy")
    while not (toy / "napping").exists():
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "stops as soon as nothing is lost by it" in next(line for line in process.stderr if "SIGINT" in line)
    # One key press may arrive twice.
    process.send_signal(signal.SIGINT)
    time.sleep(0.7)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT


def test_two_commands_on_a_stopped_run_take_it_up_once(command):
    process = command.training("results")
    process.send_signal(signal.SIGTERM)
    command.finish(process, 143)
    both = [command.start("results") for _ in range(2)]
    said = "".join(command.finish(process)[1] for process in both)
    assert said.count("goes on from its checkpoint") == 1
    assert said.count("HUSE seed 0: finished") == 1


@pytest.mark.fault(
    "SIGTERM or SIGINT while `tune` searches",
    seen="the command that goes on, and exit code 143 or 130",
    lost="the trial that it was at",
)
def test_a_search_is_stopped_between_the_lines_of_its_journal(command, toy):
    pytest.importorskip("optuna")
    process = command.start("results", "--trials", "3", command="tune")
    # The first trial has ended, and the second is on.
    for line in process.stderr:
        if "trial 1 of 3" in line:
            break
    process.send_signal(signal.SIGTERM)
    out, said = command.finish(process, 143)
    assert out == ""
    last = said.splitlines()[-1]
    assert last.startswith(
        "huse-bench: stopped by SIGTERM; what is done is kept. To go on: huse-bench tune --dataset toy"
    )
    _, said = command.finish(command.start("results", "--trials", "3", command="tune"))
    assert re.search(r"[12] of 3 trials of HUSE are done", said)
    assert (toy / "results/tuned.toml").is_file()


IGNORED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_a_command_that_was_told_to_ignore_a_signal_does(command, toy):
    # As a shell does with what it starts in the background.
    arguments = ["--dataset", "toy", "--methods", "huse", "--config", "quick.toml", "--results", "results"]
    process = subprocess.Popen(
        [sys.executable, "-c", IGNORED, "-m", "huse_bench", "run", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    while not list(toy.glob("results/runs/*.events.jsonl")):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    out, _ = command.finish(process)
    assert "HUSE" in out
