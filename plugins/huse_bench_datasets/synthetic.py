"""Made-up features of any size, in which the class hierarchy and the modality gap are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from huse_bench import Dataset, Features, Items, Taxonomy, errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Food101Scale", "Synthetic"]

# Each level of the tree spreads its nodes less than the one above by this factor.
_DECAY = 0.8
# Rows that are worked on at once; the numbers do not depend on it.
_CHUNK = 4096


class Synthetic(Dataset):
    """Items around the leaves of a random tree, of any number, with features of any length.

    The classes are the leaves of a tree whose nodes have ``branching`` children. A node lies at its parent plus a
    random Gaussian step, shorter by 0.8 at each level; the steps to a leaf add up to length 1 on average. So the
    nearer two classes are in the tree, the nearer are their means. An item's image and text features are the mean of
    its class plus noise of their own, plus one offset for all images and another for all texts: the gap between the
    modalities that contrastive encoders show (Liang et al., "Mind the Gap", NeurIPS 2022). 70 / 10 / 20 % of the items
    are for train / validation / test. Items may come in groups of one class and split that share a part of their noise,
    as pictures of one thing do.

    Args:
        data: not allowed, the dataset is made up.
        items: number of items.
        classes: number of classes; item ``i`` of a split is of class ``i % classes``.
        image_dim: length of the image features.
        text_dim: length of the text features.
        class_dim: length of the class features, which are the class means without noise and gap.
        branching: number of children of a node of the tree, at least 2.
        noise: root mean square length of an item's noise, where a class mean has about length 1.
        gap: length of the offset of each modality.
        seed: another one makes other features.
        group_size: items of a group; the last group of a class in a split may have fewer.
        group_share: share of the noise's variance that the items of a group have in common, from 0 to 1.

    Raises:
        DataError: if ``data`` is given.
        ConfigError: if a number is out of range.
    """

    title: ClassVar = "Synthetic"
    description: ClassVar = "Made-up features around the leaves of a random tree, with a known gap between modalities"
    licence: ClassVar = "Made up: free of any rights"

    def __init__(
        self,
        data: Path | None = None,
        items: int = 4000,
        classes: int = 32,
        image_dim: int = 64,
        text_dim: int = 64,
        class_dim: int = 64,
        branching: int = 2,
        noise: float = 1.5,
        gap: float = 0.5,
        seed: int = 0,
        group_size: int = 1,
        group_share: float = 0.7,
    ) -> None:
        if data is not None:
            raise errors.DataError(
                f"a synthetic dataset is made up and reads no data, but data={str(data)!r} was given. Leave it out (on "
                "the command line: --data), or choose a dataset that reads your files"
            )
        super().__init__()
        _check_at_least(2, classes=classes, branching=branching)
        _check_at_least(1, image_dim=image_dim, text_dim=text_dim, class_dim=class_dim)
        _check_at_least(0, noise=noise, gap=gap, seed=seed)
        _check_at_least(1, group_size=group_size)
        if not 0 <= group_share <= 1:
            raise errors.ConfigError(f"group_share must be between 0 and 1, got {group_share}")
        if items < 10 * classes:
            raise errors.ConfigError(
                f"items must be at least 10 for each of {classes} classes, to have all of them in each split, got "
                f"{items}"
            )
        self.sizes = {"train": items - items // 10 - items // 5, "validation": items // 10, "test": items // 5}
        self.classes = classes
        self.dims = {"image": image_dim, "text": text_dim, "class": class_dim}
        self.branching = branching
        self.noise = noise
        self.gap = gap
        self.seed = seed
        self.group_size = group_size
        self.group_share = group_share

    def load(self) -> Items:
        """Make the items.

        Returns:
            The items with float32 features; those of one modality do not depend on the lengths asked for the others.
        """
        names = [f"class {number}" for number in range(self.classes)]
        edges, steps = _tree(names, self.branching)
        labels = np.concatenate([np.arange(size) % self.classes for size in self.sizes.values()])
        groups = self._groups(labels) if self.group_size > 1 else None
        return Items(
            ids=[f"item {number}" for number in range(len(labels))],
            labels=labels,
            splits=np.repeat(list(self.sizes), list(self.sizes.values())),
            class_names=names,
            taxonomy=Taxonomy.from_edges(edges, names),
            image_features=self._items_features("image", steps, labels, groups),
            text_features=self._items_features("text", steps, labels, groups),
            class_features=Features(self._means(steps, self.dims["class"]), self._name("class")),
            groups=None if groups is None else [f"group {number}" for number in groups.tolist()],
        )

    def _groups(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        # Of each item the split, and the place among its class's items there in groups.
        splits = np.repeat(np.arange(len(self.sizes)), list(self.sizes.values()))
        places = np.concatenate([np.arange(size) // self.classes // self.group_size for size in self.sizes.values()])
        numbers: NDArray[np.int64] = np.unique(np.stack([splits, labels, places]), axis=1, return_inverse=True)[1]
        return numbers

    def _means(self, steps: NDArray[np.float64], dim: int) -> NDArray[np.float32]:
        # One row of random numbers a coordinate: a shorter mean is the beginning of a longer one.
        directions = np.random.default_rng([self.seed, 0]).standard_normal((dim, steps.shape[1]))
        means: NDArray[np.float32] = (steps @ directions.T / np.sqrt(dim)).astype(np.float32)
        return means

    def _items_features(
        self,
        kind: Literal["image", "text"],
        steps: NDArray[np.float64],
        labels: NDArray[np.int64],
        groups: NDArray[np.int64] | None,
    ) -> Features:
        dim = self.dims[kind]
        rng = np.random.default_rng([self.seed, 1 if kind == "image" else 2])
        offset = rng.standard_normal(dim)
        means = self._means(steps, dim) + (self.gap * offset / np.linalg.norm(offset)).astype(np.float32)
        shared = np.empty((0, dim), dtype=np.float32)
        if groups is not None:
            of_groups = np.random.default_rng([self.seed, 3 if kind == "image" else 4])
            shared = of_groups.standard_normal((int(groups.max()) + 1, dim), dtype=np.float32)
            shared *= np.float32(np.sqrt(self.group_share))
        values = np.empty((len(labels), dim), dtype=np.float32)
        for start in range(0, len(labels), _CHUNK):
            part = values[start : start + _CHUNK]
            rng.standard_normal(dtype=np.float32, out=part)
            if groups is not None:
                part *= np.float32(np.sqrt(1 - self.group_share))
                part += shared[groups[start : start + _CHUNK]]
            part *= np.float32(self.noise / np.sqrt(dim))
            part += means[labels[start : start + _CHUNK]]
        return Features(values, self._name(kind))

    def _name(self, kind: str) -> str:
        return f"synthetic-{kind}@{self.dims[kind]}-seed{self.seed}"


class Food101Scale(Synthetic):
    """Synthetic items of UPMC Food-101's size: 101 classes, 61,142 + 6,846 + 22,716 items, image 64-d, text 3072-d.

    For timing: features of these lengths, and as many rows, as the HUSE paper's experiments have.

    Args:
        data: not allowed, the dataset is made up.
        image_dim: length of the image features.
        text_dim: length of the text features; 3072 is that of four concatenated BERT layers.
        noise: see :class:`Synthetic`.
        gap: see :class:`Synthetic`.
        seed: another one makes other features.
    """

    title: ClassVar = "Synthetic, Food-101 scale"
    description: ClassVar = "Made-up features of UPMC Food-101's sizes around the leaves of a random tree"

    def __init__(
        self,
        data: Path | None = None,
        image_dim: int = 64,
        text_dim: int = 3072,
        noise: float = 1.0,
        gap: float = 0.5,
        seed: int = 0,
    ) -> None:
        sizes = {"train": 61_142, "validation": 6_846, "test": 22_716}
        super().__init__(
            data,
            items=sum(sizes.values()),
            classes=101,
            image_dim=image_dim,
            text_dim=text_dim,
            class_dim=512,
            branching=3,
            noise=noise,
            gap=gap,
            seed=seed,
        )
        self.sizes = sizes


def _tree(names: Sequence[str], branching: int) -> tuple[list[tuple[str, str]], NDArray[np.float64]]:
    """The edges, and (K, nodes) lengths of the steps that lead from the root to each class, 0 where a node does not."""
    edges: list[tuple[str, str]] = []
    steps: list[tuple[NDArray[np.int64], float]] = []
    # Nodes that are yet to be divided: their name, the classes below, and the length of a step to a child.
    waiting = [("root", np.arange(len(names)), 1.0)]
    for parent, below, length in waiting:
        for part in np.array_split(below, min(branching, len(below))):
            child = names[part[0]] if len(part) == 1 else f"node {len(edges) + 1}"
            edges.append((parent, child))
            steps.append((part, length))
            if len(part) > 1:
                waiting.append((child, part, length * _DECAY))
    lengths = np.zeros((len(names), len(steps)))
    for node, (part, length) in enumerate(steps):
        lengths[part, node] = length
    return edges, lengths / np.linalg.norm(lengths, axis=1).max()


def _check_at_least(least: int, **values: float) -> None:
    for name, value in values.items():
        if not value >= least:
            raise errors.ConfigError(f"{name} must be at least {least}, got {value}")
