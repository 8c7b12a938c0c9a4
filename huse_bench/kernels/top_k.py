"""Exact ranking by similarity: the K most similar gallery rows of every query, in memory linear in the rows.

The similarity of a pair is its score: the dot product summed in float64 in one fixed order, rounded to the type of
the rows. Matrix products find the candidates, a tile at a time, and only pairs that can still be among the K best are
scored; a GPU scores all pairs of few rows, and of queries with many near ties. So the similarity of a pair depends
neither on the tile it fell into, nor on the number of threads, nor on which of the two is the query, and equal rows
tie exactly.
"""

import torch
from torch import Tensor

from huse_bench.errors import DataError
from huse_bench.kernels._arguments import Ranking, backend_for, values_are_checked
from huse_bench.kernels.cpu import top_k as cpu

__all__ = ["rank_directions", "top_k", "top_k_directions"]

# Queries whose scores are held at once on an accelerator.
_ROWS = 512


def top_k(queries: Tensor, gallery: Tensor, k: int, exclude_self: bool = False) -> Ranking:
    """The k gallery rows with the highest dot product for every query.

    Args:
        queries: (n, D) float32 or float64; unit rows make the dot products cosine similarities.
        gallery: (m, D), same dtype and device; on the CPU the very tensor of the queries takes half the products.
        k: how many to return, at least 1.
        exclude_self: leave gallery row ``i`` out of the ranking of query ``i``; rows equal to it stay in.

    Returns:
        Values (n, k) in the dtype of the queries, and indices (n, k) int64 into the gallery. Values descend;
        equal values are in the order of their gallery index.

    Raises:
        DataError: if there are no queries, k exceeds the gallery (less the excluded row), shapes, dtypes or values do
            not fit, or rows are so long that their products overflow.

    Examples:
        >>> import torch
        >>> gallery = torch.tensor([[0.6, 0.8], [1.0, 0.0], [0.0, 1.0]])
        >>> values, indices = top_k(torch.tensor([[1.0, 0.0]]), gallery, k=2)
        >>> values, indices
        (tensor([[1.0000, 0.6000]]), tensor([[1, 0]]))
    """
    _check(queries, gallery, k, exclude_self=exclude_self)
    backend = backend_for(queries, None, work="a ranking") if queries.is_cuda else "cpu"
    return _one_direction(backend, queries, gallery, k, exclude_self=exclude_self)


def top_k_directions(
    image: Tensor,
    text: Tensor,
    k: int,
    groups: Tensor | None = None,
    *,
    image_gallery: Tensor | None = None,
    text_gallery: Tensor | None = None,
) -> dict[str, Ranking]:
    """The rankings of n image-text pairs in all four directions.

    The in-modal directions (i2i, t2t) leave the query itself out, by index; the cross-modal ones (i2t, t2i)
    keep the query's pair. With groups, the other items of the query's own group are left out in all directions. One
    product serves both cross-modal directions, half a product each in-modal one; with gallery rows of their own, each
    direction takes a whole one.

    Args:
        image: (n, D) float32 or float64; unit rows make the dot products cosine similarities.
        text: (n, D), same dtype and device; row ``i`` belongs to the same item as ``image[i]``.
        k: how many to return per query, at least 1 and at most n less the largest group.
        groups: (n,) int64 numbers, equal for items of one group; None where each item is a group of its own.
        image_gallery: (n, D) what stands for the images where they are found; None where that is ``image``.
        text_gallery: (n, D), likewise for the texts.

    Returns:
        (values, indices) as :func:`top_k` gives them, by direction: i2i, i2t, t2i, t2t.

    Raises:
        DataError: if k exceeds what is left of the gallery, shapes, dtypes or values do not fit, or rows are so long
            that their products overflow.

    Examples:
        >>> import torch
        >>> image = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
        >>> rankings = top_k_directions(image, image, k=1)
        >>> rankings["i2i"][1][:, 0], rankings["i2t"][1][:, 0]
        (tensor([1, 0, 1]), tensor([0, 1, 2]))
    """
    return _directions(image, text, k, groups, image_gallery, text_gallery, scored=True)


