"""Rows by class, in tensors of sizes that no label decides."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from huse_bench.kernels._classes import by_class

LABELS = st.lists(st.integers(-3, 6) | st.sampled_from([2**62, -(2**62)]), min_size=1, max_size=30)


@given(LABELS)
def test_classes_are_numbered_and_counted_as_torch_does(numbers):
    labels = torch.tensor(numbers)
    order, classes, sizes = found = by_class(labels)
    _, index, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    assert torch.equal(found.unsorted(classes), index)
    assert sizes[: len(counts)].tolist() == counts.tolist()
    assert not bool(sizes[len(counts) :].any())
    assert found.starts[: len(counts)].tolist() == [index.sort().values.tolist().index(k) for k in range(len(counts))]
    # By class, and the rows of a class in their order.
    assert order.tolist() == sorted(range(len(labels)), key=lambda row: (numbers[row], row))
    assert found.unsorted(labels[order]).tolist() == numbers


@given(LABELS)
def test_what_is_given_back_is_as_long_as_the_labels(numbers):
    assert {len(part) for part in by_class(torch.tensor(numbers))} == {len(numbers)}
