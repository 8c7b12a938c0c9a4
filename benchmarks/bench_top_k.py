"""Time of exact ranking in all four directions, against torch's product and ``topk`` in chunks of queries.

``pytest benchmarks/bench_top_k.py --benchmark-only -s`` prints, beside the table, the median ratio of interleaved
pairs. The smaller the noise around the class centres, the more candidates lie within the rounding of a product.
Threads are torch's: set OMP_NUM_THREADS.
"""

import statistics
import time

import pytest
import torch
from torch.nn.functional import normalize

from huse_bench.kernels import top_k_directions

CLASSES = 101
ROWS = 8192
DIM = 512
K = 10
CHUNK = 1024
ROUNDS = 5


def pairs(noise):
    """Image and text rows around the centres of their classes."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, DIM, generator=generator)[torch.randint(CLASSES, (ROWS,), generator=generator)]
    return [normalize(centres + noise * torch.randn(ROWS, DIM, generator=generator), dim=1) for _ in range(2)]


def chunked(queries, gallery, *, exclude_self):
    values, indices = [], []
    for first in range(0, len(queries), CHUNK):
        products = queries[first : first + CHUNK] @ gallery.T
        if exclude_self:
            products.diagonal(first).fill_(-torch.inf)
        found = products.topk(K, dim=1)
        values.append(found.values)
        indices.append(found.indices)
    return torch.cat(values), torch.cat(indices)


def plain(image, text):
    return {
        "i2i": chunked(image, image, exclude_self=True),
        "i2t": chunked(image, text, exclude_self=False),
        "t2i": chunked(text, image, exclude_self=False),
        "t2t": chunked(text, text, exclude_self=True),
    }


def exact(image, text):
    return top_k_directions(image, text, K)


def seconds(rank, image, text):
    """Wall clock, and the processor time that other programs' load does not add to."""
    wall, processor = time.perf_counter(), time.process_time()
    rank(image, text)
    return time.perf_counter() - wall, time.process_time() - processor


@pytest.mark.parametrize("noise", [1.0, 0.3, 0.05])
def test_top_k(benchmark, capsys, noise):
    image, text = pairs(noise)
    found, expected = exact(image, text), plain(image, text)
    for direction, (values, indices) in expected.items():
        torch.testing.assert_close(found[direction][0], values, rtol=0, atol=1e-5)
        # Plain float32 products put near-ties in another order.
        assert (found[direction][1] == indices).float().mean() > 0.9

    times = [(seconds(plain, image, text), seconds(exact, image, text)) for _ in range(ROUNDS)]
    wall, processor = (statistics.median(slow[i] / fast[i] for slow, fast in times) for i in range(2))
    benchmark.extra_info.update(ratio=wall, processor_ratio=processor, threads=torch.get_num_threads())
    with capsys.disabled():
        print(  # noqa: T201 - the result
            f"\nnoise {noise}: {wall:.2f}x chunked topk by wall clock, {processor:.2f}x by processor time, "
            f"{torch.get_num_threads()} threads"
        )
    benchmark.pedantic(exact, args=(image, text), rounds=ROUNDS)
