"""Time and memory of exact ranking in all four directions, beside what else ranks."""

from benchmarks.measuring import thread_counts
from benchmarks.ranking import case
from benchmarks.record import absent

# Rows, noise around the class centres, peers; the last size is that of UPMC Food-101's test split.
FULL = [(2048, 1.0), (4096, 1.0), (8192, 1.0), (8192, 0.3), (8192, 0.05), (22_716, 1.0)]
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
    # The largest takes a minute a round already.
    peers = [] if rows == LARGEST else sorted({"faiss-cpu", "scikit-learn"} - absent().keys())
    arguments = {"rows": rows, "dim": DIM, "noise": noise, "peers": peers}
    record(lambda: case(**arguments), thread_count, {"name": "ranking", **arguments})
