"""The measurement of growing galleries runs, and shards merge to the ranking of the whole, bit for bit."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import mapped_training, scaling, streamed_features
from huse_bench.kernels import top_k


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    k=st.integers(1, 12),
    dim=st.integers(1, 5),
    seed=st.integers(0, 10_000),
)
def test_shards_merge_to_the_ranking_of_the_whole(sizes, k, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    # Few values, so that rows repeat across shards and ties are common.
    gallery = torch.randint(-1, 2, (sum(sizes), dim), generator=generator) / 3
    queries = torch.randn(7, dim, generator=generator)
    k = min(k, len(gallery))
    shards, start = [], 0
    for size in sizes:
        values, indices = top_k(queries, gallery[start : start + size], min(k, size))
        shards.append((values, indices + start))
        start += size
    generator.manual_seed(seed + 1)
    order = torch.randperm(len(shards), generator=generator).tolist()
    whole = top_k(queries, gallery, k)
    for found, expected in zip(scaling.merged([shards[place] for place in order], k), whole, strict=True):
        assert torch.equal(found, expected)


def test_the_measurement_checks_what_it_times(capsys):
    scaling.main(
        [
            *("--items", "300", "500", "--within", "400", "700", "--gallery", "3000", "--queries", "80"),
            *("--dim", "16", "--pairs", "200", "600"),
        ]
    )
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[2:6:2]] == ["300", "500"]
    assert said.count("the first 10 of 64 queries in each direction are those of float64") == 2
    assert [line.split()[0] for line in said.splitlines()[7:10:2]] == ["400", "700"]
    assert said.count("the first 50 of 64 queries are those of float64") == 2
    assert "80 queries in 3000 items" in said
    assert re.search(r"\d+ near image pairs of 200 test and 600 train items", said)
    assert "the first 50 of 64 are those of float64" in said


def test_a_training_on_files_says_what_it_held(capsys):
    mapped_training.main(["--items", "6000", "--dim", "16", "--steps", "8"])
    said = capsys.readouterr().out
    # Twice 16 float32 numbers of an item, its label and its group, and no more.
    assert said.startswith("6000 items, 0.00 GB of features: own memory ")
    assert re.search(r"\d+ MiB in the first quarter of 8 steps, \d+ MiB in the last; of the files [\d.]+ GiB", said)


def test_features_that_are_streamed_are_those_of_each_text(capsys):
    streamed_features.main(["--items", "3000", "--dim", "16"])
    said = capsys.readouterr().out
    assert said.startswith("3000 items, 0.00 GB of features in ")
    assert re.search(r"own memory \d+ MiB with the texts alone, \d+ MiB in the first tenth, \d+ MiB in the last", said)


def test_of_many_items_some_products_are_timed(monkeypatch):
    image, text = (scaling.rows(9 * scaling.TILE - 5, 4, seed)[0] for seed in (0, 1))
    assert scaling.products((image, text), (image, image), (text, text)) == 1
    monkeypatch.setattr(scaling, "_TIMED_TILES", 30)
    # Rows 1, 4 and 7 of 9 by 9 tiles, and of these what is on or right of the diagonal.
    assert scaling.products((image, text), (image, image), (text, text)) == (81 + 2 * 45) / (27 + 2 * (8 + 5 + 2))
    assert scaling.products((image, image)) == 45 / (8 + 5 + 2)


def test_a_query_does_not_search_itself():
    gallery, _ = scaling.rows(200, 8, 0)
    sample = torch.tensor([3, 150])
    others = top_k(gallery[sample], gallery, 12)[1]
    scaling.check(gallery[sample], gallery, others[:, 1:], sample)
    with pytest.raises(AssertionError, match="not close"):
        scaling.check(gallery[sample], gallery, others[:, :11], sample)


def test_a_wrong_ranking_is_noticed():
    gallery, _ = scaling.rows(200, 8, 0)
    found = top_k(gallery[:3], gallery, 50)[1]
    scaling.check(gallery[:3], gallery, found)
    found[1, 0] = found[1, -1]
    with pytest.raises(AssertionError, match="not close"):
        scaling.check(gallery[:3], gallery, found)
