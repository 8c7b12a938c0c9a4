"""Exact ranking by similarity: the K most similar gallery rows of every query, in memory linear in the rows.

Candidates are found in matrix products, a tile at a time; the survivors are scored again pair by pair, summed
in float64 in one fixed order. So the similarity of a pair depends neither on the tile it fell into, nor on the
number of threads, nor on which of the two is the query, and equal rows tie exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numba import njit
from torch import Tensor

from huse_bench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["top_k", "top_k_directions"]

Ranking = tuple[Tensor, Tensor]

# A tile of products, in rows and columns: large enough for the product, small enough for the cache.
_TILE_ROWS, _TILE_COLUMNS = 512, 1024
# Candidates kept beyond k, so that few queries have near-ties at the border and need a second look.
_SPARE = 6
# Columns compared at once against what a query already has.
_STRIP = 32


def top_k(queries: Tensor, gallery: Tensor, k: int, exclude_self: bool = False) -> Ranking:
    """The k gallery rows with the highest dot product for every query.

    Args:
        queries: (n, D) float32 or float64; unit rows make the dot products cosine similarities.
        gallery: (m, D), same dtype and device.
        k: how many to return, at least 1.
        exclude_self: leave gallery row ``i`` out of the ranking of query ``i``; rows equal to it stay in.

    Returns:
        Values (n, k) in the dtype of the queries, and indices (n, k) int64 into the gallery. Values descend;
        equal values are in the order of their gallery index.

    Raises:
        DataError: if k exceeds the gallery (less the excluded row), or shapes, dtypes or values do not fit.
    """
    _check(queries, gallery, k, exclude_self=exclude_self)
    if queries.is_cuda:
        return _sorted_top_k(queries.detach(), gallery.detach(), k, exclude_self=exclude_self)
    rows, columns = _host(queries), _host(gallery)
    with _Workers() as workers:
        best = _Best(rows, k)
        for tile, row, column in _tiles(rows, columns):
            if exclude_self:
                _leave_out_self(tile, row, column)
            workers.run(best.row_jobs(tile, row, column, workers.count))
        values, indices = _settle(workers, best, rows, columns, k, exclude_self=exclude_self)
    return values.to(queries.device), indices.to(queries.device)


def top_k_directions(image: Tensor, text: Tensor, k: int) -> dict[str, Ranking]:
    """The rankings of n image-text pairs in all four directions.

    The in-modal directions (i2i, t2t) leave the query itself out, by index; the cross-modal ones (i2t, t2i)
    keep the query's pair. One product serves both cross-modal directions, half a product each in-modal one.

    Args:
        image: (n, D) float32 or float64 unit rows.
        text: (n, D), same dtype and device; row ``i`` belongs to the same item as ``image[i]``.
        k: how many to return per query, at least 1 and below n.

    Returns:
        (values, indices) as :func:`top_k` gives them, by direction: i2i, i2t, t2i, t2t.

    Raises:
        DataError: if k exceeds n - 1, or shapes, dtypes or values do not fit.
    """
    if len(image) != len(text):
        raise DataError(f"row i of image and text must be one pair, got {len(image)} and {len(text)} rows")
    _check(image, text, k, exclude_self=True)
    if image.is_cuda:
        return {
            "i2i": top_k(image, image, k, exclude_self=True),
            "i2t": top_k(image, text, k),
            "t2i": top_k(text, image, k),
            "t2t": top_k(text, text, k, exclude_self=True),
        }
    host_image, host_text = _host(image), _host(text)
    with _Workers() as workers:
        i2t, t2i = _cross_modal(workers, host_image, host_text, k)
        found = {"i2i": _in_modal(workers, host_image, k), "i2t": i2t, "t2i": t2i}
        found["t2t"] = _in_modal(workers, host_text, k)
    return {name: (values.to(image.device), indices.to(image.device)) for name, (values, indices) in found.items()}


def _check(queries: Tensor, gallery: Tensor, k: int, *, exclude_self: bool) -> None:
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise DataError(
            "queries and gallery must be (n, D) and (m, D) with one D, "
            f"got {tuple(queries.shape)} and {tuple(gallery.shape)}"
        )
    if queries.dtype != gallery.dtype or queries.dtype not in (torch.float32, torch.float64):
        raise DataError(
            f"queries and gallery must both be float32 or both float64, got {queries.dtype} and {gallery.dtype}: "
            "convert them with .float()"
        )
    if queries.device != gallery.device:
        raise DataError(f"queries are on {queries.device} and the gallery is on {gallery.device}: move one with .to()")
    if k < 1:
        raise DataError(f"k must be at least 1, got {k}")
    available = len(gallery) - int(exclude_self)
    if k > available:
        less = " besides the query itself" if exclude_self else ""
        raise DataError(f"k={k} is more than the {available} gallery rows there are{less}: use a smaller k")
    for name, rows in (("queries", queries), ("gallery", gallery)):
        broken = ~torch.isfinite(rows).all(dim=1)
        if bool(broken.any()):
            raise DataError(
                f"row {int(broken.nonzero()[0, 0])} of the {name} has a NaN or infinite value and cannot be ranked: "
                "drop it or repair what made it"
            )


def _host(rows: Tensor) -> Tensor:
    return rows.detach().cpu().contiguous()


def _spans(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def _tiles(rows: Tensor, columns: Tensor, *, upper: bool = False) -> Iterator[tuple[Tensor, slice, slice]]:
    """Products of row and column spans; with ``upper``, of square spans on and above the diagonal only."""
    width = _TILE_ROWS if upper else _TILE_COLUMNS
    buffer = rows.new_empty(_TILE_ROWS * width)
    for row in _spans(len(rows), _TILE_ROWS):
        for column in _spans(len(columns), width):
            if upper and column.start < row.start:
                continue
            shape = (row.stop - row.start, column.stop - column.start)
            tile = buffer[: shape[0] * shape[1]].view(shape)
            yield torch.mm(rows[row], columns[column].T, out=tile), row, column


def _leave_out_self(tile: Tensor, row: slice, column: slice) -> None:
    tile.diagonal(row.start - column.start).fill_(-torch.inf)


def _cross_modal(workers: _Workers, image: Tensor, text: Tensor, k: int) -> tuple[Ranking, Ranking]:
    i2t, t2i = _Best(image, k), _Best(text, k)
    for tile, row, column in _tiles(image, text):
        workers.run(
            [
                *i2t.row_jobs(tile, row, column, workers.count),
                *t2i.column_jobs(tile, row, column, workers.count),
            ]
        )
    return (
        _settle(workers, i2t, image, text, k, exclude_self=False),
        _settle(workers, t2i, text, image, k, exclude_self=False),
    )


def _in_modal(workers: _Workers, rows: Tensor, k: int) -> Ranking:
    best = _Best(rows, k)
    for tile, row, column in _tiles(rows, rows, upper=True):
        if row == column:
            _leave_out_self(tile, row, column)
            workers.run(best.row_jobs(tile, row, column, workers.count))
        else:
            # Off the diagonal, a tile's rows and columns are different queries, whose heaps do not meet.
            workers.run(
                [
                    *best.row_jobs(tile, row, column, workers.count),
                    *best.column_jobs(tile, row, column, workers.count),
                ]
            )
    return _settle(workers, best, rows, rows, k, exclude_self=True)


def _settle(workers: _Workers, best: _Best, queries: Tensor, gallery: Tensor, k: int, *, exclude_self: bool) -> Ranking:
    """Score the candidates that can still be among the k best in one fixed order, and sort them."""
    margin = _margin(queries, gallery)
    values = queries.new_full((len(queries), k), -torch.inf)
    indices = torch.full((len(queries), k), -1)
    sure = np.ones(len(queries), dtype=np.bool_)
    workers.run(
        (
            *(_rescore_kept, queries[span].numpy(), gallery.numpy(), best.values[span], best.indices[span], margin),
            *(values[span].numpy(), indices[span].numpy(), sure[span]),
        )
        for span in _spans(len(queries), _TILE_ROWS)
    )
    unsure = torch.from_numpy(np.flatnonzero(~sure))
    for span in _spans(len(unsure), _TILE_ROWS):
        rows = unsure[span]
        some = queries[rows]
        products = some @ gallery.T
        if exclude_self:
            products[torch.arange(len(rows)), rows] = -torch.inf
        floors = products.topk(k, dim=1).values[:, -1] - margin
        workers.run(
            (
                *(_rescore_all, some[part].numpy(), gallery.numpy(), products[part].numpy(), floors[part].numpy()),
                *(rows[part].numpy(), values.numpy(), indices.numpy()),
            )
            for part in _spans(len(rows), -(-len(rows) // workers.count))
        )
    return values, indices


def _margin(queries: Tensor, gallery: Tensor) -> float:
    """Bound on twice the difference between a tile's product and the score: D roundings each, of at most |q| |g|."""
    precision = torch.finfo(queries.dtype).eps + torch.finfo(torch.float64).eps
    scale = float(queries.norm(dim=1).max()) * float(gallery.norm(dim=1).max())
    return (queries.shape[1] + 2) * precision * scale


