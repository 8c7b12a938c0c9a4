"""Time of the pairwise losses and of ranking on an NVIDIA GPU, beside plain torch and torch.compile there.

Each run is timed by CUDA events, after the GPU's L2 cache was overwritten. "of peak" sets the operations of the
products that are needed, and one reading of the rows and writing of their gradient, against the largest product and
the largest copy that the card itself was measured to do.
"""

import pytest
import torch

from benchmarks import losses, ranking
from benchmarks.measuring import OURS, Case, Competitor, measure

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device"),
    # What a peer deprecates is the peer's business.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

FULL = [(rows, dim) for dim in (64, 512) for rows in (4096, 16_384)]
QUICK = [(4096, 512)]
SIDE, COPIED = 8192, 2**28


def pytest_generate_tests(metafunc):
    metafunc.parametrize(("rows", "dim"), QUICK if metafunc.config.getoption("quick") else FULL)


@pytest.fixture(scope="module")
def peaks(effort):
    """Operations a second of a large product, in float32 and bfloat16, and bytes a second of a large copy."""
    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        square = torch.randn(SIDE, SIDE, device="cuda").to(dtype)
        found[name] = 2 * SIDE**3 / _seconds(lambda square=square: square @ square, effort)
    block = torch.empty(COPIED, device="cuda")
    found["bytes"] = 2 * 4 * COPIED / _seconds(block.clone, effort)
    return found


@pytest.mark.parametrize("name", losses.LOSSES)
def test_cuda(keep, effort, peaks, name, rows, dim):
    case = losses.case(name, rows, dim, ["torch.compile"], "cuda", ("tf32", "bf16"))
    measurement = measure(case, effort)
    # Half of the similarities, or all of a batch of half the size, and the same once for each gradient.
    products = {"semihard_triplet": 1.0, "double_triplet": 1.5, "cosine_embedding": 1.5}.get(name, 3.0)
    operations, moved = case.bound_share * products * rows**2 * dim, 2 * 4 * rows * dim
    shares = {}
    for entry in measurement.entries:
        if entry.name.startswith(OURS):
            words = entry.name.removeprefix(OURS).strip() or "fp32"
            peak = peaks["bf16" if words == "bf16" else "fp32"]
            shares[f"{words}_operations_of_peak"] = operations / entry.total.median / peak
            shares[f"{words}_bandwidth_of_peak"] = moved / entry.total.median / peaks["bytes"]
    keep(measurement.model_copy(update={"facts": measurement.facts | shares}), case)


def test_cuda_ranking(keep, effort, rows, dim):
    case = ranking.case(rows, dim, 1.0, (), "cuda")
    keep(measure(case, effort), case)


def _seconds(work, effort):
    def run(lap):
        outcome = work()
        lap("all")
        return outcome

    alone = Case("peak", 1, 1, [Competitor(OURS, run)], difference=lambda *_: 0.0, tolerance=0, device="cuda")
    return measure(alone, effort).entries[0].total.low
