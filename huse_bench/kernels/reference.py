"""The pairwise losses, and dropout, in plain torch: every pair at once, gradients by autograd.

Slow and memory-hungry (several M x M matrices), but each function reads like its formula and runs on every
device. The arguments are checked by the public functions that call these.
"""

import torch
from torch import Tensor

__all__ = ["double_triplet_terms", "drop", "graph_loss", "mismatch_hinge", "pass_back", "semihard_triplet"]


def graph_loss(x: Tensor, labels: Tensor, distances: Tensor, margin: float, relaxation: str) -> Tensor:
    """See :func:`huse_bench.kernels.graph_loss`."""
    distance = 1 - x @ x.T
    target = distances[labels][:, labels]
    near = distance.detach() < margin
    similar = target < margin
    if relaxation == "and":
        counted = near & similar
    elif relaxation == "none":
        counted = torch.ones_like(near)
    else:
        counted = near | similar
    if relaxation == "hinge":
        target = target.clamp(max=margin)
    counted.fill_diagonal_(fill_value=False)
    return (counted * (distance - target).square()).sum() / len(x) ** 2


def semihard_triplet(x: Tensor, labels: Tensor, margin: float) -> Tensor:
    """See :func:`huse_bench.kernels.semihard_triplet`."""
    distance = 1 - x @ x.T
    same = labels[:, None] == labels
    positive = same.clone().fill_diagonal_(fill_value=False)
    if bool(same.all()) or not bool(positive.any()):
        return distance.sum() * 0
    with torch.no_grad():
        ordered, index = torch.where(same, torch.inf, distance).sort(dim=1, stable=True)
        slot = torch.searchsorted(ordered, distance.contiguous(), right=True)
        farther = slot < (~same).sum(dim=1, keepdim=True)
        farthest = torch.where(same, -torch.inf, distance).argmax(dim=1, keepdim=True)
        chosen = torch.where(farther, index.gather(1, slot.clamp(max=len(x) - 1)), farthest)
    return (margin + distance - distance.gather(1, chosen)).relu()[positive].mean()


def double_triplet_terms(image: Tensor, text: Tensor, labels: Tensor, margin: float, pairs: str) -> tuple[Tensor, ...]:
    """See :func:`huse_bench.kernels.double_triplet_terms`; the terms in the order given there."""
    similarity = image @ text.T
    classed = labels >= 0
    classed = classed[:, None] & classed
    same = labels[:, None] == labels
    positive = (same & classed).fill_diagonal_(fill_value=False)
    negative = ~same & classed
    rank = positive.cumsum(dim=1)
    last = int(rank.max())
    if pairs == "first":
        last = min(last, 1)
        enough = negative.sum(dim=1)[labels >= 0].min() if bool((labels >= 0).any()) else 0
        negative &= negative.cumsum(dim=1) <= enough
    chosen = [positive & (rank == k) for k in range(1, last + 1)]
    return (
        _instance_term(similarity, margin),
        _instance_term(similarity.T, margin),
        _semantic_term(similarity, chosen, negative, margin),
        _semantic_term(similarity.T, chosen, negative, margin),
    )


def mismatch_hinge(image: Tensor, text: Tensor, margin: float) -> Tensor:
    """Mean over the mismatched pairs of how far their cosine similarity exceeds the margin; 0 where none."""
    items = len(image)
    excess = (image @ text.T - margin).relu()
    return (excess * _off_diagonal(excess)).sum() / max(items * (items - 1), 1)


def _instance_term(similarity: Tensor, margin: float) -> Tensor:
    cost = (margin + similarity - similarity.diagonal()[:, None]).relu() * _off_diagonal(similarity)
    return cost.sum() / (cost > 0).sum().clamp(min=1)


def _semantic_term(similarity: Tensor, chosen: list[Tensor], negative: Tensor, margin: float) -> Tensor:
    total = similarity.sum() * 0
    informative = torch.zeros((), dtype=torch.int64, device=similarity.device)
    for positive in chosen:
        to_positive = (similarity * positive).sum(dim=1, keepdim=True)
        counted = negative & positive.any(dim=1, keepdim=True)
        cost = (margin + similarity - to_positive).relu() * counted
        total = total + cost.sum()
        informative = informative + (cost > 0).sum()
    return total / informative.clamp(min=1)


def _off_diagonal(square: Tensor) -> Tensor:
    return ~torch.eye(len(square), dtype=torch.bool, device=square.device)


def drop(x: Tensor, keys: Tensor, bound: int, place: int, scale: float) -> Tensor:
    """See :func:`huse_bench.kernels.cpu.relu_dropout.drop`."""
    first, second = keys[:, :, None].unbind(1)
    words = torch.arange(place, place + x.numel() // len(keys), device=x.device) & 0xFFFFFFFF
    drawn = _mixed(_mixed(words ^ first) ^ second).view(x.shape)
    return torch.where((drawn < bound) | (x <= 0), 0, x * scale)


def pass_back(upstream: Tensor, out: Tensor, scale: float) -> Tensor:
    """See :func:`huse_bench.kernels.cpu.relu_dropout.pass_back`."""
    return torch.where(out <= 0, 0, upstream * scale)


def _mixed(words: Tensor) -> Tensor:
    # Of a product that overflows 64 bits the lower 32 are right.
    words = ((words ^ (words >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    words = ((words ^ (words >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return words ^ (words >> 16)
