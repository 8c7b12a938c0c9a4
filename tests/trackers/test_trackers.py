"""Trackers are told of runs only where they are asked for, by whichever process, and a failing one costs nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from huse_bench.cli import main
from huse_bench.discovery import find, inventory, load
from huse_bench.errors import ConfigError, MissingExtraError, PluginLoadError, UnknownComponentError

TRAINING = "[training]\nsteps = 40\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nwarmup_steps = 5\n"


def curve(results):
    """The learning curve of the only record, as a tracker is told of it."""
    (record,) = results.records
    learning = record.learning
    return [
        (
            step,
            {name: values[place] for name, values in learning.losses.items()},
            {name: values[place] for name, values in learning.validation.items()},
        )
        for place, step in enumerate(learning.steps)
    ]


def points(told):
    return [tuple(each[3:]) for each in told if each[0] == "measured"]


def test_a_tracker_is_told_of_a_run_from_its_start_to_its_end(tracker, diary, run):
    tracker()
    results = run(["huse"], seeds=[3], track="diary")
    told = diary()
    assert [each[0] for each in told] == ["made", "start", *["measured"] * 40, "finished"]
    assert told[1] == ["start", "huse", 3]
    assert told[-1] == ["finished", "huse", 3]
    expected = curve(results)
    found = points(told)
    assert [step for step, _, _ in found] == [step for step, _, _ in expected]
    for (_, losses, validation), (_, kept_losses, kept_validation) in zip(found, expected, strict=True):
        assert losses == pytest.approx(kept_losses, rel=1e-5)
        assert validation == pytest.approx(kept_validation, rel=1e-5)


def test_a_tracker_is_not_called_where_nobody_asks_for_it(tracker, run, toy):
    tracker()
    assert find("tracker", "Diary").status == "available"
    assert [each.name for each in inventory() if each.distribution == "diaries"] == [
        "deaf", "diary", "misspelt", "needs",
    ]  # fmt: skip
    run()
    run(track=[])
    assert not (toy / "diary.jsonl").exists()


def test_a_run_that_fails_is_told_with_its_error(tracker, diary, run):
    tracker()
    run(["crash", "nan"], track=["diary"])
    ends = [each for each in diary() if each[0] in ("finished", "failed")]
    assert ends[0] == ["failed", "crash", 0, "oh no"]
    assert ends[1][:3] == ["failed", "nan", 0]
    assert "gap nan at step 3" in ends[1][3]


def test_a_config_file_and_the_command_line_ask_too(tracker, diary, toy):
    tracker()
    (toy / "quick.toml").write_text(f'track = ["diary"]\n{TRAINING}')
    command = ["run", "--dataset", "toy", "--methods", "huse", "--config", "quick.toml", "-q"]
    assert main(command) == 0
    assert diary()[-1] == ["finished", "huse", 0]
    (toy / "diary.jsonl").unlink()
    (toy / "quick.toml").write_text(TRAINING)
    assert main([*command, "--seeds", "4,", "--track", "diary"]) == 0
    assert diary()[-1] == ["finished", "huse", 4]


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["dairy"], UnknownComponentError, "no tracker is named 'dairy'; did you mean 'diary'"),
        (["deaf"], PluginLoadError, r"tracker 'deaf' of diaries==1.0 \(diary_trackers:Deaf\) .* implements no hook"),
        (["misspelt"], PluginLoadError, "huse_bench_run_strat is no hook of this huse-bench; did you mean"),
        (["needs"], PluginLoadError, "cannot begin: KeyError: 'token'. Upgrade, reinstall or uninstall diaries"),
        ([3], ConfigError, r"track.0 = 3 \(argument\)"),
    ],
)
def test_a_tracker_that_cannot_be_had_is_an_error_before_anything_is_done(tracker, run, toy, names, error, message):
    tracker()
    with pytest.raises(error, match=message):
        run(track=names)
    assert not (toy / "results").exists()


@pytest.mark.parametrize(
    ("name", "modules", "message"),
    [
        ("tensorboard", ["tensorboard"], "TensorBoard needs the package 'tensorboard', .*'huse-bench.tensorboard.'"),
        ("mlflow", ["mlflow", "sqlalchemy"], "MLflow needs the package 'sqlalchemy', .*'huse-bench.mlflow.'"),
        ("wandb", ["wandb"], "Weights & Biases needs the package 'wandb', .*'huse-bench.wandb.'"),
    ],
)
def test_a_missing_package_is_an_error_that_names_the_extra(run, toy, monkeypatch, name, modules, message):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=message):
        run(track=name)
    assert not (toy / "results").exists()


@pytest.mark.parametrize("when", ["start", "measured", "finished"])
def test_a_tracker_that_raises_is_off_with_one_notice_and_the_record_is_the_same(
    tracker, diary, run, toy, capfd, left_by, when
):
    tracker()
    run(results="without", seeds=2)
    (toy / "fails").write_text(when)
    capfd.readouterr()
    results = run(results="with", seeds=2, track="diary")
    assert {record.status for record in results.records} == {"finished"}
    notices = [line for line in capfd.readouterr().err.splitlines() if "diary" in line]
    (notice,) = notices
    assert notice == (
        f"tracker 'diary' of diaries==1.0 (diary_trackers:Diary) failed in huse_bench_run_{when} and is switched off; "
        "the run goes on: OSError: no diary"
    )
    assert [each[0] for each in diary()].count(when) == 1
    assert diary()[-1][0] == when
    assert left_by("with") == left_by("without")


def test_workers_leave_the_telling_to_the_process_of_the_command(tracker, diary, run, toy):
    tracker()
    results = run(["huse"], seeds=2, jobs=2, track="diary")
    processes = {json.loads(line)[0] for line in (toy / "diary.jsonl").read_text().splitlines()}
    assert processes == {os.getpid()}
    told = diary()
    for record in results.records:
        of_run = [each for each in told if each[2:3] == [record.seed]]
        assert [each[0] for each in of_run] == ["start", *["measured"] * 40, "finished"]
        assert [each[3] for each in of_run[1:-1]] == list(record.learning.steps)


def test_of_the_processes_of_torchrun_the_first_tells(tracker, diary, toy):
    tracker()
    (toy / "quick.toml").write_text(TRAINING)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "huse_bench"]
    command += ["run", "--dataset", "toy", "--methods", "gap", "--config", "quick.toml", "--track", "diary"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len({json.loads(line)[0] for line in (toy / "diary.jsonl").read_text().splitlines()}) == 1
    assert [each[0] for each in diary()] == ["made", "start", *["measured"] * 40, "finished"]


def test_the_tracker_of_the_page_writes_the_curve_of_a_run(tracker, run, toy):
    page = (Path(__file__).parents[2] / "docs/trackers.md").read_text()
    example, check = re.findall(r"^```python\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    tracker(example, lines="Lines")
    exec(check, {"Lines": load("tracker", "lines")})
    results = run(["huse"], track="lines")
    rows = [line.split("\t") for line in (toy / "results/toy/huse-0.tsv").read_text().splitlines()]
    losses = [float(value) for _, name, value in rows[:-1] if name == "gap"]
    (record,) = results.records
    assert losses == pytest.approx(list(record.learning.losses["gap"]), rel=1e-5)
    assert rows[-1] == ["end", "finished"]


SLOW = '''
import time
from huse_bench import Loss

class Slow(Loss):
    """The gap, slowly."""
    title = "Slow"

    def forward(self, batch):
        time.sleep(0.05)
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}
'''


@pytest.mark.parametrize("more", [(), ("--jobs", "2")])
def test_a_run_that_is_stopped_is_told_so_and_then_again_from_its_start(tracker, diary, toy, forks, more):
    tracker()
    (toy / "plugins").mkdir()
    (toy / "plugins/slow.py").write_text(SLOW)
    (toy / "quick.toml").write_text(TRAINING)
    command = ["run", "--dataset", "toy", "--methods", "slow", "--config"]
    command += ["quick.toml", "--plugins-dir", "plugins", "--track", "diary", *more]
    process = forks.start(*command)
    while not Path("diary.jsonl").is_file() or len(diary()) < 8:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    told = diary()
    assert told[-1] == ["stopped", "slow", 0]
    (toy / "diary.jsonl").unlink()
    assert forks.run(*command).returncode == 0
    again = diary()
    assert [each[0] for each in again] == ["made", "start", *["measured"] * 40, "finished"]
    assert [each[3] for each in again[2:-1]] == list(range(1, 41))
    # The points of the first process are those that its successor tells.
    for (_, losses, _), (_, told_again, _) in zip(points(told), points(again), strict=False):
        assert losses == pytest.approx(told_again, rel=1e-5)
