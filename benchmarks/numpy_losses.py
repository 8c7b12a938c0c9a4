"""The pairwise losses in numpy, with their gradients by hand: a peer, and a second opinion on every other.

All pairs at once. The rows are tensors, and so are the labels and distances; the gradient is an array.
"""

import numpy as np


def graph_loss(x, labels, distances, margin, relaxation):
    x, labels, distances = x.numpy(), labels.numpy(), distances.numpy()
    distance = 1 - x @ x.T
    target = distances[labels][:, labels]
    near, similar = distance < margin, target < margin
    counted = {"and": near & similar, "or": near | similar, "hinge": near | similar, "none": True}[relaxation]
    if relaxation == "hinge":
        target = np.minimum(target, margin)
    residual = np.where(counted, distance - target, np.float32(0))
    np.fill_diagonal(residual, 0)
    return np.square(residual).sum() / len(x) ** 2, residual @ x * np.float32(-4 / len(x) ** 2)


def semihard_triplet(x, labels, margin):
    x, labels = x.numpy(), labels.numpy()
    distance = 1 - x @ x.T
    same = labels[:, None] == labels
    total, count = 0.0, 0
    weights = np.zeros_like(distance)
    for anchor, row in enumerate(distance):
        (positives,) = same[anchor].nonzero()
        positives = positives[positives != anchor]
        (negatives,) = (~same[anchor]).nonzero()
        if not len(positives) or not len(negatives):
            continue
        order = negatives[row[negatives].argsort()]
        # The nearest that is farther than the positive, else the farthest of all.
        slot = row[order].searchsorted(row[positives], side="right").clip(max=len(order) - 1)
        chosen = order[slot]
        cost = margin + row[positives] - row[chosen]
        active = cost > 0
        total += cost[active].sum(dtype=np.float64)
        count += len(positives)
        np.add.at(weights[anchor], positives[active], -1)
        np.add.at(weights[anchor], chosen[active], 1)
    count = max(count, 1)
    return np.float32(total / count), (weights + weights.T) @ x * np.float32(1 / count)


def double_triplet(x, labels, margin, semantic_weight):
    """The first other item of the class is the positive, and the first negatives, as many as every query has."""
    x, labels = x.numpy(), labels.numpy()
    image, text = x[: len(labels)], x[len(labels) :]
    similarity = image @ text.T
    same = labels[:, None] == labels
    negative = ~same & ((~same).cumsum(axis=1) <= (~same).sum(axis=1).min())
    np.fill_diagonal(same, val=False)
    total, gradient = np.float32(0), np.zeros_like(similarity)
    for flipped in (False, True):
        scores = similarity.T if flipped else similarity
        of_scores = gradient.T if flipped else gradient
        for positives, counted, weight in (
            (np.eye(len(scores), dtype=bool), ~np.eye(len(scores), dtype=bool), 1 / 4),
            (same, negative, semantic_weight / 4),
        ):
            has = positives.any(axis=1)
            positive = positives.argmax(axis=1)
            rows = np.arange(len(scores))
            cost = margin + scores - scores[rows, positive][:, None]
            active = (cost > 0) & counted & has[:, None]
            count = max(active.sum(), 1)
            total += weight * cost[active].sum() / count
            of_scores += active * np.float32(weight / count)
            of_scores[rows, positive] -= active.sum(axis=1) * np.float32(weight / count)
    return total, np.concatenate([gradient @ text, gradient.T @ image])


def cosine_embedding(x, margin, mismatch_probability):
    x = x.numpy()
    image, text = x[: len(x) // 2], x[len(x) // 2 :]
    items = len(image)
    excess = np.maximum(image @ text.T - np.float32(margin), 0)
    np.fill_diagonal(excess, 0)
    match = 1 - (image * text).sum() / items
    pairs = items * (items - 1)
    value = (1 - mismatch_probability) * match + mismatch_probability * excess.sum() / pairs
    weights = (excess > 0).astype(np.float32) * np.float32(mismatch_probability / pairs)
    pull = np.float32((1 - mismatch_probability) / items)
    return value, np.concatenate([weights @ text - pull * text, weights.T @ image - pull * image])
