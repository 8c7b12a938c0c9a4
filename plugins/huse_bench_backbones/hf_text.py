"""Any text model of transformers, as text and class-name features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from huse_bench import TextBackbone
from huse_bench_backbones import _extras
from huse_bench_backbones._precision import PRECISIONS
from huse_bench_backbones._pretrained import (
    encode_by_length,
    load_network,
    load_tokenizer,
    masked_mean,
    one_vector,
    token_limit,
)
from huse_bench_backbones._source import REFERENCE, locate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["HFText"]

_MAX_TOKENS = 512
_PAIR_SIDES = frozenset({"clip_text_model", "siglip_text_model"})
# Trained on texts padded to full length, without a mask.
_PADDED = frozenset({"siglip", "siglip_text_model"})


class HFText(TextBackbone):
    """A text model of transformers with the pooling that its family is used with.

    - a contrastive pair (CLIP, SigLIP, ALIGN): the projected text embedding; of one saved as its text side alone, the
      projection if it is there and else the pooled output;
    - any other: the mean of the last layer over a text's tokens, start and end tokens included, padding left out.

    Texts are cut at the model's own length, and at 512 tokens at most. SigLIP's are padded to that length, as in its
    training. Features are not scaled to unit length.

    Args:
        reference: a model id of the Hugging Face Hub or the folder of a model.

    Raises:
        ConfigError: if no model was named.
        DataError: if the model cannot be found, read or used.
        MissingExtraError: if the packages of the extra ``hf`` are not installed.
    """

    title = "Hugging Face text model"
    reference = REFERENCE
    precisions = PRECISIONS

    def __init__(self, reference: str | None = None) -> None:
        _extras.check(self.title, "hf", {"transformers": "transformers"})
        self._source = locate("hf-text", reference, "sentence-transformers/all-mpnet-base-v2")
        self._family = str(self._source.config().get("model_type"))
        # The number is raised when the same weights begin to give other features.
        self.revision = f"{self._source.revision}-1"

    @cached_property
    def dim(self) -> int:  # type: ignore[override]
        """Length of one feature vector, read off the features of a text."""
        with torch.inference_mode():
            return self._pooled(["text"]).shape[1]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts.

        Args:
            texts: n texts.

        Returns:
            (n, dim) float32.

        Raises:
            DataError: if the model cannot be read, or gives no vector for a text.
        """
        return encode_by_length(texts, self.dim, self._pooled, self.precision)

    @cached_property
    def _network(self) -> Any:
        return load_network(self._source, pooler=self._family in _PAIR_SIDES)

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = load_tokenizer(self._source)
        # A decoder's tokens see only what is left of them, so padding on the right changes none.
        tokenizer.padding_side = "right"
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        if tokenizer.pad_token is None:
            raise self._source.error("its tokenizer has neither a padding nor an end token")
        return tokenizer

    @cached_property
    def _limit(self) -> int:
        return token_limit(self._network, _MAX_TOKENS)

    def _pooled(self, texts: list[str]) -> Tensor:
        tokens = self._tokenizer(
            texts,
            padding="max_length" if self._family in _PADDED else True,
            truncation=True,
            max_length=min(self._tokenizer.model_max_length, self._limit),
            return_tensors="pt",
        )
        if self._family in _PADDED:
            tokens = {"input_ids": tokens["input_ids"]}
        if hasattr(self._network, "get_text_features"):
            return one_vector(self._source, self._network.get_text_features(**tokens), "text_embeds")
        outputs = self._network(**tokens)
        if self._family in _PAIR_SIDES:
            return one_vector(self._source, outputs, "text_embeds")
        return masked_mean(outputs.last_hidden_state, tokens["attention_mask"])
