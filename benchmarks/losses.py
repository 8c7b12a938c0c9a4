"""The pairwise losses as cases to measure: data around classes, ours, and the peers that compute the same."""

from functools import partial

import numpy as np
import torch
from torch.nn.functional import normalize

from benchmarks import numpy_losses
from benchmarks.measuring import OURS, Case, Competitor
from huse_bench.kernels import cosine_embedding, double_triplet, graph_loss, reference, semihard_triplet

GRAPH = ("graph_loss_and", "graph_loss_or", "graph_loss_hinge", "graph_loss_none")
TRIPLETS = ("semihard_triplet", "double_triplet", "cosine_embedding")
LOSSES = GRAPH + TRIPLETS

#: Shares of triplets and of mismatched pairs that are over the margin; what is not, a kernel may skip. The first is
#: what trained embeddings come to, the second is the worst for kernels that skip.
INFORMATIVE = {"double_triplet": (0.05, 0.5), "cosine_embedding": (0.15, 0.5)}

CLASSES, SHARE, TILE, LARGEST_SAMPLE = 101, 0.15, 256, 512
MARGIN, SEMANTIC_WEIGHT = 0.3, 0.1
# As pytorch-metric-learning weighs them: the two means alike.
MISMATCH_PROBABILITY = 0.5
# In float32 a few pairs fall on the other side of an indicator.
TOLERANCE = 1e-2
# With less precision more do: the rows so rounded, plain torch is off by up to 0.012 of a gradient in tf32 and 0.005 in
# fp16 at these sizes. A semi-hard negative is the nearest beyond a positive, and of those that are nearly as near less
# precision takes another, which moves the gradient by a whole row: at 4096 x 64 by 0.06 in all with either, for a value
# that is off by less than 0.0001.
LOOSE, LOOSE_NEGATIVES = 5e-2, 0.125


def case(name, rows, dim, peers, device="cpu", precisions=(), informative=None):
    """A loss with its gradient on so many rows; the threads are those that torch has now."""
    x, labels = (tensor.to(device) for tensor in batch(rows, dim))
    half = rows // 2
    facts = {}
    if name in INFORMATIVE:
        x = _matched(x)
        facts = {"informative": informative or INFORMATIVE[name][0]}
        margin = _margin(name, x, labels, facts["informative"])
    bound, bound_share = partial(_cross_products, x[:half], x[half:]), 1.0
    if name in GRAPH:
        distances, margin = class_distances()
        distances = distances.to(device)
        relaxation = name.removeprefix("graph_loss_")
        pairs = distances[~torch.eye(CLASSES, dtype=torch.bool)]
        sizes = labels.bincount(minlength=CLASSES).double() / rows
        within = float(sizes @ (distances < margin).double() @ sizes)
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
        arguments = {"labels": labels[:half], "margin": margin}
        ours, formula = partial(_double_triplet, **arguments), partial(_double_triplet_formula, **arguments)
        by_numpy = partial(numpy_losses.double_triplet, x, labels[:half], margin, SEMANTIC_WEIGHT)
    else:
        ours, formula = partial(_cosine_embedding, margin=margin), partial(_cosine_embedding_formula, margin=margin)
        by_numpy = partial(numpy_losses.cosine_embedding, x, margin, MISMATCH_PROBABILITY)

    competitors = [
        Competitor("autograd", partial(_step, formula, x), "the formula in plain torch, all pairs at once"),
        Competitor(OURS, partial(_step, ours, x), "gradient formed in the forward"),
    ]
    competitors += [
        Competitor(
            f"{OURS} {precision}",
            partial(_step, partial(ours, precision=precision), x),
            tolerance=LOOSE_NEGATIVES if name == "semihard_triplet" else LOOSE,
        )
        for precision in precisions
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
                partial(_step, _metric_learning(half, margin), x),
                "ContrastiveLoss, dot products, mean over all pairs",
            )
        )
    return Case(name, rows, dim, competitors, _difference, TOLERANCE, bound, bound_share, device, facts)


def batch(rows, dim):
    """Rows around their class, at cosine distances on both sides of the margin."""
    generator = torch.Generator().manual_seed(0)
    centres = normalize(torch.randn(CLASSES, dim, generator=generator), dim=1)
    labels = torch.randint(CLASSES, (rows,), generator=generator)
    noise = normalize(torch.randn(rows, dim, generator=generator), dim=1)
    return normalize(0.6 * centres[labels] + 0.8 * noise + 0.8 * centres[0], dim=1), labels


def _matched(x):
    """The rows, with the second half made views of the first."""
    image, noise = x.chunk(2)
    return torch.cat([image, normalize(image + 0.8 * noise, dim=1)])


def _margin(name, x, labels, informative):
    """The margin that the given share is over, of the triplets of instances or of the mismatched pairs."""
    sample = len(x) // 2 if len(x) <= 2 * LARGEST_SAMPLE else LARGEST_SAMPLE
    image, text = x[: len(x) // 2][:sample], x[len(x) // 2 :][:sample]
    similarity = image @ text.T
    others = ~torch.eye(sample, dtype=torch.bool, device=x.device)
    if name == "cosine_embedding":
        return float(np.quantile(similarity[others].cpu(), 1 - informative))
    lead = similarity.diagonal()[:, None] - similarity
    return float(np.quantile(lead[others & (labels[:sample, None] != labels[:sample])].cpu(), informative))


def class_distances():
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


def _double_triplet(x, labels, margin, **options):
    half = len(labels)
    return double_triplet(x[:half], x[half:], labels, margin, SEMANTIC_WEIGHT, **options)


def _double_triplet_formula(x, labels, margin):
    half = len(labels)
    first, second, third, fourth = reference.double_triplet_terms(x[:half], x[half:], labels, margin, "first")
    return (first + second + SEMANTIC_WEIGHT * (third + fourth)) / 4


def _cosine_embedding(x, margin, **options):
    half = len(x) // 2
    return cosine_embedding(x[:half], x[half:], margin, MISMATCH_PROBABILITY, **options)


def _cosine_embedding_formula(x, margin):
    half = len(x) // 2
    match = (1 - (x[:half] * x[half:]).sum(dim=1)).mean()
    mismatch = reference.mismatch_hinge(x[:half], x[half:], margin)
    return (1 - MISMATCH_PROBABILITY) * match + MISMATCH_PROBABILITY * mismatch


def _compiled(formula):
    # What was compiled for other sizes or threads must not count as one function that was compiled too often.
    torch._dynamo.reset()  # noqa: SLF001 - where PyTorch's documentation has it
    return torch.compile(formula, dynamic=False, options={"cpp.threads": torch.get_num_threads()})


def _metric_learning(half, margin):
    from pytorch_metric_learning.distances import DotProductSimilarity  # noqa: PLC0415 - a peer that need not be there
    from pytorch_metric_learning.losses import ContrastiveLoss  # noqa: PLC0415 - as above
    from pytorch_metric_learning.reducers import MeanReducer  # noqa: PLC0415 - as above

    items = torch.arange(half)
    loss = ContrastiveLoss(
        pos_margin=1,
        neg_margin=margin,
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
