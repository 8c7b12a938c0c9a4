import sys

import pytest

LOSSES = '''
import torch

from huse_bench import Choice, LogUniform, Uniform


class Tunable(Gap):
    """Gap with something to tune."""
    title = "Tunable"
    space = {"weight": LogUniform(0.1, 10), "squared": Choice(False, True)}


class Picky(Gap):
    """Diverges below a weight of 2, and so at its default."""
    title = "Picky"
    space = {"weight": Uniform(0.0, 4.0)}

    def forward(self, batch):
        return {"gap": super().forward(batch)["gap"] * (1.0 if self.weight > 2 else float("nan"))}


class Hopeless(Crash):
    title = "Hopeless"
    space = {"weight": Uniform(0.0, 4.0)}


class Outside(Gap):
    """Has a default that its space does not hold."""
    title = "Outside"
    space = {"weight": Uniform(2.0, 4.0)}


class Deaf(Gap):
    """Has a hyper-parameter that acts above 3 alone."""
    title = "Deaf"
    space = {"weight": Uniform(0.0, 4.0)}

    def forward(self, batch):
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean() * (1 if self.weight <= 3 else -1)}


class Steered(Gap):
    """Classifies, and at its default learns nothing, so that no search ends there."""
    title = "Steered"
    heads = "shared"
    space = {"weight": Uniform(0.5, 2.0)}

    def __init__(self, weight: float = 0.0, squared: bool = False) -> None:
        super().__init__(weight, squared)

    def forward(self, batch):
        from torch.nn.functional import cross_entropy
        logits = batch.image_logits + batch.text_logits
        return {"classification": self.weight * cross_entropy(logits, batch.labels)}


class Blind(Steered):
    """As Steered, without a classifier."""
    title = "Blind"
    heads = "none"

    def forward(self, batch):
        scores = 5 * batch.rows @ batch.rows.T
        same = batch.row_labels[:, None] == batch.row_labels
        return {"pairs": self.weight * (scores.logsumexp(1) - scores.where(same, -torch.inf).logsumexp(1)).mean()}


class Misspelt(Gap):
    title = "Misspelt"
    space = {"wait": Uniform(0.0, 4.0)}
'''
DATASET = """

class Deep(Dataset):
    \"\"\"Sixteen classes that are the leaves of a binary tree, hard to tell apart; two items each are a group.\"\"\"
    title = "Deep"

    def load(self):
        rng = np.random.default_rng(0)
        labels = np.arange(480) % 16
        centers = {d: rng.normal(size=(16, d)) for d in (6, 5)}
        noise = lambda d: 0.5 * rng.normal(size=(480, d))
        around = lambda d: Features((centers[d][labels] + noise(d)).astype("float32"), f"deep{d}@1")
        names = [f"class {number}" for number in range(16)]
        nodes = ["", "all", *(f"node {number}" for number in range(2, 16)), *names]
        return Items(
            ids=[f"item{i}" for i in range(480)],
            labels=labels,
            groups=[f"group{(i // 32) * 16 + i % 16}" for i in range(480)],
            splits=np.array(["train"] * 256 + ["validation"] * 96 + ["test"] * 128),
            class_names=names,
            taxonomy=Taxonomy.from_edges([(nodes[i // 2], nodes[i]) for i in range(2, 32)], classes=names),
            image_features=around(6),
            text_features=around(5),
            class_features=Features(rng.normal(size=(16, 8)).astype("float32"), "deep8@1"),
        )
"""
NAMES = ("Tunable", "Picky", "Hopeless", "Outside", "Deaf", "Steered", "Blind", "Misspelt")


@pytest.fixture
def site(toy):
    """The toy distribution with losses that have something to tune; gives its folder."""
    from huse_bench import discovery

    folder = toy.parent / "site"
    with (folder / "toy_plugins.py").open("a") as file:
        file.write(LOSSES + DATASET)
    with (folder / "toy_plugins-1.0.dist-info/entry_points.txt").open("a") as file:
        file.writelines(f"{name.lower()} = toy_plugins:{name}\n" for name in NAMES)
        file.write("[huse_bench.datasets]\ndeep = toy_plugins:Deep\n")
    sys.modules.pop("toy_plugins", None)
    discovery.refresh()
    return folder


@pytest.fixture
def search(site, quick_training):  # noqa: ARG001 - site puts the losses on the path
    """Tune on the toy dataset with trials of a tenth of a second."""
    from huse_bench.config import resolve_config
    from huse_bench.tuning import tune

    def call(methods, trials, objective=("balanced",), output=None, studies=1, **options):
        training = {**quick_training, "steps": 10, **options.pop("training", {})}
        given = {"dataset": "toy", "training": training, **options}
        if methods is not None:
            given["methods"] = methods
        return tune(resolve_config(None, given), trials, objective, output, studies=studies, quiet=True)

    return call
