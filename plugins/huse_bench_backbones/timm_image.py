"""Any model of timm, as image features."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from huse_bench import ImageBackbone, errors
from huse_bench_backbones import _extras
from huse_bench_backbones._precision import PRECISIONS, computing_in
from huse_bench_backbones._source import locate
from huse_bench_backbones._tuned import batch_of, tuned

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["TimmImage"]

_BATCH = 32
_EXAMPLE = "resnet50.a1_in1k"


class TimmImage(ImageBackbone):
    """An image model of timm without its classifier: the vector that the classifier would read.

    Preprocessing is timm's own for evaluation, by the model's configuration. Features are not scaled to unit length.

    Args:
        reference: a model of timm with its weights, such as resnet50.a1_in1k; or the model id of another repository of
            the Hugging Face Hub that holds a timm model; or a folder as ``timm.models.save_for_hf`` writes it.

    Raises:
        ConfigError: if no model was named, or one without its weights.
        DataError: if the model cannot be found.
        MissingExtraError: if the packages of the extra ``timm`` are not installed.
    """

    title = "timm image model"
    reference = "a model of timm with its weights, a model id of the Hugging Face Hub, or the folder of a model"
    precisions = PRECISIONS

    def __init__(self, reference: str | None = None) -> None:
        packages = {"timm": "timm", "torchvision": "torchvision", "PIL": "pillow", "safetensors": "safetensors"}
        _extras.check(self.title, "timm", packages)
        self._source = locate("timm", _hub_id(reference), _EXAMPLE)
        # The number is raised when the same weights begin to give other features.
        self.revision = f"{self._source.revision}-1"

    @cached_property
    def dim(self) -> int:  # type: ignore[override]
        """Length of one feature vector, read off the features of a blank picture."""
        return int(self.encode_pixels(np.zeros((1, *self._data["input_size"]), dtype=np.float32)).shape[1])

    def preprocess(self, image: Image) -> NDArray[np.float32]:
        """The input of the network for one picture.

        Args:
            image: an RGB picture of any size.

        Returns:
            (3, height, width) float32, of the size that the weights were made with.
        """
        pixels: NDArray[np.float32] = self._transform(image).numpy()
        return pixels

    def encode_pixels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features of preprocessed pictures.

        Args:
            pixels: (n, 3, height, width).

        Returns:
            (n, dim) float32.

        Raises:
            DataError: if the model cannot be read.
        """
        if not len(pixels):
            return np.empty((0, self.dim), dtype=np.float32)
        starts = range(0, len(pixels), _BATCH)
        with torch.inference_mode():
            # Before, since it is tuned by its features in float32.
            network = self._network
            with computing_in(self.precision):
                batches = [network(batch_of(pixels[start : start + _BATCH])).float() for start in starts]
        return torch.cat(batches).numpy()

    def __getstate__(self) -> dict[str, Any]:
        """What processes that preprocess need: the transform, not the network."""
        state = {**self.__dict__, "_transform": self._transform}
        return {name: value for name, value in state.items() if name != "_network"}

    @cached_property
    def _network(self) -> Any:
        folder = self._source.weights()
        try:
            network = self._timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
        except Exception as error:
            cause = next(iter(f"{error}".strip().splitlines()), type(error).__name__)
            raise self._source.error(f"timm cannot read it ({cause})") from error
        return tuned(network, lambda network, pixels: network(pixels), self._data["input_size"])

    @cached_property
    def _data(self) -> dict[str, Any]:
        config = self._source.config()
        if "architecture" not in config:
            raise self._source.error("its config.json names no architecture of timm")
        settings: dict[str, Any] = self._timm.data.resolve_data_config(
            pretrained_cfg=config.get("pretrained_cfg", config)
        )
        return settings

    @cached_property
    def _transform(self) -> Callable[[Image], torch.Tensor]:
        transform: Callable[[Image], torch.Tensor] = self._timm.data.create_transform(**self._data)
        return transform

    @property
    def _timm(self) -> Any:
        return _extras.require("timm", self.title, "timm", "timm")


def _hub_id(reference: str | None) -> str | None:
    if not reference or "/" in reference or Path(reference).expanduser().exists():
        return reference
    if "." not in reference:
        raise errors.ConfigError(
            f"timm:{reference} does not say which weights: write timm:ARCHITECTURE.WEIGHTS, such as timm:{_EXAMPLE}. "
            "They are listed by timm.list_pretrained()"
        )
    return f"timm/{reference}"
