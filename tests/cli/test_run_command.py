"""``huse-bench run`` as a user calls it: what goes where, exit codes, and being killed."""

import json
import signal
import time

import pytest
from click.testing import CliRunner

from huse_bench.cli.run import run

TRAINING = "[training]\nsteps = 40\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nwarmup_steps = 5\n"


@pytest.fixture
def command(toy):
    (toy / "quick.toml").write_text(TRAINING)
    return ["run", "--dataset", "toy", "--config", "quick.toml"]


@pytest.fixture
def call(forks):
    return lambda command, *arguments: forks.run(*command, *arguments)


def test_tables_and_notices(call, command):
    done = call(command, "--methods", "huse,triplet")
    assert done.returncode == 0, done.stderr
    for words in ("Table 1", "Table 2", "Table 3", "Image to Image", "HUSE", "Triplet", "HP@10"):
        assert words in done.stdout
    assert "toy: 96 train / 32 validation / 32 test items of 4 classes" in done.stderr
    assert "training.steps = 40 (file quick.toml)" in done.stderr
    assert "HUSE seed 0: finished" in done.stderr
    assert "Table" not in done.stderr
    assert "Traceback" not in done.stderr
    # The same tables again, from the records alone.
    again = call(["tables", "--dataset", "toy"])
    assert again.stdout == done.stdout

    rerun = call(command, "--methods", "triplet,huse", "--seeds", "0,")
    assert rerun.stdout == done.stdout
    assert "2 of 2 runs are finished in results/toy and are not run again" in rerun.stderr


def test_saved_files_are_named(call, command, toy):
    done = call(command, "--methods", "gap", "--save-model", "--save-embeddings")
    assert done.returncode == 0, done.stderr
    for folder in ("models", "embeddings"):
        path = next((toy / "results/toy" / folder).iterdir())
        assert f"saved {path.relative_to(toy)}" in done.stderr
    again = call(command, "--methods", "gap", "--save-model")
    assert "add --overwrite always to train them again" in again.stderr


def test_seeds_as_a_number_and_as_a_list(call, command, toy):
    for given, announced in (("2", "0, 1"), ("1,7", "1, 7"), ("2,", "2")):
        done = call(command, "--methods", "gap", "--seeds", given)
        assert done.returncode == 0
        assert f"\n  seeds {announced} (command line)\n" in done.stderr
    seeds = {json.loads(path.read_text())["seed"] for path in (toy / "results/toy/runs").glob("*.json")}
    assert seeds == {0, 1, 2, 7}


def test_a_diverged_run_is_exit_code_1(call, command):
    done = call(command, "--methods", "nan,gap")
    assert done.returncode == 1
    assert "Nan seed 0: diverged after" in done.stderr
    assert "the loss was gap nan at step 3 of 40" in done.stderr
    assert "Gap only seed 0: finished" in done.stderr
    assert "diverged" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "hose"], "hose"),
        (["--methods", ","], "name at least one method"),
        (["--preset", "quik"], "Did you mean 'quick'?"),
        (["--seeds", "x"], "neither a number of seeds (4, for 0,1,2,3) nor a list of them (3,7, or 4, for that one)"),
        (["--seeds", "0"], "at least one seed is needed"),
        (["--steps", "0"], "training.steps = 0 (command line)"),
        (["--steps", "many"], "'many' is not a valid integer"),
        (["--precision", "float8"], "'float8' is not one of 'float32', 'bfloat16'"),
        (["--overwrite", "sometimes"], "'sometimes' is not one of 'never', 'failed', 'always'"),
        (["--config", "none.toml"], "cannot read the configuration file none.toml"),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
        (["--results", "quick.toml"], "quick.toml is a file, not a folder"),
        (["--stepz", "3"], "No such option"),
    ],
)
def test_mistakes_are_exit_code_2_without_a_traceback(call, command, arguments, message):
    done = call(command, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_the_precision_is_said_and_recorded(call, command, toy):
    done = call(command, "--methods", "gap", "--steps", "5", "--precision", "bfloat16")
    assert done.returncode == 0, done.stderr
    assert "training.precision = bfloat16 (command line)" in done.stderr
    (path,) = (toy / "results/toy/runs").glob("*.json")
    record = json.loads(path.read_text())
    assert record["config"]["training.precision"] == {"value": "bfloat16", "origin": "command line"}
    assert (record["device"]["precision"], record["training"]["steps"]) == ("bfloat16", 5)


def test_a_killed_run_goes_on_where_it_stopped(call, command, forks, toy):
    arguments = ["--methods", "gap,huse", "--steps", "60"]
    runs = toy / "results/toy/runs"
    process = forks.start(*command, *arguments)
    deadline = time.monotonic() + 120
    while not list(runs.glob("gap*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finished = next(runs.glob("gap*.json"))
    stamp = finished.stat().st_mtime_ns

    done = call(command, *arguments)
    assert done.returncode == 0, done.stderr
    assert "1 of 2 runs are finished in results/toy and are not run again" in done.stderr
    assert finished.stat().st_mtime_ns == stamp
    assert {path.name.split("-")[0] for path in runs.glob("*.json")} == {"gap", "huse"}


def test_help_says_what_each_option_does(call, command):
    done = call(command[:1], "--help")
    assert done.returncode == 0
    for option in ("--methods", "--dataset", "--data", "--image-backbone", "--text-backbone", "--class-backbone",
                   "--preset", "--steps", "--seeds", "--config", "--results", "--overwrite", "--device",
                   "--save-model", "--save-embeddings", "--save-neighbours", "--strict", "--plugins-dir"):  # fmt: skip
        assert option in done.stdout


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "at least one seed is needed"),
        (",", "at least one seed is needed"),
        ("0", "at least one seed is needed"),
        ("-1", "at least one seed is needed"),
    ],
)
def test_seeds_that_are_none(given, message):
    result = CliRunner().invoke(run, ["--seeds", given])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_the_help_says_that_a_comma_makes_a_list():
    assert "How many seeds (4: seeds 0,1,2,3), or which (3,7; with a comma also for one: 4,)" in " ".join(
        CliRunner().invoke(run, ["--help"]).stdout.split()
    )
