"""What is made of a split after training, and where."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import huse_bench as hb
from huse_bench.config import TrainingConfig
from huse_bench.evaluation import evaluate_retrieval
from huse_bench.features import SplitFeatures
from huse_bench.runs.embedded import embed
from huse_bench.taxonomy import Taxonomy
from huse_bench.training import Model, ranking_rows

SIZES = {"image_features": 6, "text_features": 5, "class_features": 4, "classes": 3}
CLASSES = ["cat", "dog", "oak"]
TREE = Taxonomy.from_edges(
    [("animal", "cat"), ("animal", "dog"), ("thing", "animal"), ("thing", "oak")], classes=CLASSES
)


class Nearest(hb.Loss):
    """Ranks by the Euclidean distance of rows that are not unit."""

    similarity = "euclidean/v1"
    unit_rows = False

    def forward(self, batch):
        return {"distance": (batch.image - batch.text).square().sum(1).mean()}

    def ranking_rows(self, view):
        halves = view.rows.square().sum(1, keepdim=True) / 2
        return torch.cat([view.rows, torch.ones_like(halves)], 1), torch.cat([view.rows, -halves], 1)


def split(device="cpu", items=40):
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(items, SIZES[f"{name}_features"], generator=generator) for name in ("image", "text"))
    labels = np.arange(items) % 3
    return SplitFeatures([str(item) for item in range(items)], image.to(device), text.to(device), labels, labels)


def made(loss, device="cpu"):
    torch.manual_seed(0)
    config = TrainingConfig(width=64, embedding_dim=4, dropout=0.0)
    return embed(Model(config, loss, **SIZES).to(device), loss.to(device), split(device))


def test_rows_that_are_ranked_by_the_cosine_are_there_once():
    found = made(hb.load("loss", "huse")())
    assert found.ranked.image is found.image
    assert found.ranked.text is found.text
    assert found.ranked.image_gallery is None
    assert_close(found.image.norm(dim=1), torch.ones(40))
    assert found.image_logits.shape == (40, 3)


def test_a_similarity_of_its_own_has_rows_of_its_own():
    loss = Nearest()
    found = made(loss)
    assert_close(found.image.norm(dim=1), torch.ones(40))
    assert found.image_logits is None
    torch.manual_seed(0)
    model = Model(TrainingConfig(width=64, embedding_dim=4, dropout=0.0), loss, **SIZES).eval()
    queries, gallery = ranking_rows(loss, model.views(split().image, split().text)[1])
    assert_close(found.ranked.text, queries)
    assert_close(found.ranked.text_gallery, gallery)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_ranks_what_it_made():
    found = made(hb.load("loss", "huse")(), "cuda")
    assert found.ranked.image.is_cuda
    assert not found.image.is_cuda
    ranked, host = (
        evaluate_retrieval(*rows, split().labels, TREE, recall_ks=[1, 5], hp_ks=[2])
        for rows in ((found.ranked.image, found.ranked.text), (found.image, found.text))
    )
    assert ranked.scores == host.scores
