"""Pictures a second from JPEG files to features in the cache, against the bare model on pixels in memory.

``pytest benchmarks/bench_features.py --benchmark-only -s`` prints the median ratio of interleaved pairs. Both use the
same cores: the pipeline decodes, preprocesses, encodes and writes on the cores on which the bare model only encodes.
Decoding costs processor time of its own, so on cores that the model keeps busy the ratio cannot exceed
model / (model + decoding), which is printed as the bound.

Measured on two cores of an AMD EPYC, 544 pictures of 500 x 400 with EfficientNet-Lite0: the whole way made 0.88 (0.77
to 0.94) of the pictures per second that the bare model made, 13.4 and 15.3, where the bound was 0.95.
"""

import statistics
import time

import numpy as np
import pytest
import torch
from PIL import Image

from huse_bench.features._backbones import open_backbone
from huse_bench.features._encode import Encoder
from huse_bench.features._pixels import default_workers, stream_pixels
from huse_bench.features._worker import BATCH
from huse_bench.features.cache import Cache
from huse_bench.progress import Reporter

BACKBONE = "efficientnet-lite0"
PICTURES, ROUNDS = 544, 3


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """JPEG files of 500 x 400 pixels and about 45 kB, as those of Food-101: gradients, edges and some noise."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:400, 0:500]
    for index in range(PICTURES):
        angle, phase, scale = rng.uniform(0, 6.3, 3)
        waves = np.sin((x * np.cos(angle) + y * np.sin(angle)) / (5 + 8 * scale) + phase)
        shape = 60 * waves + 60 * (np.hypot(x - 250, y - 200) < 30 * scale)
        values = 110 + shape[:, :, None] * rng.uniform(0.3, 1, 3) + rng.normal(0, 4, (400, 500, 3))
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / f"{index:04}.jpg", quality=88)
    return sorted(folder.iterdir())


def seconds(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def pipeline(paths, folder):
    """All of a build, from starting the worker processes to the finished file."""
    encoder = Encoder(Cache(folder), Reporter(quiet=True), "bench")
    return encoder.pictures(open_backbone(BACKBONE, "image"), paths).values


def bare(backbone, pixels, batches):
    """The model on the same batches, cycling through pixels in memory."""
    for index in range(batches):
        backbone.encode_pixels(pixels[index % len(pixels)])


def test_pipeline_against_the_bare_model(benchmark, capsys, paths, tmp_path):
    backbone = open_backbone(BACKBONE, "image").backbone
    pixels = [batch.values.copy() for batch in stream_pixels(backbone, [str(path) for path in paths[: 4 * BATCH]], 0)]
    few = pipeline(paths[: 4 * BATCH], tmp_path / "parity")
    assert few == pytest.approx(np.concatenate([backbone.encode_pixels(batch) for batch in pixels]), abs=1e-5)

    batches = PICTURES // BATCH
    decoding = (
        seconds(lambda: list(stream_pixels(backbone, [str(path) for path in paths[: 4 * BATCH]], 0))) * batches / 4
    )
    models, builds = [], []
    for index in range(ROUNDS):
        models.append(seconds(bare, backbone, pixels, batches))
        builds.append(seconds(pipeline, paths, tmp_path / str(index)))
    ratios = [model / build for model, build in zip(models, builds, strict=True)]
    cores = max(default_workers(PICTURES), torch.get_num_threads())
    bound = statistics.median(models) / (statistics.median(models) + decoding / cores)
    speed = f"{PICTURES / statistics.median(builds):.1f} against {PICTURES / statistics.median(models):.1f} pictures/s"
    note = f"{BACKBONE}, {default_workers(PICTURES)} workers, {torch.get_num_threads()} threads, bound {bound:.2f}"
    benchmark.extra_info.update(ratio=statistics.median(ratios), note=note)
    with capsys.disabled():
        span = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"\nfeatures: {statistics.median(ratios):.2f}x ({span}) the bare model, {speed}; {note}")  # noqa: T201 - the result
    benchmark.pedantic(bare, args=(backbone, pixels, len(pixels)), rounds=1)
