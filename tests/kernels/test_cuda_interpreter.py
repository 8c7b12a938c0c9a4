"""The CUDA kernels without a GPU: Triton's interpreter runs them on CPU tensors, and the reference is the judge.

In float32 alone: the interpreter multiplies bfloat16 wrongly, and tf32 as float32. What those compile to is
tested in test_cuda_compile.py.
"""

import importlib.util
import os
import pickle
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
import torch
from packaging.version import Version
from torch.nn.functional import normalize

from huse_bench.kernels import reference

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
if importlib.util.find_spec("triton") is not None and not torch.cuda.is_available():
    # It makes scalars of arrays of one value, which numpy 2.4 refuses.
    TOO_OLD = Version(version("triton")) < Version("3.7") and Version(version("numpy")) >= Version("2.4")
    pytestmark = pytest.mark.skipif(TOO_OLD, reason="Triton's interpreter needs triton 3.7 with numpy 2.4 or later")

RELAXATIONS = ("and", "or", "hinge", "none")

# Triton decides at its import whether it interprets, so a process of its own does. Small numbers of rows at a time
# make that several times.
WORKER = """
import importlib, pickle, sys, traceback
import torch
from torch.utils._pytree import tree_map_only
from huse_bench.kernels import cuda
from huse_bench.kernels.cuda import _keys, _pairs, _products, _screening
from huse_bench.training.host_waits import host_waits

torch.set_num_threads(1)
_pairs._PAIRS = _pairs._FEWEST = 256
_products._ROWS = _keys._TILE = 64
_screening._SPARE = 6
ranking = importlib.import_module("huse_bench.kernels.cuda.top_k")
ranking._SPAN, ranking._ROWS = 128, 64
least = ranking._FEWEST, ranking._LEAST
there = "cuda" if torch.cuda.is_available() else "cpu"
while True:
    name, rows, arguments, options, upstream = pickle.load(sys.stdin.buffer)
    screened = options.pop("screened", False)
    ranking._FEWEST, ranking._LEAST = (1, 0) if screened else least
    try:
        leaves = [row.to(there).requires_grad_() for row in rows]
        arguments, options = tree_map_only(torch.Tensor, lambda tensor: tensor.to(there), (arguments, options))
        factor = None if upstream is None else torch.tensor(upstream, device=there)
        with host_waits(torch.device(there)) as places:
            answer = getattr(cuda, name)(*leaves, *arguments, **options)
            if upstream is not None:
                value = torch.stack(answer) if isinstance(answer, tuple) else answer
                (factor * value).sum().backward()
                answer = value.detach(), [leaf.grad for leaf in leaves]
        lines = {place.partition(" ")[0] for place in places}
        # A ranking that was screened asks in one place which queries need all their scores.
        if "all" not in arguments and len(lines) != screened:
            raise AssertionError(f"waits for the device: {places}")
        answer = tree_map_only(torch.Tensor, lambda tensor: tensor.cpu(), answer)
    except Exception:
        answer = traceback.format_exc()
    pickle.dump(answer, sys.stdout.buffer)
    sys.stdout.flush()
"""


