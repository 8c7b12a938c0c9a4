"""TF-IDF features, against the same formula in numpy."""

import re
import sys
from collections import Counter

import numpy as np
import pytest

from huse_bench import errors
from huse_bench_backbones.tfidf import TfIdf

TEXTS = ["Apple pie with ice cream", "apple tart, Apple cake", "golden pie pie", "ice and snow"]


@pytest.fixture(autouse=True)
def _installed() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")


def _fitted(texts) -> TfIdf:
    backbone = TfIdf()
    backbone.fit(texts)
    return backbone


def _weights(train: list[str], texts: list[str]) -> np.ndarray:
    """Weights by the formula of the class's docstring."""
    words = [re.findall(r"\w\w+", text.lower()) for text in train]
    terms = sorted({word for one in words for word in one})
    having = np.array([sum(term in one for one in words) for term in terms])
    rows = []
    for text in texts:
        found = Counter(re.findall(r"\w\w+", text.lower()))
        counts = np.array([found[term] for term in terms], dtype=float)
        weights = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0)
        weights *= 1 + np.log((1 + len(train)) / (1 + having))
        rows.append(weights / (np.linalg.norm(weights) or 1))
    return np.array(rows)


def test_few_terms_are_the_features() -> None:
    backbone, texts = _fitted(TEXTS), [*TEXTS, "pie of unknown words"]
    features = backbone.encode(texts)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[:, :-1], _weights(TEXTS, texts), atol=1e-6)
    assert backbone.dim == features.shape[1] == 11
    assert (features[:, -1] == np.float32(0.1)).all()


@pytest.fixture(scope="module")
def many() -> list[str]:
    """900 texts of some of 700 words, those of a topic together."""
    rng = np.random.default_rng(0)
    topics = rng.integers(0, 700, (30, 40))
    return [" ".join(f"word{word}" for word in rng.choice(topics[i % 30], 12)) for i in range(900)]


def test_many_terms_are_projected_on_the_largest_directions(many) -> None:
    backbone = _fitted(many)
    assert backbone.dim == 513
    features = backbone.encode(many)
    np.testing.assert_allclose(np.linalg.norm(features[:, :-1], axis=1), 1, rtol=1e-4)
    weights = _weights(many, many)
    _, _, directions = np.linalg.svd(weights, full_matrices=False)
    projected = weights @ directions[:512].T
    projected /= np.linalg.norm(projected, axis=1, keepdims=True)
    # The randomised decomposition finds nearly the same space: the texts' cosines say so.
    np.testing.assert_allclose(features[:50, :-1] @ features[:, :-1].T, projected[:50] @ projected.T, atol=0.05)


def test_features_repeat_and_do_not_depend_on_the_batch(many) -> None:
    first, second = _fitted(many), _fitted(many)
    texts = many + many
    features = first.encode(texts)
    np.testing.assert_array_equal(features, second.encode(texts))
    np.testing.assert_allclose(features[-1:], first.encode(texts[-1:]), atol=1e-6)
    assert first.encode([]).shape == (0, first.dim)


def test_fewer_texts_than_directions(many) -> None:
    texts = [" ".join(many[start : start + 90]) for start in range(0, 900, 90)]
    backbone = _fitted(texts)
    assert backbone.encode(texts).shape == (10, backbone.dim) == (10, 11)


@pytest.mark.parametrize("text", ["", "snowboard", "a b c", "!!"])
def test_a_text_without_a_known_word_is_not_all_zeros(text, many) -> None:
    for train in (TEXTS, many):
        features = _fitted(train).encode([text])[0]
        assert not features[:-1].any()
        assert features[-1] > 0


def test_train_texts_without_words_are_refused() -> None:
    with pytest.raises(errors.DataError, match=r"no word of two or more letters in the 3 train texts"):
        TfIdf().fit(["", "a", "!"])


def test_it_must_see_the_train_texts_first() -> None:
    assert TfIdf.fitted
    with pytest.raises(errors.PluginError, match="call fit first"):
        TfIdf().encode(["apple"])


def test_a_missing_package_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(errors.MissingExtraError, match=r"'scikit-learn'.*huse-bench\[tfidf\]"):
        TfIdf()
