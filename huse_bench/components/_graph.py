"""The class graph that a loss is given."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from huse_bench.errors import DataError, PluginError

__all__ = ["ClassGraph"]

# The length of a unit vector is this close to 1 in any precision.
_ROUNDING = 0.01


class ClassGraph:
    """The classes' embeddings, their cosine distances (HUSE section 3.3, equation 4) and, of a tree, where each stands.

    Args:
        embeddings: (K, C) floating point; the rows are scaled to unit length here.
        distances: (K, K) non-negative; by default the cosine distances of the embeddings.
        paths: (K, L) int64, see :attr:`paths`; None where the graph is not made of a taxonomy.
        heights: (K, K) int64, see :attr:`heights`; likewise.

    Raises:
        DataError: if the shapes or types do not fit or an embedding has no direction (all zeros, not finite, or too
            large or too small for its type).
    """

    embeddings: Tensor
    distances: Tensor

    def __init__(
        self,
        embeddings: Tensor,
        distances: Tensor | None = None,
        paths: Tensor | None = None,
        heights: Tensor | None = None,
    ) -> None:
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
        self._paths = _whole_numbers("paths", paths, classes, None)
        self._heights = _whole_numbers("heights", heights, classes, classes)

    @property
    def paths(self) -> Tensor:
        """(K, L) int64 ancestors of each class, from the child of the root in column 0 down to the class itself.

        The nodes of a level are numbered from 0, those of the last level as the classes are. L is the depth of the
        deepest class; a class above it fills the rest of its row with itself, as a node of each level that it shares
        with no other. So two classes share as many levels as their rows have equal entries.

        Raises:
            PluginError: where the graph is not made of a taxonomy.
        """
        return _of_the_taxonomy(self._paths, "paths")

    @property
    def heights(self) -> Tensor:
        """(K, K) int64 heights of the lowest common ancestors of two classes, in edges; 0 of a class with itself.

        The height of a node is the length of the longest path down from it.

        Raises:
            PluginError: where the graph is not made of a taxonomy.
        """
        return _of_the_taxonomy(self._heights, "heights")

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
        paths, heights = (None if one is None else one.to(device) for one in (self._paths, self._heights))
        return ClassGraph(self.embeddings.to(device), self.distances.to(device), paths, heights)


def _whole_numbers(name: str, given: Tensor | None, classes: int, columns: int | None) -> Tensor | None:
    if given is None:
        return None
    expected = (classes, given.shape[-1] if columns is None else columns)
    if given.dtype != torch.int64 or tuple(given.shape) != expected:
        shape = f"({classes}, {'L' if columns is None else columns})"
        raise DataError(f"{name} must be {shape} int64, got {tuple(given.shape)} {given.dtype}")
    return given


def _of_the_taxonomy(value: Tensor | None, name: str) -> Tensor:
    if value is None:
        raise PluginError(
            f'this class graph has no {name}: the loss class must declare class_graph = "taxonomy" to get them'
        )
    return value
