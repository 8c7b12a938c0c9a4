"""How the numbers are counted, under names that change when the counting does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from huse_bench.errors import DataError
from huse_bench.evaluation._arrays import as_array, as_labels, check_ks
from huse_bench.evaluation.galleries import Galleries, chance_levels
from huse_bench.evaluation.hierarchy import lcs_steps
from huse_bench.measures import IN_MODAL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from huse_bench.taxonomy import Taxonomy

__all__ = [
    "BHP_PROTOCOL",
    "CLASSIFICATION_PROTOCOL",
    "HP_PROTOCOL",
    "RECALL_PROTOCOL",
    "UNSEEN_HP_PROTOCOL",
    "Version",
    "groups_of",
    "protocol",
]

#: Which items a query may find: with ``"v1"`` all but itself, with ``"v2"`` none of its own group but its pair.
Version = Literal["v1", "v2"]

#: R@K: share of queries with at least one item of their class among the top K. Every test item is a query and
#: the gallery is the test split; equal similarities are in the order of their gallery index. With v1, in-modal
#: rankings leave the query out by its index and cross-modal ones keep its pair; with v2 the other items of the
#: query's own group are left out of both.
RECALL_PROTOCOL: Mapping[Version, str] = {
    "v1": "class-hit-rate/self-excluded-by-index/ties-by-index/v1",
    "v2": "class-hit-rate/own-group-excluded-but-its-pair/ties-by-index/v2",
}

#: HP@K: number of the top K items (not of distinct classes) whose class is in the correct set of the query's
#: class at depth K, over K. The set grows by whole shells of the taxonomy and holds the own class. Same rankings
#: as R@K.
HP_PROTOCOL: Mapping[Version, str] = {
    "v1": "devise-shells/item-level/own-class-counts/denominator-k/v1",
    "v2": "devise-shells/item-level/own-class-counts/denominator-k/v2",
}

#: HP@K where the gallery has some of the taxonomy's classes only, which the correct sets are then made of.
UNSEEN_HP_PROTOCOL: Mapping[Version, str] = {
    "v1": "devise-shells/item-level/own-class-counts/denominator-k/of-classes-in-the-gallery/v1",
    "v2": "devise-shells/item-level/own-class-counts/denominator-k/of-classes-in-the-gallery/v2",
}

#: BHP@K: sum of the class similarities of the top K items, over the greatest sum that the query's gallery allows.
#: Same rankings as R@K.
BHP_PROTOCOL = "barz-denzler/lcs-height/ideal-of-own-gallery/v1"

#: Accuracy: share of items whose largest score is that of their class, the lower index winning ties. Each modality's
#: scores are divided by the temperature of greatest validation likelihood. Fused scores are the weighted mean of the
#: two softmaxes, with the weight of best validation accuracy on 0, 0.05 ... 1.
CLASSIFICATION_PROTOCOL = "top-1/temperature-by-validation-likelihood/softmax-average/weight-by-validation-accuracy/v2"


def protocol(
    taxonomy: Taxonomy,
    hp_ks: Sequence[int] = (2, 5, 10),
    recall_ks: Sequence[int] = (1, 5, 10),
    labels: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    version: Version = "v2",
    similarity: str = "cosine",
) -> dict[str, Any]:
    """What a record has to say for its scores to be comparable with another's.

    Args:
        taxonomy: what HP@K is measured against.
        hp_ks: the K of HP@K.
        recall_ks: the K of R@K.
        labels: (n,) class indices of the test items; gives the chance levels of R@K and who cannot miss.
        groups: (n,) group numbers of the test items; None where each is a group of its own.
        version: of the protocol.
        similarity: what items are ranked by: ``"cosine"``, or the id of another one, a name and a version such as
            ``"lorentz/v1"``, which the protocol ids of all that is ranked then end with.

    Returns:
        A mapping that can be written as JSON: the protocol ids (``recall``, ``hp``, ``bhp``, ``classification``; that
        of BHP@K says why not where the taxonomy is no tree), the ``taxonomy`` hash, the number of findable ``classes``,
        the ``mean_set_size`` by K, and the ``chance``: with labels that of ``R@K`` and ``HP@K`` in a random order of
        each query's gallery, across modalities and, as ``in-modal R@K`` and so on, within one; else that of ``HP@K`` of
        classes that are equally frequent. With labels also ``cannot_miss``: by K, the share of queries whose correct
        set is all findable classes.

    Raises:
        DataError: if a K is below 1 or above what a gallery holds, or labels, groups, version or similarity do not
            fit.

    Examples:
        >>> from huse_bench.taxonomy import Taxonomy
        >>> taxonomy = Taxonomy.from_edges([("animal", "cat"), ("animal", "dog")], classes=["cat", "dog"])
        >>> known = protocol(taxonomy, hp_ks=[2], recall_ks=[1], labels=[0, 0, 1, 1])
        >>> known["recall"], known["chance"]["R@1"], known["cannot_miss"]
        ('class-hit-rate/own-group-excluded-but-its-pair/ties-by-index/v2', 0.5, {'2': 1.0})
    """
    check_ks([*hp_ks, *recall_ks])
    check_version(version)
    ranked_by, found = _ranked_by(similarity), len(taxonomy.findable)
    known: dict[str, Any] = {
        "recall": RECALL_PROTOCOL[version] + ranked_by,
        "hp": (HP_PROTOCOL if found == len(taxonomy.classes) else UNSEEN_HP_PROTOCOL)[version] + ranked_by,
        "bhp": _bhp(taxonomy, ranked_by),
        "classification": CLASSIFICATION_PROTOCOL,
        "taxonomy": taxonomy.hash,
        "classes": found,
        "mean_set_size": {str(k): taxonomy.mean_set_size(k) for k in hp_ks},
        "chance": {f"HP@{k}": taxonomy.chance(k) for k in hp_ks},
    }
    if labels is not None:
        indices = as_labels("labels", labels, 1, len(taxonomy.classes))
        galleries = Galleries(indices, groups_of(groups, len(indices), version), len(taxonomy.classes))
        known["cannot_miss"] = {
            str(k): float((taxonomy.correct_sets(k).sum(axis=1) == found)[indices].mean()) for k in hp_ks
        }
        least = galleries.sizes("i2i").min()
        if max(recall_ks) > least:
            raise DataError(
                f"K={max(recall_ks)} is more than the {least} test items that a query may find: use a smaller K"
            )
        for kind, direction in (("", "i2t"), (IN_MODAL, "i2i")):
            levels = chance_levels(galleries, taxonomy, direction, recall_ks, hp_ks)
            known["chance"] |= {f"{kind}{metric}": level for metric, level in levels.items()}
    return known


def groups_of(groups: ArrayLike | None, items: int, version: Version) -> NDArray[np.int64] | None:
    """The groups that this version of the protocol heeds.

    Args:
        groups: (items,) numbers, equal for items of one group, or None.
        items: how many there are.
        version: of the protocol.

    Returns:
        (items,) int64; None where each item is a group of its own, as for ``"v1"`` it is.

    Raises:
        DataError: for another number of groups, numbers that are no integers, or an unknown version.
    """
    check_version(version)
    if groups is None or version == "v1":
        return None
    numbers = as_array(groups)
    if numbers.shape != (items,) or not np.issubdtype(numbers.dtype, np.integer):
        raise DataError(f"groups must be ({items},) integers like the labels, got {numbers.shape} {numbers.dtype}")
    return numbers.astype(np.int64)


def check_version(version: str) -> None:
    """Raise DataError unless the protocol has this version."""
    if version not in get_args(Version):
        raise DataError(f"unknown protocol {version!r}: there are {' and '.join(get_args(Version))}")


def _ranked_by(similarity: str) -> str:
    """The end of an id; nothing for the cosine, which ids of old records do not name."""
    if similarity == "cosine":
        return ""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*/v[0-9]+", similarity):
        raise DataError(
            f"similarity {similarity!r} is no id: give 'cosine', or a name in small letters, digits and hyphens and a "
            "version, such as 'lorentz/v1'"
        )
    return f"+{similarity}"


def _bhp(taxonomy: Taxonomy, ranked_by: str) -> str:
    try:
        lcs_steps(taxonomy)
    except DataError as error:
        return f"none: {error}"
    return BHP_PROTOCOL + ranked_by
