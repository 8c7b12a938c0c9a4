"""Time and memory of exact ranking in all four directions, beside what else ranks."""

from benchmarks.measuring import thread_counts
from benchmarks.ranking import case
from benchmarks.record import absent

# Rows, noise around the class centres; the last size is that of UPMC Food-101's test split.
FULL = [(2048, 1.0), (8192, 1.0), (8192, 0.05), (22_716, 1.0)]
QUICK = [(2048, 1.0)]
SINGLE, LARGEST = 8192, 22_716
DIM = 512


def pytest_generate_tests(metafunc):
    quick = metafunc.config.getoption("quick")
    cases = [
        (rows, noise, count)
        for rows, noise in (QUICK if quick else FULL)
        for count in thread_counts()
        if count == 1 or (not quick and rows == SINGLE and noise == 1)
    ]
    metafunc.parametrize(("rows", "noise", "thread_count"), cases)


def test_ranking(record, rows, noise, thread_count):
    # Each round of the largest takes minutes already, and the other peers do the same whatever the noise.
    compared = rows < LARGEST and noise == 1 and thread_count == 1
    peers = sorted({"faiss-cpu", "scikit-learn"} - absent().keys()) if compared else []
    arguments = {"rows": rows, "dim": DIM, "noise": noise, "peers": peers}
    record(lambda: case(**arguments), thread_count, {"name": "ranking", **arguments})
