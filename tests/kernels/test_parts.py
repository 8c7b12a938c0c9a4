"""The CPU kernels' work in parts: the same bits for any number of threads, and the numbers of the formula."""

import itertools
import threading
import time
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info
from torch.nn.functional import normalize

from huse_bench import kernels
from huse_bench.kernels.cpu import _parts
from huse_bench.kernels.cpu._parts import Job, Sum, parts_of, threads_for, work_in_turn, work_on

CLASSES = 9


def inputs(count, dim, dtype):
    generator = torch.Generator().manual_seed(count)
    image, text = (normalize(torch.randn(count, dim, generator=generator, dtype=dtype), dim=1) for _ in range(2))
    labels = torch.randint(CLASSES, (count,), generator=generator)
    psi = normalize(torch.randn(CLASSES, 3, generator=generator), dim=1)
    return image, text, labels, 1 - psi @ psi.T


def graph_loss(relaxation):
    return lambda x, _, labels, distances, **options: kernels.graph_loss(
        x, labels, distances, 0.9, relaxation, **options
    )


def terms(pairs):
    def loss(x, y, labels, _, **options):
        found = kernels.double_triplet_terms(x, y, labels, 0.3, pairs, **options)
        return sum(weight * term for weight, term in enumerate(found.values(), start=1))

    return loss


LOSSES = {
    **{f"graph_loss {relaxation}": graph_loss(relaxation) for relaxation in ("and", "or", "hinge", "none")},
    **{f"double_triplet_terms {pairs}": terms(pairs) for pairs in ("first", "all")},
    "semihard_triplet": lambda x, _, labels, __, **options: kernels.semihard_triplet(x, labels, 0.3, **options),
    "cosine_embedding": lambda x, y, _, __, **options: kernels.cosine_embedding(x, y, 0.1, 0.8, **options),
}


