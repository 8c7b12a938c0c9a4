"""Time of HP@K for K = 2, 5 and 10 at once, beside plain Python and numpy.

Each has the correct sets beforehand in the form that suits it: boolean tables, or sets.
"""

import numpy as np
import pytest

import huse_bench as hb
from benchmarks.measuring import OURS, Case, Competitor
from huse_bench.evaluation._counts import correct_counts

CLASSES, BRANCHES, GROUPS, KS = 101, 12, 4, (2, 5, 10)
# Queries of UPMC Food-101's test split.
FULL, QUICK = 22_716, 4096


def pytest_generate_tests(metafunc):
    metafunc.parametrize("queries", [QUICK if metafunc.config.getoption("quick") else FULL])


@pytest.fixture
def taxonomy():
    """Classes under branches under groups under the root."""
    edges = [("root", f"group {group}") for group in range(GROUPS)]
    edges += [(f"group {branch % GROUPS}", f"branch {branch}") for branch in range(BRANCHES)]
    edges += [(f"branch {i % BRANCHES}", f"class {i}") for i in range(CLASSES)]
    return hb.Taxonomy.from_edges(edges, classes=[f"class {i}" for i in range(CLASSES)])


def test_hp_at_k(record, taxonomy, queries):
    generator = np.random.default_rng(0)
    labels = generator.integers(CLASSES, size=queries)
    retrieved = generator.integers(CLASSES, size=(queries, max(KS)))
    tables = {k: taxonomy.correct_sets(k) for k in KS}
    sets = {k: [taxonomy.correct_set(label, k) for label in range(CLASSES)] for k in KS}
    listed, lists = labels.tolist(), retrieved.tolist()

    def ours(lap):
        counts = correct_counts(labels, retrieved, tables)
        lap("all")
        return counts

    def plain(lap):
        counts = {}
        for k, of_class in sets.items():
            counts[k] = [
                sum(i in of_class[label] for i in items[:k]) for label, items in zip(listed, lists, strict=True)
            ]
        lap("all")
        return counts

    def by_numpy(lap):
        counts = {k: table[labels[:, None], retrieved[:, :k]].sum(axis=1) for k, table in tables.items()}
        lap("all")
        return counts

    competitors = [
        Competitor("plain Python", plain, "a loop over queries and items, membership of a set"),
        Competitor(OURS, ours, "compiled by numba", calls=20),
        Competitor("numpy", by_numpy, "one look-up in a boolean table for each K"),
    ]
    record(lambda: Case("hp_at_k", queries, max(KS), competitors, _difference, tolerance=0), 1)


def _difference(found, expected):
    return float(max(np.abs(np.asarray(found[k]) - np.asarray(expected[k])).max() for k in KS))
