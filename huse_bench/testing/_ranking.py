"""What the evaluation relies on in a loss that ranks by something else than the cosine."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from huse_bench.components import Loss, Modality
from huse_bench.testing._check import Check, CheckFailure, CheckSkip
from huse_bench.testing._scene import Scene, SubjectLoss, make_scene
from huse_bench.training import ranking_rows

__all__ = ["RANKING_CHECKS"]


def _ranks_by_rows(subject: SubjectLoss) -> None:
    loss = _with_rows_of_its_own(subject)
    scene, widths = make_scene(), {}
    zero = torch.ones(len(scene.labels), 1).index_fill_(0, torch.tensor([0]), 0)
    for modality in get_args(Modality):
        queries, _ = _rows(loss, scene, modality)
        widths[modality] = queries.shape[1]
        _rows(loss, scene.map(zero.mul), modality)
        if not loss.unit_rows:
            _rows(loss, scene.map((10 * zero).mul), modality)
    if len(set(widths.values())) > 1:
        raise CheckFailure(
            f"ranking_rows gives image rows of length {widths['image']} and text rows of length {widths['text']}: "
            "an image is ranked among texts by their inner product, so they must be equally long"
        )


def _ranks_each_item_by_itself(subject: SubjectLoss) -> None:
    loss = _with_rows_of_its_own(subject)
    scene = make_scene(32)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(3))
    for modality in get_args(Modality):
        together = _rows(loss, scene, modality)
        for part in (order, order[:5], order[:1]):
            for all_rows, rows in zip(together, _rows(loss, scene.select(part), modality), strict=True):
                expected = all_rows[part]
                if not torch.allclose(rows, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max())):
                    raise CheckFailure(
                        f"ranking_rows of {modality} rows depends on the items given with them or on their order: "
                        "make each row of its own item alone, without statistics over the items or random numbers"
                    )


def _ranking_leaves_all_as_it_is(subject: SubjectLoss) -> None:
    loss = _with_rows_of_its_own(subject)
    scene, before = make_scene(), make_scene()
    learned = {name: tensor.clone() for name, tensor in loss.state_dict().items()}
    for modality in get_args(Modality):
        _rows(loss, scene, modality)
        for name in (modality, f"{modality}_log_variance"):
            if not torch.equal(getattr(scene, name), getattr(before, name)):
                raise CheckFailure(f"ranking_rows changes the {name} rows in place: work on new tensors")
    for name, tensor in loss.state_dict().items():
        if not torch.equal(tensor, learned[name]):
            raise CheckFailure(f"ranking_rows changes {name} of the loss: evaluation must leave the method as it is")


def _with_rows_of_its_own(subject: SubjectLoss) -> Loss:
    loss = subject.build().eval()
    if loss.similarity == "cosine":
        raise CheckSkip("it ranks by the cosine")
    return loss


def _rows(loss: Loss, scene: Scene, modality: Modality) -> tuple[Tensor, Tensor]:
    queries, gallery = ranking_rows(loss, scene.view(loss, modality))
    assert gallery is not None
    return queries, gallery


#: In the order in which a failure is best read.
RANKING_CHECKS = (
    Check("ranks_by_rows", "api", "Its ranking rows are finite and fit each other.", _ranks_by_rows),
    Check(
        "ranks_each_item_by_itself",
        "api",
        "The ranking rows of an item do not depend on the others.",
        _ranks_each_item_by_itself,
    ),
    Check("ranking_leaves_all_as_it_is", "api", "To make them changes nothing.", _ranking_leaves_all_as_it_is),
)
