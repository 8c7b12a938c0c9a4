"""Look through a dataset for what makes its numbers doubtful, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from huse_bench.components import ClassGraph, Split
from huse_bench.features._near import COLLAPSED, SAME, classes_are_alike, link, near_limit, typical_distance
from huse_bench.features._pairs import near_pairs
from huse_bench.features._prepare import Prepared, SplitFeatures

__all__ = ["Audit", "audit"]

# A class with a tenth of another's items is worth a line; training draws it ten times more rarely.
_IMBALANCE = 10
# Below one test item in a hundred, near-duplicates change no metric by more than its standard error over 2,500 queries.
_NOTABLE = 0.01
# Where a tenth of all items have one and the same features, an encoder does not tell them apart.
_ALIKE = 0.1


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


def audit(prepared: Prepared, texts: Sequence[str] | None) -> Audit:
    """Count what makes a dataset's numbers doubtful.

    - Class embeddings that are all alike, or the same for some classes; image or text features that hardly differ, or
      are one and the same row for a tenth of the items. These findings come first.
    - Class balance of each split. A finding where a class of the train or test split has 10 times the items of another,
      or a split lacks a class.
    - Texts that are empty.
    - Features that are not finite or all zeros; :func:`huse_bench.features.prepare` refuses them.
    - Items of the test split outside an item's group that are near-duplicates or the same, which in-modal queries find
      in place of others. A finding where two images are the same, or the texts of 1 % of the test items.
    - Near-duplicates between the train and the test split: test items whose nearest train item is at most 5 % as far as
      two train items usually are (the median of cosine distances), and among them those whose features are the same, a
      distance of up to 1e-5. Also, how many of them have another class than their double, a sign of wrong labels. A
      finding where an image is the same or 1 % of the test items are near.

    Takes time proportional to test items x (train items + test items / 2), and memory of
    :func:`~huse_bench.features._pairs.near_pairs`.

    Args:
        prepared: the dataset.
        texts: the texts of its items in any order, if it has texts.

    Returns:
        The audit.
    """
    alike: list[str] = []
    findings: list[str] = []
    facts: dict[str, Any] = {
        "class_embeddings": _class_embeddings(
            prepared.classes, prepared.class_names, prepared.backbones["class"], alike
        ),
        "classes": _classes(prepared, findings),
        "texts": None if texts is None else _texts(texts, findings),
        "features": {},
    }
    for kind in ("image", "text"):
        rows: dict[Split, Tensor] = {name: getattr(split, kind) for name, split in prepared.splits.items()}
        unusable = sum(_unusable(values) for values in rows.values())
        facts["features"][kind] = {
            "dimension": rows["train"].shape[1],
            "unusable_rows": unusable,
            **(
                {"repeated": None, "duplicates": None, "within_test": None}
                if unusable
                else _alike(kind, rows, prepared, alike, findings)
            ),
        }
        if unusable:
            findings.append(
                f"{unusable} {kind} features are not finite or all zeros: rebuild them or leave the items out"
            )
    return Audit((*alike, *findings), facts)


def _class_embeddings(graph: ClassGraph, names: Sequence[str], backbone: str, findings: list[str]) -> dict[str, int]:
    count = len(names)
    apart = graph.distances.cpu() + 2 * torch.eye(count)
    twins = torch.nonzero((apart <= SAME).any(dim=1)).flatten().tolist()
    if classes_are_alike(graph):
        findings.append(
            f"the {count} class embeddings are all alike (those of {backbone}): methods that learn from the class "
            "names learn nothing from them; name another class backbone, or give better words for the classes"
        )
    elif twins:
        other = int(apart[twins[0]].argmin())
        findings.append(
            f"{len(twins)} of {count} classes have the same embedding as another class (by {backbone}), such as "
            f"{names[twins[0]]!r} and {names[other]!r}: the class graph does not tell them apart"
        )
    return {"classes": count, "same": len(twins)}


def _alike(
    kind: str, rows: dict[Split, Tensor], prepared: Prepared, alike: list[str], findings: list[str]
) -> dict[str, Any]:
    typical = typical_distance(rows["train"])
    repeated = _repeated(kind, rows, prepared, alike if typical >= COLLAPSED else [])
    if typical < COLLAPSED:
        alike.append(f"the {kind} features hardly differ: the median cosine distance of two items is {typical:.1e}")
        return {"repeated": repeated, "duplicates": {"typical_distance": typical}, "within_test": None}
    duplicates = _duplicates(kind, rows, prepared.splits, typical, findings)
    return {
        "repeated": repeated,
        "duplicates": duplicates,
        "within_test": _within_test(kind, rows["test"], prepared.splits["test"], typical, findings),
    }


def _repeated(kind: str, rows: dict[Split, Tensor], prepared: Prepared, alike: list[str]) -> dict[str, int]:
    """How many rows differ, and how many are the most frequent one."""
    seen: dict[int, int] = {}
    examples: dict[int, list[str]] = {}
    for name, values in rows.items():
        for item, row in zip(prepared.splits[name].ids, values.cpu().numpy(), strict=True):
            key = hash(row.tobytes())
            seen[key] = seen.get(key, 0) + 1
            if seen[key] <= 2:
                examples.setdefault(key, []).append(item)
    key, most = max(seen.items(), key=lambda found: found[1])
    count = sum(seen.values())
    if most > 1 and most >= _ALIKE * count:
        alike.append(
            f"{most} of {count} items ({most / count:.1%}) have one and the same {kind} features (by "
            f"{prepared.backbones[kind]}), such as {' and '.join(examples[key])}; all items have {len(seen)} different "
            "rows"
        )
    return {"items": count, "distinct": len(seen), "most": most}


def _classes(prepared: Prepared, findings: list[str]) -> dict[Split, dict[str, float]]:
    splits, names = prepared.splits, prepared.class_names
    counts = {name: np.bincount(split.labels, minlength=len(names)) for name, split in splits.items()}
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
        # Each split has classes of its own where some are held out.
        if facts[name]["absent"] and not prepared.regime.held_out:
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
    kind: str, rows: dict[Split, Tensor], splits: dict[Split, SplitFeatures], typical: float, findings: list[str]
) -> dict[str, Any]:
    distances, nearest = _nearest(rows["test"], rows["train"], near_limit(typical))
    near = np.isfinite(distances)
    same = distances <= SAME
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
            f"{found['near']} of {count} test items ({found['near'] / count:.1%}) {_have(found['near'])} a "
            f"near-duplicate {kind} among the train items, {found['same']} of them with the same features and "
            f"{found['other_class']} of another class; for example items {splits['test'].ids[first]} and "
            f"{splits['train'].ids[int(nearest[first])]}; near_duplicates_as_groups = true keeps such items in one "
            "split where the data name no splits"
        )
    return found


def _within_test(kind: str, rows: Tensor, test: SplitFeatures, typical: float, findings: list[str]) -> dict[str, int]:
    near, same = (_shared(links.sets, test.groups) for links in link(rows, [near_limit(typical), SAME]))
    sizes = np.bincount(same[same >= 0], minlength=1)
    found = {
        "near": int((near >= 0).sum()),
        "same": int(sizes.sum()),
        "sets": int(np.count_nonzero(sizes)),
        "largest": int(sizes.max()),
    }
    count = len(rows)
    # Where items are usually near to some other, as small pictures of few colours, near ones are no news.
    if found["same"] and (kind == "image" or found["same"] >= _NOTABLE * count):
        first, second = np.flatnonzero(same == sizes.argmax())[:2].tolist()
        findings.append(
            f"{found['same']} of {count} test items ({found['same'] / count:.1%}) have the same {kind} features as a "
            f"test item outside their group ({found['near']} {_have(found['near'])} a near-duplicate); they make "
            f"{found['sets']} {'set' if found['sets'] == 1 else 'sets'}, the largest of {found['largest']} items, such "
            f"as items {test.ids[first]} and {test.ids[second]}. A query finds its copies, so {kind}-to-{kind} "
            "retrieval looks better than it is, and one item counts as several: give their groups (a column 'group'), "
            "or set near_duplicates_as_groups = true"
        )
    return found


def _have(count: float) -> str:
    return "has" if count == 1 else "have"


def _shared(sets: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The set of each item whose set has items of several groups, and -1 for others."""
    pairs = np.unique(np.stack([sets, groups]), axis=1)
    several = np.bincount(pairs[0], minlength=len(sets)) > 1
    return np.where(several[sets], sets, -1)


def _nearest(test: Tensor, train: Tensor, limit: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The distance and place of each test row's nearest train row; infinite where none is within the limit."""
    best = np.full(len(test), np.inf, dtype=np.float32)
    index = np.zeros(len(test), dtype=np.int64)
    for pairs in near_pairs(test, train, limit):
        left, right, distances = (part.cpu().numpy() for part in pairs)
        # Of train rows that are equally near the first.
        order = np.argsort(distances, kind="stable")
        rows, first = np.unique(left[order], return_index=True)
        nearest = order[first]
        closer = distances[nearest] < best[rows]
        best[rows[closer]], index[rows[closer]] = distances[nearest[closer]], right[nearest[closer]]
    return best, index
