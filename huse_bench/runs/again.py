"""Runs that others recorded, trained again from what their records say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huse_bench.config import RunConfig, resolve_config
from huse_bench.errors import ResultsError
from huse_bench.evaluation import RECALL_PROTOCOL
from huse_bench.features import Prepared
from huse_bench.progress import Reporter
from huse_bench.results import RunRecord, Store
from huse_bench.runs.data import device_of, load, make_ready
from huse_bench.runs.listeners import Shown
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.plan import RunSpec, plan_run
from huse_bench.runs.provenance import provenance
from huse_bench.runs.unit import run_unit

__all__ = ["Again", "data_of", "run_again"]

# What the last bits of a number depend on.
_VERSIONS = ("torch", "numpy", "numba", "python", "platform", "processor", "torch threads")


@dataclass(frozen=True)
class Again:
    """A run that was trained again.

    Attributes:
        record: as it was recorded.
        same: by its own seed, where each bit should come out the same; None where not.
        other: why each bit need not come out the same; empty where it should.
        fresh: by other seeds.
        processor: that trained.
    """

    record: RunRecord
    same: RunRecord | None
    other: str
    fresh: tuple[RunRecord, ...]
    processor: str


def data_of(record: RunRecord, given: Mapping[str, Any], reporter: Reporter) -> Prepared:
    """The data of a record, as they are here.

    Args:
        record: of a run.
        given: what the user says of the data, as :func:`huse_bench.run` takes it.
        reporter: shows progress.

    Returns:
        The data.

    Raises:
        ResultsError: where they are others.
        UsageError: where they cannot be had.
    """
    config = _config(record, given)
    _, prepared = make_ready(load(config), config, reporter)
    theirs = record.dataset
    here = (prepared.content_hash, prepared.taxonomy.hash, prepared.parts.get("groups"))
    for field, there, own in zip(("content_hash", "taxonomy_hash", "groups"), theirs.identity, here, strict=True):
        if there != own:
            raise ResultsError(
                f"the data {theirs.name!r} are not the same here as in the bundle: {field} is {str(own)[:12]}, and "
                f"{str(there)[:12]} in {record.stem}; say where they are and what makes their features, as for "
                f"huse-bench run"
            )
    return prepared


def run_again(
    record: RunRecord,
    seeds: Sequence[int],
    given: Mapping[str, Any],
    prepared: Prepared,
    folder: Path,
    reporter: Reporter,
) -> Again:
    """Train what a record says once more.

    Args:
        record: of a finished run of a method.
        seeds: that it is trained with, none of them its own.
        given: what the user says of the data.
        prepared: the data, as :func:`data_of` gives them.
        folder: results folder of the new runs.
        reporter: shows progress.

    Returns:
        The new runs; one that failed says so in its record.

    Raises:
        UsageError: where the method is not here, or refuses its hyper-parameters.
    """
    config = _config(record, given)
    (method,) = resolve_methods(config)
    device = device_of(config)
    store = Store(folder, record.dataset.name)

    def done(spec: RunSpec) -> RunRecord:
        return run_unit(spec, prepared, store, (Shown(reporter),))

    own = plan_run(config, method, record.seed, prepared, device)
    other = _other(record, own)
    same = None if other else done(own)
    fresh = tuple(done(plan_run(config, method, seed, prepared, device)) for seed in seeds)
    device_name = fresh[0].device.name if fresh and fresh[0].device is not None else provenance()[0]["processor"]
    return Again(record, same, other, fresh, device_name)


def _config(record: RunRecord, given: Mapping[str, Any]) -> RunConfig:
    """The configuration that a record came from."""
    method = record.method
    variant = {} if method.base is None else {"base": method.base, "title": method.title}
    training = {
        name.partition(".")[2]: setting.value for name, setting in record.config.items() if name.startswith("training.")
    }
    counted = record.counting.get("recall")
    device = {} if record.device is None or record.device.kind == "cuda" else {"device": "cpu"}
    return resolve_config(
        None,
        {
            "dataset": record.dataset.name,
            "dataset_options": record.dataset.options or {},
            "regime": {} if record.dataset.regime is None else record.dataset.regime.model_dump(exclude_defaults=True),
            "methods": [method.name],
            "parameters": {method.name: {**variant, **method.parameters}},
            "training": training,
            "seeds": [record.seed],
            "protocol": next((name for name, known in RECALL_PROTOCOL.items() if known == counted), "v2"),
            **(record.dataset.asked or {}),
            **device,
            **given,
        },
        by=f"the record {record.stem}",
    )


def _other(record: RunRecord, own: RunSpec) -> str:
    """Why a run need not come out bit by bit; empty where it should."""
    if own.fingerprint != record.fingerprint:
        if own.method.source_hash != record.method.source_hash:
            return "the code of the method is another"
        return "the code of huse-bench, or the class of device, is another"
    facts, _ = provenance()
    for name in _VERSIONS:
        there, here = record.provenance.get(name), facts.get(name)
        if there != here:
            return f"{name} is {here}, and was {there}"
    return ""
