"""Any image model of transformers, as image features."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from huse_bench import ImageBackbone
from huse_bench_backbones import _extras
from huse_bench_backbones._pictures import Steps, scaling_table
from huse_bench_backbones._precision import PRECISIONS, computing_in
from huse_bench_backbones._pretrained import load_network, load_part, one_vector
from huse_bench_backbones._source import REFERENCE, Source, locate
from huse_bench_backbones._tuned import batch_of, tuned

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["HFImage"]

_BATCH = 32
# Families whose classifiers read the class token, not the pooling layer, which their files often lack.
_CLASS_TOKEN = frozenset({"deit", "dinov2", "dinov2_with_registers", "vit", "vit_msn"})
_PROCESSORS = frozenset({"Beit", "Bit", "CLIP", "ConvNext", "DeiT", "Siglip", "ViT"})
_BILINEAR = 2
# ConvNeXt's rule: up to here the centre is cut out, from here on the whole picture is stretched.
_CONVNEXT_STRETCHED = 384


class HFImage(ImageBackbone):
    """An image model of transformers with the pooling that its family is used with.

    - a contrastive pair (CLIP, SigLIP, ALIGN): the projected image embedding; of one saved as its image side alone, the
      projection if it is there and else the pooled output;
    - ViT, DeiT, DINOv2, MSN: the class token after the last normalisation;
    - any other (ResNet, ConvNeXt, RegNet, Swin, BEiT): the model's own pooled output, and none is a DataError.

    Preprocessing is what ``preprocessor_config.json`` says, carried out with Pillow whatever else is installed: resize,
    crop of the centre, scale. Features are not scaled to unit length.

    Args:
        reference: a model id of the Hugging Face Hub or the folder of a model.

    Raises:
        ConfigError: if no model was named.
        DataError: if the model cannot be found, read or used.
        MissingExtraError: if the packages of the extra ``hf`` are not installed.
    """

    title = "Hugging Face image model"
    reference = REFERENCE
    precisions = PRECISIONS

    def __init__(self, reference: str | None = None) -> None:
        _extras.check(self.title, "hf", {"transformers": "transformers", "PIL": "pillow"})
        self._source = locate("hf-image", reference, "google/vit-base-patch16-224")
        self._family = self._source.config().get("model_type")
        if self._family == "siglip2":
            raise self._source.error(
                "it is a NaFlex model, whose input grows with the picture; the SigLIP 2 models of a fixed size can be "
                "used, such as google/siglip2-base-patch16-224"
            )
        # The number is raised when the same weights begin to give other features.
        self.revision = f"{self._source.revision}-1"

    @cached_property
    def dim(self) -> int:  # type: ignore[override]
        """Length of one feature vector, read off the features of a blank picture."""
        assert self._steps.shape is not None
        return int(self.encode_pixels(np.zeros((1, 3, *self._steps.shape), dtype=np.float32)).shape[1])

    def preprocess(self, image: Image) -> NDArray[np.float32]:
        """The input of the network for one picture.

        Args:
            image: an RGB picture of any size.

        Returns:
            (3, height, width) float32, of the size that the model was made for.

        Raises:
            DataError: if the model's preprocessing is not one of resizing, cropping and scaling to a fixed size.
        """
        return self._steps.apply(image)

    def encode_pixels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features of preprocessed pictures.

        Args:
            pixels: (n, 3, height, width).

        Returns:
            (n, dim) float32.

        Raises:
            DataError: if the weights cannot be read, or the model gives no single vector for a picture.
        """
        if not len(pixels):
            return np.empty((0, self.dim), dtype=np.float32)
        starts = range(0, len(pixels), _BATCH)
        with torch.inference_mode():
            # Before, since it is tuned by its features in float32.
            network = self._network
            with computing_in(self.precision):
                batches = [self._pooled(network, batch_of(pixels[at : at + _BATCH])).float() for at in starts]
        return torch.cat(batches).numpy()

    def __getstate__(self) -> dict[str, Any]:
        """What processes that preprocess need: the steps, neither the network nor transformers."""
        return {name: value for name, value in {**self.__dict__, "_steps": self._steps}.items() if name != "_network"}

    @cached_property
    def _network(self) -> Any:
        network = load_network(self._source, pooler=self._family not in _CLASS_TOKEN)
        assert self._steps.shape is not None
        return tuned(network, self._pooled, (3, *self._steps.shape))

    @cached_property
    def _steps(self) -> Steps:
        transformers = _extras.require("transformers", self.title, "hf", "transformers")
        # Not the default, which depends on whether torchvision is installed, and with it the features.
        processor = load_part(self._source, transformers.AutoImageProcessor, self._source.folder, backend="pil")
        return _steps(processor.to_dict(), self._source)

    def _pooled(self, network: Any, pixels: Tensor) -> Tensor:
        if hasattr(network, "get_image_features"):
            return one_vector(self._source, network.get_image_features(pixel_values=pixels), "image_embeds")
        outputs = network(pixel_values=pixels)
        if self._family in _CLASS_TOKEN:
            vectors: Tensor = outputs.last_hidden_state[:, 0]
            return vectors
        return one_vector(self._source, outputs, "image_embeds")


def _steps(settings: Mapping[str, Any], source: Source) -> Steps:
    kind = settings["image_processor_type"].removesuffix("Fast").removesuffix("ImageProcessor")
    if kind not in _PROCESSORS:
        raise source.error(
            f"its preprocessing, {kind}ImageProcessor, is not known here, only {', '.join(sorted(_PROCESSORS))}"
        )
    size = dict(settings["size"]) if settings["do_resize"] else {}
    crop = dict(settings["crop_size"]) if settings.get("do_center_crop") else {}
    edge = size.get("shortest_edge")
    if kind == "ConvNext" and edge is not None:
        if edge < _CONVNEXT_STRETCHED:
            edge, crop = int(edge / settings["crop_pct"]), {"height": edge, "width": edge}
        else:
            edge, size = None, {"height": edge, "width": edge}
    resample = settings.get("resample")
    scaled = settings["do_normalize"]
    steps = Steps(
        resize=edge or (_pair(size) if size else None),
        resample=_BILINEAR if resample is None else int(resample),
        crop=_pair(crop) if crop else None,
        table=scaling_table(
            factor=settings["rescale_factor"] if settings["do_rescale"] else 1,
            mean=settings["image_mean"] if scaled else (0, 0, 0),
            std=settings["image_std"] if scaled else (1, 1, 1),
        ),
    )
    smallest = (steps.resize, steps.resize) if isinstance(steps.resize, int) else steps.resize
    if steps.shape is None or smallest is None or smallest[0] < steps.shape[0] or smallest[1] < steps.shape[1]:
        raise source.error(
            f"its preprocessor_config.json does not bring all pictures to one size (size {settings['size']}, "
            f"crop {crop or 'none'})"
        )
    return steps


def _pair(size: Mapping[str, int]) -> tuple[int, int]:
    return size["height"], size["width"]