@pytest.fixture(scope="module")
def worker():
    """Calls a function of the CUDA backend."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TRITON_INTERPRET": "0" if torch.cuda.is_available() else "1"},
    )

    def call(name, rows, arguments, options, upstream):
        pickle.dump((name, rows, arguments, options, upstream), process.stdin)
        process.stdin.flush()
        answer = pickle.load(process.stdout)
        assert not isinstance(answer, str), answer
        return answer

    yield call
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def interpreted(worker):
    """Calls a loss of the CUDA backend; gives its value, or its terms, and its gradients."""

    def call(name, rows, *arguments, upstream=1.0):
        return worker(name, rows, arguments, {}, upstream)

    return call


@pytest.fixture(scope="module")
def ranked(worker):
    """Calls a ranking of the CUDA backend."""

    def call(name, *rows, **options):
        return worker(name, [row.detach() for row in rows], (), options, None)

    return call


def unit_rows(seed, count, dim):
    return normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def some_labels(seed, count, classes):
    return torch.randint(classes, (count,), generator=torch.Generator().manual_seed(seed))


def class_distances(classes):
    psi = unit_rows(7, classes, 4)
    return (1 - psi @ psi.T).clamp_min(0).fill_diagonal_(0)


def to_double(argument):
    floating = isinstance(argument, torch.Tensor) and argument.is_floating_point()
    return argument.double() if floating else argument


def judged(loss, rows, *arguments, upstream=1.0):
    """Value and gradients of the reference in float64."""
    leaves = [row.double().requires_grad_() for row in rows]
    value = loss(*leaves, *arguments)
    value = torch.stack(value) if isinstance(value, tuple) else value
    (torch.tensor(upstream) * value).sum().backward()
    return value.detach(), [leaf.grad for leaf in leaves]


def assert_close(answer, expected):
    (value, gradients), (wanted_value, wanted) = answer, expected
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), wanted_value, rtol=1e-5, atol=1e-7)
    for gradient, of_reference in zip(gradients, wanted, strict=True):
        assert gradient.dtype == torch.float32
        scale = float(of_reference.abs().max())
        torch.testing.assert_close(gradient.double(), of_reference, rtol=0, atol=2e-6 * scale + 1e-9)


# The dimensions: of one, of less than a tile, whole steps and chunks and one more than whole, and several chunks.
# The counts: likewise of the 64 columns and 128 rows of a tile, and of the 256 rows whose pairs are in memory here.
SHAPES = [(1, 1, 1), (5, 2, 3), (63, 15, 4), (64, 16, 4), (65, 17, 2), (130, 33, 60), (128, 128, 1), (257, 300, 9)]


@pytest.mark.parametrize("relaxation", RELAXATIONS)
@pytest.mark.parametrize(("count", "dim", "classes"), SHAPES)
def test_graph_loss_is_that_of_the_reference(interpreted, count, dim, classes, relaxation):
    rows = unit_rows(count, count, dim)
    labels, distances = some_labels(dim, count, classes), class_distances(classes)
    assert_close(
        interpreted("graph_loss", [rows], labels, distances, 0.8, relaxation, "fp32"),
        judged(reference.graph_loss, [rows], labels, distances.double(), 0.8, relaxation),
    )


@pytest.mark.parametrize("upstream", [1.0, 1e-3])
@pytest.mark.parametrize("name", ["graph_loss", "mismatch_hinge", "semihard_triplet", "double_triplet_terms"])
@pytest.mark.parametrize(("count", "dim"), [(65, 300), (257, 33)])
def test_fp16_is_the_loss_of_rows_so_rounded(interpreted, name, count, dim, upstream):
    matrices, (*arguments, _) = losses(count)[name]
    # Their products are exact in float32, so that no pair changes sides.
    rows = [unit_rows(seed, count, dim).half().float() for seed in range(matrices)]
    value, gradients = interpreted(name, rows, *arguments, "fp16", upstream=upstream)
    expected, wanted = judged(
        getattr(reference, name), rows, *(to_double(argument) for argument in arguments), upstream=upstream
    )
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-7)
    for gradient, of_reference in zip(gradients, wanted, strict=True):
        # What a pair weighs is rounded too.
        assert off(gradient, of_reference) < 1e-3


@pytest.mark.parametrize("name", ["graph_loss", "mismatch_hinge"])
@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU multiplies tf32 as tf32")
def test_the_tiles_of_tf32_cover_all_pairs_too(interpreted, name):
    matrices, (*arguments, _) = losses(65)[name]
    rows = [unit_rows(seed, 65, 300) for seed in range(matrices)]
    expected = judged(getattr(reference, name), rows, *(to_double(argument) for argument in arguments))
    assert_close(interpreted(name, rows, *arguments, "tf32"), expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="tensor cores round their sums otherwise than the interpreter")
def test_pairs_are_as_exact_as_in_float32(interpreted):
    # Numbers of all sizes, most of them far below those of a row of equal ones.
    scale = 10.0 ** -(torch.arange(512) % 6)
    rows = [normalize(unit_rows(seed, 130, 512) * scale, dim=1) for seed in (1, 2)]
    labels, distances = some_labels(3, 130, 9), class_distances(9)
    for name, leaves, arguments in (
        ("graph_loss", rows[:1], (labels, distances, 0.8, "none")),
        ("mismatch_hinge", rows, (-2.0,)),  # All pairs are over it, so that none changes sides.
    ):
        loss = getattr(reference, name)
        expected, wanted = judged(loss, leaves, *(to_double(argument) for argument in arguments))
        value, gradients = interpreted(name, leaves, *arguments, "fp32")
        single = [leaf.clone().requires_grad_() for leaf in leaves]
        loss(*single, *arguments).backward()
        assert abs(float(value) / float(expected) - 1) < 3e-7
        for ours, plain, exact in zip(gradients, (leaf.grad for leaf in single), wanted, strict=True):
            assert off(ours, exact) < 3e-7
            assert off(ours, exact) < 3 * off(plain, exact)


def off(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("margin", [0.0, 0.25, 1.0, 2.5])
def test_graph_loss_skips_no_block_that_counts(interpreted, margin):
    # Rows near their class, many blocks, few of them within reach of each other.
    centers = unit_rows(1, 24, 8)
    labels = some_labels(2, 200, 24) * 5  # Classes without a row in between.
    rows = normalize(centers[labels // 5] + 0.2 * unit_rows(3, 200, 8), dim=1)
    distances = (1 - centers @ centers.T).clamp_min(0).fill_diagonal_(0)
    distances = distances.repeat_interleave(5, 0).repeat_interleave(5, 1)
    assert_close(
        interpreted("graph_loss", [rows], labels, distances, margin, "and", "fp32"),
        judged(reference.graph_loss, [rows], labels, distances.double(), margin, "and"),
    )


@pytest.mark.parametrize(("count", "dim", "classes"), SHAPES)
def test_mismatch_hinge_is_that_of_the_reference(interpreted, count, dim, classes):
    del classes
    rows = [unit_rows(count, count, dim), unit_rows(count + 1, count, dim)]
    assert_close(
        interpreted("mismatch_hinge", rows, 0.05, "fp32"),
        judged(reference.mismatch_hinge, rows, 0.05),
    )


# Fewer than above, as the interpreter is slow at what is not a product. Rows of 65 and more are two times 64.
FEW_SHAPES = [(1, 1, 1), (5, 2, 3), (20, 17, 2), (9, 1024, 3), (66, 33, 50)]


@pytest.mark.parametrize(("count", "dim", "classes"), FEW_SHAPES)
def test_semihard_triplet_is_that_of_the_reference(interpreted, count, dim, classes):
    rows = unit_rows(count, count, dim)
    labels = some_labels(dim, count, classes)
    assert_close(
        interpreted("semihard_triplet", [rows], labels, 0.3, "fp32"),
        judged(reference.semihard_triplet, [rows], labels, 0.3),
    )


def test_pairs_whose_negatives_are_all_nearer_take_the_farthest(interpreted):
    count = 20
    # Positives are opposite, and all negatives between them.
    rows = torch.eye(count)
    rows[1::2] = -rows[::2]
    rows[-1] = normalize(torch.ones(count), dim=0)
    labels = torch.arange(count) // 2
    labels[-2:] = count
    assert_close(
        interpreted("semihard_triplet", [rows], labels, 0.1, "fp32"),
        judged(reference.semihard_triplet, [rows], labels, 0.1),
    )


def test_more_positives_than_look_for_negatives_at_once(interpreted):
    from huse_bench.kernels.cuda.semihard_triplet import CONSTANTS

    labels = torch.tensor([0] * 20 + [1] * 2)
    assert len(labels) - 2 > CONSTANTS["SLOTS"]
    rows = unit_rows(5, 22, 4)
    assert_close(
        interpreted("semihard_triplet", [rows], labels, 0.5, "fp32"),
        judged(reference.semihard_triplet, [rows], labels, 0.5),
    )


@pytest.mark.parametrize("labels", [torch.zeros(9, dtype=torch.int64), torch.arange(9)])
def test_semihard_triplet_without_negatives_or_positives_is_zero(interpreted, labels):
    value, (gradient,) = interpreted("semihard_triplet", [unit_rows(1, 9, 3)], labels, 0.5, "fp32")
    assert float(value) == 0
    assert not bool(gradient.any())


@pytest.mark.parametrize("pairs", ["first", "all"])
@pytest.mark.parametrize(("count", "dim", "classes"), FEW_SHAPES)
def test_double_triplet_terms_are_those_of_the_reference(interpreted, count, dim, classes, pairs):
    rows = [unit_rows(count, count, dim), unit_rows(count + 1, count, dim)]
    # Some items without a class.
    labels = some_labels(dim, count, classes + 1) - 1
    upstream = [1.0, 2.0, 3.0, -4.0]
    assert_close(
        interpreted("double_triplet_terms", rows, labels, 0.3, pairs, "fp32", upstream=upstream),
        judged(reference.double_triplet_terms, rows, labels, 0.3, pairs, upstream=upstream),
    )


@pytest.mark.parametrize("pairs", ["first", "all"])
@pytest.mark.parametrize("labels", [[-1] * 12, [0] * 12, range(12), [3] + [0, 0, 1, -1, 5] * 2 + [1]])
def test_double_triplet_terms_of_few_classes_or_none(interpreted, labels, pairs):
    labels = torch.tensor(list(labels))
    rows = [unit_rows(1, 12, 3), unit_rows(2, 12, 3)]
    upstream = [1.0, 2.0, 3.0, -4.0]
    assert_close(
        interpreted("double_triplet_terms", rows, labels, 0.2, pairs, "fp32", upstream=upstream),
        judged(reference.double_triplet_terms, rows, labels, 0.2, pairs, upstream=upstream),
    )


def test_double_triplet_terms_count_informative_triplets(interpreted):
    # Of three items, with an image that prefers both other texts by 1/2 and one that prefers one: (4 * m + 3/2) / 5
    # for the triplets of images; the similarities are exact, and so is that mean.
    image = torch.tensor([[0.0, 0.5, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 1.0]])
    text = torch.eye(3)
    value, _ = interpreted("double_triplet_terms", [image, text], torch.tensor([0, 1, 2]), 0.25, "first", "fp32")
    # Images: 0.75 and 0.75, then 0.25 and 0.75, then none. Texts: 0.25 and 0.25, 0.75 and 0.25, none of 0.5 - 1 + m.
    assert value.tolist() == [2.5 / 4, 1.5 / 4, 0.0, 0.0]


@pytest.mark.parametrize("name", ["semihard_triplet", "double_triplet_terms"])
def test_equal_rows_of_several_classes(interpreted, name):
    # On a grid, where all products are exact, so that equal similarities are equal.
    matrices, arguments = losses(24)[name]
    grid = torch.randint(-1, 2, (6, 4), generator=torch.Generator().manual_seed(0)) / 4
    rows = [grid.repeat(4, 1), grid.flip(0).repeat(4, 1)][:matrices]
    value, gradients = interpreted(name, rows, *arguments)
    wanted, _ = judged(getattr(reference, name), rows, *arguments[:-1])
    torch.testing.assert_close(value.double(), wanted, rtol=1e-5, atol=1e-7)
    # Which of equal negatives is taken is open, and with it the gradient of each; but not the sum of all.
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def losses(count):
    """Name to the number of its row matrices and its other arguments."""
    labels = some_labels(3, count, 4)
    return {
        "graph_loss": (1, (labels, class_distances(4), 0.8, "or", "fp32")),
        "mismatch_hinge": (2, (0.05, "fp32")),
        "semihard_triplet": (1, (labels, 0.3, "fp32")),
        "double_triplet_terms": (2, (labels, 0.3, "first", "fp32")),
    }


NAMES = list(losses(1))


@pytest.mark.parametrize("name", NAMES)
def test_strided_rows_and_upstream_gradients(interpreted, name):
    wide = unit_rows(4, 48, 40)
    matrices, arguments = losses(24)[name]
    rows = [wide[::2, ::2], wide[1::2, ::2]][:matrices]
    value, gradients = interpreted(name, rows, *arguments, upstream=-4.0)
    wanted_value, wanted = interpreted(name, [row.contiguous() for row in rows], *arguments)
    assert torch.equal(value, wanted_value)
    assert all(torch.equal(ours, -4 * theirs) for ours, theirs in zip(gradients, wanted, strict=True))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", NAMES)
def test_a_row_that_is_not_finite_shows_in_value_and_gradient(interpreted, name, bad):
    matrices, arguments = losses(16)[name]
    rows = [unit_rows(seed, 16, 6) for seed in range(matrices)]
    rows[-1][7, 2] = bad
    value, gradients = interpreted(name, rows, *arguments)
    assert bool(value.isnan().all())
    assert all(bool(gradient.isnan().all()) for gradient in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_compare_gives_zero_and_no_gradient(interpreted, name):
    matrices, arguments = losses(1)[name]
    value, gradients = interpreted(name, [unit_rows(0, 1, 3)] * matrices, *arguments)
    assert not bool(value.any())
    assert not any(bool(gradient.any()) for gradient in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bits_each_time(interpreted, name):
    matrices, arguments = losses(34)[name]
    rows = [unit_rows(seed, 34, 20) for seed in range(matrices)]
    value, gradients = interpreted(name, rows, *arguments)
    again, gradients_again = interpreted(name, rows, *arguments)
    assert torch.equal(value, again)
    assert all(map(torch.equal, gradients, gradients_again))


def brute_force(queries, gallery, k, exclude_self, groups=None):
    """Every dot product in float64, rounded to float32, sorted by value and then by index."""
    scores = (queries.double().numpy() @ gallery.double().numpy().T).astype("float32")
    if groups is not None:
        scores[(groups[:, None] == groups[None, :]).numpy() & ~np.eye(len(groups), dtype=bool)] = -np.inf
    if exclude_self:
        np.fill_diagonal(scores, -np.inf)
    indices = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, indices, 1), indices


def assert_ranked(found, expected):
    values, indices = found
    assert (values.dtype, indices.dtype) == (torch.float32, torch.int64)
    assert indices.tolist() == expected[1].tolist()
    assert values.tolist() == expected[0].tolist()


def grid_rows(seed, count, dim):
    """Rows on a coarse grid, where products are exact, so that ties abound and are true ties."""
    return torch.randint(-2, 3, (count, dim), generator=torch.Generator().manual_seed(seed)) / 4


# Tiles are of 64 queries and 64 gallery rows here.
@pytest.mark.parametrize(("queries", "gallery", "dim", "k"), [(1, 1, 1, 1), (5, 70, 3, 66), (67, 130, 2, 9)])
def test_top_k_is_that_of_brute_force_with_many_ties(ranked, queries, gallery, dim, k):
    rows = grid_rows(1, queries, dim), grid_rows(2, gallery, dim)
    assert_ranked(ranked("top_k", *rows, k=k, exclude_self=False), brute_force(*rows, k, exclude_self=False))


@pytest.mark.parametrize(("count", "dim", "k"), [(2, 1, 1), (131, 3, 130), (66, 1024, 7)])
def test_the_four_directions_are_those_of_brute_force(ranked, count, dim, k):
    image, text = (grid_rows(seed, count, dim) for seed in (3, 4))
    found = ranked("top_k_directions", image, text, k=k)
    assert list(found) == ["i2i", "i2t", "t2i", "t2t"]
    assert_ranked(found["i2i"], brute_force(image, image, k, exclude_self=True))
    assert_ranked(found["i2t"], brute_force(image, text, k, exclude_self=False))
    assert_ranked(found["t2i"], brute_force(text, image, k, exclude_self=False))
    assert_ranked(found["t2t"], brute_force(text, text, k, exclude_self=True))


@pytest.mark.parametrize(("count", "groups"), [(131, 40), (131, 2), (70, 3)])
def test_a_querys_group_is_left_out_but_for_its_pair(ranked, count, groups):
    image, text = (grid_rows(seed, count, 3) for seed in (3, 4))
    numbers = some_labels(5, count, groups)
    k = count - int(numbers.bincount().max())
    found = ranked("top_k_directions", image, text, k=k, groups=numbers)
    assert_ranked(found["i2i"], brute_force(image, image, k, True, numbers))
    assert_ranked(found["i2t"], brute_force(image, text, k, False, numbers))
    assert_ranked(found["t2i"], brute_force(text, image, k, False, numbers))
    assert_ranked(found["t2t"], brute_force(text, text, k, True, numbers))


@pytest.mark.parametrize("exclude_self", [True, False])
def test_groups_are_left_out_where_the_gallery_has_rows_of_its_own(ranked, exclude_self):
    queries, gallery = (grid_rows(seed, 131, 3) for seed in (3, 4))
    numbers = some_labels(5, 131, 40)
    k = 131 - int(numbers.bincount().max())
    found = ranked("top_k", queries, gallery, k=k, exclude_self=exclude_self, groups=numbers)
    assert_ranked(found, brute_force(queries, gallery, k, exclude_self, numbers))


def test_a_query_is_left_out_by_its_index_and_its_copies_are_not(ranked):
    rows = unit_rows(3, 45, 8).repeat(2, 1)
    values, indices = ranked("top_k", rows, rows, k=1, exclude_self=True)
    assert indices[:, 0].tolist() == [*range(45, 90), *range(45)]
    torch.testing.assert_close(values, torch.ones(90, 1))


def test_near_ties_are_ranked_by_their_score(ranked):
    # Many rows within the rounding of a product in float32; scores that are negative, denormal, or one of both zeros.
    centre = unit_rows(0, 1, 40)
    image = normalize(centre + 1e-6 * unit_rows(1, 70, 40), dim=1)
    # Its product with an image is a negative number that float32 rounds to zero.
    tiny = torch.zeros(1, 40)
    tiny[0, 0] = -1.4e-45 * centre[0, 0].sign()
    text = torch.cat([image[:40].flip(0), -image[:19], tiny, torch.zeros(2, 40), -1e-44 * image[:8]])
    found = ranked("top_k_directions", image, text, k=69)
    assert_ranked(found["i2t"], brute_force(image, text, 69, exclude_self=False))
    assert_ranked(found["t2i"], brute_force(text, image, 69, exclude_self=False))


def clusters(seed, count, noise):
    """Rows around seven centres, in turns."""
    centers = unit_rows(0, 7, 40)[torch.arange(count) % 7]
    return normalize(centers + noise * unit_rows(seed, count, 40), dim=1)


# Shortlists have room for 12 blocks here, and spans are of 128 rows. The less noise, the more queries have near ties in
# more blocks than that, down to none and all of them.
@pytest.mark.parametrize(("count", "noise"), [(257, 2.0), (257, 3e-3), (257, 1e-4), (130, 0.0)])
def test_what_is_screened_is_the_ranking_of_brute_force(ranked, count, noise):
    queries, gallery = clusters(1, 20, noise), clusters(2, count, noise)
    found = ranked("top_k", queries, gallery, k=4, exclude_self=True, screened=True)
    assert_ranked(found, brute_force(queries, gallery, 4, exclude_self=True))


@pytest.mark.parametrize("noise", [2.0, 1e-4])
def test_deep_rankings_are_screened(ranked, noise):
    queries, gallery = clusters(1, 6, noise), clusters(2, 1100, noise)
    found = ranked("top_k", queries, gallery, k=50, exclude_self=False, screened=True)
    assert_ranked(found, brute_force(queries, gallery, 50, exclude_self=False))


@pytest.mark.parametrize(("kind", "k"), [("grid", 2), ("negative", 1)])
def test_the_four_screened_directions_are_those_of_brute_force(ranked, kind, k):
    if kind == "grid":
        image, text = (grid_rows(seed, 131, 3) for seed in (3, 4))
    else:
        # All an image's products with texts are negative: those beyond the rows, which are zero, would be the greatest.
        image, text = (normalize(sign * (1 + unit_rows(4, 35, 40)), dim=1) for sign in (1, -1))
    found = ranked("top_k_directions", image, text, k=k, screened=True)
    assert list(found) == ["i2i", "i2t", "t2i", "t2t"]
    assert_ranked(found["i2i"], brute_force(image, image, k, exclude_self=True))
    assert_ranked(found["i2t"], brute_force(image, text, k, exclude_self=False))
    assert_ranked(found["t2i"], brute_force(text, image, k, exclude_self=False))
    assert_ranked(found["t2t"], brute_force(text, text, k, exclude_self=True))


def test_groups_of_whole_blocks_are_left_out_of_what_is_screened(ranked):
    # Of the first group, neighbours all, so few gallery rows are left that a shortlist does not fill.
    numbers = (torch.arange(131) - 90).clamp_min(0)
    image, text = (clusters(seed, 131, 1.0) for seed in (3, 4))
    found = ranked("top_k_directions", image, text, k=1, groups=numbers, screened=True)
    assert_ranked(found["i2i"], brute_force(image, image, 1, True, numbers))
    assert_ranked(found["i2t"], brute_force(image, text, 1, False, numbers))
    assert_ranked(found["t2i"], brute_force(text, image, 1, False, numbers))
    assert_ranked(found["t2t"], brute_force(text, text, 1, True, numbers))


LENGTHS = [(3e10, 1e25), (1e-30, 1e30), (1e-21, 1e-21), (1e-44, 1.0), (0.0, 1.0)]


@pytest.mark.parametrize(("of_queries", "of_gallery"), LENGTHS)
def test_rows_of_any_length_are_screened(ranked, of_queries, of_gallery):
    # Scores near the end of float32, and some that are denormal or zero there, so that they tie where products do not.
    rows = of_queries * clusters(5, 9, 0.5), of_gallery * clusters(6, 257, 0.5)
    assert_ranked(ranked("top_k", *rows, k=3, exclude_self=False, screened=True), brute_force(*rows, 3, False))


def test_rows_of_many_lengths_are_screened(ranked):
    lengths = 10.0 ** -(torch.arange(257) % 9)
    rows = clusters(5, 257, 0.5) * lengths[:, None], clusters(6, 257, 0.5) * lengths.flip(0)[:, None]
    queries = rows[0][:18]
    found = ranked("top_k", queries, rows[1], k=3, exclude_self=False, screened=True)
    assert_ranked(found, brute_force(queries, rows[1], 3, False))


def test_blocks_are_compared_with_those_within_reach_and_no_others():
    from huse_bench.kernels.cuda.graph_loss import _schedule

    classes = some_labels(0, 50, 12).sort().values
    reach = class_distances(12) < 0.4
    others, counts = _schedule(classes, reach, 8, 4)
    assert others.shape == (7, 13)
    # A block's classes are those between its first and its last.
    spans = [[range(int(part[0]), int(part[-1]) + 1) for part in classes.split(size)] for size in (8, 4)]
    for block, rows in enumerate(spans[0]):
        expected = [j for j, span in enumerate(spans[1]) if any(bool(reach[a, b]) for a in rows for b in span)]
        assert others[block, : counts[block]].tolist() == expected
    assert int(counts.sum()) < 7 * 13
