"""The check of a GPU without one: it runs through by Triton's interpreter, refuses what is wrong, and loses nothing."""

import importlib.util
import json
import math
import subprocess
import sys
import warnings

import pytest
import torch
from pydantic import ValidationError

from benchmarks import bench_cuda, losses
from benchmarks.gpu import card, page
from benchmarks.gpu.__main__ import STAGES, main, run_stage
from benchmarks.gpu.notes import Notes
from benchmarks.gpu.record import FOLDER, Check, Stage, folded, slug
from benchmarks.measuring import OURS
from benchmarks.record import Entry, Measurement, Spread
from huse_bench.kernels import reference

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")


@needs_triton
def test_a_dry_run_runs_every_stage(tmp_path):
    path = tmp_path / "folder" / "dry.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--dry-run", "--out", str(path)]
    done = subprocess.run(command, cwd=FOLDER.parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    check = Check.model_validate_json(path.read_text(encoding="utf-8"))
    assert check.dry_run
    assert list(check.stages) == list(STAGES)
    assert {(stage.outcome, *stage.failures) for stage in check.stages.values()} == {("done",)}
    compared = check.stages["parity"].tables["largest differences from float64"]
    assert len(compared) == 9
    assert all(0 < row["gradient"] < 1e-6 for row in compared)
    timed = check.stages["timing"].tables["value and gradient"]
    assert {row["by"] for row in timed} >= {"autograd", OURS}
    assert page.section(check) in done.stdout
    assert "**A dry run: nothing here was run on a GPU.**" in done.stdout
    with pytest.raises(ValidationError, match="surprise"):
        Check.model_validate_json(path.read_text(encoding="utf-8").replace('"card"', '"surprise":1,"card"', 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stages", "facts,sped"], "there is no stage 'sped'; choose of facts, parity, timing,"),
        (["--dry-run"], "say where to write with --out"),
        (["--seconds", "9"], "--seconds 9 is too little for any stage; give 36 at least"),
        pytest.param(
            [],
            "torch finds no CUDA device; nvidia-smi must list one. --dry-run",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is one"),
        ),
    ],
)
def test_what_cannot_be_checked_is_said(capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_stage_that_takes_too_long_is_stopped(tmp_path):
    stage, _ = run_stage("facts", tmp_path, 0.1, dry_run=True)
    assert stage.outcome == "stopped"
    assert stage.failures == ["stopped after 0 s"]


def test_a_stage_that_raises_says_what(tmp_path):
    stage, seen = run_stage("nothing", tmp_path, 300, dry_run=True)
    assert stage.failures == ["nothing: ModuleNotFoundError: No module named 'benchmarks.gpu.nothing'"]
    assert seen == "no GPU: a dry run"


def test_a_stage_that_dies_says_how_and_keeps_what_it_wrote(tmp_path):
    (tmp_path / "--help-me-0.json").write_text('{"card": "X", "tables": {"a": [{"b": 1}]}, "failures": ["c"]}')
    # Its process knows no such option.
    stage, seen = run_stage("--help-me", tmp_path, 300, dry_run=True)
    assert stage.outcome == "stopped"
    assert stage.tables == {"a": [{"b": 1}]}
    assert stage.failures[0] == "c"
    assert stage.failures[1].startswith("ended with 2: stage.py: error: ")
    assert seen == "X"


def test_notes_are_written_as_they_come_and_go_on_behind_a_failure(tmp_path):
    notes = Notes(tmp_path / "here-0.json", dry_run=True, seconds=-1)
    assert notes.late
    notes.card("A card")
    notes.add("table", a=1)
    with notes.guarded("this"):
        notes.add("table", a=2)
        raise ValueError("no\nand more")
    notes.fail("too bad")
    assert json.loads((tmp_path / "here-0.json").read_text()) == {
        "card": "A card",
        "tables": {"table": [{"a": 1}, {"a": 2}]},
        "failures": ["this: ValueError: no", "too bad"],
    }
    later = Notes(tmp_path / "later-0.json", dry_run=True, seconds=60)
    assert not later.late
    assert later.of("here", "table") == [{"a": 1}, {"a": 2}]
    assert later.of("here", "another") == later.of("nowhere", "table") == []


def test_rows_of_several_processes_become_one_with_the_largest_numbers():
    rows = [{"of": "a", "x": 1.0, "y": 5.0}, {"of": "b", "x": 9.0, "y": 9.0}, {"of": "a", "x": 3.0, "y": 4.0}]
    assert folded(rows) == [{"of": "a", "x": 3.0, "y": 5.0}, {"of": "b", "x": 9.0, "y": 9.0}]
    assert math.isnan(folded([{"x": 1.0}, {"x": math.nan}])[0]["x"])


def test_a_section_shows_every_figure_and_failure():
    stages = {
        "parity": Stage(
            outcome="stopped",
            seconds=12.34,
            tables={
                "differences": [{"what": "a|b", "value": 1.25e-7}, {"what": "c", "ms": 12345.6, "same_bits": True}]
            },
            failures=["c: off"],
        ),
        "timing": Stage(outcome="not run"),
    }
    text = page.section(
        Check(name="x", card="A card", date="2026-01-02", dry_run=False, versions={"torch": "9"}, stages=stages)
    )
    for words in (
        "### A card",
        "2026-01-02; torch 9.",
        "stopped after 12 s.",
        "- c: off",
        "differences:",
        "not run after",
    ):
        assert words in text
    lines = [[cell.strip() for cell in line.split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    assert [cell.strip("| ") for cell in lines[0]] == ["what", "value", "ms", "same bits"]
    assert [cell.strip("| ") for cell in lines[1]][:2] == ["a\\|b", "1.25e-07"]
    assert [cell.strip("| ") for cell in lines[2]][2:] == ["12346", "yes"]
    assert "dry run" not in text


def test_the_page_says_that_nothing_was_measured_as_long_as_nothing_was():
    assert "**Nothing has been measured on a GPU yet**" in page.page([])
    check = Check(name="x", card="A card", date="2026-01-02", dry_run=False, versions={}, stages={})
    assert "Nothing has been measured" not in page.page([check])


def test_a_name_says_the_card():
    assert slug("NVIDIA H100 80GB HBM3") == "nvidia-h100-80gb-hbm3"


def test_shares_are_of_the_peak_of_the_precision():
    def entry(name):
        spread = Spread(median=0.5, low=0.5, high=0.5)
        return Entry(name=name, difference=0, seconds={"all": spread}, total=spread)

    names = ["autograd", OURS, f"{OURS} tf32", f"{OURS} fp16"]
    measured = Measurement(
        operation="graph_loss_none",
        rows=96,
        dim=8,
        threads=1,
        clock="cuda events",
        rounds=3,
        entries=[entry(name) for name in names],
    )
    case = losses.case("graph_loss_none", 96, 8, ())
    peaks = {"fp32": 1e6, "tf32": 5e6, "fp16": 6e6, "bytes": 1e6}
    found = card.shares(measured, case, peaks)
    operations = 3 * 96 * 96 * 8 / 0.5
    assert {words: share["operations_of_peak"] for words, share in found.items()} == pytest.approx(
        # A third of float16's is more than float32's.
        {"fp32": operations / 2e6, "tf32": operations / 5e6, "fp16": operations / 6e6}
    )
    assert {share["bandwidth_of_peak"] for share in found.values()} == {2 * 4 * 96 * 8 / 0.5 / 1e6}
    slow = card.shares(measured, case, peaks | {"fp16": 1e6})
    assert slow["fp32"]["operations_of_peak"] == pytest.approx(operations / 1e6)


class Rounded(torch.autograd.Function):
    """Rows as a precision has them, which autograd does not notice."""

    @staticmethod
    def forward(ctx, rows, precision):  # noqa: ARG004 - as torch calls it
        if precision == "fp16":
            return rows.half().float()
        # The tensor cores leave the lower bits out.
        return (rows.contiguous().view(torch.int32) & -(2**13)).view(torch.float32)

    @staticmethod
    def backward(ctx, gradient):  # noqa: ARG004 - likewise
        return gradient, None


@pytest.mark.parametrize("precision", ["tf32", "fp16"])
@pytest.mark.parametrize("name", ["graph_loss_and", *losses.TRIPLETS])
def test_what_less_precision_comes_to_may_be_timed_and_a_wrong_result_may_not(name, precision):
    made = losses.case(name, 1024, 64, (), precisions=("tf32", "fp16"))
    plain, rounded = made.competitors[0], made.competitors[2 + (precision == "fp16")]
    formula, rows = plain.run.args
    expected = plain.outcome
    most = rounded.tolerance
    found = losses._step(lambda leaf: formula(Rounded.apply(leaf, precision)), rows, lambda _phase: None)
    assert 0 < made.difference(found, expected) <= most
    # The gradient of some rows left out, as by a program that did not run.
    expected[1][: 1024 // 8] = 0
    assert made.difference(found, expected) > most


@needs_triton
@pytest.mark.parametrize("precision", ["tf32", "fp16"])
@pytest.mark.parametrize(("count", "dim"), [(129, 2), (700, 2), (700, 64)])
def test_parity_allows_rounding_and_not_another_loss(count, dim, precision):
    from benchmarks.gpu import parity

    for operation in parity.operations(count, dim, "cpu"):
        loss = getattr(reference, operation.function)
        leaves, arguments = parity.in_float64(operation)
        expected = parity.value_and_gradients(loss, leaves, arguments)
        of = len(leaves)
        found = parity.value_and_gradients(
            lambda *given, of=of, loss=loss: loss(*(Rounded.apply(row, precision) for row in given[:of]), *given[of:]),
            operation.leaves,
            operation.arguments,
        )
        most = parity.limits(operation, precision)
        assert all(parity.relative(a, b) <= limit for a, b, limit in zip(found, expected, most, strict=True))
        # The gradient of half of the rows left out, as by programs that did not run.
        half = found[1].clone()
        half[len(half) // 2 :] = 0
        assert parity.relative(half, expected[1]) > most[1]


@pytest.mark.filterwarnings(*bench_cuda.pytestmark[1].args)
def test_what_torch_compile_advises_fails_no_benchmark():
    advice = "TensorFloat32 tensor cores for float32 matrix multiplication available but not enabled."
    warnings.warn_explicit(advice, UserWarning, "compile_fx.py", 321, module="torch._inductor.compile_fx")
    with pytest.raises(UserWarning, match="of ours"):
        warnings.warn_explicit("of ours", UserWarning, "x.py", 1, module="huse_bench.kernels")
