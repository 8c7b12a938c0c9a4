"""The rows by which a trained method's embeddings are ranked."""

from __future__ import annotations

import torch
from torch import Tensor

from huse_bench.components import Loss, View
from huse_bench.errors import PluginError

__all__ = ["check_similarity", "ranking_rows"]


@torch.no_grad()
def ranking_rows(loss: Loss, view: View) -> tuple[Tensor, Tensor | None]:
    """The rows of some items as queries, and as gallery where these are others.

    Args:
        loss: of the trained method, which says what its embeddings are ranked by.
        view: one modality of n items.

    Returns:
        Query rows and gallery rows, whose inner products are what is ranked by. For a method that ranks by the cosine
        (n, D) unit rows and None: they are both.

    Raises:
        PluginError: if the loss gives something else than two alike matrices with a finite row for each item, or
            declares no similarity for rows of its own.

    Example:
        >>> import torch
        >>> from huse_bench import Loss, View
        >>> class Nearest(Loss):
        ...     similarity = "euclidean/v1"
        ...     unit_rows = False
        ...
        ...     def forward(self, batch):
        ...         return {"distance": (batch.image - batch.text).square().sum(1).mean()}
        ...
        ...     def ranking_rows(self, view):
        ...         halves = view.rows.square().sum(1, keepdim=True) / 2
        ...         return torch.cat([view.rows, torch.ones_like(halves)], 1), torch.cat([view.rows, -halves], 1)
        >>> queries, _ = ranking_rows(Nearest(), View("image", torch.tensor([[0.0, 1.0]])))
        >>> _, gallery = ranking_rows(Nearest(), View("text", torch.tensor([[0.0, 9.0], [0.0, 2.0], [1.0, 1.0]])))
        >>> (queries @ gallery.T).argsort(descending=True).tolist()
        [[1, 2, 0]]
    """
    check_similarity(type(loss))
    given = loss.ranking_rows(view)
    if loss.similarity == "cosine":
        return given[0], None
    return _checked(given, len(view.rows), f"{type(loss).__name__}.ranking_rows")


def check_similarity(cls: type[Loss]) -> None:
    """Raises PluginError unless a loss has ranking rows of its own just where it declares a similarity for them."""
    own, name = cls.ranking_rows is not Loss.ranking_rows, cls.__name__
    if own and cls.similarity == "cosine":
        raise PluginError(
            f"{name} has ranking_rows of its own, so the class must declare what they rank by, such as "
            'similarity = "lorentz/v1"'
        )
    if not own and cls.similarity != "cosine":
        raise PluginError(
            f"{name} declares similarity = {cls.similarity!r}, so the class must define ranking_rows, which gives the "
            "rows that it is the inner product of"
        )


def _checked(given: object, items: int, source: str) -> tuple[Tensor, Tensor]:
    if not (isinstance(given, tuple) and len(given) == 2 and all(isinstance(one, Tensor) for one in given)):
        raise PluginError(f"{source} must return a tuple of two tensors, query rows and gallery rows")
    queries, gallery = given
    for what, one in (("query", queries), ("gallery", gallery)):
        if one.ndim != 2 or len(one) != items or one.dtype not in (torch.float32, torch.float64):
            raise PluginError(
                f"{source} must give ({items}, M) {what} rows in float32 or float64, one for each item, got "
                f"{tuple(one.shape)} {one.dtype}"
            )
        broken = ~one.isfinite().all(dim=1)
        if bool(broken.any()):
            row = int(broken.nonzero()[0, 0])
            raise PluginError(f"{source} gives the {what} row {row} a NaN or infinite value, which cannot be ranked")
    if queries.shape != gallery.shape or queries.dtype != gallery.dtype:
        raise PluginError(
            f"{source} must give query and gallery rows alike, got {tuple(queries.shape)} {queries.dtype} and "
            f"{tuple(gallery.shape)} {gallery.dtype}"
        )
    return queries, gallery
