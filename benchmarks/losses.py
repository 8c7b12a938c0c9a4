"""The pairwise losses as cases to measure: data around classes, ours, and the peers that compute the same."""

from functools import partial

import torch
from torch.nn.functional import normalize

from benchmarks import numpy_losses
from benchmarks.measuring import OURS, Case, Competitor
from huse_bench.kernels import cosine_embedding, double_triplet, graph_loss, reference, semihard_triplet

GRAPH = ("graph_loss_and", "graph_loss_or", "graph_loss_hinge", "graph_loss_none")
TRIPLETS = ("semihard_triplet", "double_triplet", "cosine_embedding")
LOSSES = GRAPH + TRIPLETS

CLASSES, SHARE, TILE = 101, 0.15, 256
MARGIN, MISMATCH_MARGIN, SEMANTIC_WEIGHT = 0.3, 0.1, 0.1
# As pytorch-metric-learning weighs them: the two means alike.
MISMATCH_PROBABILITY = 0.5
# In float32 a few pairs fall on the other side of an indicator.
TOLERANCE = 1e-2
# With less precision more do.
LOOSE = {"tf32": 5e-2, "bf16": 1e-1}


def case(name, rows, dim, peers, device="cpu", precisions=()):
    """A loss with its gradient on so many rows; the threads are those that torch has now."""
    x, labels = (tensor.to(device) for tensor in _batch(rows, dim))
    half = rows // 2
    facts = {}
    bound, bound_share = partial(_cross_products, x[:half], x[half:]), 1.0
    if name in GRAPH:
        distances, margin = _class_graph()
        distances = distances.to(device)
        relaxation = name.removeprefix("graph_loss_")
        pairs = distances[~torch.eye(CLASSES, dtype=torch.bool)]
        within = float((distances[labels][:, labels] < margin).float().mean())
        facts = {"class_pairs_under_margin": float((pairs < margin).float().mean()), "row_pairs_within_reach": within}
        bound, bound_share = partial(_symmetric_products, x), within if relaxation == "and" else 1.0
        arguments = {"labels": labels, "distances": distances, "margin": margin, "relaxation": relaxation}
        ours, formula = partial(graph_loss, **arguments), partial(reference.graph_loss, **arguments)
        by_numpy = partial(numpy_losses.graph_loss, x, **arguments)
    elif name == "semihard_triplet":
        bound = partial(_similarities, x)
        arguments = {"labels": labels, "margin": MARGIN}
        ours, formula = partial(semihard_triplet, **arguments), partial(reference.semihard_triplet, **arguments)
        by_numpy = partial(numpy_losses.semihard_triplet, x, **arguments)
    elif name == "double_triplet":
        ours, formula = partial(_double_triplet, labels[:half]), partial(_double_triplet_formula, labels[:half])
        by_numpy = partial(numpy_losses.double_triplet, x, labels[:half], MARGIN, SEMANTIC_WEIGHT)
    else:
        ours, formula = _cosine_embedding, _cosine_embedding_formula
        by_numpy = partial(numpy_losses.cosine_embedding, x, MISMATCH_MARGIN, MISMATCH_PROBABILITY)

    competitors = [
        Competitor("autograd", partial(_step, formula, x), "the formula in plain torch, all pairs at once"),
        Competitor(OURS, partial(_step, ours, x), "gradient formed in the forward"),
    ]
    competitors += [
        Competitor(f"{OURS} {precision}", partial(_step, partial(ours, precision=precision), x), tolerance=tolerance)
        for precision, tolerance in LOOSE.items()
        if precision in precisions
    ]
    if device == "cpu":
        competitors.append(
            Competitor("numpy", partial(_numpy_step, by_numpy), "gradient by hand, formed in the forward")
        )
    if "torch.compile" in peers:
        competitors.append(Competitor("torch.compile", partial(_step, _compiled(formula), x), "of autograd's formula"))
    if "pytorch-metric-learning" in peers and name == "cosine_embedding":
        competitors.append(
            Competitor(
                "pytorch-metric-learning",
                partial(_step, _metric_learning(half), x),
                "ContrastiveLoss, dot products, mean over all pairs",
            )
        )
    return Case(name, rows, dim, competitors, _difference, TOLERANCE, bound, bound_share, device, facts)


