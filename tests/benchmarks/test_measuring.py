"""The harness of the benchmarks: what it refuses, and what it makes of known times and sizes."""

import time

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from benchmarks import losses
from benchmarks.measuring import OURS, Case, Competitor, Effort, ParityError, measure, threads
from benchmarks.record import Spread
from benchmarks.worker import TUNED_ALLOCATOR, Worker


def competitor(name, outcome=1.0, seconds=0.0, **options):
    def run(lap):
        until = time.process_time() + seconds
        while time.process_time() < until:
            pass
        lap("forward")
        lap("backward")
        return outcome

    return Competitor(name, run, **options)


def case(*competitors, **options):
    return Case("thing", 4, 2, competitors, lambda a, b: abs(a - b), **({"tolerance": 0.1} | options))


@pytest.fixture(autouse=True)
def _one_thread():
    with threads(1):
        yield


@pytest.mark.parametrize("outcome", [1.2, 0.8, float("nan"), float("inf")])
def test_a_wrong_result_is_not_timed(outcome):
    ran = []
    wrong = Competitor("wrong", lambda _lap: (ran.append(1), outcome)[1])
    with pytest.raises(ParityError, match=r"thing 4x2: wrong differs from plain by .*; its time is refused"):
        measure(case(competitor("plain"), competitor(OURS, 1.05), wrong), Effort(0))
    assert len(ran) == 1


def test_a_competitor_may_be_held_to_another_tolerance_and_to_another_outcome():
    loose = competitor("loose", 1.3, tolerance=0.5)
    chance = competitor("by chance", 99.0, probe=lambda: 1.0)
    measured = measure(case(competitor("plain"), competitor(OURS), loose, chance), Effort(0))
    assert measured.entry("loose").difference == pytest.approx(0.3)
    assert measured.entry("by chance").difference == 0
    with pytest.raises(ParityError):
        measure(case(competitor("plain"), competitor(OURS), competitor("strict", 1.05, tolerance=0.01)), Effort(0))


def test_ratios_and_shares_of_known_times():
    plain, ours = competitor("plain", seconds=0.03), competitor(OURS, seconds=0.01)
    measured = measure(
        case(plain, ours, bound=lambda: competitor("", seconds=0.02).run(lambda _: None), bound_share=0.25),
        Effort(seconds=0, least=5),
    )
    assert (measured.rounds, measured.threads, measured.clock) == (5, 1, "processor")
    assert measured.entry("plain").ratio.median == pytest.approx(3, rel=0.2)
    assert measured.entry("plain").seconds["forward"].median == pytest.approx(0.03, rel=0.1)
    assert measured.entry("plain").seconds["backward"].median < 1e-3
    assert measured.entry(OURS).bound_share.median == pytest.approx(0.5, rel=0.2)
    assert measured.entry(OURS).ratio is None
    assert measured.entry("nobody") is None


def test_calls_are_timed_together_and_reported_alone():
    measured = measure(case(competitor("plain"), competitor(OURS, seconds=0.002, calls=10)), Effort(0))
    assert measured.entry(OURS).total.median == pytest.approx(0.002, rel=0.2)


def test_rounds_turn_around_and_end_with_the_time():
    order = []
    spies = [Competitor(name, lambda lap, name=name: (order.append(name), lap("all"))[0] or 1.0) for name in "ab"]
    measure(case(competitor(OURS), *spies), Effort(seconds=100, most=4))
    # The gate and the warm-up come first.
    assert "".join(order[4:]) == "abbaabba"
    order.clear()
    measure(case(competitor(OURS), *spies), Effort(seconds=0, least=2))
    assert "".join(order[4:]) == "abba"


def test_threads_are_set_for_every_library_and_given_back():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
        assert {pool["num_threads"] for pool in threadpool_info()} == {before + 1}
        assert measure(case(competitor("plain"), competitor(OURS)), Effort(0)).clock == "wall"
    assert torch.get_num_threads() == before


def test_a_spread_is_the_quartiles():
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert Spread.of(values) == Spread(median=3, low=2, high=4)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_losses_by_hand_agree_with_autograd(name):
    made = losses.case(name, 96, 8, ())
    expected, *others = (competitor.run(lambda _phase: None) for competitor in made.competitors)
    assert len(others) == 2
    for value, gradient in others:
        torch.testing.assert_close(value, expected[0], rtol=1e-5, atol=1e-7, check_dtype=False)
        torch.testing.assert_close(gradient, expected[1], rtol=1e-3, atol=1e-6)
    assert float(expected[1].norm()) > 0


def test_the_products_of_a_loss_are_the_needed_ones():
    x = torch.randn(600, 4)
    counted = []

    class Counting(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function is torch.Tensor.matmul:
                counted.append(args[0].shape[0] * args[1].shape[1])
            return function(*args, **(kwargs or {}))

    with Counting():
        losses._similarities(x)
    # Every pair once; of those inside a tile both orders.
    assert 600**2 / 2 < sum(counted) < 600**2 * 0.75


def test_a_worker_measures_memory_and_another_allocator():
    worker = Worker(TUNED_ALLOCATOR)
    size = {"name": "graph_loss_none", "rows": 1024, "dim": 16, "peers": []}
    memory = worker.ask("memory", **size)
    ratio = worker.ask("ratio", seconds=0, least=3, **size)
    worker.stop()
    # Plain torch holds several matrices of all pairs, of 4 MiB each; ours none.
    assert memory["autograd"] > 3 * 4
    assert memory["numpy"] > 4
    assert memory[OURS] < 4
    assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"]


def test_shares_of_class_pairs_are_said():
    facts = losses.case("graph_loss_and", 256, 8, ()).facts
    assert facts["class_pairs_under_margin"] == pytest.approx(losses.SHARE, abs=0.01)
    _, labels = losses.batch(256, 8)
    distances, margin = losses.class_distances()
    within = (distances[labels][:, labels] < margin).double().mean()
    assert facts["row_pairs_within_reach"] == pytest.approx(float(within), rel=1e-9)
    assert np.isfinite(list(facts.values())).all()
