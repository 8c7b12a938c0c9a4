"""The seeded split of labelled items that the datasets share."""

import hashlib
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from huse_bench_datasets._splits import held_out, split_hash

LABELLED = st.dictionaries(st.text(max_size=5), st.integers(0, 4), min_size=1, max_size=60)


@given(LABELLED, st.floats(0, 1), st.integers())
def test_the_first_by_hash_of_each_class_are_held_out(items, share, seed) -> None:
    ids, labels = list(items), np.array(list(items.values()))
    chosen = {name for name, yes in zip(ids, held_out(ids, labels, share, seed), strict=True) if yes}
    for label, size in Counter(items.values()).items():
        ranked = sorted(
            (hashlib.sha256(f"{seed}:{name}".encode()).hexdigest(), name) for name, of in items.items() if of == label
        )
        count = int(np.round(share * size))
        if count == 0 and size > 1:
            count = 1
        assert chosen & {name for _, name in ranked} == {name for _, name in ranked[:count]}


@given(LABELLED, st.randoms(use_true_random=False))
def test_the_order_of_the_items_does_not_matter(items, random) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    first = held_out(list(items), np.array(list(items.values())), 0.3, 7)
    second = held_out(shuffled, np.array([items[name] for name in shuffled]), 0.3, 7)
    assert dict(zip(items, first, strict=True)) == dict(zip(shuffled, second, strict=True))
    splits = {name: "validation" if yes else "train" for name, yes in zip(items, first, strict=True)}
    assert split_hash(list(items), list(splits.values())) == split_hash(shuffled, [splits[name] for name in shuffled])


def test_another_seed_holds_out_others() -> None:
    ids, labels = [f"item{i}" for i in range(200)], np.zeros(200, dtype=np.int64)
    drawn = [held_out(ids, labels, 0.1, seed) for seed in (0, 1)]
    assert [int(mask.sum()) for mask in drawn] == [20, 20]
    assert (drawn[0] != drawn[1]).any()


def test_a_class_of_one_item_keeps_it() -> None:
    assert held_out(["a", "b"], np.array([0, 1]), 0.1, 0).tolist() == [False, False]
    assert held_out(["a", "b"], np.array([0, 0]), 0.1, 0).sum() == 1


def test_the_hash_is_of_names_and_splits() -> None:
    assert split_hash(["b", "a"], ["test", "train"]) == hashlib.sha256(b"a\ttrain\nb\ttest\n").hexdigest()
    assert split_hash(["b", "a"], ["train", "test"]) != split_hash(["b", "a"], ["test", "train"])
