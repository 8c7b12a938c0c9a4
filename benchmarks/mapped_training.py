"""Memory of a training whose features lie in files that are larger than what it may hold.

``python -m benchmarks.mapped_training`` prints what docs/scaling.md says, in some two minutes on two cores. It writes
4 GB to a temporary folder, which it removes. ``--items 20000 --steps 20`` takes seconds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import torch

from benchmarks.scaling import TILE
from huse_bench.config import RunConfig, resolve_config
from huse_bench.features.prepared_files import load_prepared, save_prepared
from huse_bench.progress import Reporter
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.experiment import run_experiment
from huse_bench.runs.methods import resolve_methods


def memory() -> tuple[int, int]:
    """Bytes that this process holds for itself, and bytes of files that lie in memory because it mapped them."""
    now = psutil.Process().memory_info()
    return now.rss - now.shared, now.shared


def config_of(items: int, dim: int, steps: int) -> RunConfig:
    """HUSE on made-up data whose train split has this many items."""
    sizes = {"image_dim": dim, "text_dim": dim}
    training = {"steps": steps, "batch_size": min(1024, items)}
    return resolve_config(
        None, {"dataset": "synthetic", "dataset_options": sizes, "methods": ["huse"], "training": training}
    )


def write(config: RunConfig, folder: Path, items: int) -> None:
    """Write prepared data whose train split repeats that of the synthetic data, with noise, block by block."""
    _, prepared = make_ready(load(config), config, Reporter(quiet=True))
    save_prepared(prepared, folder)
    train = prepared.splits["train"]
    generator = torch.Generator().manual_seed(0)
    rows = torch.arange(items) % len(train.ids)
    for part in ("image", "text"):
        few = getattr(train, part)
        found = np.lib.format.open_memmap(folder / f"train.{part}.npy", "w+", np.float32, (items, few.shape[1]))
        for start in range(0, items, TILE):
            block = few[rows[start : start + TILE]]
            found[start : start + TILE] = block + 0.1 * torch.randn(block.shape, generator=generator)
        found.flush()
        del found
    np.save(folder / "train.labels.npy", np.asarray(train.labels)[rows.numpy()])
    np.save(folder / "train.groups.npy", np.arange(items).astype(str))
    facts = json.loads((folder / "prepared.json").read_bytes())
    facts["ids"]["train"] = [str(item) for item in range(items)]
    (folder / "prepared.json").write_text(json.dumps(facts))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000, help="items of the train split")
    parser.add_argument("--dim", type=int, default=512, help="numbers of an item in each modality")
    parser.add_argument("--steps", type=int, default=400, help="steps of 1,024 items")
    chosen = parser.parse_args(arguments)
    config = config_of(chosen.items, chosen.dim, chosen.steps)
    with tempfile.TemporaryDirectory(prefix="huse-bench-") as folder:
        write(config, Path(folder), chosen.items)
        prepared = load_prepared(Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).glob("train.*.npy"))
        seen: list[tuple[int, int]] = []

        def watch(event: object) -> None:
            del event
            seen.append(memory())

        (method,) = resolve_methods(config)
        before = memory()
        run_experiment(method, prepared, config.training, 0, watch=watch)
        early = max(own for own, _ in seen[len(seen) // 10 : len(seen) // 4 + 1])
        late = max(own for own, _ in seen[3 * len(seen) // 4 :])
        print(  # noqa: T201 - what the command says
            f"{chosen.items} items, {size / 1e9:.2f} GB of features: own memory {before[0] / 2**20:.0f} MiB before, "
            f"{early / 2**20:.0f} MiB in the first quarter of {chosen.steps} steps, "
            f"{late / 2**20:.0f} MiB in the last; "
            f"of the files {seen[-1][1] / 2**30:.2f} GiB lay in memory at the end"
        )


if __name__ == "__main__":
    main()
