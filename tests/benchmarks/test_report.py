"""What is written of a benchmark run: the JSON, the table, the page."""

import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from benchmarks.gpu import record as gpu_record
from benchmarks.measuring import OURS
from benchmarks.record import FOLDER, Entry, Machine, Measurement, Report, Spread, machine, slug
from benchmarks.table import facts, table

mpl = pytest.importorskip("matplotlib")
from benchmarks import render  # noqa: E402 - needs matplotlib


def spread(value):
    return Spread(median=value, low=value * 0.9, high=value * 1.1)


def measurement(rows):
    plain = Entry(
        name="autograd",
        difference=0,
        seconds={"forward": spread(0.03), "backward": spread(0.01)},
        total=spread(0.04),
        ratio=spread(4),
        tuned_ratio=spread(2),
        memory_mib=200,
    )
    ours = Entry(
        name=OURS,
        difference=1e-7,
        seconds={"forward": spread(0.01)},
        total=spread(0.01),
        bound_share=spread(0.5),
        memory_mib=3,
    )
    return Measurement(
        operation="graph_loss_and",
        rows=rows,
        dim=64,
        threads=1,
        clock="processor",
        rounds=5,
        facts={"class_pairs_under_margin": 0.15},
        entries=[plain, ours],
    )


@pytest.fixture
def report():
    return Report.of([measurement(1024), measurement(2048)], machine(), "here", quick=True)


def test_the_json_reads_back_and_is_strict(report):
    text = report.model_dump_json(exclude_none=True)
    assert Report.model_validate_json(text) == report
    with pytest.raises(ValidationError, match="schema_version"):
        Report.model_validate_json(text.replace('"schema_version":1', '"schema_version":2'))
    with pytest.raises(ValidationError, match="surprise"):
        Report.model_validate_json(text.replace('"quick"', '"surprise":1,"quick"'))


def test_the_table_has_ours_first_and_every_figure(report):
    lines = table(report).splitlines()[2:]
    first, second = lines[0].split(), lines[1].split()
    assert first == ["graph_loss_and", "1024x64", "1", OURS, "10", "ms", "10", "ms", "50%", "3"]
    assert " ".join(second[:6]) == "· class pairs under margin 0.15"
    assert " ".join(second[6:]) == "autograd 30 ms 10 ms 40 ms 4 [3.6, 4.4] 2 [1.8, 2.2] 200"
    assert "QUICK RUN" in facts(report)
    assert report.versions["torch"] in facts(report)


@pytest.mark.parametrize(
    ("processor", "quick", "expected"),
    [
        ("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", False, "intel-xeon-platinum-8481c-2-cpus"),
        ("AMD EPYC 7763", True, "amd-epyc-7763-2-cpus-quick"),
    ],
)
def test_a_name_says_the_processor(processor, quick, expected):
    here = machine().model_copy(update={"processor": processor, "cpus": 2})
    assert slug(here, quick=quick) == expected


def test_machine_facts_are_known():
    here = machine()
    assert isinstance(here, Machine)
    assert here.cpus >= 1
    assert here.blas != "unknown"


def test_the_page_and_the_figure_show_the_figures(report):
    text = render.page([report], [])
    assert "| 4 [3.6, 4.4]" not in text.split("autograd")[0]
    for words in ("autograd 4 [3.6, 4.4]", "2 [1.8, 2.2]", "50%", "3 / 200", "A quick run", "benchmarks-here.svg"):
        assert words in text
    drawing = render.figure(report)
    lines = {line.get_label(): line for line in drawing.axes[0].lines}
    assert list(lines["autograd"].get_ydata()) == [40, 40]
    assert list(lines[OURS].get_xdata()) == [1024, 2048]
    assert list(drawing.axes[1].lines[0].get_ydata()) == [3, 3]


def test_the_committed_page_is_that_of_the_committed_results():
    reports = render.read(FOLDER, Report)
    if not reports:
        pytest.skip("a distribution carries no results")
    checks = render.read(gpu_record.FOLDER, gpu_record.Check)
    assert render.PAGE.read_text(encoding="utf-8") == render.page(reports, checks)
    for report in reports:
        assert (render.FIGURES / f"benchmarks-{report.name}.svg").exists()


def test_a_part_of_the_benchmarks_prints_its_table_and_writes_nothing():
    pytest.importorskip("pytest_benchmark")
    root = FOLDER.parents[1]
    command = [sys.executable, "-m", "pytest", "benchmarks/bench_hierarchy.py", "--benchmark-only", "--quick"]
    # Among several workers of pytest-xdist, pytest-benchmark switches itself off.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command += ["-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hp_at_k" in done.stdout
    assert "plain Python" in done.stdout
    # One file of several: too little to take the place of a whole run.
    assert "not written: not all benchmarks ran and passed" in done.stdout
