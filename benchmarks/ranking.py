"""Exact ranking in all four directions as a case to measure, and the peers that rank."""

from functools import partial

import torch
from torch.nn.functional import normalize

from benchmarks.measuring import OURS, Case, Competitor
from huse_bench.kernels import top_k_directions

CLASSES, K, CHUNK, TILE = 101, 10, 1024, 256
DIRECTIONS = ("i2i", "i2t", "t2i", "t2t")
# Of similarities, which float32 rounds in another order in each.
TOLERANCE = 1e-5


def case(rows, dim, noise, peers, device="cpu"):
    """Image and text rows around the centres of their classes; the less noise, the more near-ties."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, dim, generator=generator)[torch.randint(CLASSES, (rows,), generator=generator)]
    image, text = (
        normalize(centres + noise * torch.randn(rows, dim, generator=generator), dim=1).to(device) for _ in range(2)
    )
    competitors = [
        Competitor("torch", partial(_each, _torch, image, text), f"product and topk, {CHUNK} queries at a time"),
        Competitor(OURS, partial(_ours, image, text), "one product for both cross-modal directions, half in-modal"),
    ]
    if "faiss-cpu" in peers:
        competitors.append(
            Competitor("faiss", partial(_each, _faiss, image, text), "IndexFlatIP; in-modal k + 1 less the query")
        )
    if "scikit-learn" in peers:
        competitors.append(
            Competitor(
                "scikit-learn", partial(_each, _sklearn, image, text), "NearestNeighbors, brute force; in-modal k + 1"
            )
        )
    bound = partial(_products, image, text)
    facts = {"k": float(K), "noise": noise}
    return Case("ranking", rows, dim, competitors, _difference, TOLERANCE, bound, device=device, facts=facts)


def _ours(image, text, lap):
    found = top_k_directions(image, text, K)
    lap("all")
    return {direction: values for direction, (values, _) in found.items()}


def _each(rank, image, text, lap):
    found = {
        "i2i": rank(image, image, exclude_self=True),
        "i2t": rank(image, text, exclude_self=False),
        "t2i": rank(text, image, exclude_self=False),
        "t2t": rank(text, text, exclude_self=True),
    }
    lap("all")
    return found


def _torch(queries, gallery, *, exclude_self):
    found = []
    for first in range(0, len(queries), CHUNK):
        products = queries[first : first + CHUNK] @ gallery.T
        if exclude_self:
            products.diagonal(first).fill_(-torch.inf)
        found.append(products.topk(K, dim=1).values)
    return torch.cat(found)


def _faiss(queries, gallery, *, exclude_self):
    import faiss  # noqa: PLC0415 - a peer that need not be there

    index = faiss.IndexFlatIP(gallery.shape[1])
    index.add(gallery.numpy())
    values, indices = index.search(queries.numpy(), K + exclude_self)
    return _others(torch.from_numpy(values), torch.from_numpy(indices)) if exclude_self else torch.from_numpy(values)


def _sklearn(queries, gallery, *, exclude_self):
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415 - as above

    neighbours = NearestNeighbors(n_neighbors=K + exclude_self, algorithm="brute", metric="sqeuclidean")
    squares, indices = neighbours.fit(gallery.numpy()).kneighbors(queries.numpy())
    values = 1 - torch.from_numpy(squares) / 2
    return _others(values, torch.from_numpy(indices)) if exclude_self else values


def _others(values, indices):
    """All but the query itself, and all but the last where it is not among them."""
    itself = indices == torch.arange(len(indices))[:, None]
    itself[:, -1] |= ~itself.any(dim=1)
    return values[~itself].reshape(len(values), -1)


def _difference(found, expected):
    return max(float((found[direction] - expected[direction]).abs().max()) for direction in DIRECTIONS)


def _products(image, text):
    """Each product of an image with a text once, and each of two images and of two texts once."""
    for first in range(0, len(image), TILE):
        rows = slice(first, first + TILE)
        image[rows] @ text.T
        image[rows] @ image[first:].T
        text[rows] @ text[first:].T
