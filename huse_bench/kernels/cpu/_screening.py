"""Products of rows rounded to bfloat16, which some processors multiply several times as fast: what a wider margin
cannot rule out is a candidate, and candidates are scored as ever.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from huse_bench.kernels.cpu._shortlist import longest

__all__ = ["Rounded", "multiply_rounded", "pays", "rounded", "rounding"]

# How many times as fast a product has to be, and rows and dimensions from which on all the rest is little beside it.
_GAIN, _ROWS, _DIM = 2.0, 1024, 256
# Queries that say how many candidates there are, the part of the gallery that is scored in less than the time won, and
# queries whose products are checked.
_SAMPLE, _PART, _CHECKED = 16, 0.015, 4
# Rows whose rounding is looked at together.
_BLOCK = 1024
# Of bfloat16: half the distance of 1 from the next number.
_UNIT = 2.0**-8


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch's operations in this thread are of one thread each; those in others are left as they are."""
    # A thread has OpenMP's number of threads to itself, and takes torch's over when it first asks for it.
    torch.get_num_threads()
    with _openmp().limit(limits=1):
        yield


@cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")


class Rounded(NamedTuple):
    """Rows in bfloat16, with the greatest length of a row, of a rounded row, and of the difference of both."""

    rows: Tensor
    length: float
    rounded_length: float
    error: float


@_one_thread()
def rounded(rows: Tensor, length: float, others: int) -> Rounded | None:
    """Rows to multiply with so many others in bfloat16, or None where that is not worth trying."""
    few = min(len(rows), others) < _ROWS or rows.shape[1] < _DIM
    if few or rows.dtype != torch.float32 or not _is_fast():
        return None
    low = rows.bfloat16()
    rounded_length = error = 0.0
    for start in range(0, len(rows), _BLOCK):
        back = low[start : start + _BLOCK].float()
        rounded_length = max(rounded_length, longest(back.numpy()))
        error = max(error, longest((rows[start : start + _BLOCK] - back).numpy()))
    return Rounded(low, length, rounded_length, error)


def rounding(queries: Rounded, gallery: Rounded) -> float:
    """Bound on twice what rounding adds to the difference between a product and the score.

    That is the rounding of either row, by Cauchy and Schwarz, numbers that are too small and become 0, and the
    rounding of the product. Its terms are exact in float32, in which oneDNN adds them up: :func:`pays` looks whether
    that holds.
    """
    tiny = torch.finfo(torch.float32).tiny * queries.rows.shape[1]
    of_rows = queries.error * gallery.length + queries.rounded_length * gallery.error
    of_small = tiny * (queries.rounded_length + gallery.rounded_length + tiny)
    product = _UNIT * queries.rounded_length * gallery.rounded_length
    # A little more, for terms of second order.
    return 2.01 * (of_rows + of_small + product)


@_one_thread()
def pays(queries: Rounded, gallery: Rounded, exact: tuple[Tensor, Tensor], k: int, margin: float) -> bool:
    """Whether some queries have few candidates within the margin, and products as near as it says."""
    if not math.isfinite(margin) or not torch.backends.mkldnn.enabled:
        return False
    some = torch.arange(0, len(queries.rows), -(-len(queries.rows) // _SAMPLE))
    products = torch.mm(queries.rows[some], gallery.rows.T).float()
    few = some[:_CHECKED]
    if bool(((products[: len(few)] - torch.mm(exact[0][few], exact[1].T)).abs() > margin / 2).any()):
        return False
    floors = products.topk(k, dim=1).values[:, -1:] - margin
    candidates = float((products >= floors).sum()) / len(some)
    return candidates - k <= _PART * len(gallery.rows)


@_one_thread()
def multiply_rounded(queries: Tensor, gallery: Tensor, scratch: Tensor, tile: Tensor) -> None:
    """Put the products of rounded rows into a tile of float32, by way of the scratch, of bfloat16."""
    torch.mm(queries, gallery.T, out=scratch)
    tile.copy_(scratch)


@cache
@_one_thread()
def _is_fast() -> bool:
    """Whether this processor multiplies bfloat16 faster than float32 by what it takes."""
    rows = torch.ones(512, 512)
    low = rows.bfloat16()
    return _seconds(lambda: torch.mm(rows, rows)) > _GAIN * _seconds(lambda: torch.mm(low, low))


def _seconds(work: Callable[[], object]) -> float:
    work()
    best = math.inf
    for _ in range(5):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best
