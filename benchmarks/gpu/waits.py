"""Where the host waits for the GPU."""

from collections import Counter

from huse_bench.training.host_waits import cuda_waits


def waits(work):
    """Do something, and count the waits that torch notices, by file and line."""
    with cuda_waits() as places:
        work()
    return Counter(places)
