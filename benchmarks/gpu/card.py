"""What a GPU can do at most, as measured on it, and what a case takes of that."""

import torch

from benchmarks.measuring import OURS, Case, Competitor, measure

SIDE, COPIED = 8192, 2**28
# Multiplications and additions for each pair of rows and dimension: half of the similarities, or all of those of a
# batch of half the size, and the same once for each gradient.
_PRODUCTS = {"semihard_triplet": 1.0, "double_triplet": 1.5, "cosine_embedding": 1.5}


def peaks(effort):
    """Operations a second of a large product, by precision, and bytes a second of a large copy."""
    before = torch.get_float32_matmul_precision()
    found = {}
    try:
        for name, dtype, precision in (
            ("fp32", torch.float32, "highest"),
            ("tf32", torch.float32, "high"),
            ("fp16", torch.float16, "highest"),
        ):
            torch.set_float32_matmul_precision(precision)
            square = torch.randn(SIDE, SIDE, device="cuda").to(dtype)
            found[name] = 2 * SIDE**3 / seconds(lambda square=square: square @ square, effort)
    finally:
        torch.set_float32_matmul_precision(before)
    block, other = torch.randn(COPIED, device="cuda"), torch.empty(COPIED, device="cuda")
    found["bytes"] = 2 * 4 * COPIED / seconds(lambda: other.copy_(block), effort)
    return found


def shares(measurement, case, peaks):
    """Of what the card can do, what each of our entries does: operations that are needed, rows read and written once.

    Args:
        measurement: of the case.
        case: a pairwise loss.
        peaks: as :func:`peaks` gives them.

    Returns:
        Words of an entry's name, ``"fp32"`` for none, to its shares of operations and of bandwidth.
    """
    # Float32 is had from float32 units, or from three products of tensor cores: by whichever is faster on this card.
    most = {"fp32": max(peaks["fp32"], peaks["fp16"] / 3), "tf32": peaks["tf32"], "fp16": peaks["fp16"]}
    operations = case.bound_share * _PRODUCTS.get(case.operation, 3.0) * case.rows**2 * case.dim
    moved = 2 * 4 * case.rows * case.dim
    found = {}
    for entry in measurement.entries:
        if entry.name.startswith(OURS):
            words = entry.name.removeprefix(OURS).strip() or "fp32"
            taken = entry.total.median
            found[words] = {
                "operations_of_peak": operations / taken / most[words],
                "bandwidth_of_peak": moved / taken / peaks["bytes"],
            }
    return found


def memory(case):
    """Peak memory of one run on the GPU above what was held before, in MiB, by competitor."""
    found = {}
    for competitor in case.competitors:
        torch.cuda.synchronize()
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        competitor.run(lambda _phase: None)
        torch.cuda.synchronize()
        found[competitor.name] = round((torch.cuda.max_memory_allocated() - held) / 2**20, 1)
    return found


def seconds(work, effort):
    """The lower quartile of the times of something on the GPU, its second-level cache displaced before each."""

    def run(lap):
        outcome = work()
        lap("all")
        return outcome

    alone = Case("alone", 1, 1, [Competitor(OURS, run)], difference=lambda *_: 0.0, tolerance=0, device="cuda")
    return measure(alone, effort).entries[0].total.low
