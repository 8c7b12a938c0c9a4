"""What a run measured stands in its record, and in the files beside it."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from huse_bench.config import resolve_config
from huse_bench.evaluation import Retrieval
from huse_bench.measures import DIRECTIONS
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.experiment import run_experiment
from huse_bench.runs.measured import measured
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.plan import plan_run
from huse_bench.runs.records import record_failure, record_outcome
from huse_bench.runs.steps import Measured


@dataclass(frozen=True)
class Far(Retrieval):
    """A ranking that was followed further than the tables need."""

    curves: object = None
    neighbours: object = None


@pytest.fixture
def ended(toy, quick_training):  # noqa: ARG001  the distribution is there while it is used
    """A run's plan, its data and what came of it."""
    config = resolve_config(given={"dataset": "toy", "methods": ["huse"], "training": quick_training})
    _, prepared = make_ready(load(config), config, Reporter(quiet=True))
    (method,) = resolve_methods(config)
    outcome = run_experiment(method, prepared, config.training, 0)
    return plan_run(config, method, 0, prepared, "cpu"), prepared, outcome


def further(outcome):
    """The outcome with curves to K = 20 through the numbers of the tables, and five neighbours."""
    rng = np.random.default_rng(0)
    found = {}
    for direction in DIRECTIONS:
        scores = outcome.retrieval.scores[direction]
        curves = {"R": np.sort(rng.random(20)), "HP": rng.random(20)}
        for name, values in curves.items():
            for k in range(1, 21):
                values[k - 1] = scores.get(f"{name}@{k}", values[k - 1])
        found[direction] = curves
    neighbours = {direction: rng.integers(0, 32, (32, 5), dtype=np.int32) for direction in DIRECTIONS}
    retrieval = Far(**vars(replace(outcome.retrieval)) | {"curves": found, "neighbours": neighbours})
    return replace(outcome, retrieval=retrieval)


def test_curves_have_six_digits_and_neighbours_stand_beside(ended, tmp_path):
    spec, prepared, outcome = ended
    outcome = further(outcome)
    record = record_outcome(spec, outcome, prepared).write(store := Store(tmp_path / "out", dataset="toy"))
    assert store.find(spec.fingerprint) == record
    for direction, curves in outcome.retrieval.curves.items():
        for name, values in curves.items():
            assert len(record.curves[direction][name]) == 20
            np.testing.assert_allclose(record.curves[direction][name], values, atol=0.5001e-6)
            assert all(value == round(value, 6) for value in record.curves[direction][name])
        np.testing.assert_array_equal(
            store.neighbours(record).found[direction], outcome.retrieval.neighbours[direction]
        )


def test_where_the_classes_lie_stands_beside(ended, tmp_path):
    spec, prepared, outcome = ended
    rng = np.random.default_rng(1)
    geometry = SimpleNamespace(
        centroids=rng.normal(size=(2, 4, 8)).astype(np.float16), spread=rng.random((2, 4)).astype(np.float16), kept=0.9
    )
    object.__setattr__(outcome, "geometry", geometry)
    record = record_outcome(spec, outcome, prepared).write(store := Store(tmp_path / "out", dataset="toy"))
    np.testing.assert_array_equal(store.classes(record).centroids, geometry.centroids)
    assert store.classes(record).kept == 0.9


def test_what_was_not_measured_is_not_in_the_record(ended, tmp_path):
    spec, prepared, outcome = ended
    outcome = replace(outcome, learning=[], retrieval=Far(**vars(outcome.retrieval) | {"curves": {}, "neighbours": {}}))
    record = record_outcome(spec, outcome, prepared).write(Store(tmp_path / "out", dataset="toy"))
    assert (record.curves, record.learning, record.neighbours) == (None, None, None)


def test_the_learning_curve_has_the_metrics_of_all_its_points(ended):
    spec, _, outcome = ended
    points = [Measured(1, {"a": 2 / 3, "b": 1.0}, {"i2i R@1": 0.5}), Measured(9, {"a": 1e-9 / 3}, {"i2i R@1": 0.25})]
    found = measured(replace(outcome, learning=points, learning_items=32), spec.config.training, ()).learning
    assert found.steps == (1, 9)
    # Six significant digits, however small; a term that a loss gave now and then has no curve.
    assert found.losses == {"a": (0.666667, 3.33333e-10)}
    assert found.validation == {"i2i R@1": (0.5, 0.25)}
    assert found.items == 32


def test_what_the_method_is_and_comes_from_is_said_by_its_docstring(ended):
    spec, prepared, outcome = ended
    said = record_outcome(spec, outcome, prepared).record.method
    assert said.summary.startswith("Classification by a shared head, distances that follow the class graph")
    assert said.source.endswith("(arXiv 1911.05978), equations 5 and 8 to 12.")


def test_a_run_that_failed_says_why_and_of_what_it_was(ended):
    spec, prepared, _ = ended
    record = record_failure(spec, prepared, ZeroDivisionError("oh no")).record
    assert (record.status, record.kind, record.stem) == ("failed", "method", spec.stem)
    assert "ZeroDivisionError: oh no" in record.error
    assert record.device is None
