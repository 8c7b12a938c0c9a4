"""Class centroids on their axes, against the centroids themselves and plain loops over the items."""

import subprocess
import sys

import numpy as np
import pytest

from huse_bench.errors import DataError
from huse_bench.evaluation import class_geometry


def some(items, width, classes, seed=0, noise=0.5):
    """Rows of any length around a centre for each class, whose last class has no items."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes - 1, items)
    centres = rng.standard_normal((classes, width))
    image, text = (centres[labels] + noise * rng.standard_normal((items, width)) for _ in range(2))
    return image.astype(np.float32), (3 * text).astype(np.float32), labels


def exact(image, text, labels, classes):
    """(2, K, D) centroids and (2, K) spreads, class by class."""
    centroids, spreads = np.zeros((2, classes, image.shape[1])), np.zeros((2, classes))
    for side, rows in enumerate((image, text)):
        units = [row / np.sqrt(sum(float(x) ** 2 for x in row)) for row in rows.astype(np.float64)]
        for c in range(classes):
            own = [unit for unit, label in zip(units, labels, strict=True) if label == c]
            if own:
                centroids[side, c] = sum(own) / len(own)
                spreads[side, c] = np.mean([((unit - centroids[side, c]) ** 2).sum() for unit in own])
    return centroids, spreads


@pytest.mark.parametrize(("width", "classes"), [(5, 7), (64, 50), (200, 32), (512, 20)])
def test_inner_products_are_those_of_the_centroids(width, classes):
    image, text, labels = some(300, width, classes)
    found = class_geometry(image, text, labels, classes)
    centroids, spreads = exact(image, text, labels, classes)
    assert found.centroids.shape == (2, classes, min(width, 2 * classes, 64))
    assert found.centroids.dtype == found.spread.dtype == np.float16
    flat, expected = (np.asarray(c, np.float64).reshape(2 * classes, -1) for c in (found.centroids, centroids))
    # Of vectors of a length up to 1, each rounded by 2^-11 of it.
    np.testing.assert_allclose(flat @ flat.T, expected @ expected.T, atol=2e-3)
    np.testing.assert_allclose(found.spread, spreads, rtol=1e-3, atol=1e-4)
    assert found.kept == pytest.approx(1, abs=1e-12)
    assert found.counts.tolist() == [int((labels == c).sum()) for c in range(classes)]
    assert found.counts.dtype == np.int64
    assert not found.centroids[:, -1].any()
    assert not found.spread[:, -1].any()


def test_what_64_axes_keep_is_the_most_that_any_64_can():
    image, text, labels = some(2000, 128, 101, noise=1)
    found = class_geometry(image, text, labels, 101)
    assert found.centroids.shape == (2, 101, 64)
    centroids = exact(image, text, labels, 101)[0].reshape(202, -1)
    # The greatest eigenvalues of the Gram matrix, another way to the same share.
    eigenvalues = np.sort(np.linalg.eigvalsh(centroids @ centroids.T))[::-1]
    assert 0.5 < found.kept < 1
    assert found.kept == pytest.approx(eigenvalues[:64].sum() / eigenvalues.sum(), abs=1e-12)
    squares = (found.centroids.astype(np.float64) ** 2).sum()
    assert squares / (centroids**2).sum() == pytest.approx(found.kept, abs=1e-3)
    # Each axis holds no more than the one before.
    of_axes = (found.centroids.astype(np.float64) ** 2).sum(axis=(0, 1))
    assert (np.diff(of_axes) < 1e-3).all()


def test_the_same_embeddings_give_the_same_bytes():
    image, text, labels = some(400, 32, 12)
    kinds = [(image, text), (image.copy(), text.copy()), (image.astype(np.float64), text.astype(np.float64))]
    # A power of two changes the length of a row alone.
    kinds.append((4 * image, text / 2))
    found = [class_geometry(*rows, labels, 12) for rows in kinds]
    for other in found[1:]:
        assert other.centroids.tobytes() == found[0].centroids.tobytes()
        assert other.spread.tobytes() == found[0].spread.tobytes()
        assert other.kept == found[0].kept


def test_axes_point_one_way():
    # Both have the same axes, which a decomposition may turn over.
    rows = np.array([[0.6, 0.8], [0.8, 0.6], [1.0, 0.0]])
    there, back = (class_geometry(side, side, [0, 1, 2], 3).centroids for side in (rows, -rows))
    np.testing.assert_array_equal(there, -back)


def test_one_class_and_no_items_of_most():
    found = class_geometry([[2.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 3.0]], [2, 2], 4)
    assert found.centroids.shape == (2, 4, 2)
    assert np.isfinite(found.centroids).all()
    assert found.counts.tolist() == [0, 0, 2, 0]
    assert found.spread.tolist() == [[0, 0, 0.5, 0], [0, 0, 0, 0]]
    opposite = class_geometry([[1.0, 0.0], [-1.0, 0.0]], [[1.0, 0.0], [-1.0, 0.0]], [0, 0], 1)
    assert (opposite.kept, opposite.centroids.any(), opposite.spread.tolist()) == (1, False, [[1], [1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.ones((2, 3))}, r"image embeddings must be \(3, D\) like the labels, got \(2, 3\)"),
        ({"text": np.ones(3)}, r"text embeddings must be \(3, D\) like the labels, got \(3,\)"),
        ({"text": np.ones((3, 4))}, "image has 3 columns but text 4: embed both in one space"),
        ({"text": [[1, 0, 0], [0, 0, 0], [1, 1, 1]]}, "row 1 of the text embeddings has length 0 and so no direction"),
        ({"image": [[1, 0, 0], [0, 0, 1], [1, np.nan, 1]]}, "row 2 of the image embeddings has length nan"),
        ({"labels": [0, 1, 5]}, "labels holds the class index 5, but there are 2 classes"),
    ],
)
def test_errors_say_what_does_not_fit(change, message):
    given = {"image": np.eye(3), "text": np.eye(3), "labels": [0, 1, 1], "classes": 2} | change
    with pytest.raises(DataError, match=message):
        class_geometry(**given)


def test_it_costs_no_torch():
    code = "import sys; from huse_bench.evaluation import class_geometry; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
