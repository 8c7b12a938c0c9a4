"""How the numbers are counted, under names that change when the counting does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from huse_bench.errors import DataError
from huse_bench.evaluation._arrays import as_labels, check_ks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from huse_bench.taxonomy import Taxonomy

__all__ = ["CLASSIFICATION_PROTOCOL", "HP_PROTOCOL", "RECALL_PROTOCOL", "protocol"]

#: R@K: share of queries with at least one item of their class among the top K. Every test item is a query and
#: the gallery is the whole test split; in-modal rankings leave the query out by its index, cross-modal ones keep
#: its pair; equal similarities are in the order of their gallery index.
RECALL_PROTOCOL = "class-hit-rate/self-excluded-by-index/ties-by-index/v1"

#: HP@K: number of the top K items (not of distinct classes) whose class is in the correct set of the query's
#: class at depth K, over K. The set grows by whole shells of the taxonomy and holds the own class. Same rankings
#: as R@K.
HP_PROTOCOL = "devise-shells/item-level/own-class-counts/denominator-k/v1"

#: Accuracy: share of items whose largest score is that of their class, the lower index winning ties. Each modality's
#: scores are divided by the temperature of greatest validation likelihood. Fused scores are the weighted mean of the
#: two softmaxes, with the weight of best validation accuracy on 0, 0.05 ... 1.
CLASSIFICATION_PROTOCOL = "top-1/temperature-by-validation-likelihood/softmax-average/weight-by-validation-accuracy/v2"


def protocol(
    taxonomy: Taxonomy,
    hp_ks: Sequence[int] = (2, 5, 10),
    recall_ks: Sequence[int] = (1, 5, 10),
    class_counts: ArrayLike | None = None,
) -> dict[str, Any]:
    """What a record has to say for its scores to be comparable with another's.

    Args:
        taxonomy: what HP@K is measured against.
        hp_ks: the K of HP@K.
        recall_ks: the K of R@K.
        class_counts: (K,) number of test items of each class; gives the chance levels of R@K.

    Returns:
        A mapping that can be written as JSON: the protocol ids (``recall``, ``hp``, ``classification``), the
        ``taxonomy`` hash, the number of ``classes``, the ``mean_set_size`` by K, and the ``chance`` of ``HP@K``
        (classes equally frequent) and, with counts, of ``R@K`` (cross-modal, a random order of the test split).

    Raises:
        DataError: if a K is below 1, or the counts do not fit.
    """
    check_ks([*hp_ks, *recall_ks])
    chance = {f"HP@{k}": taxonomy.chance(k) for k in hp_ks}
    if class_counts is not None:
        counts = as_labels("class_counts", class_counts, 1).tolist()
        if len(counts) != len(taxonomy.classes):
            raise DataError(f"class_counts has {len(counts)} entries for {len(taxonomy.classes)} classes")
        chance |= {f"R@{k}": _chance_recall(counts, k) for k in recall_ks}
    return {
        "recall": RECALL_PROTOCOL,
        "hp": HP_PROTOCOL,
        "classification": CLASSIFICATION_PROTOCOL,
        "taxonomy": taxonomy.hash,
        "classes": len(taxonomy.classes),
        "mean_set_size": {str(k): taxonomy.mean_set_size(k) for k in hp_ks},
        "chance": chance,
    }


def _chance_recall(counts: Sequence[int], k: int) -> float:
    items = sum(counts)
    if k > items:
        raise DataError(f"K={k} is more than the {items} test items of class_counts: use a smaller K")
    hit = 0.0
    for count in counts:
        miss = 1.0
        for drawn in range(k):
            miss *= max(items - count - drawn, 0) / (items - drawn)
        hit += count / items * (1 - miss)
    return hit
