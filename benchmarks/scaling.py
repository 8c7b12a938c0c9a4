"""Time and memory of exact evaluation as the items grow, and the ranking of one shard of a gallery of a million.

``python -m benchmarks.scaling`` prints what docs/scaling.md says, in some ten minutes on two cores; ``--items 4096 8192
--gallery 20000 --pairs 2000 6000`` takes seconds, and ``--items 1000000`` some two hours where a processor multiplies
bfloat16 fast, five where it does not. ``--within`` ranks the items of one modality among themselves, a quarter of that.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import psutil
import torch
from torch import Tensor
from torch.nn.functional import normalize

import huse_bench as hb
from benchmarks.bench_near_pairs import mixed
from huse_bench.evaluation import Retrieval, evaluate_retrieval
from huse_bench.features._near import near_limit, typical_distance
from huse_bench.features._pairs import near_pairs
from huse_bench.kernels import top_k

CLASSES, CHECKED, TILE = 101, 64, 1024
K = 50

# Tiles of one product that are timed; the products of a million items would take longer than their evaluation.
_TIMED_TILES = 4096

_NEIGHBOURS = 10


class Cost(NamedTuple):
    """Seconds by the wall's clock and by the processors', and MiB above what the process held before."""

    seconds: float
    processor: float
    memory: float


def merged(shards: Sequence[tuple[Tensor, Tensor]], k: int) -> tuple[Tensor, Tensor]:
    """The k best of a gallery from the best of its shards, bit for bit those of ranking it whole.

    A pair's similarity is the same whatever else is ranked beside it, so that only the order is left to be made:
    descending, and equal ones by their place in the gallery.

    Args:
        shards: of each, values (n, k') and indices (n, k') into the whole gallery, k' being k or all that it has.
        k: how many to keep.
    """
    values, indices = (torch.cat(parts, dim=1) for parts in zip(*shards, strict=True))
    by_place = indices.argsort(dim=1)
    best = values.gather(1, by_place).argsort(dim=1, descending=True, stable=True)
    order = by_place.gather(1, best)[:, :k]
    return values.gather(1, order), indices.gather(1, order)


def rows(count: int, dim: int, seed: int) -> tuple[Tensor, Tensor]:
    """Unit rows (n, D) around the centres of their classes, which are the same whatever the seed, and labels (n,)."""
    centres = torch.randn(CLASSES, dim, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    found = torch.empty(count, dim)
    # Made in place: at a million rows each copy is 2 GB.
    for start in range(0, count, TILE):
        part = slice(start, start + TILE)
        noise = torch.randn(len(labels[part]), dim, generator=generator)
        found[part] = normalize(centres[labels[part]] + 2 * noise, dim=1)
    return found, labels


def cost(work: Callable[[], object]) -> tuple[Cost, object]:
    """Do something, and watch what it takes."""
    process = psutil.Process()
    before = peak = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, worked = time.perf_counter(), time.process_time()
    try:
        result = work()
    finally:
        seconds, processor = time.perf_counter() - start, time.process_time() - worked
        done.set()
        watcher.join()
    return Cost(seconds, processor, (peak - before) / 2**20), result


def products(*problems: tuple[Tensor, Tensor]) -> float:
    """The products in float32 that no exact ranking by them can do without, and nothing else.

    Args:
        problems: rows and columns, of one number; half a product does where they are the same.

    Returns:
        How many times as many there are as were made: of many items, tiles of every so many rows are.
    """
    tile = torch.empty(TILE * TILE)
    count = -(-len(problems[0][0]) // TILE)
    every = -(-(count**2) // _TIMED_TILES)
    made = wanted = 0
    for left, right in problems:
        half = left is right
        wanted += count * (count + 1) // 2 if half else count**2
        for row in range(every // 2, count, every):
            for column in range(row if half else 0, count):
                one, other = left[row * TILE : (row + 1) * TILE], right[column * TILE : (column + 1) * TILE]
                torch.mm(one, other.T, out=tile[: len(one) * len(other)].view(len(one), len(other)))
                made += 1
    return wanted / made


def check(queries: Tensor, gallery: Tensor, found: Tensor, itself: Tensor | None = None) -> None:
    """Whether what was found first is what float64 says, but for similarities within rounding of each other.

    Args:
        queries: (n, D) rows.
        gallery: (m, D) rows.
        found: (n, k) which of these each query finds first.
        itself: (n,) which of these a query does not search; None where all are searched.

    Raises:
        AssertionError: where it is not.
    """
    k = found.shape[1]
    best = torch.full((len(queries), k), -torch.inf, dtype=torch.float64)
    for start in range(0, len(gallery), TILE):
        here = queries.double() @ gallery[start : start + TILE].double().T
        if itself is not None:
            here[torch.arange(start, start + here.shape[1]) == itself[:, None]] = -torch.inf
        best = torch.cat([best, here], dim=1).topk(k, dim=1).values
    got = torch.stack([gallery[items].double() @ query for query, items in zip(queries.double(), found, strict=True)])
    torch.testing.assert_close(got, best, rtol=0, atol=1e-6)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--items", type=int, nargs="*", default=[16_384, 32_768, 65_536], help="sizes of the test split"
    )
    parser.add_argument(
        "--within", type=int, nargs="*", default=[65_536], help="items of one modality, ranked among themselves"
    )
    parser.add_argument("--gallery", type=int, default=1_000_000, help="items of the gallery that a few queries search")
    parser.add_argument("--queries", type=int, default=1024, help="how many queries these are")
    parser.add_argument(
        "--pairs", type=int, nargs=2, default=[22_716, 61_142], help="test and train items that are audited"
    )
    parser.add_argument("--dim", type=int, default=512, help="dimension of the embeddings")
    chosen = parser.parse_args(arguments)
    taxonomy = hb.Taxonomy.from_edges(
        [(f"branch {label % 12}", f"class {label}") for label in range(CLASSES)]
        + [("root", f"branch {branch}") for branch in range(12)],
        classes=[f"class {label}" for label in range(CLASSES)],
    )
    small = rows(2048, chosen.dim, 1)
    evaluate_retrieval(small[0], small[0], small[1], taxonomy, curve_k=K)  # compiled before anything is timed
    _say(f"{torch.get_num_threads()} threads, {chosen.dim} dimensions")
    _say("items     evaluation  processors'   products  processors'  ratio  MiB   bytes an item")
    for items in chosen.items:
        image, labels = rows(items, chosen.dim, 2)
        text = normalize(image + 0.02 * torch.randn(image.shape, generator=torch.Generator().manual_seed(3)), dim=1)
        bare, times = cost(lambda image=image, text=text: products((image, text), (image, image), (text, text)))
        assert isinstance(times, float)
        taken, found = cost(
            lambda image=image, text=text, labels=labels: evaluate_retrieval(
                image, text, labels, taxonomy, curve_k=K, neighbours=_NEIGHBOURS
            )
        )
        assert isinstance(found, Retrieval)
        _say(_line(items, taken, bare, times))
        sample = _sample(items)
        for direction, neighbours in found.neighbours.items():
            queries, gallery = ({"i": image, "t": text}[side] for side in (direction[0], direction[-1]))
            itself = sample if direction[0] == direction[-1] else None
            check(queries[sample], gallery, torch.from_numpy(neighbours).long()[sample], itself)
        _say(f"the first {_NEIGHBOURS} of {len(sample)} queries in each direction are those of float64")
        del image, text, found
    _say("items of one modality among themselves")
    for items in chosen.within:
        image, _ = rows(items, chosen.dim, 2)
        bare, times = cost(lambda image=image: products((image, image)))
        assert isinstance(times, float)
        taken, found = cost(lambda image=image: top_k(image, image, K, exclude_self=True))
        assert isinstance(found, tuple)
        _say(_line(items, taken, bare, times))
        sample = _sample(items)
        check(image[sample], image, found[1][sample], sample)
        _say(f"the first {K} of {len(sample)} queries are those of float64")
        del image, found
    gallery, _ = rows(chosen.gallery, chosen.dim, 4)
    queries = gallery[: chosen.queries].clone()
    taken, found = cost(lambda: top_k(queries, gallery, K))
    assert isinstance(found, tuple)
    sample = _sample(len(queries))
    check(queries[sample], gallery, found[1][sample])
    operations = 2 * len(queries) * len(gallery) * chosen.dim
    _say(
        f"{len(queries)} queries in {len(gallery)} items: {taken.seconds:.1f} s, "
        f"{operations / taken.seconds / 1e9:.0f} GFLOP/s, {taken.memory:.0f} MiB; "
        f"the first {K} of {len(sample)} are those of float64"
    )
    for kind in ("image", "text"):
        taken, pairs = cost(lambda kind=kind: _near(kind, chosen.pairs))
        _say(
            f"{pairs} near {kind} pairs of {chosen.pairs[0]} test and {chosen.pairs[1]} train items: "
            f"{taken.seconds:.1f} s"
        )


def _line(items: int, taken: Cost, bare: Cost, times: float) -> str:
    return (
        f"{items:<9} {taken.seconds:8.1f} s  {taken.processor:8.1f} s  {times * bare.seconds:8.1f} s  "
        f"{times * bare.processor:8.1f} s  {taken.seconds / (times * bare.seconds):5.2f}"
        f"  {taken.memory:4.0f}  {taken.memory * 2**20 / items:6.0f}"
    )


def _sample(count: int) -> Tensor:
    return torch.from_numpy(np.linspace(0, count - 1, min(CHECKED, count)).astype(np.int64))


def _near(kind: str, sizes: Sequence[int]) -> int:
    """Near-duplicates between the splits and within the test split, as the audit looks for them."""
    test, train = mixed(kind, sizes)
    limit = near_limit(typical_distance(train))
    return sum(len(pairs.left) for right in (train, None) for pairs in near_pairs(test, right, limit))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what the command says


if __name__ == "__main__":
    main()
