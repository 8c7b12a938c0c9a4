"""Which trials there are and which hyper-parameters they get, with a formula in place of a training."""

import json
import random
import statistics
import subprocess
import sys
from contextlib import ExitStack

import pytest

from huse_bench.errors import MissingExtraError, ResultsError
from huse_bench.space import Choice, LogUniform, Uniform
from huse_bench.tuning.journal import open_journal
from huse_bench.tuning.study import Study, Trial, require_optuna

SPACE = {"x": Uniform(0.0, 1.0), "y": LogUniform(0.01, 100.0), "kind": Choice("a", "b", "c")}
DEFAULTS = {"x": 0.9, "y": 1.0, "kind": "c", "other": 3}


def study(journal, folder, seed=0, number=1, defaults=DEFAULTS, method="m", space=SPACE):
    (folder / "locks").mkdir(exist_ok=True)
    return Study(journal, folder / "locks", method, "0" * 64, (seed, number), space, defaults)


def ended(number, parameters):
    # Rounded, for shares of few queries are often equal too.
    value = round(-((parameters["x"] - 0.3) ** 2) - (parameters["kind"] != "a"), 1)
    return Trial(number, parameters, value, None, 0.1, {"i2i R@1": 0.5})


def work(folder, total, **options):
    """What one process does; gives all hyper-parameters by number."""
    with open_journal(folder / "journal.log") as journal:
        mine = study(journal, folder, **options)
        while len(mine.trials()) < total:
            with mine.claim(total) as number:
                mine.record(ended(number, mine.propose(number)))
        return {number: trial.parameters for number, trial in mine.trials().items()}


@pytest.fixture
def whole(tmp_path):
    folder = tmp_path / "whole"
    folder.mkdir()
    return work(folder, 22)


def test_the_first_trial_has_the_defaults_and_all_are_in_the_space(whole):
    assert list(whole) == list(range(1, 23))
    assert whole[1] == {"x": 0.9, "y": 1.0, "kind": "c"}
    for parameters in whole.values():
        assert 0 <= parameters["x"] <= 1
        assert 0.01 <= parameters["y"] <= 100
        assert parameters["kind"] in ("a", "b", "c")
    assert len({parameters["x"] for parameters in whole.values()}) == 22


def test_the_sampler_learns(tmp_path):
    found = work(tmp_path, 34)
    values = [ended(number, parameters).value for number, parameters in found.items()]
    assert statistics.fmean(values[10:]) > statistics.fmean(values[1:10]) + 0.2
    # A third would be the share of chance.
    assert [parameters["kind"] for parameters in found.values()][10:].count("a") >= 16


def test_a_resumed_study_is_the_same_as_an_uninterrupted_one(whole, tmp_path):
    for total in (3, 10, 12, 17, 22):
        resumed = work(tmp_path, total)
        assert resumed == {number: whole[number] for number in range(1, total + 1)}


def test_seed_and_method_give_other_trials(whole, tmp_path):
    assert work(tmp_path, 3, seed=1)[2] != whole[2]
    other = tmp_path / "other"
    other.mkdir()
    assert work(other, 3, method="n")[2] != whole[2]


@pytest.mark.parametrize("order", range(3))
def test_any_number_of_processes_gives_the_same_trials(whole, tmp_path, order):
    shuffled = random.Random(order)
    with open_journal(tmp_path / "journal.log") as first, open_journal(tmp_path / "journal.log") as second:
        workers = [study(first, tmp_path), study(second, tmp_path)]
        while len(workers[0].trials()) < 22:
            with ExitStack() as claims:
                running = []
                for _ in range(shuffled.randint(1, 6)):
                    worker = shuffled.choice(workers)
                    number = claims.enter_context(worker.claim(22))
                    if number is not None:
                        running.append((worker, number, worker.propose(number)))
                numbers = [number for _, number, _ in running]
                assert len(set(numbers)) == len(numbers)
                shuffled.shuffle(running)
                # The last one is killed before it ends.
                for worker, number, parameters in running[: max(1, len(running) - 1)]:
                    worker.record(ended(number, parameters))
        assert {number: trial.parameters for number, trial in workers[1].trials().items()} == whole
        assert list(workers[1].trials()) == list(whole)


def test_no_trial_begins_before_those_that_it_learns_from_have_ended(tmp_path):
    work(tmp_path, 10)
    with open_journal(tmp_path / "journal.log") as journal, ExitStack() as claims:
        mine = study(journal, tmp_path)
        assert [claims.enter_context(mine.claim(30)) for _ in range(5)] == [11, 12, 13, 14, None]


HOLD = """
import sys, time
from pathlib import Path
from huse_bench.space import Uniform
from huse_bench.tuning.journal import open_journal
from huse_bench.tuning.study import Study
folder = Path(sys.argv[1])
with open_journal(folder / "journal.log") as journal:
    mine = Study(journal, folder / "locks", "m", "0" * 64, (0, 1), {"x": Uniform(0.0, 1.0)}, {"x": 0.5})
    with mine.claim(5) as number:
        print(number, flush=True)
        time.sleep(600)
"""


