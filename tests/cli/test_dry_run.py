"""``huse-bench run --dry-run``: what would be done, what it would take, and nothing done."""

import json
import re
from pathlib import Path

import pytest

from huse_bench.cli import main
from huse_bench.cli._rehearsal import _duration, as_text
from huse_bench.config import resolve_config
from huse_bench.execution.threads import cores, threads_each
from huse_bench.runs.rehearsal import Cost, ForeseenRun, Rehearsal

TRAINING = "[training]\nsteps = 40\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nwarmup_steps = 5\n"
RUN = ("run", "--dataset", "toy", "--config", "quick.toml")


@pytest.fixture
def call(toy, capsys):
    (toy / "quick.toml").write_text(TRAINING)

    def call(*arguments):
        code = main([*RUN, *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def contents(folder):
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


def plan(call, *arguments):
    code, out, _ = call("--dry-run", "--json", *arguments)
    return code, json.loads(out)


def test_nothing_is_written(call, toy):
    before = contents(toy)
    assert call("--dry-run", "--methods", "gap")[0] == 0
    assert contents(toy) == before
    call("--methods", "gap")
    before = contents(toy)
    assert call("--dry-run", "--methods", "gap,huse", "--controls", "--overwrite", "always")[0] == 0
    assert contents(toy) == before


def test_what_is_waiting_and_what_is_finished(call):
    assert call("--methods", "gap", "--seeds", "2")[0] == 0
    code, document = plan(call, "--methods", "gap,huse,nan", "--seeds", "1,2", "--controls")
    assert code == 1
    waits = {(run["method"], run["seed"]): (run["waiting"], run["record"]) for run in document["runs"]}
    assert waits["gap", 1] == (False, "finished")
    assert waits["gap", 2] == waits["huse", 1] == waits["control:shuffled-gap", 1] == (True, None)
    assert waits["control:chance", 0] == (True, None)
    assert document["waiting"] == sum(waiting for waiting, _ in waits.values()) == 12
    # The runs are those that the command then does.
    call("--methods", "gap,huse,nan", "--seeds", "1,2", "--controls")
    made = {json.loads(path.read_text())["fingerprint"] for path in Path("results/toy/runs").glob("*.json")}
    assert {run["fingerprint"] for run in document["runs"]} <= made
    _, after = plan(call, "--methods", "gap,huse,nan", "--seeds", "1,2", "--controls")
    assert after["waiting"] == 0
    assert after["seconds"] == 0
    _, again = plan(call, "--methods", "gap,huse,nan", "--seeds", "1,2", "--controls", "--overwrite", "failed")
    assert {run["method"] for run in again["runs"] if run["waiting"]} == {"nan", "control:shuffled-nan"}


def test_each_distinct_method_has_its_cost(call):
    _, document = plan(call, "--methods", "gap,huse", "--seeds", "2", "--controls")
    costs = {}
    for run in document["runs"]:
        if run["method"] in ("gap", "huse"):
            costs.setdefault(run["method"], []).append(run["cost"])
    assert costs["gap"][0] == costs["gap"][1]
    assert costs["gap"][0] != costs["huse"][0]
    for cost in (costs["gap"][0], costs["huse"][0]):
        assert cost["error"] is None
        assert 0 < 40 * cost["step_seconds"] < cost["seconds"]
        assert cost["peak_memory_bytes"] > 1e6
    shuffled = next(run["cost"] for run in document["runs"] if run["method"] == "control:shuffled-huse")
    assert shuffled == costs["huse"][0]
    seconds = [run["cost"]["seconds"] for run in document["runs"] if run["cost"]]
    assert document["seconds"] == pytest.approx(sum(seconds))


def test_more_steps_take_longer(call):
    _, short = plan(call, "--methods", "gap", "--steps", "10")
    _, long = plan(call, "--methods", "gap", "--steps", "100000")
    assert long["seconds"] > 20 * short["seconds"]


def test_several_jobs_share_the_time_as_far_as_there_are_cores(call):
    room = cores()
    seconds = {}
    for jobs in (1, 2, room, 3 * room):
        # A long run and, behind it, as many short ones.
        _, document = plan(call, "--methods", "huse,gap", "--seeds", "3", "--jobs", str(jobs))
        assert document["at_once"] == min(jobs, room)
        assert document["threads"] == threads_each(jobs)
        costs = [run["cost"]["seconds"] for run in document["runs"]]
        slots = [[] for _ in range(document["at_once"])]
        for cost in costs:
            min(slots, key=sum).append(cost)
        assert document["seconds"] == pytest.approx(max(map(sum, slots)))
        assert max(*costs, sum(costs) / len(slots)) <= document["seconds"] * (1 + 1e-9)
        seconds[jobs] = document["seconds"] / sum(costs)
    assert seconds[1] == pytest.approx(1)
    assert room == 1 or seconds[2] < 0.9


def test_people_are_told_what_several_jobs_share(call):
    common = ("--dry-run", "--methods", "gap", "--seeds", "2")
    room = cores()
    share = re.escape(f" of {threads_each(3 * room)} thread, which share {room} core{'s' if room > 1 else ''}, and ")
    _, out, _ = call(*common, "--jobs", str(3 * room))
    assert re.search(rf"^About .+ on cpu, {3 * room} jobs{share}[0-9.]+ GB of memory for each\.$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("jobs", "at_once", "said"),
    [
        (40, 40, "About 3.0 s on cuda, 40 at once, on machines such as this one, and 2.0 GB of memory for each."),
        (None, 1, "About 6.0 s on cuda, one run after another, or as many at once as there is room for, on machines "),
    ],
)
def test_people_are_told_what_a_cluster_is_taken_for(jobs, at_once, said):
    config = resolve_config(None, {"engine": "slurm", "jobs": jobs} if jobs else {"engine": "slurm"})
    cost = Cost(step_seconds=0.1, seconds=3.0, peak_memory_bytes=2 * 10**9)
    runs = tuple(ForeseenRun("gap", "Gap", seed, str(seed), True, None, cost) for seed in range(2))
    text = as_text([Rehearsal(config, "cuda", at_once, 1, runs)])
    assert said in text


def test_an_engine_that_could_not_be_opened_is_refused(call):
    code, out, err = call("--dry-run", "--methods", "gap", "--engine", "dask")
    assert (code, out) == (2, "")
    assert "needs the address of a scheduler" in err or "needs the package 'distributed'" in err


def test_people_see_a_table(call):
    code, out, err = call("--dry-run", "--methods", "gap,huse", "--seeds", "2")
    assert (code, err) == (0, "")
    assert "Method" in out
    assert "2  0, 1" in out
    assert f"4 of 4 runs are waiting; results folder {Path('results') / 'toy'}." in out
    assert "one run after another" in out
    assert "nothing written into the results folder" in out


def test_a_method_that_fails_is_told(call):
    code, out, _ = call("--dry-run", "--methods", "nan,crash,gap")
    assert code == 1
    assert "Nan would fail: " in out
    assert "Crash would fail: ZeroDivisionError: oh no" in out
    assert "Gap only would fail" not in out


@pytest.mark.parametrize(
    ("prepare", "arguments", "message"),
    [
        (None, ["--methods", "hose"], "hose"),
        (None, ["--results", "quick.toml"], "quick.toml is a file, not a folder"),
        ("foreign", [], "is not a huse-bench results folder"),
        ("other", [], "holds runs on the dataset 'emoji', not on 'toy'"),
        (None, ["--json"], "--json is for --dry-run"),
        (None, ["--quiet", "--verbose"], "--quiet and --verbose exclude each other"),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(call, toy, prepare, arguments, message):
    folder = toy / "results" / "toy"
    if prepare:
        folder.mkdir(parents=True)
    if prepare == "foreign":
        (folder / "thesis.tex").write_text("")
    if prepare == "other":
        (folder / "huse-bench.json").write_text('{"format": 1, "dataset": "emoji"}')
    dry = [] if arguments == ["--json"] else ["--dry-run"]
    code, out, err = call("--methods", "gap", *dry, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_quiet_and_verbose(call):
    code, out, err = call("--methods", "gap", "--quiet")
    assert (code, err) == (0, "")
    assert "Table 1" in out
    _, _, normal = call("--methods", "gap", "--overwrite", "always")
    _, _, verbose = call("--methods", "gap", "--overwrite", "always", "-v")
    details = [line for line in verbose.splitlines() if line not in normal.splitlines()]
    assert "  training.momentum = 0.9 (default)" in details
    assert "  Gap only (gap, toy-plugins): weight = 1.0, squared = False, power = 1" in details
    assert any("last losses gap " in line for line in details)
    assert any(line.startswith("  record gap-s0-") for line in details)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (3.21, "3.2 s"),
        (42.4, "42 s"),
        (91, "2 min"),
        (5300, "88 min"),
        (9000, "2.5 h"),
        (2e6, "23.1 days"),
    ],
)
def test_times_as_people_say_them(seconds, shown):
    assert _duration(seconds) == shown
