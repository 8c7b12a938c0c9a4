"""A planned run: its method, its seed and its identity."""

from __future__ import annotations

from dataclasses import dataclass

from huse_bench.config import RunConfig
from huse_bench.features import Prepared
from huse_bench.fingerprint import fingerprint
from huse_bench.results.schema import Tuning
from huse_bench.runs.identity import run_identity
from huse_bench.runs.methods import Method

__all__ = ["RunSpec", "plan_run"]


@dataclass(frozen=True)
class RunSpec:
    """One run before it is trained.

    Attributes:
        method: the loss with its hyper-parameters.
        seed: of the run.
        fingerprint: sha256 over everything that changes the run's numbers.
        configuration: the same without the seed.
        dataset_title: name of the dataset for people.
        config: the configuration of the whole command.
        tuning: what the hyper-parameters cost, where a search chose them.
    """

    method: Method
    seed: int
    fingerprint: str
    configuration: str
    dataset_title: str
    config: RunConfig
    tuning: Tuning | None = None


def plan_run(
    config: RunConfig, method: Method, seed: int, data: Prepared, dataset_title: str, tuning: Tuning | None = None
) -> RunSpec:
    """Give a run its identity, see :mod:`huse_bench.runs.identity`."""
    identity = run_identity(config, method, data, data.classes.embeddings.device.type)
    return RunSpec(
        method=method,
        seed=seed,
        fingerprint=fingerprint({**identity, "seed": seed}),
        configuration=fingerprint(identity),
        dataset_title=dataset_title,
        config=config,
        tuning=tuning,
    )
