"""Write what a run learned as files that load elsewhere: towers and heads, and embeddings."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from huse_bench.components import Loss
from huse_bench.features import Prepared
from huse_bench.files import write_atomically
from huse_bench.results import RunRecord
from huse_bench.runs.embedded import embed
from huse_bench.training import Model

__all__ = ["save_embeddings", "save_model"]


def save_model(folder: Path, record: RunRecord, model: Model, loss: Loss, prepared: Prepared) -> Path:
    """Write a model's weights to ``<folder>/models/<run>.safetensors``.

    Tensors ``image.layers.0.weight``, ``image.layers.0.bias`` and so on for both towers, ``image_head.weight``
    and so on for the heads, ``loss.`` and a name for what the loss learned of its own, such as a temperature. The
    metadata names the method, the classes and the backbones whose features the towers take.

    Returns:
        The file.
    """
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    state |= {f"loss.{name}": tensor.detach().cpu() for name, tensor in loss.state_dict().items()}
    if model.image_head is model.text_head:
        # safetensors refuses two names for one memory; a copy keeps both names loadable.
        state = {name: tensor.clone() for name, tensor in state.items()}
    return _write(folder / "models" / f"{record.stem}.safetensors", state, _metadata(record, prepared))


def save_embeddings(folder: Path, record: RunRecord, model: Model, loss: Loss, prepared: Prepared) -> Path:
    """Write the unit embeddings of all items to ``<folder>/embeddings/<run>.safetensors``.

    Tensors ``train.image`` (n, D), ``train.text`` (n, D), ``train.labels`` (n,) and likewise for the other
    splits. The metadata holds the ids of each split's rows and the class names, as JSON.

    Returns:
        The file.
    """
    tensors: dict[str, Tensor] = {}
    facts = _metadata(record, prepared)
    for name, split in prepared.splits.items():
        part = embed(model, loss, split)
        tensors[f"{name}.image"] = part.image.contiguous()
        tensors[f"{name}.text"] = part.text.contiguous()
        tensors[f"{name}.labels"] = torch.from_numpy(split.labels)
        facts[f"{name}.ids"] = json.dumps(list(split.ids))
    return _write(folder / "embeddings" / f"{record.stem}.safetensors", tensors, facts)


def _metadata(record: RunRecord, prepared: Prepared) -> dict[str, str]:
    return {
        "method": record.method.name,
        "seed": str(record.seed),
        "fingerprint": record.fingerprint,
        "dataset": record.dataset.name,
        "classes": json.dumps(list(prepared.class_names)),
        **{f"{kind}_backbone": getattr(record.dataset, f"{kind}_backbone") for kind in prepared.backbones},
    }


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> Path:
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, save(tensors, metadata))
    return path
