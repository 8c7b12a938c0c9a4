"""Time of finding near-duplicates between two sets of features, beside comparing all pairs in full.

The rows are mixtures of two items of the built-in data, of which a few are near to each other.
"""

import numpy as np
import torch
from torch.nn import functional

import huse_bench as hb
from benchmarks.measuring import OURS, Case, Competitor, thread_counts
from huse_bench.features._near import near_limit, typical_distance
from huse_bench.features._pairs import near_pairs

# An eighth, and a hundredth, of the pairs of UPMC Food-101's test and train items.
FULL, QUICK = (8192, 21_000), (2270, 6100)
TILE = 1024


def pytest_generate_tests(metafunc):
    quick = metafunc.config.getoption("quick")
    cases = [(kind, QUICK if quick else FULL, count) for kind in ("image", "text") for count in thread_counts()]
    metafunc.parametrize(("kind", "sizes", "thread_count"), cases[:1] if quick else cases)


def test_near_pairs(record, kind, sizes, thread_count):
    record(lambda: _case(kind, sizes), thread_count)


def _case(kind, sizes):
    left, right = mixed(kind, sizes)
    limit = near_limit(typical_distance(right))

    def ours(lap):
        found = {(i, j) for pairs in near_pairs(left, right, limit) for i, j in _ends(pairs.left, pairs.right)}
        lap("all")
        return found

    def in_full(lap):
        found = set()
        for start in range(0, len(right), TILE):
            unit = functional.normalize(right[start : start + TILE], dim=1)
            for first in range(0, len(left), TILE):
                distances = 1 - functional.normalize(left[first : first + TILE], dim=1) @ unit.T
                one, two = torch.nonzero(distances <= limit).unbind(dim=1)
                found.update(_ends(one + first, two + start))
        lap("all")
        return found

    competitors = [
        Competitor("torch", in_full, f"all distances in tiles of {TILE}"),
        Competitor(OURS, ours, "a bound by few directions first"),
    ]
    # What only one of them found lies within rounding of the limit.
    return Case(f"near_{kind}_pairs", len(left), left.shape[1], competitors, _difference, 1e-3)


def mixed(kind, sizes):
    """Some such sets of rows of these sizes."""
    names = ("emoji", "clipart", "icons")
    of_items = [getattr(hb.load("dataset", name)().load(), f"{kind}_features").values for name in names]
    rows = functional.normalize(torch.from_numpy(np.concatenate(of_items).astype(np.float32)), dim=1)
    generator = torch.Generator().manual_seed(0)
    for count in sizes:
        one, other = torch.randint(len(rows), (2, count), generator=generator)
        share = torch.rand(count, 1, generator=generator) / 2
        yield (1 - share) * rows[one] + share * rows[other]


def _ends(left, right):
    return zip(left.tolist(), right.tolist(), strict=True)


def _difference(found, expected):
    """Share of the pairs that only one of them found."""
    return len(found ^ expected) / max(1, len(expected))