def rank_directions(
    image: Tensor,
    text: Tensor,
    k: int,
    groups: Tensor | None = None,
    *,
    image_gallery: Tensor | None = None,
    text_gallery: Tensor | None = None,
) -> dict[str, Tensor]:
    """The indices of :func:`top_k_directions` alone, at less cost: on the CPU only near ties need their scores.

    Args:
        image: as :func:`top_k_directions` takes it, and so the other arguments.
        text: likewise.
        k: likewise.
        groups: likewise.
        image_gallery: likewise.
        text_gallery: likewise.

    Returns:
        (n, k) int64 by direction: i2i, i2t, t2i, t2t.

    Raises:
        DataError: as :func:`top_k_directions` does.

    Examples:
        >>> import torch
        >>> image = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
        >>> rank_directions(image, image, k=2)["t2t"]
        tensor([[1, 2],
                [0, 2],
                [1, 0]])
    """
    rankings = _directions(image, text, k, groups, image_gallery, text_gallery, scored=False)
    return {direction: indices for direction, (_, indices) in rankings.items()}


def _directions(
    image: Tensor,
    text: Tensor,
    k: int,
    groups: Tensor | None,
    image_gallery: Tensor | None,
    text_gallery: Tensor | None,
    *,
    scored: bool,
) -> dict[str, Ranking]:
    if len(image) != len(text):
        raise DataError(f"row i of image and text must be one pair, got {len(image)} and {len(text)} rows")
    _check(image, text, k, exclude_self=True)
    for name, gallery in (("image_gallery", image_gallery), ("text_gallery", text_gallery)):
        if gallery is not None:
            _check(image, gallery, 1, exclude_self=False, gallery_name=name)
            if len(gallery) != len(image):
                raise DataError(f"row i of {name} must be item i, got {len(gallery)} rows for {len(image)} items")
    groups = _checked_groups(groups, len(image), k)
    backend = backend_for(image, None, work="a ranking", between=1) if image.is_cuda else "cpu"
    if backend == "reference" or image_gallery is not None or text_gallery is not None:
        queries = {"i": image, "t": text}
        galleries = {
            "i": image if image_gallery is None else image_gallery,
            "t": text if text_gallery is None else text_gallery,
        }
        return {
            f"{one}2{other}": _one_direction(
                backend, queries[one], galleries[other], k, exclude_self=one == other, groups=groups, scored=scored
            )
            for one in "it"
            for other in "it"
        }
    if backend == "cpu":
        found = cpu.top_k_directions(image, text, k, groups, scored=scored)
        return {name: (values.to(image.device), indices.to(image.device)) for name, (values, indices) in found.items()}
    from huse_bench.kernels import cuda  # noqa: PLC0415 - only who has a CUDA tensor pays for triton

    _check_lengths(image, text)
    return cuda.top_k_directions(image.detach(), text.detach(), k, None if groups is None else groups.to(image.device))


def _one_direction(
    backend: str,
    queries: Tensor,
    gallery: Tensor,
    k: int,
    *,
    exclude_self: bool,
    groups: Tensor | None = None,
    scored: bool = True,
) -> Ranking:
    """The ranking of checked arguments; with groups, row i of queries and gallery is item i."""
    if backend == "cpu":
        values, indices = cpu.top_k(queries, gallery, k, exclude_self=exclude_self, numbers=groups, scored=scored)
        return values.to(queries.device), indices.to(queries.device)
    _check_lengths(queries, gallery)
    queries, gallery = queries.detach(), gallery.detach()
    groups = None if groups is None else groups.to(queries.device)
    if backend == "reference":
        return _sorted_top_k(queries, gallery, k, exclude_self=exclude_self, groups=groups)
    from huse_bench.kernels import cuda  # noqa: PLC0415 - only who has a CUDA tensor pays for triton

    return cuda.top_k(queries, gallery, k, exclude_self=exclude_self, groups=groups)


