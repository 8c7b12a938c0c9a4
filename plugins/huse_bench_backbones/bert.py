"""BERT as the HUSE paper uses it, as text features."""

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
    token_limit,
)
from huse_bench_backbones._salient import most_salient
from huse_bench_backbones._source import REFERENCE, locate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Bert"]

_MAX_TOKENS = 512
_LAYERS = (-1, -2, -3, -4)


class Bert(TextBackbone):
    """The last four layers of BERT side by side, each averaged over a text's tokens (HUSE section 4.1.1).

    A text of more than 512 tokens, start and end tokens included, is first cut to its most salient words. The mean is
    over all tokens but padding. The last layer comes first, as in ``extract_features.py`` of google-research/bert. The
    features are not scaled to unit length. The paper tells neither the size nor the casing of its BERT.

    Args:
        reference: a model id of the Hugging Face Hub or the folder of a model; by default bert-base-uncased.

    Raises:
        DataError: if the model cannot be found, read or used.
        MissingExtraError: if the packages of the extra ``hf`` are not installed.
    """

    title = "BERT, last four layers (HUSE)"
    reference = f"{REFERENCE}; by default bert-base-uncased"
    precisions = PRECISIONS

    def __init__(self, reference: str | None = None) -> None:
        _extras.check(self.title, "hf", {"transformers": "transformers"})
        self._source = locate("bert", reference or "bert-base-uncased", "bert-base-uncased")
        # The number is raised when the same weights begin to give other features.
        self.revision = f"{self._source.revision}-1"

    @cached_property
    def dim(self) -> int:  # type: ignore[override]
        """Length of one feature vector: four times the width of the model, 3072 for bert-base-uncased."""
        return len(_LAYERS) * int(self._network.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts.

        Args:
            texts: n texts.

        Returns:
            (n, dim) float32.

        Raises:
            DataError: if the model cannot be read, or has fewer than four layers.
        """
        return encode_by_length(texts, self.dim, self._pooled, self.precision)

    @cached_property
    def _network(self) -> Any:
        network = load_network(self._source, pooler=False)
        layers = network.config.num_hidden_layers
        if layers < len(_LAYERS):
            raise self._source.error(f"the features are of the last {len(_LAYERS)} layers, and it has {layers}")
        return network

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._source)

    @cached_property
    def _limit(self) -> int:
        return token_limit(self._network, _MAX_TOKENS)

    def _pooled(self, texts: list[str]) -> Tensor:
        cut = [self._cut(text) for text in texts]
        tokens = self._tokenizer(cut, padding=True, truncation=True, max_length=self._limit, return_tensors="pt")
        hidden = self._network(**tokens, output_hidden_states=True).hidden_states
        return last_layers(hidden, tokens["attention_mask"])

    def _cut(self, text: str) -> str:
        budget = self._limit - self._tokenizer.num_special_tokens_to_add()
        return text if self._lengths([text])[0] <= budget else most_salient(text, self._lengths, budget)

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        tokens = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return [len(pieces) for pieces in tokens]


def last_layers(hidden: Sequence[Tensor], mask: Tensor) -> Tensor:
    """The last four layers, each averaged over the tokens, side by side.

    Args:
        hidden: the layers' outputs from the first to the last, each (n, t, d).
        mask: (n, t), 1 for a token and 0 for padding.

    Returns:
        (n, 4 d), the last layer first.
    """
    return torch.cat([masked_mean(hidden[layer], mask) for layer in _LAYERS], dim=1)
