"""Time and size of one checkpoint of HUSE on the emoji data: the state taken, written, on disk.

``pytest benchmarks/bench_checkpoints.py --benchmark-only`` prints both presets. The share is that of a checkpoint every
30 seconds, the default of ``huse-bench run``.
"""

import statistics

import pytest

from huse_bench.config import resolve_config
from huse_bench.progress import Reporter
from huse_bench.runs.checkpoints import Checkpoints
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.experiment import run_experiment
from huse_bench.runs.methods import resolve_methods

AFTER, ROUNDS, EVERY = 3, 20, 30.0


class Timed:
    """Writes checkpoints after a few steps, when the optimiser has all it will ever keep."""

    def __init__(self, folder, benchmark):
        self._checkpoints = Checkpoints(folder, "0" * 64)
        self._benchmark = benchmark
        self.bytes = 0

    def restore(self, training):
        del training
        return []

    def offer(self, training, learning):
        del learning
        if training.done == AFTER:
            self._benchmark.pedantic(self._write, (training,), rounds=ROUNDS, warmup_rounds=2)

    def _write(self, training):
        self.bytes = self._checkpoints.write(training.done, {"training": training.state_dict()})


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_a_checkpoint(benchmark, capsys, preset, tmp_path):
    config = resolve_config(None, {"preset": preset, "methods": ["huse"], "training": {"steps": AFTER}})
    _, prepared = make_ready(load(config), config, Reporter(quiet=True))
    (method,) = resolve_methods(config)
    timed = Timed(tmp_path / "checkpoint", benchmark)
    run_experiment(method, prepared, config.training, 0, keeper=timed)
    times = sorted(benchmark.stats.stats.data)
    middle = statistics.median(times)
    with capsys.disabled():
        print(  # noqa: T201 - the result
            f"\n{preset}: {timed.bytes / 1e6:.1f} MB in {1000 * middle:.0f} ms ({1000 * times[0]:.0f} to "
            f"{1000 * times[-1]:.0f}), {middle / EVERY:.2%} of {EVERY:.0f} s"
        )
