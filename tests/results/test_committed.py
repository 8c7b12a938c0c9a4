"""The results that the repository keeps: every record is whole, and its numbers are the means of its scores."""

import re
from pathlib import Path

import numpy as np
import pytest

from huse_bench.bundles import read_bundle
from huse_bench.bundles.checks import check_bundle
from huse_bench.results import Store
from huse_bench.results.samples import Samples

ROOT = Path(__file__).parents[2] / "results"
BUNDLES = sorted(ROOT.rglob("*.zip"))

pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="an unpacked distribution keeps no results")


@pytest.fixture(scope="module", params=BUNDLES, ids=lambda path: path.relative_to(ROOT).as_posix())
def bundle(request):
    return read_bundle(request.param)


@pytest.mark.parametrize("dataset", ["clipart", "emoji", "icons"])
def test_a_run_in_a_checkout_finds_a_results_folder_of_its_data(dataset):
    """``huse-bench run`` writes beside what is kept, to results/DATASET, and refuses a folder of something else."""
    assert Store(ROOT / dataset).dataset == dataset


def test_there_are_some():
    assert len(BUNDLES) >= 6


def test_every_number_is_the_mean_of_its_scores(bundle):
    for name, folder in bundle.folders.items():
        results = bundle.results(name)
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


def test_nothing_says_where_it_was_made(bundle):
    path = re.compile(r"(?<![\w/.~:])(/(home|root|Users|mnt|opt|srv|tmp|usr|var|work)/|~/|\.\./|[A-Z]:\\)")
    for record in bundle.folder.rglob("*.json"):
        said = path.search(record.read_text(encoding="utf-8"))
        assert said is None, f"{record.name}: {said}"


def test_it_is_what_it_says(bundle):
    assert [check for check in check_bundle(bundle) if check.passed is False] == []
    assert bundle.level in {"re-rendered", "spot-checked"}
