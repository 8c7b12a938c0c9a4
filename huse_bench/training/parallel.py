"""One training by several processes: each embeds its part of a batch, and each computes the loss of the whole batch.

The processes draw the same batches and the same random numbers, so that nothing but the embeddings and the gradients
goes between them. Where there is one process, nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable

from huse_bench.errors import ConfigError, LostProcessError

__all__ = ["Part", "divided", "gathered", "heard", "part_of", "processes", "share_gradients", "summed"]


@dataclass(frozen=True)
class Part:
    """The rows of a batch that this process embeds.

    Attributes:
        start: the first.
        stop: the one after the last.
        whole: how many rows the batch has.
    """

    start: int
    stop: int
    whole: int


def processes() -> int:
    """How many processes train together; 1 where this one is alone."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


@contextmanager
def heard() -> Iterator[None]:
    """Wait for the other processes in it.

    Raises:
        LostProcessError: if one has ended.
    """
    try:
        yield
    except RuntimeError as error:
        raise LostProcessError(
            "a process that shares the batches has ended, and what it said is the cause; finished runs and checkpoints "
            "are kept: start the command again"
        ) from error


def part_of(rows: int) -> Part | None:
    """What this process embeds of a batch.

    Args:
        rows: of the batch.

    Returns:
        Its part; None where this process is alone.

    Raises:
        ConfigError: if there are more processes than rows.
    """
    size = processes()
    return None if size == 1 else divided(rows, size)[distributed.get_rank()]


def divided(rows: int, size: int) -> list[Part]:
    """The parts of a batch, as long as each other or one longer.

    Args:
        rows: of the batch.
        size: how many processes share it.

    Raises:
        ConfigError: if there are more processes than rows.
    """
    if rows < size:
        raise ConfigError(
            f"{size} processes share each batch, and training.batch_size = {rows} has not one pair for each; start "
            f"fewer (torchrun --nproc-per-node), or raise the batch size"
        )
    bounds = [rows * rank // size for rank in range(size + 1)]
    return [Part(start, stop, rows) for start, stop in pairwise(bounds)]


def gathered(tensors: Sequence[Tensor | None], part: Part) -> list[Tensor | None]:
    """What all processes made of a batch, with a gradient into what this one made.

    Each process computes the loss of the whole batch, so what flows back into its own rows is their whole gradient, and
    none has to be asked of the others.

    Args:
        tensors: (rows of the part, d) each, all of one type; what is None stays it.
        part: which rows these are.

    Returns:
        Each as (rows of the batch, d).
    """
    there = [tensor for tensor in tensors if tensor is not None]
    joined: Tensor = _Gather.apply(torch.cat(there, dim=1), part)  # type: ignore[no-untyped-call]  # as torch leaves it
    columns = iter(torch.split(joined, [tensor.shape[1] for tensor in there], dim=1))
    # Kernels want rows that lie side by side.
    return [None if tensor is None else next(columns).contiguous() for tensor in tensors]


def summed(gradients: Sequence[Tensor]) -> list[Tensor]:
    """The sums of all processes' gradients.

    Args:
        gradients: of the parts' rows; where this process is alone they are given back.
    """
    if processes() == 1 or not gradients:
        return list(gradients)
    # In one message: a call for each would wait for the network as often.
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    with heard():
        distributed.all_reduce(flat)
    sums = torch.split(flat, [gradient.numel() for gradient in gradients])
    return [total.view_as(gradient) for total, gradient in zip(sums, gradients, strict=True)]


def share_gradients(model: Iterable[Tensor], own: Iterable[Tensor]) -> None:
    """Give all processes the gradients of the whole batch.

    Args:
        model: parameters whose gradients are of this process's rows.
        own: the loss's, whose gradients are of the whole batch already; their mean keeps processes from drifting apart
            by roundings.
    """
    partial = [weight.grad for weight in model if weight.grad is not None]
    whole = [weight.grad for weight in own if weight.grad is not None]
    size = processes()
    sums = summed([*partial, *(gradient / size for gradient in whole)])
    for gradient, total in zip([*partial, *whole], sums, strict=True):
        gradient.copy_(total)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, part: Part) -> Tensor:
        ctx.part = part
        size = processes()
        # All send as many rows, so the shorter parts are filled up.
        sent = x.new_zeros(-(-part.whole // size), x.shape[1])
        sent[: len(x)] = x
        received = [torch.empty_like(sent) for _ in range(size)]
        with heard():
            distributed.all_gather(received, sent)
        parts = divided(part.whole, size)
        return torch.cat([rows[: of.stop - of.start] for rows, of in zip(received, parts, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        return upstream[ctx.part.start : ctx.part.stop], None