def _checked_groups(groups: Tensor | None, items: int, k: int) -> Tensor | None:
    """The groups, or None where no two items share one."""
    if groups is None:
        return None
    if groups.shape != (items,) or groups.dtype != torch.int64:
        raise DataError(f"groups must be ({items},) int64 numbers, got {tuple(groups.shape)} {groups.dtype}")
    largest = int(torch.unique_consecutive(groups.sort().values, return_counts=True)[1].max())
    if largest == 1:
        return None
    if k > items - largest:
        raise DataError(
            f"k={k} is more than the {items - largest} gallery rows that the largest group, of {largest} of the "
            f"{items} items, leaves its queries: use a smaller k or smaller groups"
        )
    return groups


def _check(queries: Tensor, gallery: Tensor, k: int, *, exclude_self: bool, gallery_name: str = "gallery") -> None:
    for name, rows in (("queries", queries), (gallery_name, gallery)):
        if not isinstance(rows, Tensor):
            raise DataError(f"{name} must be a torch tensor, got {type(rows)}: convert it with torch.as_tensor")
    if isinstance(k, bool) or not hasattr(k, "__index__"):
        raise DataError(f"k must be an integer, got {k!r}")
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise DataError(
            f"queries and {gallery_name} must be (n, D) and (m, D) with one D, "
            f"got {tuple(queries.shape)} and {tuple(gallery.shape)}"
        )
    if queries.dtype != gallery.dtype or queries.dtype not in (torch.float32, torch.float64):
        raise DataError(
            f"queries and {gallery_name} must both be float32 or both float64, "
            f"got {queries.dtype} and {gallery.dtype}: convert them with .float()"
        )
    if queries.device != gallery.device:
        raise DataError(
            f"queries are on {queries.device} and the {gallery_name} is on {gallery.device}: move one with .to()"
        )
    if not len(queries):
        raise DataError("there are no queries to rank for: queries has 0 rows")
    if k < 1:
        raise DataError(f"k must be at least 1, got {k}")
    available = len(gallery) - int(exclude_self)
    if k > available:
        less = " besides the query itself" if exclude_self else ""
        raise DataError(f"k={k} is more than the {available} gallery rows there are{less}: use a smaller k")
    if values_are_checked():
        _check_finite((("queries", queries), (gallery_name, gallery)))


def _check_finite(named: tuple[tuple[str, Tensor], ...]) -> None:
    for name, rows in named:
        # A sum is a fast way to see that all is well.
        if rows.sum().isfinite():
            continue
        broken = ~torch.isfinite(rows).all(dim=1)
        if bool(broken.any()):
            raise DataError(
                f"row {int(broken.nonzero()[0, 0])} of the {name} has a NaN or infinite value and cannot be ranked: "
                "drop it or repair what made it"
            )


def _check_lengths(queries: Tensor, gallery: Tensor) -> None:
    if not values_are_checked():
        return
    norms = [float(torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).max()) for rows in (queries, gallery)]
    if norms[0] * norms[1] > torch.finfo(queries.dtype).max / 4:
        raise DataError(
            f"the longest rows have norms {norms[0]:.3g} and {norms[1]:.3g}, whose product overflows {queries.dtype}: "
            "normalise the rows"
        )


def _sorted_top_k(
    queries: Tensor, gallery: Tensor, k: int, *, exclude_self: bool, groups: Tensor | None = None
) -> Ranking:
    values, indices = [], []
    columns = gallery.double()
    for first in range(0, len(queries), _ROWS):
        scores = (queries[first : first + _ROWS].double() @ columns.T).to(queries.dtype)
        if groups is not None:
            own = groups[first : first + _ROWS, None] == groups
            own.diagonal(first).fill_(exclude_self)
            scores.masked_fill_(own, -torch.inf)
        elif exclude_self:
            scores.diagonal(first).fill_(-torch.inf)
        # torch.topk leaves the order of ties open; a stable sort does not.
        some_values, some_indices = scores.sort(dim=1, descending=True, stable=True)
        values.append(some_values[:, :k])
        indices.append(some_indices[:, :k])
    return torch.cat(values), torch.cat(indices)
