import importlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from huse_bench.errors import DataError
from huse_bench.kernels.cpu import _parts
from huse_bench.kernels.cpu import top_k as _module
from huse_bench.kernels.cpu._shortlist import longest
from huse_bench.kernels.cpu._tiles import multiply
from huse_bench.kernels.top_k import rank_directions, top_k, top_k_directions

# The package exports the function of the same name, so the module has to be asked for by its path.
_public = importlib.import_module("huse_bench.kernels.top_k")


def _brute_force(queries, gallery, k, *, exclude_self):
    """Every dot product in float64, rounded to the dtype, sorted by value and then by index."""
    scores = (queries.double().numpy() @ gallery.double().numpy().T).astype(queries.numpy().dtype)
    if exclude_self:
        np.fill_diagonal(scores, -np.inf)
    indices = torch.from_numpy(np.argsort(-scores, axis=1, kind="stable")[:, :k])
    return torch.from_numpy(scores).gather(1, indices), indices


def _assert_ranked(found, expected):
    torch.testing.assert_close(found[0], expected[0], rtol=0, atol=1e-15 if found[0].dtype == torch.float64 else 0)
    assert found[1].dtype == torch.int64
    assert found[1].tolist() == expected[1].tolist()


@st.composite
def _rows(draw):
    """Rows on a coarse grid, where products are exact, so that ties abound and are true ties."""
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    width = draw(st.integers(1, 4))
    cells = st.lists(st.integers(-2, 2), min_size=width, max_size=width)
    queries, gallery = draw(st.lists(cells, min_size=1, max_size=40)), draw(st.lists(cells, min_size=2, max_size=60))
    return torch.tensor(queries, dtype=dtype) / 4, torch.tensor(gallery, dtype=dtype) / 4


@settings(max_examples=100, deadline=None)
@given(_rows(), st.data(), st.booleans(), st.booleans(), st.sampled_from([3, 8, 30]))
def test_equals_brute_force_with_many_ties(rows, data, among_themselves, exclude_self, tile):
    queries, gallery = rows
    if among_themselves:
        queries = gallery
    k = data.draw(st.integers(1, len(gallery) - exclude_self))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_module, "_TILE", tile)
        found = top_k(queries, gallery, k, exclude_self=exclude_self)
    expected = _brute_force(queries, gallery, k, exclude_self=exclude_self)
    _assert_ranked(found, expected)
    _assert_ranked(_public._sorted_top_k(queries, gallery, k, exclude_self=exclude_self), expected)


@settings(max_examples=30, deadline=None)
@given(_rows(), st.data(), st.sampled_from([3, 8, 30]))
def test_directions_equal_brute_force_with_many_ties(rows, data, tile):
    image = rows[1]
    text = image.flip(0).roll(1, dims=1)
    k = data.draw(st.integers(1, len(image) - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_module, "_TILE", tile)
        found = top_k_directions(image, text, k)
    assert list(found) == ["i2i", "i2t", "t2i", "t2t"]
    _assert_ranked(found["i2i"], _brute_force(image, image, k, exclude_self=True))
    _assert_ranked(found["i2t"], _brute_force(image, text, k, exclude_self=False))
    _assert_ranked(found["t2i"], _brute_force(text, image, k, exclude_self=False))
    _assert_ranked(found["t2t"], _brute_force(text, text, k, exclude_self=True))


def _brute_force_with_groups(queries, gallery, k, groups, *, keep_pairs):
    scores = (queries.double().numpy() @ gallery.double().numpy().T).astype(queries.numpy().dtype)
    own = np.equal.outer(groups, groups)
    if keep_pairs:
        np.fill_diagonal(own, False)
    scores[own] = -np.inf
    indices = torch.from_numpy(np.argsort(-scores, axis=1, kind="stable")[:, :k])
    return torch.from_numpy(scores).gather(1, indices), indices


@settings(max_examples=60, deadline=None)
@given(_rows(), st.data(), st.sampled_from([3, 8, 30]))
def test_directions_with_groups_equal_brute_force_with_many_ties(rows, data, tile):
    image = rows[1]
    text = image.flip(0).roll(1, dims=1)
    names = st.integers(-3, 5)
    groups = np.array(data.draw(st.lists(names, min_size=len(image), max_size=len(image))))
    left = len(image) - np.unique(groups, return_counts=True)[1].max()
    if not left:
        groups[0] = 9
        left = 1
    k = data.draw(st.integers(1, left))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_module, "_TILE", tile)
        found = top_k_directions(image, text, k, torch.from_numpy(groups))
    for name, queries, gallery in (
        ("i2i", image, image),
        ("i2t", image, text),
        ("t2i", text, image),
        ("t2t", text, text),
    ):
        keep_pairs = name in ("i2t", "t2i")
        expected = _brute_force_with_groups(queries, gallery, k, groups, keep_pairs=keep_pairs)
        _assert_ranked(found[name], expected)
        by_sorting = _public._sorted_top_k(
            queries, gallery, k, exclude_self=not keep_pairs, groups=torch.from_numpy(groups)
        )
        _assert_ranked(by_sorting, expected)


