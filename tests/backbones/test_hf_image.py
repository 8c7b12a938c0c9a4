"""Features of image models of transformers, against the models themselves."""

import importlib
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from huse_bench import errors
from huse_bench_backbones.hf_image import HFImage

SIDE = 32
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
VISION = {"image_size": SIDE, "patch_size": 8, **SMALL}
SQUARE = {"height": SIDE, "width": SIDE}
BICUBIC = 3


@pytest.fixture(scope="module")
def processor():
    """An image processor of transformers that needs Pillow alone."""

    def made(kind: str, **options):
        pytest.importorskip("transformers", reason="transformers is not installed")
        module = importlib.import_module(f"transformers.models.{kind.lower()}.image_processing_pil_{kind.lower()}")
        return getattr(module, f"{kind}ImageProcessorPil")(**options)

    return made


@pytest.fixture(scope="module")
def vit(transformers, make, save, processor):
    """A classifier, which is what most published ViTs are: its file has no pooling layer."""
    model = make("ViTForImageClassification", transformers.ViTConfig(**VISION))
    return model, save(model, processor("ViT", size=SQUARE))


def _pair(transformers):
    text = {"vocab_size": 20, "bos_token_id": 1, "eos_token_id": 2, **SMALL}
    return transformers.CLIPConfig(text_config=text, vision_config=VISION, projection_dim=24)


# The model to save, its configuration, its preprocessing, and where a caller of the model finds the features.
FAMILIES = {
    "vit": (
        "ViTForImageClassification",
        lambda t: t.ViTConfig(**VISION),
        ("ViT", {"size": SQUARE}),
        lambda model, pixels: model.vit(pixels).last_hidden_state[:, 0],
    ),
    "dinov2": (
        "Dinov2Model",
        lambda t: t.Dinov2Config(**VISION),
        ("Bit", {"size": {"shortest_edge": 37}, "crop_size": SQUARE}),
        lambda model, pixels: model(pixels).pooler_output,
    ),
    "clip": (
        "CLIPModel",
        _pair,
        ("CLIP", {"size": {"shortest_edge": SIDE}, "crop_size": SQUARE}),
        lambda model, pixels: model.visual_projection(model.vision_model(pixels).pooler_output),
    ),
    "clip, image side with projection": (
        "CLIPVisionModelWithProjection",
        lambda t: t.CLIPVisionConfig(projection_dim=24, **VISION),
        ("CLIP", {"size": {"shortest_edge": SIDE}, "crop_size": SQUARE}),
        lambda model, pixels: model(pixels).image_embeds,
    ),
    "clip, image side": (
        "CLIPVisionModel",
        lambda t: t.CLIPVisionConfig(**VISION),
        ("CLIP", {"size": {"shortest_edge": SIDE}, "crop_size": SQUARE}),
        lambda model, pixels: model(pixels).pooler_output,
    ),
    "siglip": (
        "SiglipModel",
        lambda t: t.SiglipConfig(text_config={"vocab_size": 20, **SMALL}, vision_config=VISION),
        ("Siglip", {"size": SQUARE}),
        lambda model, pixels: model.vision_model(pixels).pooler_output,
    ),
    "resnet": (
        "ResNetForImageClassification",
        lambda t: t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"),
        ("ConvNext", {"size": {"shortest_edge": SIDE}, "crop_pct": 0.875}),
        lambda model, pixels: model.resnet(pixels).last_hidden_state.mean((2, 3)),
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_those_of_the_model(family, transformers, make, save, processor, pictures) -> None:
    name, config, (kind, options), reference = FAMILIES[family]
    model, prepare = make(name, config(transformers)), processor(kind, **options)
    backbone = HFImage(str(save(model, prepare)))
    pixels = prepare(pictures, return_tensors="np").pixel_values
    np.testing.assert_array_equal(np.stack([backbone.preprocess(picture) for picture in pictures]), pixels)
    with torch.inference_mode():
        expected = reference(model, torch.from_numpy(pixels)).numpy()
    features = backbone.encode(pictures)
    assert features.dtype == np.float32
    assert backbone.dim == features.shape[1] == expected.shape[1]
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(features[0] - features[1]).max() > 1e-3


PREPROCESSING = {
    "stretched, then cut": ("DeiT", {"size": {"height": 40, "width": 36}, "crop_size": SQUARE}),
    "odd margins": ("Bit", {"size": {"shortest_edge": 35}, "crop_size": SQUARE}),
    "old files' single number": ("CLIP", {"size": SIDE, "crop_size": SIDE}),
    "nearest": ("ViT", {"size": SQUARE, "resample": 0}),
    "own mean and deviation": ("ViT", {"size": SQUARE, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.3, 0.2, 0.1]}),
    "not scaled": ("ViT", {"size": SQUARE, "do_rescale": False, "do_normalize": False}),
    "not normalised": ("ViT", {"size": SQUARE, "do_normalize": False}),
    "beit's ignored crop": ("Beit", {"size": SQUARE, "crop_size": {"height": 24, "width": 24}}),
    "convnext, stretched": ("ConvNext", {"size": {"shortest_edge": 384}}),
    "convnext, cut": ("ConvNext", {"size": {"shortest_edge": 33}, "crop_pct": 0.9, "resample": BICUBIC}),
}


@pytest.mark.parametrize("case", PREPROCESSING)
def test_preprocessing_is_bit_equal_to_that_of_transformers(case, vit, processor, pictures, tmp_path) -> None:
    kind, options = PREPROCESSING[case]
    _, folder = vit
    for part in ("config.json", "model.safetensors"):
        (tmp_path / part).symlink_to(folder / part)
    prepare = processor(kind, **options)
    prepare.save_pretrained(tmp_path)
    backbone = HFImage(str(tmp_path))
    for picture in pictures:
        expected = prepare(picture, return_tensors="np").pixel_values[0].astype(np.float32)
        np.testing.assert_array_equal(backbone.preprocess(picture), expected)


def test_the_batch_does_not_matter_and_features_repeat(vit, pictures) -> None:
    backbone = HFImage(str(vit[1]))
    many = pictures * 9
    features = backbone.encode(many)
    assert len(many) > 32
    np.testing.assert_array_equal(features, backbone.encode(many))
    np.testing.assert_allclose(features[-1:], backbone.encode(many[-1:]), atol=1e-5)
    assert backbone.encode_pixels(np.empty((0, 3, SIDE, SIDE), dtype=np.float32)).shape == (0, backbone.dim)


def test_half_precision_files_are_used_in_float32(vit, save, processor, pictures) -> None:
    model, folder = vit
    half = save(model.to(torch.bfloat16), processor("ViT", size=SQUARE))
    model.float()
    assert json.loads((half / "config.json").read_text())["dtype"] == "bfloat16"
    features = HFImage(str(half)).encode(pictures)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, HFImage(str(folder)).encode(pictures), atol=0.1)


