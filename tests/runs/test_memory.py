"""Memory that runs out: known by the errors of those that ask for it, and what a run does then."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from huse_bench.config import resolve_config
from huse_bench.errors import OutOfMemoryError
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs import embedded
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.events import RunFailed, RunNoticed, RunResumed, Stepped
from huse_bench.runs.memory import out_of_memory, ran_out, smaller_blocks
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.plan import plan_run
from huse_bench.runs.resuming import remove_left
from huse_bench.runs.steps import Measured
from huse_bench.runs.unit import run_unit

# More than any address has room for, and less than overflows.
HUGE = 2**57

#: A loss that has no memory to be evaluated with, once or as long as there is a file.
SHORT = '''
from pathlib import Path
from torch.nn.functional import normalize
from huse_bench import Loss

class Short(Loss):
    """The gap."""
    title = "Short"
    similarity = "short/v1"

    def forward(self, batch):
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}

    def ranking_rows(self, view):
        if Path("once").exists():
            Path("once").unlink()
            raise MemoryError
        if Path("always").exists():
            raise MemoryError("nothing left")
        unit = normalize(view.rows, dim=1)
        return unit, unit
'''


@pytest.fixture
def planned(toy, quick_training, monkeypatch):
    """A run of that loss, and its data."""
    from huse_bench import dropin
    from huse_bench.discovery import refresh

    (toy / "plugins").mkdir()
    (toy / "plugins/short.py").write_text(SHORT)
    monkeypatch.setenv("HUSE_BENCH_PLUGINS_DIR", "plugins")
    monkeypatch.setattr(dropin, "__path__", ["plugins"])
    refresh()

    def plan(every=1e9):
        given = {"dataset": "toy", "methods": ["short"], "training": {**quick_training, "steps": 12}}
        config = resolve_config(None, {**given, "checkpoint_every": every})
        _, prepared = make_ready(load(config), config, Reporter(quiet=True))
        (method,) = resolve_methods(config)
        return plan_run(config, method, 0, prepared, "cpu"), prepared

    return plan


def at_end(name):
    """A listener that makes a file once the last point of the learning curve is measured, after the last step."""

    def listen(event):
        if isinstance(event, Measured) and event.step == 12:
            Path(name).touch()

    return listen


@pytest.mark.parametrize(
    "ask",
    [
        lambda: np.empty(HUGE, np.uint8),
        lambda: torch.empty(HUGE, dtype=torch.uint8),
        lambda: bytearray(HUGE),
    ],
)
def test_what_asks_for_too_much_is_known(ask):
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        ask()
    assert ran_out(caught.value)


def test_what_libraries_of_gpus_and_systems_say_is_known():
    assert ran_out(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert ran_out(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert ran_out(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)))


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), OSError(errno.ENOSPC, "full"), ValueError("memory")],
)
def test_other_errors_are_others(error):
    assert not ran_out(error)


def test_it_is_said_in_one_line_what_to_do():
    text = str(out_of_memory(RuntimeError("can't allocate memory: 5 bytes\nframe #0: ..."), "in the evaluation"))
    assert text.startswith("memory ran out in the evaluation (can't allocate memory: 5 bytes). Make room, as by fewer")
    assert "\n" not in text


def test_smaller_blocks_last_as_long_as_their_context():
    before = embedded._ROWS
    with smaller_blocks() as rows:
        during = embedded._ROWS
    assert rows == during == before // 16
    assert before == embedded._ROWS


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_an_evaluation_is_made_once_more(planned, left_by, tmp_path, every):
    spec, prepared = planned(every)
    quiet = run_unit(spec, prepared, Store(tmp_path / "quiet", "toy"))
    events, store = [], Store(tmp_path / "results", "toy")
    record = run_unit(spec, prepared, store, [events.append, at_end("once")])
    assert record.status == "finished"
    (said,) = [event.text for event in events if isinstance(event, RunNoticed)]
    assert said == "memory ran out in its evaluation, which was made again in blocks of 256 items"
    assert record.warnings == [*quiet.warnings, f"{said}: the last bits may differ"]
    # No step was taken twice, and nothing was read from a checkpoint.
    assert [event.done for event in events if isinstance(event, Stepped)] == list(range(1, 13))
    assert not [event for event in events if isinstance(event, RunResumed)]
    assert not list(store.folder.rglob("*.checkpoint"))
    ours, theirs = left_by(store.folder), left_by(tmp_path / "quiet")
    for left in (ours, theirs):
        next(facts for name, facts in left.items() if name.endswith(".json")).pop("warnings")
    assert ours == theirs


def test_an_evaluation_that_fails_again_is_a_failure_whose_checkpoint_stays(planned, left_by, tmp_path):
    spec, prepared = planned()
    run_unit(spec, prepared, Store(tmp_path / "quiet", "toy"))
    events, store = [], Store(tmp_path / "results", "toy")
    record = run_unit(spec, prepared, store, [events.append, at_end("always")])
    assert record.status == "failed"
    assert record.error.startswith("memory ran out in the evaluation (nothing left). Make room")
    assert isinstance(events[-1], RunFailed)
    assert isinstance(events[-1].error, OutOfMemoryError)
    # The next command finds the run to have its record.
    remove_left([spec], store)
    assert list(store.folder.rglob("step-*"))
    # The same once more, which finds that checkpoint.
    assert run_unit(spec, prepared, store).error == record.error
    Path("always").unlink()
    events = []
    assert run_unit(spec, prepared, store, [events.append]).status == "finished"
    assert [event.step for event in events if isinstance(event, RunResumed)] == [12]
    assert not [event for event in events if isinstance(event, Stepped)]
    assert left_by(store.folder) == left_by(tmp_path / "quiet")