@settings(max_examples=40, deadline=None)
@given(_rows(), st.data(), st.sampled_from([3, 8, 30]), st.booleans())
def test_directions_with_galleries_of_their_own_equal_brute_force(rows, data, tile, grouped):
    image = rows[1]
    items = len(image)
    text, image_gallery, text_gallery = image.flip(0), 3 * image.roll(1, dims=1), image.roll(5, dims=0) - 1
    numbers = np.arange(items) // 2 if grouped and items > 2 else np.arange(items)
    k = data.draw(st.integers(1, items - np.bincount(numbers).max()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_module, "_TILE", tile)
        found = top_k_directions(
            image, text, k, torch.from_numpy(numbers), image_gallery=image_gallery, text_gallery=text_gallery
        )
    for name, queries, gallery in (
        ("i2i", image, image_gallery),
        ("i2t", image, text_gallery),
        ("t2i", text, image_gallery),
        ("t2t", text, text_gallery),
    ):
        keep_pairs = name in ("i2t", "t2i")
        expected = _brute_force_with_groups(queries, gallery, k, numbers, keep_pairs=keep_pairs)
        _assert_ranked(found[name], expected)
        by_sorting = _public._one_direction(
            "reference", queries, gallery, k, exclude_self=not keep_pairs, groups=torch.from_numpy(numbers)
        )
        _assert_ranked(by_sorting, expected)


def _lorentz(seed, items, width, scale):
    """Query and gallery rows of MERU: <x_a, x_b> - t_a t_b, where great terms cancel."""
    space = scale * torch.randn(items, width, generator=torch.Generator().manual_seed(seed))
    time = (1 + space.square().sum(1, keepdim=True)).sqrt()
    return torch.cat([space, -time], 1), torch.cat([space, time], 1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_products_of_terms_that_cancel_are_ranked_by_their_score(scale):
    (image, image_gallery), (text, text_gallery) = _lorentz(1, 1300, 64, scale), _lorentz(2, 1300, 64, scale)
    groups = torch.arange(1300) // 3
    given_rows = {"image_gallery": image_gallery, "text_gallery": text_gallery}
    found = top_k_directions(image, text, 12, groups, **given_rows)
    for name, queries, gallery in (("i2i", image, image_gallery), ("t2i", text, image_gallery)):
        expected = _brute_force_with_groups(queries, gallery, 12, groups.numpy(), keep_pairs=name == "t2i")
        # A sum of float64 in another order may round to the neighbour in float32, where the terms are 1e8 times it.
        torch.testing.assert_close(found[name][0], expected[0], rtol=2e-7, atol=0)
        assert (found[name][1] != expected[1]).sum() <= (4 if scale == 1e4 else 0)


@pytest.mark.parametrize("groups", ["half in one", "pairs", "one in two"])
def test_groups_of_any_size_in_many_tiles(groups):
    image, text = _clusters(2300, 0.5), _clusters(2300, 0.5).roll(7, 0).contiguous()
    items = np.arange(2300)
    numbers = {"half in one": np.maximum(items - 1150, 0), "pairs": items // 2, "one in two": items % 2}[groups]
    found = top_k_directions(image, text, 10, torch.from_numpy(numbers))
    _assert_ranked(found["i2t"], _brute_force_with_groups(image, text, 10, numbers, keep_pairs=True))
    _assert_ranked(found["t2i"], _brute_force_with_groups(text, image, 10, numbers, keep_pairs=True))
    _assert_ranked(found["t2t"], _brute_force_with_groups(text, text, 10, numbers, keep_pairs=False))


def test_groups_of_one_change_nothing():
    image, text = _clusters(300, 0.5), _clusters(300, 0.5).flip(0).contiguous()
    alone, grouped = top_k_directions(image, text, 7), top_k_directions(image, text, 7, torch.randperm(300))
    for name, ranking in alone.items():
        _assert_ranked(grouped[name], ranking)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([0, 1], r"groups must be \(4,\) int64 numbers, got \(2,\) torch.int64"),
        ([0.0, 1.0, 2.0, 3.0], r"groups must be \(4,\) int64 numbers, got \(4,\) torch.float32"),
        ([0, 0, 0, 1], "k=2 is more than the 1 gallery rows that the largest group, of 3 of the 4 items, leaves"),
    ],
)
def test_groups_that_do_not_fit(groups, message):
    with pytest.raises(DataError, match=message):
        top_k_directions(torch.eye(4), torch.eye(4), 2, torch.tensor(groups))


def _clusters(n, noise, dtype=torch.float32, width=64, classes=11):
    generator = torch.Generator().manual_seed(3)
    centres = torch.randn(classes, width, generator=generator)
    labels = torch.randint(classes, (n,), generator=generator)
    return normalize(centres[labels] + noise * torch.randn(n, width, generator=generator), dim=1).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", [1.0, 1e-3, 1e-7, 0.0])
def test_near_ties_are_ranked_by_their_score(dtype, noise):
    # The smaller the noise, the more rows tie within the rounding of a product; at 0 whole clusters are equal.
    image, text = _clusters(700, noise, dtype), _clusters(700, noise, dtype).flip(0).contiguous()
    found = top_k_directions(image, text, 10)
    values, indices = found["i2t"]
    assert bool((values.diff(dim=1) <= 0).all())
    tied = values.diff(dim=1) == 0
    assert bool((indices.diff(dim=1)[tied] > 0).all())
    if dtype == torch.float32:
        _assert_ranked(found["i2t"], _brute_force(image, text, 10, exclude_self=False))
        _assert_ranked(found["i2i"], _brute_force(image, image, 10, exclude_self=True))


@pytest.mark.parametrize("noise", [0.05, 1e-5, 1e-6, 0.0])
@pytest.mark.parametrize("order", ["mixed", "rising", "falling"])
def test_classes_that_overflow_the_shortlist(noise, order):
    # Hundreds of rows lie within the rounding of the best product, many times what a shortlist holds.
    image, text = _clusters(1000, noise, classes=2), _clusters(1000, noise, classes=2).flip(0).contiguous()
    if order != "mixed":
        text = text[(text @ image[0]).argsort(descending=order == "falling", stable=True)]
    found = top_k_directions(image, text, 5)
    _assert_ranked(found["i2t"], _brute_force(image, text, 5, exclude_self=False))
    _assert_ranked(found["t2i"], _brute_force(text, image, 5, exclude_self=False))
    _assert_ranked(found["t2t"], _brute_force(text, text, 5, exclude_self=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 7, 512, 2048])
def test_products_are_within_half_the_margin_of_the_scores(dtype, width):
    # All of one sign and far from a power of two: the worst there is for rounding.
    rows = normalize(torch.rand(300, width) + 0.3, dim=1).to(dtype)
    products, array = np.empty((300, 300), rows.numpy().dtype), rows.numpy()
    margin = _module._margin(longest(array), longest(array), array)
    multiply(array, array, products)
    wide = array.astype(np.longdouble)
    exact = wide @ wide.T
    off = abs(products - exact).max() + abs(exact.astype(array.dtype) - exact).max()
    eps = torch.finfo(dtype).eps / 2
    assert 2 * off <= margin <= 2.1 * (width + 4) * (eps + 2**-52) * float(rows.norm(dim=1).max()) ** 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", [1.0, 1e-2, 1e-3, 1e-5, 1e-7, 0.0])
@pytest.mark.parametrize("k", [1, 50, 400])
def test_indices_alone_are_those_of_the_scores(dtype, noise, k):
    # From no near ties, over runs of some, to runs of whole classes, longer than a list of k = 50 and shorter than 400.
    image, text = _clusters(900, noise, dtype), _clusters(900, noise, dtype).flip(0).contiguous()
    text[100:130] = text[500:530]
    groups = torch.arange(900) // 2
    indices, scored = (rank(image, text, k, groups) for rank in (rank_directions, top_k_directions))
    assert list(indices) == list(scored)
    for direction, found in indices.items():
        assert found.dtype == torch.int64
        assert torch.equal(found, scored[direction][1])
    if dtype == torch.float32:
        expected = _brute_force_with_groups(image, text, k, groups.numpy(), keep_pairs=True)[1]
        assert torch.equal(indices["i2t"], expected)


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e8])
def test_indices_alone_where_great_terms_cancel(scale):
    (image, image_gallery), (text, text_gallery) = _lorentz(1, 700, 64, scale), _lorentz(2, 700, 64, scale)
    galleries = {"image_gallery": image_gallery, "text_gallery": text_gallery}
    indices, scored = (rank(image, text, 30, **galleries) for rank in (rank_directions, top_k_directions))
    for direction, found in indices.items():
        assert torch.equal(found, scored[direction][1])


