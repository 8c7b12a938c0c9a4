"""What every tracker is told of a run, by names that do not depend on the tracker."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huse_bench.discovery.hookspecs import PlannedRun
    from huse_bench.results import RunRecord

__all__ = ["curve", "folder", "name", "numbers", "parameters"]


def name(run: "PlannedRun") -> str:
    """What a run is called."""
    return f"{run.method.name} seed {run.seed}"


def folder(run: "PlannedRun") -> Path:
    """Where a tracker keeps what it writes: a folder in the results folder, made where there is none."""
    path = run.config.results_folder / "tracking"
    path.mkdir(exist_ok=True)
    return path.resolve()


def parameters(run: "PlannedRun") -> dict[str, Any]:
    """What the numbers of a run depend on, as plain values by name."""
    config = run.config
    return {
        "method": run.method.name,
        "dataset": config.folder_name,
        "seed": run.seed,
        "preset": config.preset,
        "fingerprint": run.fingerprint,
        **{f"training.{key}": value for key, value in config.training.model_dump().items()},
        **run.method.parameters,
    }


def curve(losses: Mapping[str, float], validation: Mapping[str, float]) -> dict[str, float]:
    """A point of a learning curve by name."""
    return {f"loss/{key}": value for key, value in losses.items()} | {
        f"validation/{key}": value for key, value in validation.items()
    }


def numbers(record: "RunRecord") -> dict[str, float]:
    """The final numbers of a run on the test split by name, and the seconds of its training."""
    found = {
        f"test/{direction} {metric}": value
        for direction, scores in (record.retrieval or {}).items()
        for metric, value in scores.items()
    }
    if record.classification is not None:
        for task in ("image", "text", "fusion"):
            found[f"test/{task} accuracy"] = getattr(record.classification, task)
    if record.training is not None:
        found["training/seconds"] = record.training.seconds
    return {key: float(value) for key, value in found.items()}
