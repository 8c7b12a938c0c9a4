"""``huse-bench tune`` as a user calls it: what goes where, exit codes, and company."""

import time
from dataclasses import dataclass

import pytest

from huse_bench.cli import main

TRAINING = "[training]\nsteps = 10\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nwarmup_steps = 5\n"


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def call(toy, capsys):
    (toy / "quick.toml").write_text(TRAINING)

    def call(*arguments, command="tune"):
        try:
            code = main([command, "--dataset", "toy", "--config", "quick.toml", *arguments])
        except SystemExit as leave:
            code = leave.code
        return Done(code, *capsys.readouterr())

    return call


def test_progress_table_and_the_run_after_it(call):
    done = call("--methods", "triplet,huse", "--trials", "2")
    assert done.returncode == 0, done.stderr
    heading, _, triplet, huse = done.stdout.splitlines()[:4]
    assert " ".join(heading.split()) == "Method Trials Failed Defaults Best Gain In trial Best hyper-parameters"
    assert triplet.split()[:2] == ["Triplet", "2"]
    assert huse.split()[:3] == ["HUSE", "2", "0"]
    assert "margin=" in triplet
    assert "alpha=" in huse
    assert "toy: 2 trials for each of 2 methods, 10 steps of 32 pairs each, seed 0, trained with" in done.stderr
    assert "  objective balanced: mean R@1, on the validation split\n" in done.stderr
    assert "  no accuracy is in the objective, for Triplet has no classifier\n" in done.stderr
    assert "  mean HP@5 is not in the objective: every class is correct for every query" in done.stderr
    first, second = (line for line in done.stderr.splitlines() if line.startswith("Triplet trial"))
    assert first.startswith("Triplet trial 1 of 2: 0.")
    assert first.endswith("in trial 1) margin=0.5")
    assert second.startswith("Triplet trial 2 of 2: 0.")
    assert "best hyper-parameters: results/toy/tuned.toml; to use them: huse-bench run --params" in done.stderr
    assert "Traceback" not in done.stderr

    again = call("--methods", "triplet,huse", "--trials", "2")
    assert again.stdout == done.stdout
    assert "2 of 2 trials of HUSE are done and are not run again" in again.stderr
    assert "trial 1 of 2" not in again.stderr

    tables = call("--params", "results/toy/tuned.toml", "--methods", "triplet,separate", command="run")
    assert tables.returncode == 0, tables.stderr
    assert "Tuning: 2 trials of 10 steps" in tables.stdout
    assert "tuned otherwise" not in tables.stderr


def test_failed_trials_are_shown_and_exit_code_1_is_for_methods_without_a_result(call, toy):
    losses = "\n\nclass Nan(Nan):\n    from huse_bench import Uniform\n    space = {'weight': Uniform(0.0, 1.0)}\n"
    with (toy.parent / "site/toy_plugins.py").open("a") as file:
        file.write(losses)
    done = call("--methods", "nan,triplet", "--trials", "1")
    assert done.returncode == 1
    assert "Nan trial 1 of 1: diverged: the loss was gap nan at step 10 of 10 (no value yet) weight=1\n" in done.stderr
    assert "no trial of nan ended well, so the file has no parameters for it" in done.stderr
    assert done.stdout.splitlines()[2].split() == ["Nan", "1", "1", "-", "-", "-", "-", "-"]
    assert "[methods.triplet]" in (toy / "results/toy/tuned.toml").read_text()


def test_what_two_processes_share_and_one_ends_is_what_one_finds_alone(call, toy, forks):
    arguments = ["--methods", "triplet", "--trials", "12"]
    journal = toy / "results/toy/tuning/journal.log"
    pair = [forks.start("tune", "--dataset", "toy", "--config", "quick.toml", *arguments) for _ in range(2)]
    deadline = time.monotonic() + 120
    while not (journal.exists() and b'"number"' in journal.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.01)
    pair[0].kill()
    _, killed = pair[0].communicate()
    out, err = pair[1].communicate(timeout=300)
    assert pair[1].returncode == 0, err
    shown = [int(line.split()[2]) for line in (killed + err).splitlines() if line.startswith("Triplet trial")]
    # The killed one may have died between keeping a trial and saying so.
    assert len(set(shown)) == len(shown) >= 11
    alone = call(*arguments, "--results", "alone")
    assert out == alone.stdout
    assert (toy / "alone/tuned.toml").read_text() == (toy / "results/toy/tuned.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "separate", "--trials", "2"], "declares no tuning space, so there is nothing to tune"),
        (["--methods", "huse"], "Missing option '--trials'"),
        (["--methods", "huse", "--trials", "none"], "'none' is not a valid integer"),
        (["--methods", "huse", "--trials", "2", "--objective", "i2t R@2"], "Did you mean 'i2t R@"),
        (["--methods", "huse", "--trials", "2", "--objective", ","], "the objective names no metric"),
        (["--methods", "huse", "--trials", "2", "--objective", "balance"], "Did you mean 'balanced'"),
        (["--methods", "huse", "--trials", "2", "--objective", "hierarchy"], "on toy every class is correct"),
        (["--methods", "huse", "--trials", "2", "--studies", "0"], "--studies 0: at least one study is needed"),
        (["--methods", "huse", "--trials", "2", "--seed", "-1"], "seeds must be at least 0"),
    ],
)
def test_mistakes_are_exit_code_2_without_a_traceback(call, arguments, message):
    done = call(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
