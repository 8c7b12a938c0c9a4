"""The identity of a run: everything that changes its numbers, and nothing else.

Code counts by what it does (see :func:`huse_bench.fingerprint.source_digest`), whether it is the core's, a control's or
a loss's; data count by their contents; settings by their values.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from huse_bench.config import RunConfig
from huse_bench.discovery._component import BUILTIN, Component
from huse_bench.evaluation import BHP_PROTOCOL, CLASSIFICATION_PROTOCOL, HP_PROTOCOL, RECALL_PROTOCOL
from huse_bench.features import Prepared
from huse_bench.fingerprint import fingerprint, source_digest
from huse_bench.measures import HP_KS, RECALL_KS
from huse_bench.results.schema import Json
from huse_bench.runs.controls import Control, controls_hash
from huse_bench.runs.methods import Method

__all__ = ["DEVICES", "NUMBERS", "PAGES", "control_fingerprint", "core_hash", "run_identity"]

#: Files and folders of the core whose code changes numbers; ``tests/runs/test_identity.py`` says why others do not.
NUMBERS = (
    "compiling.py",
    "components/_graph.py",
    "components/_loss.py",
    "evaluation",
    "features/_prepare.py",
    "kernels",
    "measures.py",
    "runs/embedded.py",
    "runs/experiment.py",
    "runs/steps.py",
    "taxonomy.py",
    "training",
)

#: Files in these folders that only show something.
PAGES = ("kernels/cuda/report.py",)

#: Folders whose code runs on one class of device alone. Evaluation is the processor's, whatever trained.
DEVICES = {"cuda": "kernels/cuda"}


def run_identity(config: RunConfig, method: Method, prepared: Prepared, device: str) -> dict[str, Json]:
    """What makes a run the run that it is, but its seed, as JSON values.

    Not in it are the order of the methods, the number of threads, the folder of the results, the versions of other
    packages, and what was spent on the hyper-parameters.

    Args:
        config: of the whole command.
        method: the loss with its hyper-parameters.
        prepared: the dataset.
        device: torch device that trains; its class counts, such as ``"cuda"`` of ``"cuda:1"``.

    Returns:
        The identity, for :func:`huse_bench.fingerprint.fingerprint`.
    """
    code: dict[str, Json] = {
        "name": method.name,
        "parameters": dict(method.parameters),
        "distribution": method.component.distribution,
        "version": _version(method.component),
        "source_hash": method.source_hash,
    }
    if method.is_control:
        # Its labels are shuffled there.
        code["control"] = controls_hash()
    return _identity(config, prepared, code, config.training.model_dump(), device.partition(":")[0])


def control_fingerprint(control: Control, config: RunConfig, prepared: Prepared) -> str:
    """The identity of a control's record: no setting of a training is in it, for there is none, and no other device."""
    return fingerprint(_identity(config, prepared, {"name": control.name, "source_hash": controls_hash()}, None, "cpu"))


@cache
def core_hash(device: str) -> str:
    """SHA-256 over the core's code that makes numbers on a class of device.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
    """
    root = Path(__file__).parents[1]
    others = tuple(f"{folder}/" for kind, folder in DEVICES.items() if kind != device)
    found = [path for part in NUMBERS for path in (sorted((root / part).rglob("*.py")) or [root / part])]
    named = {path.relative_to(root).as_posix(): path for path in found}
    return source_digest(
        {name: path for name, path in named.items() if name not in PAGES and not name.startswith(others)}
    )


def _identity(
    config: RunConfig, prepared: Prepared, method: dict[str, Json], training: dict[str, Json] | None, device: str
) -> dict[str, Json]:
    return {
        "dataset": {
            "name": config.dataset,
            "content_hash": prepared.content_hash,
            "groups": prepared.parts.get("groups"),
            "backbones": dict(prepared.backbones),
            "taxonomy_hash": prepared.taxonomy.hash,
            # What it makes of the items is in their contents, but not what is counted then.
            **({"regime": prepared.regime.model_dump()} if prepared.regime.is_any else {}),
        },
        "method": method,
        "training": training,
        "device": device,
        "protocol": [
            RECALL_PROTOCOL[config.protocol],
            HP_PROTOCOL[config.protocol],
            BHP_PROTOCOL,
            CLASSIFICATION_PROTOCOL,
            list(RECALL_KS),
            list(HP_KS),
        ],
        "core": core_hash(device),
    }


def _version(component: Component) -> str | None:
    """The version of a plugin, which speaks for what its sources do not show, such as compiled code.

    The built-in ones and those that are single files have nothing of the kind.
    """
    return None if component.distribution == BUILTIN or component.is_file else component.version
