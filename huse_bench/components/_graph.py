"""The class graph that a loss is given."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from huse_bench.errors import DataError

__all__ = ["ClassGraph"]

# The length of a unit vector is this close to 1 in any precision.
_ROUNDING = 0.01


class ClassGraph:
    """The class-name embeddings and their cosine distances (HUSE section 3.3, equation 4).

    Args:
        embeddings: (K, C) floating point; the rows are scaled to unit length here.
        distances: (K, K) non-negative; by default the cosine distances of the embeddings.

    Raises:
        DataError: if the shapes do not fit or an embedding has no direction (all zeros, not finite, or too large or too
            small for its type).
    """

    embeddings: Tensor
    distances: Tensor

    def __init__(self, embeddings: Tensor, distances: Tensor | None = None) -> None:
        if embeddings.ndim != 2:
            raise DataError(f"class embeddings must be (K, C), got {tuple(embeddings.shape)}")
        norms = embeddings.norm(dim=1)
        if bool((norms == 0).any()):
            zero = int((norms == 0).nonzero()[0, 0])
            raise DataError(f"the embedding of class {zero} is all zeros, so it has no cosine distance to the others")
        self.embeddings = F.normalize(embeddings, dim=1)
        unit = (self.embeddings.norm(dim=1) - 1).abs() < _ROUNDING
        if not bool(unit.all()):
            wrong = int((~unit).nonzero()[0, 0])
            raise DataError(
                f"the embedding of class {wrong} has the length {float(norms[wrong]):g} in {embeddings.dtype}, so it "
                "cannot be made a unit vector: rebuild the embeddings, or scale all of them by one number"
            )
        if distances is None:
            distances = (1 - self.embeddings @ self.embeddings.T).clamp_min(0)
            distances.fill_diagonal_(0)
        classes = len(embeddings)
        if distances.shape != (classes, classes):
            raise DataError(f"class distances must be ({classes}, {classes}), got {tuple(distances.shape)}")
        self.distances = distances

    @classmethod
    def restored(cls, embeddings: Tensor, distances: Tensor) -> ClassGraph:
        """A graph that was written to files: its embeddings are taken as they are, to the last bit.

        Args:
            embeddings: (K, C) floating point, as another graph had them.
            distances: (K, K), likewise.
        """
        graph = cls(embeddings, distances)
        # Scaled again they would be other by a rounding.
        graph.embeddings = embeddings
        return graph

    def to(self, device: torch.device | str) -> ClassGraph:
        """The same graph on another device."""
        return ClassGraph(self.embeddings.to(device), self.distances.to(device))