def _sorted_top_k(queries: Tensor, gallery: Tensor, k: int, *, exclude_self: bool) -> Ranking:
    values, indices = [], []
    columns = gallery.double()
    for span in _spans(len(queries), _TILE_ROWS):
        scores = (queries[span].double() @ columns.T).to(queries.dtype)
        if exclude_self:
            scores.diagonal(span.start).fill_(-torch.inf)
        # torch.topk leaves the order of ties open; a stable sort does not.
        some_values, some_indices = scores.sort(dim=1, descending=True, stable=True)
        values.append(some_values[:, :k])
        indices.append(some_indices[:, :k])
    return torch.cat(values), torch.cat(indices)


Job = tuple[Any, ...]


class _Workers:
    """As many threads as torch uses. The compiled loops release the GIL; numba's own thread pool stays unused,
    since it and torch's would fight over the cores.
    """

    def __init__(self) -> None:
        self.count = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(self.count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def run(self, jobs: Iterable[Job]) -> None:
        """Run (function, *arguments) jobs side by side and wait for all."""
        for future in [self._pool.submit(*job) for job in jobs]:
            future.result()


class _Best:
    """The best candidates so far of every query: a min-heap a row, its worst candidate first."""

    def __init__(self, queries: Tensor, k: int) -> None:
        self.values = queries.new_full((len(queries), k + _SPARE), -torch.inf).numpy()
        self.indices = np.full((len(queries), k + _SPARE), -1, dtype=np.int64)

    def row_jobs(self, tile: Tensor, rows: slice, columns: slice, parts: int) -> Iterator[Job]:
        """Scan a tile for its rows' queries, in ``parts`` jobs that may run side by side."""
        for part in _spans(len(tile), -(-len(tile) // parts)):
            heaps = slice(rows.start + part.start, rows.start + part.stop)
            yield _scan_rows, tile[part].numpy(), columns.start, self.values[heaps], self.indices[heaps]

    def column_jobs(self, tile: Tensor, rows: slice, columns: slice, parts: int) -> Iterator[Job]:
        """Scan a tile for its columns' queries, in ``parts`` jobs that may run side by side."""
        width = tile.shape[1]
        for part in _spans(width, -(-width // parts)):
            heaps = slice(columns.start + part.start, columns.start + part.stop)
            yield _scan_columns, tile.numpy(), part.start, rows.start, self.values[heaps], self.indices[heaps]


@njit(cache=True, nogil=True)
def _scan_rows(
    tile: NDArray[np.floating], first_index: int, values: NDArray[np.floating], indices: NDArray[np.int64]
) -> None:
    for i in range(tile.shape[0]):
        for start in range(0, tile.shape[1], _STRIP):
            stop = min(start + _STRIP, tile.shape[1])
            floor = values[i, 0]
            above = 0
            for j in range(start, stop):
                above += tile[i, j] > floor
            if above:
                for j in range(start, stop):
                    if tile[i, j] > values[i, 0]:
                        _replace_worst(values[i], indices[i], tile[i, j], first_index + j)


@njit(cache=True, nogil=True)
def _scan_columns(
    tile: NDArray[np.floating],
    first_column: int,
    first_index: int,
    values: NDArray[np.floating],
    indices: NDArray[np.int64],
) -> None:
    columns = len(values)
    floors = values[:, 0].copy()
    for i in range(tile.shape[0]):
        row = tile[i, first_column : first_column + columns]
        for start in range(0, columns, _STRIP):
            stop = min(start + _STRIP, columns)
            above = 0
            for j in range(start, stop):
                above += row[j] > floors[j]
            if above:
                for j in range(start, stop):
                    if row[j] > floors[j]:
                        _replace_worst(values[j], indices[j], row[j], first_index + i)
                        floors[j] = values[j, 0]


@njit(cache=True, nogil=True)
def _replace_worst(values: NDArray[np.floating], indices: NDArray[np.int64], value: np.floating, index: int) -> None:
    hole = 0
    child = 1
    while child < len(values):
        if child + 1 < len(values) and values[child + 1] < values[child]:
            child += 1
        if values[child] >= value:
            break
        values[hole] = values[child]
        indices[hole] = indices[child]
        hole = child
        child = 2 * hole + 1
    values[hole] = value
    indices[hole] = index


@njit(cache=True, nogil=True)
def _rescore_kept(
    queries: NDArray[np.floating],
    gallery: NDArray[np.floating],
    kept: NDArray[np.floating],
    kept_indices: NDArray[np.int64],
    margin: float,
    values: NDArray[np.floating],
    indices: NDArray[np.int64],
    sure: NDArray[np.bool_],
) -> None:
    k = values.shape[1]
    for i in range(len(queries)):
        floor = np.sort(kept[i])[-k] - margin
        # What was not kept is at most the worst of what was.
        sure[i] = kept[i, 0] < floor
        if sure[i]:
            for j in range(kept.shape[1]):
                if kept[i, j] >= floor:
                    index = kept_indices[i, j]
                    _insert(values[i], indices[i], _dot(queries[i], gallery[index]), index)


@njit(cache=True, nogil=True)
def _rescore_all(
    queries: NDArray[np.floating],
    gallery: NDArray[np.floating],
    products: NDArray[np.floating],
    floors: NDArray[np.floating],
    rows: NDArray[np.int64],
    values: NDArray[np.floating],
    indices: NDArray[np.int64],
) -> None:
    for i in range(len(queries)):
        for j in range(len(gallery)):
            if products[i, j] >= floors[i]:
                _insert(values[rows[i]], indices[rows[i]], _dot(queries[i], gallery[j]), j)


@njit(cache=True, nogil=True)
def _insert(values: NDArray[np.floating], indices: NDArray[np.int64], value: np.floating, index: int) -> None:
    """Insert into a list that is sorted by descending value, then by index, and drops its last."""
    last = len(values) - 1
    if value < values[last] or (value == values[last] and index > indices[last]):
        return
    place = last
    while place > 0 and (values[place - 1] < value or (values[place - 1] == value and indices[place - 1] > index)):
        values[place] = values[place - 1]
        indices[place] = indices[place - 1]
        place -= 1
    values[place] = value
    indices[place] = index


# Reassociation lets the compiler sum in vector lanes: another order than left to right, but one for all pairs.
@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _dot(left: NDArray[np.floating], right: NDArray[np.floating]) -> np.floating:
    total = 0.0
    for d in range(len(left)):
        total += np.float64(left[d]) * np.float64(right[d])
    return left.dtype.type(total)
