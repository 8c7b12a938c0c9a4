"""A planned run: its method, its seed and its identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from huse_bench.config import RunConfig
from huse_bench.features import Prepared
from huse_bench.fingerprint import fingerprint
from huse_bench.results.schema import Tuning, file_stem
from huse_bench.runs.controls import shuffled_method
from huse_bench.runs.data import device_of
from huse_bench.runs.identity import run_identity
from huse_bench.runs.methods import Method

__all__ = ["RunSpec", "plan_run", "plan_runs"]


@dataclass(frozen=True)
class RunSpec:
    """One run before it is trained.

    Attributes:
        method: the loss with its hyper-parameters.
        seed: of the run.
        fingerprint: sha256 over everything that changes the run's numbers.
        configuration: the same without the seed.
        config: the configuration of the whole command.
        device: torch device to train on.
        neighbours: keep what each query of the test split found first.
        tuning: what the hyper-parameters cost, where a search chose them.
    """

    method: Method
    seed: int
    fingerprint: str
    configuration: str
    config: RunConfig
    device: str
    neighbours: bool = False
    tuning: Tuning | None = None

    @property
    def stem(self) -> str:
        """Name of the run's files, without their endings."""
        return file_stem(self.method.name, self.seed, self.fingerprint)


def plan_run(
    config: RunConfig, method: Method, seed: int, prepared: Prepared, device: str, tuning: Tuning | None = None
) -> RunSpec:
    """Plan a run, and give it its identity, see :mod:`huse_bench.runs.identity`."""
    identity = run_identity(config, method, prepared, device)
    return RunSpec(
        method=method,
        seed=seed,
        fingerprint=fingerprint({**identity, "seed": seed}),
        configuration=fingerprint(identity),
        config=config,
        device=device,
        neighbours=config.save_neighbours or (seed == config.seeds[0] and not method.is_control),
        tuning=tuning,
    )


def plan_runs(
    config: RunConfig,
    methods: Sequence[Method],
    prepared: Prepared,
    ledgers: Mapping[str, Tuning] | None = None,
    seeds: Sequence[int] | None = None,
) -> list[RunSpec]:
    """Plan all runs of a command that need a training.

    Args:
        config: of the command.
        methods: those to compare.
        prepared: the data.
        ledgers: what their hyper-parameters cost, by method.
        seeds: some of the command's; None for all.

    Returns:
        The runs of the first seed, of the second, ..., and those on shuffled labels where controls are asked for.
    """
    device, ledgers, seeds = device_of(config), ledgers or {}, config.seeds if seeds is None else seeds
    specs = [
        plan_run(config, method, seed, prepared, device, ledgers.get(method.name))
        for seed in seeds
        for method in methods
    ]
    if config.controls and config.seeds[0] in seeds:
        specs += [plan_run(config, shuffled_method(method), config.seeds[0], prepared, device) for method in methods]
    return specs
