"""The conformance kit on a component that is installed, by its name."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from huse_bench.discovery import Kind, components, find, load, split_reference
from huse_bench.errors import UnknownComponentError, UsageError
from huse_bench.testing._backbones import SubjectBackbone
from huse_bench.testing._check import Report
from huse_bench.testing._datasets import SubjectDataset
from huse_bench.testing._kit import report_on
from huse_bench.testing._scene import SubjectLoss
from huse_bench.testing._trackers import SubjectTracker

__all__ = ["check_installed"]


def check_installed(name: str, kind: Kind | None = None, *, strict: bool = False, data: Path | None = None) -> Report:
    """Check a component against the contract.

    Args:
        name: as ``hb.load`` takes it; of a backbone with its reference, as ``hf-text:PATH``.
        kind: needed only where components of several kinds have the name.
        strict: also the strict checks, which losses have.
        data: the user's copy, for a dataset that needs one.

    Raises:
        UnknownComponentError: if nothing has the name.
        PluginConflictError: if several distributions provide it.
        PluginLoadError: if it cannot be loaded.
        UsageError: if several kinds have it, or an option does not go with its kind.
    """
    plain, reference = split_reference(name)
    kind = kind or _kind(plain)
    if data is not None and kind != "dataset":
        raise UsageError(f"--data is for datasets, and {plain!r} is a {kind}; leave it out")
    if strict and kind != "loss":
        raise UsageError(f"--strict is for losses, and {plain!r} is a {kind}; leave it out")
    if kind == "loss":
        loss = load("loss", plain)
        return report_on(loss, SubjectLoss(loss, {}), strict=strict)
    if kind == "dataset":
        dataset = load("dataset", plain)
        return report_on(dataset, SubjectDataset(dataset, data))
    if kind == "tracker":
        tracker = load("tracker", plain)
        return report_on(tracker, SubjectTracker(tracker))
    backbone = load("backbone", plain)
    return report_on(backbone, SubjectBackbone(backbone, reference))


def _kind(name: str) -> Kind:
    kinds: list[Kind] = [kind for kind in get_args(Kind) if _has(kind, name)]
    if len(kinds) > 1:
        raise UsageError(f"{name!r} is the name of a {' and of a '.join(kinds)}: add --kind {kinds[0]}")
    if kinds:
        return kinds[0]
    known = ", ".join(sorted({one.name for one in components()}))
    raise UnknownComponentError(f"no loss, backbone, dataset or tracker is named {name!r}. Known: {known}")


def _has(kind: Kind, name: str) -> bool:
    try:
        find(kind, name)
    except UnknownComponentError:
        return False
    return True