def test_preprocessing_in_another_process_needs_neither_weights_nor_transformers(vit, pictures, tmp_path) -> None:
    backbone = HFImage(str(vit[1]))
    before = pickle.dumps(backbone)
    backbone.encode(pictures)
    # The weights do not travel, whether they were read before or not.
    assert len(pickle.dumps(backbone)) < len(before) + 500
    (tmp_path / "backbone").write_bytes(before)
    (tmp_path / "picture").write_bytes(pickle.dumps(pictures[0]))
    program = (
        "import pickle, sys\nfrom pathlib import Path\n"
        "backbone, picture = (pickle.loads(Path(name).read_bytes()) for name in ('backbone', 'picture'))\n"
        "Path('pixels').write_bytes(pickle.dumps(backbone.preprocess(picture)))\n"
        "sys.exit('transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False).returncode == 0
    np.testing.assert_array_equal(pickle.loads((tmp_path / "pixels").read_bytes()), backbone.preprocess(pictures[0]))


def test_reading_a_model_prints_nothing_and_leaves_the_settings(vit, transformers, pictures, capfd) -> None:
    logging = transformers.utils.logging
    logging.set_verbosity_warning()
    logging.enable_progress_bar()
    HFImage(str(vit[1])).encode(pictures)
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled()
    assert logging.get_verbosity() == logging.WARNING
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def test_weights_that_would_be_random_are_an_error(transformers, make, save, processor, pictures) -> None:
    # BEiT's features come from its pooling layer, which the pretraining checkpoint does not have.
    config = transformers.BeitConfig(**VISION, use_mean_pooling=True)
    folder = save(make("BeitForMaskedImageModeling", config), processor("Beit", size=SQUARE))
    with pytest.raises(errors.DataError, match=r"lacks \d+ weights, such as \S+, which would be random"):
        HFImage(str(folder)).encode(pictures)


def test_a_family_without_pooling_is_an_error(transformers, make, save, processor, pictures) -> None:
    model = make("ViTMAEModel", transformers.ViTMAEConfig(**VISION))
    folder = save(model, processor("ViT", size=SQUARE))
    with pytest.raises(errors.DataError, match="the type 'vit_mae' gives no single vector"):
        HFImage(str(folder)).encode(pictures)


def test_a_model_of_variable_input_is_refused_at_once(tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "siglip2"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(errors.DataError, match=r"NaFlex.*google/siglip2-base-patch16-224"):
        HFImage(str(tmp_path))
    # An editor may have left a byte order mark.
    (tmp_path / "config.json").write_text('{"model_type": "siglip2"}', encoding="utf-8-sig")
    with pytest.raises(errors.DataError, match=r"NaFlex.*google/siglip2-base-patch16-224"):
        HFImage(str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_processor_type": "BitImageProcessor", "do_center_crop": False}, "not bring all pictures to one size"),
        ({"image_processor_type": "ViTImageProcessor", "do_resize": False}, "not bring all pictures to one size"),
        (
            {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 16}, "crop_size": SQUARE},
            "not bring all pictures to one size",
        ),
        ({"image_processor_type": "PvtImageProcessor"}, "PvtImageProcessor, is not known here, only Beit, Bit, CLIP"),
        ({"image_processor_type": "NoSuchImageProcessor"}, "AutoImageProcessor cannot read it"),
    ],
)
def test_other_preprocessing_is_refused(settings, message, vit, pictures, tmp_path) -> None:
    for part in ("config.json", "model.safetensors"):
        (tmp_path / part).symlink_to(vit[1] / part)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(errors.DataError, match=message):
        HFImage(str(tmp_path)).preprocess(pictures[0])