def _batch(rows, dim):
    """Rows around their class, at cosine distances on both sides of the margin."""
    generator = torch.Generator().manual_seed(0)
    centres = normalize(torch.randn(CLASSES, dim, generator=generator), dim=1)
    labels = torch.randint(CLASSES, (rows,), generator=generator)
    noise = normalize(torch.randn(rows, dim, generator=generator), dim=1)
    return normalize(0.6 * centres[labels] + 0.8 * noise + 0.8 * centres[0], dim=1), labels


def _class_graph():
    """Distances of the classes, and the margin that the given share of class pairs is under."""
    psi = normalize(torch.randn(CLASSES, 32, generator=torch.Generator().manual_seed(1)), dim=1)
    distances = (1 - psi @ psi.T).fill_diagonal_(0)
    pairs = distances[~torch.eye(CLASSES, dtype=torch.bool)]
    return distances, float(pairs.quantile(SHARE))


def _step(loss, x, lap):
    leaf = x.detach().requires_grad_()
    value = loss(leaf)
    lap("forward")
    value.backward()
    lap("backward")
    return value.detach(), leaf.grad


def _numpy_step(value_and_gradient, lap):
    value, gradient = value_and_gradient()
    lap("forward")
    lap("backward")
    return torch.as_tensor(value), torch.from_numpy(gradient)


def _double_triplet(labels, x, **options):
    half = len(labels)
    return double_triplet(x[:half], x[half:], labels, MARGIN, SEMANTIC_WEIGHT, **options)


def _double_triplet_formula(labels, x):
    half = len(labels)
    first, second, third, fourth = reference.double_triplet_terms(x[:half], x[half:], labels, MARGIN, "first")
    return (first + second + SEMANTIC_WEIGHT * (third + fourth)) / 4


def _cosine_embedding(x, **options):
    half = len(x) // 2
    return cosine_embedding(x[:half], x[half:], MISMATCH_MARGIN, MISMATCH_PROBABILITY, **options)


def _cosine_embedding_formula(x):
    half = len(x) // 2
    match = (1 - (x[:half] * x[half:]).sum(dim=1)).mean()
    mismatch = reference.mismatch_hinge(x[:half], x[half:], MISMATCH_MARGIN)
    return (1 - MISMATCH_PROBABILITY) * match + MISMATCH_PROBABILITY * mismatch


def _compiled(formula):
    # What was compiled for other sizes or threads must not count as one function that was compiled too often.
    torch._dynamo.reset()  # noqa: SLF001 - where PyTorch's documentation has it
    return torch.compile(formula, dynamic=False, options={"cpp.threads": torch.get_num_threads()})


def _metric_learning(half):
    from pytorch_metric_learning.distances import DotProductSimilarity  # noqa: PLC0415 - a peer that need not be there
    from pytorch_metric_learning.losses import ContrastiveLoss  # noqa: PLC0415 - as above
    from pytorch_metric_learning.reducers import MeanReducer  # noqa: PLC0415 - as above

    items = torch.arange(half)
    loss = ContrastiveLoss(
        pos_margin=1,
        neg_margin=MISMATCH_MARGIN,
        distance=DotProductSimilarity(normalize_embeddings=False),
        reducer=MeanReducer(),
    )
    # Were the labels of both sides one tensor, an item would not be paired with itself.
    return lambda x: loss(x[:half], items, ref_emb=x[half:], ref_labels=items.clone()) * MISMATCH_PROBABILITY


def _difference(found, expected):
    return max(float((a - b).norm() / b.norm().clamp(min=1e-12)) for a, b in zip(found, expected, strict=True))


def _tiles(count):
    return [(first, min(first + TILE, count)) for first in range(0, count, TILE)]


def _similarities(x):
    """The products of each two rows, once."""
    for first, last in _tiles(len(x)):
        x[first:last] @ x[first:].T


def _symmetric_products(x):
    """As above, and those of weights for each two rows with both of them."""
    gradient = torch.zeros_like(x)
    for first, last in _tiles(len(x)):
        tile = x[first:last] @ x[first:].T
        gradient[first:last].addmm_(tile, x[first:])
        gradient[last:].addmm_(tile[:, last - first :].T, x[first:last])


def _cross_products(image, text):
    """The products of each image row with each text row, and of weights for them with both."""
    image_gradient, text_gradient = torch.zeros_like(image), torch.zeros_like(text)
    for first, last in _tiles(len(image)):
        tile = image[first:last] @ text.T
        image_gradient[first:last].addmm_(tile, text)
        text_gradient.addmm_(tile.T, image[first:last])
