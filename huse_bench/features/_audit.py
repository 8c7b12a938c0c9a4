"""Look through a dataset for what makes its numbers doubtful, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from huse_bench import kernels
from huse_bench.components import Split
from huse_bench.features._prepare import Prepared, SplitFeatures

__all__ = ["Audit", "audit"]

# A class with a tenth of another's items is worth a line; training draws it ten times more rarely.
_IMBALANCE = 10
# Near is a twentieth of the distance of two items taken at random. Encoders differ in how far apart they put any two
# items (some keep all cosines above 0.9), so no cosine means "near" for all of them.
_NEAR = 0.05
# Rounding, as of features kept in half precision or made in another batch.
_SAME = 1e-5
# Below one test item in a hundred, near-duplicates change no metric by more than its standard error over 2,500 queries.
_NOTABLE = 0.01
# Cosine distances below this between random items are rounding: the encoder does not tell items apart.
_COLLAPSED = 1e-4

_SAMPLE = 512
_CHUNK = 8192


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        findings: what the user should know, a sentence each; none if nothing is out of the ordinary.
        facts: the numbers behind them, found or not, as JSON can hold them.
    """

    findings: tuple[str, ...]
    facts: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """Findings and facts as one object that JSON can hold."""
        return {"findings": list(self.findings), **self.facts}


def audit(data: Prepared, texts: Sequence[str] | None) -> Audit:
    """Count what makes a dataset's numbers doubtful.

    - Class balance of each split. A finding where a class of the train or test split has 10 times the items of another,
      or a split lacks a class.
    - Texts that are empty.
    - Features that are not finite or all zeros; :func:`huse_bench.features.prepare` refuses them.
    - Near-duplicates between the train and the test split: test items whose nearest train item is at most 5 % as far as
      two train items usually are (the median of cosine distances), and among them those whose features are the same, a
      distance of up to 1e-5. Also, how many of them have another class than their double, a sign of wrong labels. A
      finding where an image is the same or 1 % of the test items are near.

    Takes time proportional to test items x train items x feature length, and memory for a copy of the test features.

    Args:
        data: the dataset.
        texts: the texts of its items in any order, if it has texts.

    Returns:
        The audit.
    """
    findings: list[str] = []
    facts: dict[str, Any] = {
        "classes": _classes(data.splits, data.class_names, findings),
        "texts": None if texts is None else _texts(texts, findings),
        "features": {},
    }
    for kind in ("image", "text"):
        rows: dict[Split, Tensor] = {name: getattr(split, kind) for name, split in data.splits.items()}
        unusable = sum(_unusable(values) for values in rows.values())
        facts["features"][kind] = {
            "dimension": rows["train"].shape[1],
            "unusable_rows": unusable,
            "duplicates": None if unusable else _duplicates(kind, rows, data.splits, findings),
        }
        if unusable:
            findings.append(
                f"{unusable} {kind} features are not finite or all zeros: rebuild them or leave the items out"
            )
    return Audit(tuple(findings), facts)


def _classes(
    splits: dict[Split, SplitFeatures], names: Sequence[str], findings: list[str]
) -> dict[Split, dict[str, float]]:
    counts = {name: np.bincount(split.labels.cpu().numpy(), minlength=len(names)) for name, split in splits.items()}
    facts: dict[Split, dict[str, float]] = {}
    for name, sizes in counts.items():
        present = sizes[sizes > 0]
        facts[name] = {
            "items": int(sizes.sum()),
            "smallest": int(present.min()),
            "largest": int(present.max()),
            "ratio": float(present.max() / present.min()),
            "absent": int((sizes == 0).sum()),
        }
        if facts[name]["absent"]:
            findings.append(f"{facts[name]['absent']} of {len(names)} classes have no item in the {name} split")
    judged: tuple[Split, ...] = ("train", "test")
    unbalanced = [name for name in judged if facts[name]["ratio"] >= _IMBALANCE]
    # Splits are mostly made class by class, so that what is said of the first holds for the other.
    for name in unbalanced[:1]:
        sizes = counts[name]
        least = int(np.where(sizes > 0, sizes, sizes.max()).argmin())
        most = int(sizes.argmax())
        findings.append(
            f"the classes are unbalanced: the {name} split has {sizes[least]} items of {names[least]!r} and "
            f"{sizes[most]} of {names[most]!r}; metrics count items, so large classes weigh more"
        )
    return facts


def _texts(texts: Sequence[str], findings: list[str]) -> dict[str, int]:
    empty = sum(not text.strip() for text in texts)
    if empty:
        findings.append(f"{empty} of {len(texts)} texts are empty: all of them have the same features")
    return {"items": len(texts), "empty": empty, "distinct": len({hash(text) for text in texts})}


def _unusable(values: Tensor) -> int:
    # A sum of magnitudes is 0 for a row of zeros and not finite for one that is not.
    sizes = values.abs().sum(dim=1)
    return int((~sizes.isfinite() | (sizes == 0)).sum())


def _duplicates(
    kind: str, rows: dict[Split, Tensor], splits: dict[Split, SplitFeatures], findings: list[str]
) -> dict[str, Any] | None:
    typical = _typical_distance(rows["train"])
    if typical < _COLLAPSED:
        findings.append(f"the {kind} features hardly differ: the median cosine distance of two items is {typical:.1e}")
        return {"typical_distance": typical}
    cosines, nearest = _nearest(rows["test"], rows["train"])
    distances = 1 - cosines
    near = distances <= max(_SAME, _NEAR * typical)
    same = distances <= _SAME
    other_class = near & (splits["test"].labels != splits["train"].labels[nearest])
    found = {
        "typical_distance": typical,
        "near": int(near.sum()),
        "same": int(same.sum()),
        "other_class": int(other_class.sum()),
    }
    count = len(near)
    if (kind == "image" and found["same"]) or found["near"] >= _NOTABLE * count:
        first = int(distances.argmin())
        findings.append(
            f"{found['near']} of {count} test items ({found['near'] / count:.1%}) have a near-duplicate {kind} among "
            f"the train items, {found['same']} of them the same and {found['other_class']} of another class; for "
            f"example {splits['test'].ids[first]} and {splits['train'].ids[int(nearest[first])]}"
        )
    return found


def _typical_distance(train: Tensor) -> float:
    # Of one item nothing is usual; 1 is the distance of what has nothing in common.
    if len(train) < 2:
        return 1.0
    # Evenly spread, so that items that are sorted by class are all drawn from.
    chosen = torch.linspace(0, len(train) - 1, min(_SAMPLE, len(train)), device=train.device).round().long()
    unit = F.normalize(train[chosen], dim=1)
    pairs = torch.triu_indices(len(unit), len(unit), 1, device=train.device)
    return float((1 - (unit @ unit.T)[pairs[0], pairs[1]]).median())


def _nearest(test: Tensor, train: Tensor) -> tuple[Tensor, Tensor]:
    """The cosine and index of each test row's nearest train row."""
    unit = F.normalize(test, dim=1)
    best = test.new_full((len(test),), -torch.inf)
    index = torch.zeros(len(test), dtype=torch.int64, device=test.device)
    for start in range(0, len(train), _CHUNK):
        values, indices = kernels.top_k(unit, F.normalize(train[start : start + _CHUNK], dim=1), 1)
        better = values[:, 0] > best
        best = torch.where(better, values[:, 0], best)
        index = torch.where(better, indices[:, 0] + start, index)
    return best, index