def test_a_model_without_preprocessing_is_refused(vit, pictures, tmp_path) -> None:
    for part in ("config.json", "model.safetensors"):
        (tmp_path / part).symlink_to(vit[1] / part)
    with pytest.raises(errors.DataError, match=r"preprocessor_config\.json"):
        HFImage(str(tmp_path)).preprocess(pictures[0])


@pytest.mark.parametrize(("content", "message"), [(b"no tensors at all", "cannot read it"), (b"", "cannot read it")])
def test_broken_weights_are_one_line(content, message, vit, pictures, tmp_path) -> None:
    for part in ("config.json", "preprocessor_config.json"):
        (tmp_path / part).symlink_to(vit[1] / part)
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(errors.DataError, match=message) as caught:
        HFImage(str(tmp_path)).encode(pictures)
    assert len(str(caught.value).splitlines()) == 1


def test_a_model_that_brings_code_is_refused(vit, pictures, tmp_path) -> None:
    config = json.loads((vit[1] / "config.json").read_text()) | {
        "model_type": "theirs",
        "auto_map": {"AutoConfig": "theirs.Config", "AutoModel": "theirs.Model"},
    }
    (tmp_path / "theirs.py").write_text("raise SystemExit('ran')\n")
    (tmp_path / "config.json").write_text(json.dumps(config))
    for part in ("preprocessor_config.json", "model.safetensors"):
        (tmp_path / part).symlink_to(vit[1] / part)
    with pytest.raises(errors.DataError, match="cannot be used by hf-image"):
        HFImage(str(tmp_path)).encode(pictures)


@pytest.mark.parametrize(("module", "package"), [("transformers", "transformers"), ("PIL", "pillow")])
def test_a_missing_package_is_named(module, package, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(errors.MissingExtraError, match=rf"'{package}'.*huse-bench\[hf\]"):
        HFImage("google/vit-base-patch16-224")
