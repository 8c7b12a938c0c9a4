"""``huse-bench status`` beside a real run."""

import json
import os
import subprocess
import sys
import time

import pytest

from huse_bench.cli import main

SLOW = '''
import time
from pathlib import Path
from huse_bench import Loss

# No attribute, of which a loss that has one is kept in no checkpoint.
CALLS = []

class Slow(Loss):
    """The gap. From its tenth step on, it waits as long as there is a file."""
    title = "Slow"

    def forward(self, batch):
        CALLS.append(batch)
        time.sleep(0.01)
        while len(CALLS) > 9 and Path("wait").exists():
            time.sleep(0.02)
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}
'''


@pytest.fixture
def command(toy, forks):
    """Starts a run of two seeds that waits in its first one as long as there is a file."""
    (toy / "plugins").mkdir()
    (toy / "plugins/slow.py").write_text(SLOW)
    (toy / "wait").touch()
    (toy / "quick.toml").write_text("[training]\nsteps = 40\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\n")
    options = ["--dataset", "toy", "--methods", "slow,crash", "--config", "quick.toml", "--plugins-dir", "plugins"]
    started = []

    def start(*more):
        process = forks.start("run", *options, "--seeds", "2", *more)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def status(capsys):
    """What the command says of the toy results, as JSON."""

    def look():
        assert main(["status", "results/toy", "--json"]) == 0
        (folder,) = json.loads(capsys.readouterr().out)["folders"]
        return folder

    return look


def until(status, process, step):
    """Wait until the first run is at a step."""
    while not os.path.isdir("results/toy/runs") or not any(  # noqa: PTH112
        (run["step"] or 0) >= step for run in status()["runs"]
    ):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return status()


def by_seed(folder):
    return {(run["method"], run["seed"]): run for run in folder["runs"]}


def test_a_run_is_seen_while_it_goes_on_when_it_was_killed_and_when_it_is_done(command, status, capsys, left_by, toy):
    process = command("--checkpoint-every", "0.0001")
    runs = by_seed(until(status, process, 9))
    assert {run: fields["state"] for run, fields in runs.items()} == {
        ("slow", 0): "running",
        ("slow", 1): "waiting",
        ("crash", 0): "waiting",
        ("crash", 1): "waiting",
    }
    slow = runs["slow", 0]
    assert (slow["step"], slow["steps"], slow["process"]) == (9, 40, process.pid)
    assert slow["speed"] > 0
    assert main(["status", "results/toy"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("results/toy (toy): 1 running, 3 waiting; about ")
    assert "\nslow seed 0  9 of 40 " in text
    assert f" {process.pid} on " in text

    process.kill()
    process.communicate()
    slow = by_seed(status())["slow", 0]
    assert (slow["state"], slow["step"]) == ("stopped", 9)
    # It may have been killed while it wrote the checkpoint of its last step.
    assert slow["kept"] in (8, 9)
    assert main(["status", "results/toy"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("results/toy (toy): 1 stopped\n\nslow seed 0 stopped after step 9 of 40, ")
    assert text.endswith(f" ago; the same command goes on from step {slow['kept']}\n")

    (toy / "wait").unlink()
    process = command("--checkpoint-every", "0.0001")
    # Whoever looks at it again and again changes nothing.
    while process.poll() is None:
        status()
        time.sleep(0.1)
    _, error = process.communicate()
    assert "waiting for" not in error
    assert process.returncode == 1, error
    assert f"goes on from its checkpoint after step {slow['kept']}\n" in error
    runs = by_seed(status())
    assert {run: fields["state"] for run, fields in runs.items()} == {
        ("slow", 0): "finished",
        ("slow", 1): "finished",
        ("crash", 0): "failed",
        ("crash", 1): "failed",
    }
    assert runs["crash", 0]["error"].endswith("\nZeroDivisionError: oh no\n")
    seen = left_by("results/toy")
    assert main(["status", "results/toy"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("results/toy (toy): 2 failed, 2 finished\n")
    assert "\ncrash seed 1 failed: ZeroDivisionError: oh no\n" in text
    undisturbed = command("--results", "alone")
    undisturbed.communicate()
    assert left_by("alone") == seen


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status"], "there is no results folder results/emoji. Make one with: huse-bench run"),
        (["status", "empty"], "empty is not a huse-bench results folder"),
        (["status", "empty", "--watch", "--json"], "--watch and --json exclude each other"),
    ],
)
def test_a_folder_that_is_none_is_an_error(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert message in output.err


def test_several_folders_are_shown_one_after_another_and_in_a_pipe_once(tmp_path, monkeypatch, capsys, write_on):
    monkeypatch.chdir(tmp_path)
    write_on("emoji", "huse", 0, 0.9)
    write_on("icons", "cme", 0, 0.9)
    assert main(["status", "emoji", "icons", "--watch"]) == 0
    assert capsys.readouterr().out == "emoji (emoji): 1 finished\n\nicons (icons): 1 finished\n"


def test_it_needs_no_torch(tmp_path):
    code = "import sys; from huse_bench.cli import main; main(['status', 'x']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "there is no results folder x" in done.stderr
    assert done.stdout == "False\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_on_a_terminal_it_looks_again_until_ctrl_c(tmp_path, write_on):
    import pty

    write_on("emoji", "huse", 0, 0.9)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "huse_bench", "status", "emoji", "--watch"], cwd=tmp_path, stdout=theirs, stdin=theirs
    ) as process:
        os.close(theirs)
        seen = b""
        while b"1 finished" not in seen:
            seen += os.read(ours, 1024)
        write_on("emoji", "cme", 0, 0.9)
        while b"2 finished" not in seen:
            seen += os.read(ours, 1024)
        os.write(ours, b"\x03")
        process.terminate()
    os.close(ours)
