"""Take some steps of each method, and write what came of them: ``parallel_worker.py FOLDER BATCH METHOD...``.

Started alone it is the reference, and by torchrun it is one of several processes.
"""

import json
import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from toy import toy_training

import huse_bench as hb
from huse_bench.config import TrainingConfig

STEPS = 3


def started(name, batch_size, precision):
    config = TrainingConfig(
        steps=STEPS,
        batch_size=batch_size,
        width=12,
        embedding_dim=8,
        dropout=0.3,
        optimizer="adamw",
        learning_rate=1e-3,
        head_learning_rate=1e-3,
        precision=precision,
    )
    return toy_training(hb.load("loss", name), config)


def main(folder, batch_size, methods):
    rank = 0
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
        rank = torch.distributed.get_rank()
    for name in methods:
        for precision in ("float32", "bfloat16") if name == "huse" else ("float32",):
            training = started(name, batch_size, precision)
            losses, gradients = [], {}
            for step in range(STEPS):
                training.step()
                losses.append(training.losses())
                if step == 0:
                    for part, module in (("model", training.model), ("loss", training.loss)):
                        gradients |= {
                            f"{part}.{key}": value.grad.clone()
                            for key, value in module.named_parameters()
                            if value.grad is not None
                        }
            stem = Path(folder) / f"{name}-{precision}-{rank}"
            save_file(gradients, f"{stem}.safetensors")
            weights = torch.cat([weight.detach().reshape(-1) for weight in training.model.parameters()])
            shares = training.trained().shares
            facts = {"losses": losses, "shares": shares.by_term, "weights": weights.double().tolist()}
            Path(f"{stem}.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
