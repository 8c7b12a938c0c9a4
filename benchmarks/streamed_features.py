"""Memory of making features of many items: what it holds does not grow with those that are made.

``python -m benchmarks.streamed_features`` prints what docs/scaling.md says, in some minutes. It writes 2 GB to a
temporary folder, which it removes. ``--items 20000`` takes seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.mapped_training import memory
from huse_bench.components import TextBackbone
from huse_bench.features._backbones import Opened
from huse_bench.features._encode import Encoder
from huse_bench.features.cache import Cache
from huse_bench.progress import Reporter


class Numbers(TextBackbone):
    """Reads a number and draws so many by it, at next to no cost; notes what memory the process has meanwhile."""

    revision = "1"

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.seen: list[int] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See the base class."""
        self.seen.append(memory()[0])
        drawn = [np.random.default_rng(int(text)).standard_normal(self.dim, dtype=np.float32) for text in texts]
        return np.stack(drawn)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000, help="texts, all different")
    parser.add_argument("--dim", type=int, default=512, help="numbers of each")
    chosen = parser.parse_args(arguments)
    texts = [str(item) for item in range(chosen.items)]
    backbone = Numbers(chosen.dim)
    before, started = memory()[0], time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="huse-bench-") as folder:
        encoder = Encoder(Cache(Path(folder)), Reporter(quiet=True), "numbers", 0)
        made = encoder.texts("text", Opened(backbone, "numbers", "benchmarks", None), texts, [])
        seconds = time.perf_counter() - started
        after = memory()[0]
        for item in np.linspace(0, chosen.items - 1, 50, dtype=int).tolist():
            np.testing.assert_array_equal(made.values[item], backbone.encode([texts[item]])[0])
        size = made.values.nbytes
    seen = backbone.seen[: len(backbone.seen) - 50]
    early, late = (max(part) for part in (seen[: len(seen) // 10 + 1], seen[9 * len(seen) // 10 :]))
    print(  # noqa: T201 - what the command says
        f"{chosen.items} items, {size / 1e9:.2f} GB of features in {seconds:.0f} s: "
        f"own memory {before / 2**20:.0f} MiB with the texts alone, {early / 2**20:.0f} MiB in the first tenth, "
        f"{late / 2**20:.0f} MiB in the last, {after / 2**20:.0f} MiB at the end"
    )


if __name__ == "__main__":
    main()
