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

ROWS, DIMS = (1024, 4096), (64, 512)
QUICK = [(1024, 64)]
# One operation is timed at more sizes, for the figure.
SWEPT, ALSO = "graph_loss_and", (512, 2048, 8192)
# Threads beyond one matter at this size; torch.compile and the worst shares of pairs are timed at it too.
SINGLE = 4096


def pytest_generate_tests(metafunc):
    quick = metafunc.config.getoption("quick")
    sizes = QUICK if quick else [(rows, dim) for dim in DIMS for rows in ROWS]
    swept = [(rows, 64) for rows in (512, 2048)] if quick else [(rows, dim) for dim in DIMS for rows in ALSO]
    usual = {name: INFORMATIVE.get(name, (None,))[0] for name in LOSSES}
    cases = [(name, rows, dim, 1, usual[name]) for rows, dim in sizes for name in LOSSES]
    cases += [(SWEPT, rows, dim, 1, None) for rows, dim in swept]
    if quick:
        cases += [(SWEPT, *QUICK[0], count, None) for count in thread_counts()[1:]]
    else:
        worst = [(name, share) for name, shares in INFORMATIVE.items() for share in shares[1:]]
        cases += [(name, SINGLE, dim, 1, share) for name, share in worst for dim in DIMS]
        cases += [(name, SINGLE, DIMS[-1], count, usual[name]) for name in LOSSES for count in thread_counts()[1:]]
    metafunc.parametrize(("name", "rows", "dim", "thread_count", "informative"), cases)


def test_pairwise(record, quick, name, rows, dim, thread_count, informative):
    peers = {"pytorch-metric-learning"}
    if (name == SWEPT and (rows, dim) in QUICK) if quick else (rows, dim, thread_count) == (SINGLE, DIMS[-1], 1):
        peers.add("torch.compile")
    peers = sorted(peers - absent().keys())
    elsewhere = {"name": name, "rows": rows, "dim": dim, "peers": peers, "informative": informative}
    record(lambda: case(**elsewhere), thread_count, elsewhere, tuned=True)
