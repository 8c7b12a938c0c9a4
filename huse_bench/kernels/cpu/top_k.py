"""Exact ranking on the CPU: tiles by torch's matrix product, compiled loops that keep the candidates of each query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import torch
from torch import Tensor

from huse_bench.errors import DataError
from huse_bench.kernels._arguments import Ranking
from huse_bench.kernels.cpu._groups import Groups, leave_out_groups
from huse_bench.kernels.cpu._shortlist import Shortlists, raise_floors, scan_columns, scan_rows, settle

__all__ = ["top_k", "top_k_directions"]

# Rows and columns of a tile of products: many, as every tile has its cost in Python, but not more than the cache holds.
_TILE = 1024

Job = tuple[Any, ...]


def top_k(queries: Tensor, gallery: Tensor, k: int, *, exclude_self: bool) -> Ranking:
    """See :func:`huse_bench.kernels.top_k`."""
    queries, gallery = _host(queries), _host(gallery)
    margin = _margin(queries, gallery)
    with _Workers() as workers:
        lists = Shortlists.empty(queries.numpy(), gallery.numpy(), k, margin)
        for tile, row, column in _tiles(queries, gallery):
            if exclude_self:
                _leave_out_self(tile, row, column)
            workers.run(_row_jobs(lists, tile, row, column, workers.count))
        return _settle(workers, lists)


def top_k_directions(image: Tensor, text: Tensor, k: int, numbers: Tensor | None) -> dict[str, Ranking]:
    """See :func:`huse_bench.kernels.top_k_directions`."""
    image, text = _host(image), _host(text)
    groups = None if numbers is None else Groups.of(numbers.cpu().numpy())
    with _Workers() as workers:
        i2t, t2i = _cross_modal(workers, image, text, k, groups)
        i2i, t2t = (_in_modal(workers, rows, k, groups) for rows in (image, text))
        return {"i2i": i2i, "i2t": i2t, "t2i": t2i, "t2t": t2t}


def _cross_modal(
    workers: _Workers, image: Tensor, text: Tensor, k: int, groups: Groups | None
) -> tuple[Ranking, Ranking]:
    margin = _margin(image, text)
    i2t = Shortlists.empty(image.numpy(), text.numpy(), k, margin)
    t2i = Shortlists.empty(text.numpy(), image.numpy(), k, margin)
    for tile, row, column in _tiles(image, text):
        if groups is not None:
            leave_out_groups(tile.numpy(), row.start, column.start, groups, True)
        _scan_both(workers, i2t, t2i, tile, row, column)
    return _settle(workers, i2t), _settle(workers, t2i)


def _in_modal(workers: _Workers, rows: Tensor, k: int, groups: Groups | None) -> Ranking:
    lists = Shortlists.empty(rows.numpy(), rows.numpy(), k, _margin(rows, rows))
    for tile, row, column in _tiles(rows, rows, upper=True):
        if groups is not None:
            leave_out_groups(tile.numpy(), row.start, column.start, groups, False)
        elif row == column:
            _leave_out_self(tile, row, column)
        if row == column:
            workers.run(_row_jobs(lists, tile, row, column, workers.count))
        else:
            # Off the diagonal, a tile's rows and columns are different queries, whose lists do not meet.
            _scan_both(workers, lists, lists, tile, row, column)
    return _settle(workers, lists)


def _host(rows: Tensor) -> Tensor:
    return rows.detach().cpu().contiguous()


def _margin(queries: Tensor, gallery: Tensor) -> float:
    """Bound on twice the difference between a tile's product and the score.

    In whatever order it is summed, a product of D terms is off by at most D roundings of ``|q| |g|`` (Higham,
    "Accuracy and Stability of Numerical Algorithms", 3.1) and D underflows. Four more roundings are for the score,
    the floors that are computed with the margin, and the second-order terms.
    """
    norms = [float(torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).max()) for rows in (queries, gallery)]
    scale = norms[0] * norms[1]
    kind = torch.finfo(queries.dtype)
    if scale > kind.max / 4:
        raise DataError(
            f"the longest rows have norms {norms[0]:.3g} and {norms[1]:.3g}, whose product overflows {queries.dtype}: "
            "normalise the rows"
        )
    roundings = queries.shape[1] + 4
    return roundings * ((kind.eps + torch.finfo(torch.float64).eps) * scale + 2 * kind.tiny)


def _spans(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def _tiles(rows: Tensor, columns: Tensor, *, upper: bool = False) -> Iterator[tuple[Tensor, slice, slice]]:
    """Products of row and column spans; with ``upper``, of those on and above the diagonal only."""
    buffer = rows.new_empty(_TILE * _TILE)
    for row in _spans(len(rows), _TILE):
        for column in _spans(len(columns), _TILE):
            if upper and column.start < row.start:
                continue
            shape = (row.stop - row.start, column.stop - column.start)
            tile = buffer[: shape[0] * shape[1]].view(shape)
            yield torch.mm(rows[row], columns[column].T, out=tile), row, column


def _leave_out_self(tile: Tensor, row: slice, column: slice) -> None:
    tile.diagonal(row.start - column.start).fill_(-torch.inf)


def _scan_both(
    workers: _Workers, of_rows: Shortlists, of_columns: Shortlists, tile: Tensor, row: slice, column: slice
) -> None:
    workers.run(
        [
            *_row_jobs(of_rows, tile, row, column, workers.count),
            *_column_jobs(of_columns, tile, row, column, workers.count),
        ]
    )


def _row_jobs(lists: Shortlists, tile: Tensor, row: slice, column: slice, parts: int) -> Iterator[Job]:
    for part in _spans(len(tile), -(-len(tile) // parts)):
        queries = slice(row.start + part.start, row.start + part.stop)
        yield _scan, scan_rows, tile[part], column.start, lists.part(queries), 0


def _column_jobs(lists: Shortlists, tile: Tensor, row: slice, column: slice, parts: int) -> Iterator[Job]:
    for part in _spans(tile.shape[1], -(-tile.shape[1] // parts)):
        queries = slice(column.start + part.start, column.start + part.stop)
        yield _scan, scan_columns, tile[:, part], row.start, lists.part(queries), 1


def _scan(scan: Callable[..., None], tile: Tensor, first_index: int, lists: Shortlists, axis: int) -> None:
    if not lists.counts[0]:
        _raise_floors(tile, lists, axis)
    scan(tile.numpy(), first_index, lists)


def _raise_floors(tile: Tensor, lists: Shortlists, axis: int) -> None:
    """Let the lists start from the products of a tile.

    Of as many maxima of distinct products, the k-th is at most the k-th best product.
    """
    products = tile.transpose(0, axis)
    width = max(1, products.shape[1] // (3 * lists.k))
    groups = products.shape[1] // width
    if groups >= lists.k:
        maxima = products[:, : width * groups].view(-1, width, groups).amax(1)
        raise_floors(maxima.contiguous().numpy(), lists)


def _settle(workers: _Workers, lists: Shortlists) -> Ranking:
    shape = (len(lists.queries), lists.k)
    values = torch.empty(shape, dtype=torch.from_numpy(lists.queries).dtype)
    indices = torch.empty(shape, dtype=torch.int64)
    workers.run(
        (settle, lists.part(span), values[span].numpy(), indices[span].numpy()) for span in _spans(shape[0], _TILE)
    )
    return values, indices


class _Workers:
    """One thread less than torch uses. The compiled loops release the GIL; numba's own thread pool stays unused,
    since it and torch's would fight over the cores.
    """

    def __init__(self) -> None:
        # After a product torch's threads go on spinning for a while, and loops on all cores would wait for them.
        self.count = max(1, torch.get_num_threads() - 1)
        self._pool = ThreadPoolExecutor(self.count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def run(self, jobs: Iterable[Job]) -> None:
        """Run (function, *arguments) jobs side by side and wait for all."""
        if self.count == 1:
            for function, *arguments in jobs:
                function(*arguments)
            return
        for future in [self._pool.submit(*job) for job in jobs]:
            future.result()
