import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from huse_bench.errors import DataError
from huse_bench.evaluation import Fusion, accuracy, choose_fusion_weight, fit_fusion, fit_temperature, fuse


@pytest.fixture
def logits(reference, embeddings):
    weight, bias = torch.tensor(reference["head_weight"]).double(), torch.tensor(reference["head_bias"]).double()
    return {name: rows @ weight + bias for name, rows in embeddings.items()}


def test_fusion_equals_the_reference(logits, labels, reference):
    expected = reference["fusion"]
    image, text = logits["image"], logits["text"]
    np.testing.assert_allclose(fuse(image, text, 1.0), expected["image"], atol=1e-8)
    np.testing.assert_allclose(fuse(image, text, 0.0), expected["text"], atol=1e-8)
    for weight, predictions in expected["predictions"].items():
        assert fuse(image, text, float(weight)).argmax(axis=1).tolist() == predictions
    assert accuracy(image, labels) == expected["accuracy"]["image"]
    assert accuracy(text, labels) == expected["accuracy"]["text"]
    assert accuracy(fuse(image, text, 0.5), labels) == expected["accuracy"]["fused"]


def test_the_accuracies_of_a_split_by_hand():
    # The image is right on the first item, the text on the others; of the second the image is the surer.
    image, text = np.log([[0.9, 0.1], [0.7, 0.3], [0.8, 0.2]]), np.log([[0.4, 0.6], [0.35, 0.65], [0.1, 0.9]])
    fusion = Fusion(weight=0.25, image_temperature=1.0, text_temperature=1.0)
    # At a quarter: 0.525, 0.4375 and 0.275 for class 0; at a half: 0.65, 0.525 and 0.45.
    expected = {"image": 1 / 3, "text": 2 / 3, "fusion": 1.0, "fusion_equal": 2 / 3}
    assert fusion.accuracies(image, text, [0, 1, 1]) == expected
    # Of hot text logits little is left.
    assert Fusion(0.25, 1.0, 1000.0).accuracies(image, text, [0, 1, 1])["fusion"] == 1 / 3


def test_fusion_averages_softmaxes_and_not_logits():
    image, text = np.array([[100.0, 0.0, 0.0]]), np.array([[0.0, 3.0, 0.0]])
    # Averaged logits would let the image's 100 win at any weight that is not tiny.
    assert fuse(image, text, 0.3).argmax() == 1
    np.testing.assert_allclose(fuse(image, text, 0.3).sum(), 1.0)


def test_large_logits_do_not_overflow():
    np.testing.assert_allclose(fuse([[1e4, 0.0]], [[-1e4, 0.0]], 0.5), [[0.5, 0.5]])


def _scores(*predictions):
    return np.eye(2)[list(predictions)] * 20


def test_chosen_weight_is_the_most_accurate():
    image, text, labels = _scores(0, 1, 0), _scores(1, 0, 0), [0, 1, 0]
    # Only weights above 0.5 follow the image; 0.55 is the nearest of them.
    assert choose_fusion_weight(image, text, labels) == 0.55
    assert choose_fusion_weight(text, image, labels) == 0.45


def test_ties_go_to_the_middle_and_then_to_the_smaller_weight():
    assert choose_fusion_weight(_scores(0), _scores(0), [0]) == 0.5
    # Three classes; class 2 wins in the middle only, so 0.3 and 0.7 are equally near where it does not.
    image = np.log([[0.5, 0.05, 0.45], [0.5, 0.05, 0.45]])
    text = np.log([[0.05, 0.5, 0.45], [0.05, 0.5, 0.45]])
    accuracies = [accuracy(fuse(image, text, step / 20), [0, 1]) for step in range(21)]
    best = [step / 20 for step in range(21) if accuracies[step] == max(accuracies)]
    middle = [step / 20 for step in range(21) if accuracies[step] < max(accuracies)]
    assert min(middle) < 0.5 < max(middle)
    nearest = min(abs(weight - 0.5) for weight in best)
    assert choose_fusion_weight(image, text, [0, 1]) == pytest.approx(0.5 - nearest)


