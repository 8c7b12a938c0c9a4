"""Time and memory of the pairwise losses with their gradients, beside what else computes them.

pytorch-metric-learning competes where it has the same operation, which is the cosine embedding: it has no graph loss,
its miners refuse "semihard" negatives for all positives, and of AdaMine's triplets it enumerates every one.
"""

import pytest

from benchmarks.losses import INFORMATIVE, LOSSES, case
from benchmarks.measuring import thread_counts
from benchmarks.record import absent

# What a peer deprecates is the peer's business.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

FULL = [(rows, dim) for dim in (64, 512) for rows in (1024, 2048, 4096, 8192)]
QUICK = [(1024, 64)]
# For the other losses torch.compile, and beyond one thread all, are timed at one size: each takes minutes more.
SWEPT, SINGLE = "graph_loss_and", 4096
# Two readings that cost what "none" does are left out at the largest size.
LARGEST, ALIKE = 8192, {"graph_loss_or", "graph_loss_hinge"}


def pytest_generate_tests(metafunc):
    quick = metafunc.config.getoption("quick")
    cases = [
        (name, rows, dim, count, INFORMATIVE.get(name, (None,))[0])
        for rows, dim in (QUICK if quick else FULL)
        for name in LOSSES
        for count in thread_counts()
        if count == 1 or (name == SWEPT if quick else rows == SINGLE)
        if not (rows == LARGEST and name in ALIKE)
    ]
    if quick:
        cases += [(SWEPT, rows, 64, 1, None) for rows in (512, 2048)]
    else:
        worst = [(name, share) for name, shares in INFORMATIVE.items() for share in shares[1:]]
        cases += [(name, rows, dim, 1, share) for name, share in worst for rows, dim in FULL if rows == SINGLE]
    metafunc.parametrize(("name", "rows", "dim", "thread_count", "informative"), cases)


def test_pairwise(record, quick, name, rows, dim, thread_count, informative):
    peers = {"pytorch-metric-learning"}
    if (name == SWEPT and (rows, dim) in QUICK) if quick else (name == SWEPT or rows == SINGLE):
        peers.add("torch.compile")
    peers = sorted(peers - absent().keys())
    elsewhere = {"name": name, "rows": rows, "dim": dim, "peers": peers, "informative": informative}
    record(lambda: case(**elsewhere), thread_count, elsewhere, tuned=True)
