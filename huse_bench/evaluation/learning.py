"""How far a training has come: R@1 of a sample of the validation split, cheap enough for every few steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from huse_bench.errors import DataError
from huse_bench.evaluation._arrays import as_labels
from huse_bench.evaluation.protocol import Version, groups_of
from huse_bench.kernels.top_k import rank_directions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

__all__ = ["ValidationSample"]


class ValidationSample:
    """R@1 in all four directions of some items of the validation split, counted as the tables count.

    The items are whole groups, drawn once: as many as fit into ``items``, but two at the least.

    Args:
        labels: (n,) integer class indices of the validation split.
        groups: (n,) integers, equal for items of one group; None where each item is a group of its own.
        items: how many to draw at the most.
        seed: of the draw.
        protocol: as :func:`huse_bench.evaluation.evaluate_retrieval` takes it.

    Attributes:
        rows: (m,) int64 item numbers of the sample, ascending.

    Raises:
        DataError: if labels, groups or protocol do not fit.

    Examples:
        >>> import torch
        >>> sample = ValidationSample([0, 0, 1, 1])
        >>> sample.rows
        array([0, 1, 2, 3])
        >>> image = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]])[sample.rows]
        >>> sample(image, image)
        {'i2i R@1': 0.5, 'i2t R@1': 1.0, 't2i R@1': 1.0, 't2t R@1': 0.5}
    """

    def __init__(
        self,
        labels: ArrayLike | Tensor,
        groups: ArrayLike | None = None,
        *,
        items: int = 1000,
        seed: int = 0,
        protocol: Version = "v2",
    ) -> None:
        classes = as_labels("labels", labels, 1)
        numbers = groups_of(groups, len(classes), protocol)
        numbers = np.arange(len(classes)) if numbers is None else numbers
        self.rows = _whole_groups(numbers, items, seed)
        self._labels = classes[self.rows]
        self._groups = torch.from_numpy(numbers[self.rows])
        self._one_group = bool((numbers[self.rows] == numbers[self.rows[0]]).all())

    def __call__(
        self,
        image: Tensor,
        text: Tensor,
        *,
        image_gallery: Tensor | None = None,
        text_gallery: Tensor | None = None,
    ) -> dict[str, float]:
        """R@1 by direction, such as ``"i2t R@1"``.

        Args:
            image: (m, D) float32 or float64 embeddings of the ``rows``, unit ones where there are no galleries.
            text: (m, D) likewise.
            image_gallery: (m, D) what stands for the images where they are found; None where that is ``image``.
            text_gallery: (m, D), likewise for the texts.

        Returns:
            Shares between 0 and 1; none where all items are of one group, so that nothing but pairs can be found.

        Raises:
            DataError: if shapes, dtypes or values do not fit.
        """
        if len(image) != len(self.rows) or len(text) != len(self.rows):
            raise DataError(
                f"give the embeddings of the {len(self.rows)} items in rows, got {len(image)} images, {len(text)} texts"
            )
        if self._one_group:
            return {}
        first = rank_directions(image, text, 1, self._groups, image_gallery=image_gallery, text_gallery=text_gallery)
        return {
            f"{direction} R@1": float((self._labels[found[:, 0].cpu().numpy()] == self._labels).mean())
            for direction, found in first.items()
        }


def _whole_groups(numbers: NDArray[np.int64], items: int, seed: int) -> NDArray[np.int64]:
    """Ascending positions of the groups that are drawn."""
    _, group_of_item, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(sizes))
    drawn = max(2, int((sizes[order].cumsum() <= items).sum()))
    return np.flatnonzero(np.isin(group_of_item, order[:drawn]))
