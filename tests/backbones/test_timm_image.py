"""Features of timm's models. timm needs torchvision, which not every torch has a build of."""

import json
import pickle
import sys

import numpy as np
import pytest
import torch

from huse_bench import errors
from huse_bench_backbones.timm_image import TimmImage


@pytest.fixture(scope="module")
def timm():
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    return pytest.importorskip("timm", reason="timm is not installed")


@pytest.fixture(scope="module")
def folder(timm, tmp_path_factory):
    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("timm") / "model"
    model = timm.create_model("resnet10t", num_classes=3)
    timm.models.save_for_hf(model, made, safe_serialization=True)
    return made


def test_features_are_those_of_the_model(timm, folder, pictures) -> None:
    backbone = TimmImage(str(folder))
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    assert model.pretrained_cfg["input_size"] == (3, 176, 176)
    # The configuration's steps for evaluation, done by hand: 201 is 176 / 0.875.
    transforms = pytest.importorskip("torchvision.transforms.v2")
    steps = transforms.Compose(
        [
            transforms.Resize(201, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(176),
            transforms.PILToTensor(),
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    pixels = torch.stack([steps(picture) for picture in pictures])
    np.testing.assert_allclose(np.stack([backbone.preprocess(picture) for picture in pictures]), pixels, atol=1e-6)
    with torch.inference_mode():
        expected = model.forward_features(pixels).mean((2, 3))
    features = backbone.encode(pictures * 9)
    assert backbone.dim == features.shape[1] == 512
    np.testing.assert_allclose(features[-4:], expected, rtol=1e-3, atol=1e-4)
    assert backbone.encode_pixels(np.empty((0, 3, 176, 176), dtype=np.float32)).shape == (0, 512)


def test_bfloat16_is_close(folder, pictures) -> None:
    exact, low = TimmImage(str(folder)), TimmImage(str(folder))
    low.precision = "bfloat16"
    rows, rounded = exact.encode(pictures), low.encode(pictures)
    assert rounded.dtype == np.float32
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(rounded, axis=1)
    assert 0.999 < ((rows * rounded).sum(1) / lengths).min() < 1 - 1e-6


def test_weights_do_not_travel_to_the_processes_that_preprocess(folder, pictures) -> None:
    backbone = TimmImage(str(folder))
    backbone.encode(pictures)
    travelled = pickle.dumps(backbone)
    assert len(travelled) < 10_000
    np.testing.assert_array_equal(pickle.loads(travelled).preprocess(pictures[0]), backbone.preprocess(pictures[0]))


def test_broken_files_are_one_line(folder, pictures, tmp_path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"architecture": "no_such_net"}))
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    with pytest.raises(errors.DataError, match="timm cannot read it"):
        TimmImage(str(tmp_path)).encode(pictures)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(errors.DataError, match="names no architecture of timm"):
        TimmImage(str(tmp_path)).preprocess(pictures[0])


@pytest.mark.usefixtures("timm")
def test_the_weights_must_be_named(monkeypatch, tmp_path) -> None:
    with pytest.raises(errors.ConfigError, match=r"write timm:ARCHITECTURE\.WEIGHTS, such as timm:resnet50\.a1_in1k"):
        TimmImage("resnet50")
    with pytest.raises(errors.ConfigError, match="needs a model: write timm:MODEL"):
        TimmImage()
    pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(errors.DataError, match=r"'timm/resnet50\.a1_in1k' is no folder here, is not in the cache"):
        TimmImage("resnet50.a1_in1k")


def test_a_missing_package_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(errors.MissingExtraError, match=r"'timm'.*huse-bench\[timm\]"):
        TimmImage("resnet50.a1_in1k")