def _likelihood(scores, labels, temperature):
    powers = np.exp(scores / temperature)
    return np.log(powers[np.arange(len(labels)), labels] / powers.sum(axis=1)).mean()


def test_the_temperature_of_two_classes_worked_out_by_hand():
    # Three of four items are right, each by 2: the shares must say 3/4, and 1 / (1 + exp(-2 / T)) does at 2 / log 3.
    scores = np.array([[2.0, 0.0]] * 4)
    assert fit_temperature(scores, [0, 0, 0, 1]) == pytest.approx(2 / math.log(3))


@given(seed=st.integers(0, 2**31), scale=st.sampled_from([1e-3, 1.0, 16.0, 300.0]), classes=st.integers(2, 9))
def test_no_temperature_beside_the_fitted_one_is_more_likely(seed, scale, classes):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=60)
    scores = scale * (rng.normal(size=(60, classes)) + np.eye(classes)[labels])
    fitted = fit_temperature(scores, labels)
    best = _likelihood(scores, labels, fitted)
    assert all(_likelihood(scores, labels, fitted * factor) <= best + 1e-12 for factor in (0.5, 0.97, 1.03, 2))
    assert fit_temperature(scores * 7, labels) == pytest.approx(7 * fitted)


def test_temperatures_are_bounded_where_the_best_one_is_none():
    # An item's scores lie 4 apart.
    perfect = np.array([[4.0, 0.0], [0.0, 4.0]])
    assert fit_temperature(perfect, [0, 1]) == pytest.approx(0.04)
    assert fit_temperature(perfect, [1, 0]) == pytest.approx(4000)
    assert fit_temperature(np.full((3, 5), 0.7), [0, 1, 2]) == 1.0


def test_a_fusion_does_not_depend_on_the_scale_of_the_scores():
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=200)
    image, text = (rng.normal(size=(200, 4)) + 2 * np.eye(4)[labels] for _ in range(2))
    fitted, cosines = fit_fusion(image, text, labels), fit_fusion(image / 50, text * 9, labels)
    assert cosines.weight == fitted.weight
    assert cosines.image_temperature == pytest.approx(fitted.image_temperature / 50)
    np.testing.assert_allclose(cosines.shares(image / 50, text * 9), fitted.shares(image, text), atol=1e-9)
    powers = np.exp(image / fitted.image_temperature)
    np.testing.assert_allclose(fitted.shares(image, text, 1.0), powers / powers.sum(axis=1, keepdims=True))


def test_equal_scores_go_to_the_lower_class():
    assert accuracy([[1.0, 1.0], [1.0, 1.0]], [0, 1]) == 0.5


def test_tensors_that_require_gradients_are_taken():
    assert accuracy(torch.eye(2, requires_grad=True), torch.tensor([0, 1])) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy([[0.0, 1.0]], [2]), "labels holds the class index 2, but there are 2 classes"),
        (lambda: accuracy([[0.0, 1.0]], [0, 1]), "1 rows of logits but 2 labels"),
        (lambda: accuracy([[0.0, np.nan]], [0]), "row 0 of logits has a NaN or infinite value"),
        (lambda: fit_temperature([[0.0, 1.0]], [2]), "labels holds the class index 2, but there are 2 classes"),
        (lambda: fit_fusion([[0.0, 1.0]], [[0.0, np.inf]], [0]), "row 0 of text_logits has a NaN or infinite value"),
        (lambda: accuracy([0.0, 1.0], [0]), r"logits must be \(n, K\)"),
        (lambda: fuse([[0.0]], [[0.0]], 1.5), "between 0 and 1, got 1.5"),
        (lambda: fuse([[0.0]], [[0.0, 1.0]], 0.5), r"image_logits are \(1, 1\) but text_logits are \(1, 2\)"),
    ],
)
def test_errors_say_what_does_not_fit(call, message):
    with pytest.raises(DataError, match=message):
        call()