def value_and_gradients(loss, image, text, *others, **options):
    leaves = [image.clone().requires_grad_(), text.clone().requires_grad_()]
    value = loss(*leaves, *others, **options)
    value.backward()
    return [value.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(("count", "dim"), [(300, 32), (1300, 130), (2100, 24)])
@pytest.mark.parametrize("name", LOSSES)
def test_the_same_bits_for_any_number_of_threads(monkeypatch, threads, name, count, dim):
    monkeypatch.setattr(_parts, "_PRODUCTS", 1 << 20)
    rows = inputs(count, dim, torch.float32)
    found = []
    for number in (1, 2, 3, 2):
        threads(number)
        found.append(value_and_gradients(LOSSES[name], *rows))
        assert torch.get_num_threads() == number
    for other in found[1:]:
        assert all(torch.equal(one, another) for one, another in zip(found[0], other, strict=True))


@pytest.mark.parametrize("name", LOSSES)
def test_parts_give_what_the_formula_gives(monkeypatch, threads, name):
    monkeypatch.setattr(_parts, "_PRODUCTS", 1 << 16)
    monkeypatch.setattr(_parts, "_ROWS", 64)
    threads(3)
    # Not a whole number of panels or of parts; few where the formula has all triplets in memory.
    rows = inputs(311 if name == "double_triplet_terms all" else 1111, 7, torch.float64)
    found = value_and_gradients(LOSSES[name], *rows)
    expected = value_and_gradients(LOSSES[name], *rows, backend="reference")
    for one, another in zip(found, expected, strict=True):
        torch.testing.assert_close(one, another, rtol=1e-9, atol=1e-13)


@given(panels=st.integers(1, 300), height=st.integers(1, 400), dim=st.integers(1, 1024), ahead=st.booleans())
@settings(max_examples=60, deadline=None)
def test_parts_are_all_panels_in_their_order(panels, height, dim, ahead):
    firsts = np.arange(panels) * height
    parts = parts_of(firsts, panels * height, dim, ahead=ahead)
    assert all(len(part) for part in parts)
    assert len(parts) <= 16
    np.testing.assert_array_equal(np.concatenate(parts), firsts)


def test_small_work_is_one_part_and_large_work_many():
    assert len(parts_of(np.arange(0, 256, 16), 256, 512)) == 1
    assert len(parts_of(np.arange(0, 8192, 256), 8192, 512)) == 16


def test_where_panels_look_ahead_the_first_parts_are_shorter():
    lengths = [len(part) for part in parts_of(np.arange(400), 8192, 512, ahead=True)]
    pairs = [sum(400 - number for number in part) for part in parts_of(np.arange(400), 8192, 512, ahead=True)]
    # But for rounding.
    assert all(later >= earlier - 1 for earlier, later in itertools.pairwise(lengths))
    assert max(pairs[:-1]) < 1.2 * min(pairs[:-1])


def test_results_are_taken_in_the_order_of_the_parts(threads):
    threads(3)
    second, taken = threading.Event(), []

    def work(part):
        # The first is done last, whichever thread has it.
        if part == 0:
            assert second.wait(60)
        if part == 1:
            second.set()
        return part

    work_on([0, 1, 2, 3], work, taken.append)
    assert taken == [0, 1, 2, 3]


@pytest.mark.parametrize("number", [1, 3])
def test_an_error_in_a_part_comes_out(threads, number):
    threads(number)
    with pytest.raises(ZeroDivisionError):
        work_on([1, 0, 1, 1], lambda part: 1 / part, print)


def test_jobs_with_a_need_in_common_follow_each_other():
    other, log = threading.Event(), []

    def first():
        # The thread that does the other job takes the next one meanwhile.
        assert other.wait(60)
        time.sleep(0.1)
        log.append("first")

    jobs = [
        Job(first, ("a", "b")),
        Job(other.set),
        Job(lambda: log.append("second"), ("b",)),
        Job(lambda: log.append("third"), ("c", "b")),
    ]
    work_in_turn(jobs, 2)
    assert log == ["first", "second", "third"]


@given(needs=st.lists(st.sets(st.integers(0, 4), max_size=3), max_size=60), count=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_all_jobs_are_done_each_need_in_its_order(needs, count):
    log = []
    work_in_turn((Job(partial(log.append, number), tuple(some)) for number, some in enumerate(needs)), count)
    assert sorted(log) == list(range(len(needs)))
    for need in range(5):
        of_need = [number for number in log if need in needs[number]]
        assert of_need == sorted(of_need)


def test_after_an_error_nothing_is_begun_and_nothing_waits():
    waiting, done = threading.Event(), []

    def broken():
        assert waiting.wait(60)
        raise ZeroDivisionError

    def jobs():
        yield Job(broken, ("a",))
        waiting.set()
        yield Job(partial(done.append, 1), ("a",))
        time.sleep(0.1)
        for number in itertools.count(2):
            yield Job(partial(done.append, number))

    with pytest.raises(ZeroDivisionError):
        work_in_turn(jobs(), 2)
    assert len(done) <= 1


def test_few_products_are_of_one_thread(threads):
    threads(3)
    assert [threads_for(side**2 * 512) for side in (1, 256, 512, 8192)] == [1, 1, 2, 3]


def test_products_have_their_threads_back_after_it():
    def blas():
        return {entry["filepath"]: entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas"}

    work_on([0], lambda _: None, lambda _: None)
    before, inside = blas(), []
    work_on([0], lambda _: inside.append(blas()), lambda _: None)
    assert set(inside[0].values()) == {1}
    assert blas() == before


def test_gradients_of_the_last_rows_are_added_to_those_of_all():
    total = Sum()
    for value, first in ((1.0, 0), (0.5, 2)):
        total.add((value, np.ones((4 - first, 1))))
    assert total.value == 1.5
    np.testing.assert_array_equal(total.gradient[:, 0], [1, 1, 2, 2])
