"""Features made in bfloat16: numbers in float32, close to those made in float32, by every network of torch."""

import importlib

import numpy as np
import pytest

import huse_bench as hb
from huse_bench import errors

SIDE = 32
SMALL = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 64}
VISION = {"image_size": SIDE, "patch_size": 8, **SMALL}
TOKENS = {"vocab_size": 20, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 16}
TEXTS = ["apple", "bake the golden apple pie", "", "serve with ice cream " * 9]
SQUARE = {"height": SIDE, "width": SIDE}


def _pair(transformers):
    return transformers.CLIPConfig(text_config=SMALL | TOKENS, vision_config=VISION, projection_dim=24)


# The model to save and its configuration, its preprocessing where it takes pictures, and the backbone that reads it.
MODELS = {
    "vit": ("ViTModel", lambda t: t.ViTConfig(**VISION), ("ViT", {"size": SQUARE}), "hf-image"),
    "clip, images": ("CLIPModel", _pair, ("CLIP", {"size": {"shortest_edge": SIDE}, "crop_size": SQUARE}), "hf-image"),
    "resnet": (
        "ResNetForImageClassification",
        lambda t: t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"),
        ("ConvNext", {"size": {"shortest_edge": SIDE}, "crop_pct": 0.875}),
        "hf-image",
    ),
    "bert, mean": ("BertModel", lambda t: t.BertConfig(**SMALL, **TOKENS), None, "hf-text"),
    "bert, four layers": ("BertModel", lambda t: t.BertConfig(**SMALL, **TOKENS), None, "bert"),
    "clip, texts": ("CLIPModel", _pair, None, "hf-text"),
}


def _compared(make, items) -> tuple[np.ndarray, np.ndarray]:
    """The features in both precisions."""
    made = []
    for precision in ("float32", "bfloat16"):
        backbone = make()
        assert precision in backbone.precisions
        backbone.precision = precision
        made.append(backbone.encode(items))
        assert made[-1].dtype == np.float32
        assert made[-1].shape == (len(items), backbone.dim)
        # What is made first, or alone, is made in the same precision.
        np.testing.assert_array_equal(backbone.encode(items), made[-1])
    return made[0], made[1]


def _cosines(exact, low) -> np.ndarray:
    exact, low = exact.astype(float), low.astype(float)
    return (exact * low).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(low, axis=1)


@pytest.mark.parametrize("case", MODELS)
def test_small_networks(case, transformers, make, save, tokenizer, pictures) -> None:
    name, config, processing, backbone = MODELS[case]
    if processing is None:
        part, items = tokenizer(model_max_length=16), TEXTS
    else:
        kind, options = processing
        module = importlib.import_module(f"transformers.models.{kind.lower()}.image_processing_pil_{kind.lower()}")
        part, items = getattr(module, f"{kind}ImageProcessorPil")(**options), pictures
    folder = save(make(name, config(transformers)), part)
    exact, low = _compared(lambda: hb.load("backbone", backbone)(str(folder)), items)
    assert _cosines(exact, low).min() > 0.999
    # Of 8 bits, where others would be far nearer.
    assert 1e-5 < np.abs(low - exact).max() / np.abs(exact).max() < 0.05


@pytest.mark.parametrize("name", ["efficientnet-lite0", "minilm"])
def test_real_networks(name) -> None:
    try:
        hb.load("backbone", name)()
    except errors.MissingExtraError as error:
        pytest.skip(str(error))
    items = TEXTS if name == "minilm" else [_disc(side) for side in (0, 8, 20, 60)]
    exact, low = _compared(hb.load("backbone", name), items)
    assert 0.999 <= _cosines(exact, low).min() < 1 - 1e-6


def _disc(radius: int):
    """A disc on white, as emoji are; the smaller, the more of the picture is the same at each place."""
    image, draw = (pytest.importorskip(f"PIL.{name}") for name in ("Image", "ImageDraw"))
    picture = image.new("RGB", (128, 128), "white")
    draw.Draw(picture).ellipse((64 - radius, 64 - radius, 64 + radius, 64 + radius), fill="red", outline="black")
    return picture


@pytest.mark.parametrize("name", ["use", "tfidf", "tfhub-use"])
def test_others_compute_in_float32_alone(name) -> None:
    assert hb.load("backbone", name).precisions == ("float32",)