def test_equal_rows_tie_wherever_they_stand():
    rows = _clusters(1300, 1.0, width=512)
    copies = torch.cat([rows, rows[:900]])
    values, indices = top_k(copies, copies, 2)
    # The nearest to a row that has a copy are the two, at one similarity, the first of them first.
    np.testing.assert_array_equal(indices[:900], np.stack([np.arange(900), np.arange(1300, 2200)], axis=1))
    np.testing.assert_array_equal(values[:900, 0], values[:900, 1])


@pytest.fixture
def threads(monkeypatch):
    monkeypatch.setattr(_parts, "_PRODUCTS", 1)
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("noise", [1.0, 1e-4, 1e-7, 0.0])
@pytest.mark.parametrize("groups", [None, torch.arange(700) // 3])
def test_ranking_depends_neither_on_threads_nor_on_tiles(monkeypatch, threads, noise, groups):
    image, text = _clusters(700, noise), _clusters(700, noise).flip(0).contiguous()
    numbers = np.arange(700) if groups is None else groups.numpy()
    expected = {
        one + "2" + other: _brute_force_with_groups(queries, gallery, 10, numbers, keep_pairs=one != other)
        for one, queries in (("i", image), ("t", text))
        for other, gallery in (("i", image), ("t", text))
    }
    for count in (1, 2, 3):
        for most, least in ((1024, 1024), (1024, 64), (177, 64), (64, 1)):
            monkeypatch.setattr(_module, "_TILE", most)
            monkeypatch.setattr(_module, "_LEAST", least)
            threads(count)
            for direction, ranking in top_k_directions(image, text, 10, groups).items():
                _assert_ranked(ranking, expected[direction])
            _assert_ranked(top_k(image, text, 10), _brute_force(image, text, 10, exclude_self=False))
            for out in (False, True):
                _assert_ranked(
                    top_k(image, image, 10, exclude_self=out), _brute_force(image, image, 10, exclude_self=out)
                )
            assert torch.get_num_threads() == count


@pytest.mark.parametrize(("queries", "items"), [(900, 400), (400, 900)])
@pytest.mark.parametrize("count", [1, 3])
def test_queries_beyond_the_gallery_are_not_in_it(monkeypatch, threads, queries, items, count):
    monkeypatch.setattr(_module, "_TILE", 128)
    threads(count)
    rows = _clusters(900, 1e-6)
    found = top_k(rows[:queries], rows[:items], 6, exclude_self=True)
    _assert_ranked(found, _brute_force(rows[:queries], rows[:items], 6, exclude_self=True))


def test_all_negative_similarities_are_kept():
    queries, gallery = normalize(torch.rand(5, 8) + 0.1, dim=1), -normalize(torch.rand(40, 8) + 0.1, dim=1)
    found = top_k(queries, gallery, 40)
    assert bool((found[0] < 0).all())
    _assert_ranked(found, _brute_force(queries, gallery, 40, exclude_self=False))


def test_deep_rankings():
    rows = _clusters(1100, 0.5)
    _assert_ranked(top_k(rows, rows, 1000, exclude_self=True), _brute_force(rows, rows, 1000, exclude_self=True))


def test_deep_rankings_of_equal_rows():
    # Whole classes tie, and more of them than are asked for: the order is that of the indices.
    rows = _clusters(2600, 0.0, classes=2)
    _assert_ranked(top_k(rows, rows, 700), _brute_force(rows, rows, 700, exclude_self=False))


def test_rows_need_not_be_of_unit_length():
    queries, gallery = 30 * _clusters(200, 1e-4), 7 * _clusters(300, 1e-4)
    _assert_ranked(top_k(queries, gallery, 5), _brute_force(queries, gallery, 5, exclude_self=False))


def test_gradients_and_strides_are_no_obstacle():
    rows = _clusters(64, 1.0).repeat_interleave(2, dim=1)[:, ::2].requires_grad_()
    values, _ = top_k(rows, rows, 3, exclude_self=True)
    assert not values.requires_grad


@pytest.mark.parametrize(
    ("queries", "gallery", "k", "exclude_self", "message"),
    [
        (torch.eye(3), torch.eye(3), 4, False, "k=4 is more than the 3 gallery rows there are: use a smaller k"),
        (torch.eye(3), torch.eye(3), 3, True, "k=3 is more than the 2 gallery rows there are besides the query itself"),
        (torch.eye(3), torch.eye(3), 0, False, "k must be at least 1, got 0"),
        (torch.zeros(0, 3), torch.eye(3), 1, False, "there are no queries to rank for: queries has 0 rows"),
        (torch.eye(3), torch.zeros(0, 3), 1, False, "k=1 is more than the 0 gallery rows there are: use a smaller k"),
        (torch.zeros(0, 3), torch.zeros(0, 3), 1, True, "there are no queries to rank for: queries has 0 rows"),
        (torch.eye(3), torch.eye(2), 1, False, r"with one D, got \(3, 3\) and \(2, 2\)"),
        (torch.ones(3), torch.eye(3), 1, False, r"got \(3,\) and \(3, 3\)"),
        (torch.eye(3), torch.eye(3).double(), 1, False, "got torch.float32 and torch.float64"),
        (torch.eye(3).half(), torch.eye(3).half(), 1, False, "must both be float32 or both float64"),
        (torch.eye(3), torch.eye(3, device="meta"), 1, False, "queries are on cpu and the gallery is on meta"),
        (torch.eye(3), torch.eye(3).log(), 1, False, "row 0 of the gallery has a NaN or infinite value"),
    ],
)
def test_errors_say_what_does_not_fit(queries, gallery, k, exclude_self, message):
    with pytest.raises(DataError, match=message):
        top_k(queries, gallery, k, exclude_self)


def test_overflowing_products_are_refused():
    rows = torch.full((4, 8), 1e19)
    with pytest.raises(DataError, match=r"whose product overflows torch.float32: normalise the rows"):
        top_k(rows, rows, 1)
    # The length itself is beyond float32.
    with pytest.raises(DataError, match=r"norms 2.83e\+37 and 2.83e\+19, .* normalise the rows"):
        top_k_directions(1e18 * rows, rows, 1)


def test_what_is_no_tensor_or_no_number_is_refused():
    rows = torch.eye(4)
    with pytest.raises(
        DataError, match=r"gallery must be a torch tensor, got <class 'numpy.ndarray'>: convert it with"
    ):
        top_k(rows, rows.numpy(), 1)
    for k in (2.0, True, "2"):
        with pytest.raises(DataError, match=f"k must be an integer, got {k!r}"):
            top_k(rows, rows, k)
    assert top_k(rows, rows, np.int64(1))[1].tolist() == [[0], [1], [2], [3]]


def test_tiny_rows_are_ranked_by_their_score():
    # Their products underflow in float32.
    rows = 1e-21 * _clusters(300, 1.0)
    _assert_ranked(top_k(rows, rows, 3), _brute_force(rows, rows, 3, exclude_self=False))


def test_directions_need_pairs():
    with pytest.raises(DataError, match="must be one pair, got 3 and 2 rows"):
        top_k_directions(torch.eye(3), torch.eye(3)[:2], 1)