def test_what_a_killed_process_had_reserved_is_free_again(tmp_path):
    (tmp_path / "locks").mkdir()
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "1\n"
        with open_journal(tmp_path / "journal.log") as journal:
            with study(journal, tmp_path).claim(5) as number:
                assert number == 2
            process.kill()
            process.wait()
            with study(journal, tmp_path).claim(5) as number:
                assert number == 1
    finally:
        process.kill()
        process.communicate()
    assert not list((tmp_path / "locks").iterdir())


def test_failed_trials_are_kept_and_nothing_is_learnt_from_them(tmp_path):
    with open_journal(tmp_path / "journal.log") as journal:
        mine = study(journal, tmp_path)
        mine.record(Trial(1, {"x": 0.1, "y": 2.0, "kind": "a"}, None, "diverged: at step 3", 1.5, {}))
        mine.record(ended(2, mine.propose(2)))
    with open_journal(tmp_path / "journal.log") as journal:
        first, second = study(journal, tmp_path).trials().values()
    assert first == Trial(1, {"x": 0.1, "y": 2.0, "kind": "a"}, None, "diverged: at step 3", 1.5, {})
    assert second.value is not None


def test_defaults_outside_the_space_are_tried_all_the_same(tmp_path):
    found = work(tmp_path, 12, defaults={"x": 7.0, "y": None, "kind": "z"})
    assert found[1] == {"x": 7.0, "y": None, "kind": "z"}
    assert len(found) == 12


@pytest.mark.parametrize(
    "damage",
    [
        lambda contents: contents[:-20],
        lambda contents: contents[:-20] + b"\n",
        lambda contents: contents[:-20] + bytes(300),
        lambda contents: contents[:-20] + bytes(300) + b"\n" + bytes(9) + b"\n",
        lambda contents: contents[:-20] + b"\n\xff\xfe\n5\n{}\n",
    ],
    ids=["torn", "torn and ended", "zeros", "zeros and ended", "several lines"],
)
def test_a_damaged_end_is_cut(tmp_path, whole, damage):
    work(tmp_path, 4)
    path = tmp_path / "journal.log"
    contents = path.read_bytes()
    # Killed while it wrote trial 4.
    path.write_bytes(damage(contents))
    assert work(tmp_path, 6) == {number: whole[number] for number in range(1, 7)}
    entries = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [entry["user_attrs"]["number"] for entry in entries if "user_attrs" in entry] == [1, 2, 3, 4, 5, 6]


def test_zeros_behind_whole_lines_cost_no_trial(tmp_path):
    work(tmp_path, 4)
    path = tmp_path / "journal.log"
    contents = path.read_bytes()
    path.write_bytes(contents + bytes(300))
    said = []
    with open_journal(path, said.append) as journal:
        assert list(study(journal, tmp_path).trials()) == [1, 2, 3, 4]
    assert said == [f"{path}: the last line was damaged and is cut; trials that are lost by it are run again"]
    assert path.read_bytes().startswith(contents + b"{")


@pytest.mark.parametrize("contents", [b"", b'{"op_co', bytes(40)], ids=["empty", "torn", "zeros"])
def test_a_journal_without_a_whole_line_starts_anew(tmp_path, whole, contents):
    (tmp_path / "journal.log").write_bytes(contents)
    assert work(tmp_path, 2) == {number: whole[number] for number in (1, 2)}


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("spoilt", [b"what is this?\n", b"\0\0\0\n", b'{"op_code": 4, "stu\n', b'[1, "op_code"]\n'])
def test_a_damaged_line_before_whole_ones_is_named_and_nothing_is_lost(tmp_path, number, spoilt):
    work(tmp_path, 3)
    path = tmp_path / "journal.log"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number - 1] = spoilt
    # What a killed process left at the end is no reason to touch the rest.
    path.write_bytes(b"".join(lines) + b'{"op')
    before = path.read_bytes()
    with pytest.raises(
        ResultsError,
        match=rf"journal.log is no readable journal of trials \(line {number} is damaged\); move the file away",
    ):
        work(tmp_path, 4)
    assert path.read_bytes() == before


@pytest.mark.parametrize("contents", [b"my notes\nof today\n", b"my notes\n", b'{"op_code": 4}\n'])
def test_a_file_that_is_no_journal_is_left_alone(tmp_path, contents):
    path = tmp_path / "journal.log"
    path.write_bytes(contents)
    with pytest.raises(ResultsError, match=r"journal.log is no readable journal of trials \(.*move the file away"):
        work(tmp_path, 2)
    assert path.read_bytes() == contents


@pytest.mark.parametrize(("module", "package"), [("optuna", "optuna"), ("tomli_w", "tomli-w")])
def test_what_is_not_installed_is_named(monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"tuning needs the package '{package}'.*huse-bench\[tune\]"):
        require_optuna()
