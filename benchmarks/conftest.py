"""Options of the benchmarks, and what becomes of their measurements: one JSON and one table."""

import os
import sys
from pathlib import Path

# As the command line has it, before torch is loaded: threads that wait for a product keep no core busy for long.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

import pytest
import torch

# `pytest benchmarks` finds the modules beside this one no less than `python -m pytest benchmarks` does; last, so that
# huse_bench is the installed one.
sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.measuring import OURS, Effort, measure, threads
from benchmarks.record import FOLDER, Report, machine, slug
from benchmarks.table import facts, table
from benchmarks.worker import TUNED_ALLOCATOR, Worker
from huse_bench.files import write_atomically

_MACHINE = pytest.StashKey()
_MEASUREMENTS = pytest.StashKey()
_WHOLE = pytest.StashKey()


def pytest_addoption(parser):
    group = parser.getgroup("huse-bench")
    group.addoption("--quick", action="store_true", help="Small data and few rounds: minutes in place of half an hour.")
    group.addoption(
        "--bench-name", help="Write results/benchmarks/NAME.json; by default the processor's name, of whole runs alone."
    )


def pytest_configure(config):
    # One table is enough; pytest-benchmark's own is shown by -v.
    config.option.benchmark_quiet = True
    config.stash[_MEASUREMENTS] = []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    files = {path.name for path in Path(__file__).parent.glob("bench_*.py")}
    config.stash[_WHOLE] = {item.path.name for item in items} == files and not config.option.keyword
    config.stash[_MACHINE] = machine()
    if config.getoption("quick"):
        # What does not go through the gate below knows no small size either.
        config.hook.pytest_deselected(items=[item for item in items if "keep" not in item.fixturenames])
        items[:] = [item for item in items if "keep" in item.fixturenames]


@pytest.fixture(scope="session")
def quick(request):
    return request.config.getoption("quick")


@pytest.fixture(scope="session")
def effort(quick):
    return Effort(seconds=0.7, least=3, most=9) if quick else Effort(seconds=5, least=3, most=25)


@pytest.fixture(scope="session")
def workers():
    """A process for memory, and one with the tuned allocator."""
    processes = {"memory": Worker({}), "ratio": Worker(TUNED_ALLOCATOR)}
    yield processes
    for process in processes.values():
        process.stop()


@pytest.fixture
def keep(benchmark, request):
    """Put a measurement, and the times of a run of ours, where the report and pytest-benchmark find them."""

    def kept(measurement, case):
        ours = next(competitor for competitor in case.competitors if competitor.name == OURS)

        def run():
            ours.run(lambda _phase: None)
            if case.device == "cuda":
                torch.cuda.synchronize()

        benchmark.pedantic(run, rounds=3)
        benchmark.extra_info.update(measurement.model_dump())
        request.config.stash[_MEASUREMENTS].append(measurement)

    return kept


@pytest.fixture
def record(keep, effort, workers):
    """Measure a case, which a function makes, on so many threads, and keep what was measured.

    On one thread, ``elsewhere`` says how a worker makes the same case for its memory, and ``tuned`` whether the tuned
    allocator is tried too.
    """

    def recorded(make, count, elsewhere=None, *, tuned=False):
        with threads(count):
            case = make()
            measurement = measure(case, effort)
        if elsewhere and count == 1:
            memory = workers["memory"].ask("memory", **elsewhere)
            ratio = None
            if tuned:
                asked = elsewhere | {"peers": []}
                ratio = workers["ratio"].ask("ratio", seconds=effort.seconds, least=effort.least, **asked)
            measurement = measurement.completed(memory, ratio)
        with threads(count):
            keep(measurement, case)

    return recorded


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    measurements = config.stash[_MEASUREMENTS]
    if not measurements:
        return
    here, quick, asked = config.stash[_MACHINE], config.getoption("quick"), config.getoption("bench_name")
    name = asked or slug(here, quick=quick)
    report = Report.of(measurements, here, name, quick=quick)
    terminalreporter.section(f"benchmarks of {name}")
    terminalreporter.write_line(facts(report))
    terminalreporter.write_line("")
    terminalreporter.write_line(table(report))
    path = FOLDER / f"{name}.json"
    if asked or (config.stash[_WHOLE] and exitstatus == 0):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (report.model_dump_json(indent=1, exclude_none=True) + "\n").encode())
        terminalreporter.write_line(f"\nwritten to {path}; python -m benchmarks.render puts it into docs/benchmarks.md")
    else:
        terminalreporter.write_line(
            f"\n{path} not written: not all benchmarks ran and passed; --bench-name writes anyway"
        )
