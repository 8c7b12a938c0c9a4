"""A planned run: its method, its seed, and the identity of everything that changes its numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from huse_bench.config import RunConfig
from huse_bench.evaluation import BHP_PROTOCOL, CLASSIFICATION_PROTOCOL, HP_PROTOCOL, RECALL_PROTOCOL
from huse_bench.features import Prepared
from huse_bench.measures import HP_KS, RECALL_KS
from huse_bench.results import fingerprint
from huse_bench.results.schema import Tuning, file_stem
from huse_bench.runs.controls import Control, controls_hash
from huse_bench.runs.methods import Method
from huse_bench.version import installed_version

__all__ = ["RunSpec", "control_fingerprint", "plan_run"]


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
        tuning: what the hyper-parameters cost, where a search chose them.
    """

    method: Method
    seed: int
    fingerprint: str
    configuration: str
    config: RunConfig
    device: str
    tuning: Tuning | None = None

    @property
    def stem(self) -> str:
        """Name of the run's files, without their endings."""
        return file_stem(self.method.name, self.seed, self.fingerprint)


def plan_run(
    config: RunConfig, method: Method, seed: int, data: Prepared, device: str, tuning: Tuning | None = None
) -> RunSpec:
    """Plan a run, and give it its identity.

    What changes the numbers is in the fingerprint, and nothing else: the order of the methods, the number
    of threads, the device, the folder of the results and what was spent on the hyper-parameters are not.
    """
    code = {
        "name": method.name,
        "parameters": dict(method.parameters),
        "distribution": method.component.distribution,
        "version": method.component.version,
        "source_hash": method.source_hash,
    }
    identity = _identity(config, data, code, config.training.model_dump())
    return RunSpec(
        method=method,
        seed=seed,
        fingerprint=fingerprint({**identity, "seed": seed}),
        configuration=fingerprint(identity),
        config=config,
        device=device,
        tuning=tuning,
    )


def control_fingerprint(control: Control, config: RunConfig, data: Prepared) -> str:
    """The identity of a control's record: no setting of a training is in it, for there is none."""
    return fingerprint(_identity(config, data, {"name": control.name, "source_hash": controls_hash()}, None))


def _identity(
    config: RunConfig, data: Prepared, method: dict[str, Any], training: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "dataset": {
            "name": config.dataset,
            "content_hash": data.content_hash,
            "groups": data.parts.get("groups"),
            "backbones": data.backbones,
            "taxonomy_hash": data.taxonomy.hash,
        },
        "method": method,
        "training": training,
        "protocol": [
            RECALL_PROTOCOL[config.protocol],
            HP_PROTOCOL[config.protocol],
            BHP_PROTOCOL,
            CLASSIFICATION_PROTOCOL,
            list(RECALL_KS),
            list(HP_KS),
        ],
        "core": {"version": installed_version(), "source_hash": _core_hash()},
    }


@cache
def _core_hash() -> str:
    """sha256 over the core's sources that make numbers, so that records of other code are not taken for this one's."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for part in ("training", "kernels", "evaluation"):
        for path in sorted((root / part).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    for name in ("runs/experiment.py", "taxonomy.py"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()
