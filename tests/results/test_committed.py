"""The results that the repository keeps: every record is whole, and its numbers are the means of its scores."""

import re
from pathlib import Path

import numpy as np
import pytest

import huse_bench as hb
from huse_bench.bundles import read_bundle
from huse_bench.bundles.checks import check_bundle
from huse_bench.results.samples import Samples

ROOT = Path(__file__).parents[2] / "results"
# As they are, and in bundles.
FOLDERS = sorted(path.parent for where in ("*/*", "*/*/results/*") for path in ROOT.glob(f"{where}/huse-bench.json"))
BUNDLES = sorted(path.parent for path in ROOT.glob("*/*/bundle.json"))


@pytest.mark.skipif(not FOLDERS, reason="an unpacked distribution keeps no results")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_number_is_the_mean_of_its_scores(folder):
    results = hb.load_results(folder)
    assert not results.problems
    assert results.records
    samples, numbers = Samples(results), 0
    for record in results.records:
        assert record.status == "finished"
        # What is computed and not ranked, as chance, has no scores of single queries.
        for task, scores in (record.retrieval or {}).items() if record.per_query else ():
            for metric, number in scores.items():
                np.testing.assert_allclose(samples.values([record], task, metric).mean(), number, atol=1e-12)
                numbers += 1
        of_run = list((folder / "runs").glob(f"{record.stem}.*"))
        size = sum(path.stat().st_size for path in of_run)
        assert size <= (100_000 if record.neighbours is None else 200_000), f"{record.stem} has {size} bytes"
    assert numbers >= 24 * len(results.rows)


@pytest.mark.skipif(not FOLDERS, reason="an unpacked distribution keeps no results")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_nothing_says_where_it_was_made(folder):
    path = re.compile(r"(?<![\w/.~:])(/(home|root|Users|mnt|opt|srv|tmp|usr|var|work)/|~/|\.\./|[A-Z]:\\)")
    for record in folder.rglob("*.json"):
        said = path.search(record.read_text(encoding="utf-8"))
        assert said is None, f"{record.name}: {said}"


@pytest.mark.skipif(not BUNDLES, reason="an unpacked distribution keeps no results")
@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.name)
def test_every_bundle_is_what_it_says(path):
    bundle = read_bundle(path)
    assert [check for check in check_bundle(bundle) if check.passed is False] == []
    assert bundle.level in {"re-rendered", "spot-checked"}
