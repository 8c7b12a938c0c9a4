"""TF-IDF with latent semantic analysis: text features that need no pretrained weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from huse_bench import TextBackbone, errors
from huse_bench_backbones._extras import check, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TfIdf"]

_COMPONENTS = 512
_MAX_TERMS = 50_000
_SEED = 0
_CONSTANT = 0.1
_BATCH = 1024


class TfIdf(TextBackbone):
    """A document vector learned from the train texts (latent semantic analysis, Deerwester et al. 1990).

    Lower-case words of two or more letters or digits are weighted with ``(1 + log tf) (1 + log((1 + n) / (1 + df)))``,
    the 50,000 most frequent of them kept, and scaled to unit length; more than 512 terms are projected on the train
    texts' 512 largest singular directions (randomised, with a fixed seed) and scaled to unit length again. One more
    component is always 0.1, so that a text without any known term is not all zeros, though all such texts are alike:
    as the backbone of class names it is only as good as the train texts' words are.

    ``dim`` is known after :meth:`fit`.

    Raises:
        MissingExtraError: if the package of the extra ``tfidf`` is not installed.
    """

    title = "TF-IDF (latent semantic analysis)"
    revision = "lsa512-1"
    fitted: ClassVar[bool] = True

    def __init__(self) -> None:
        check(self.title, "tfidf", {"sklearn": "scikit-learn"})
        self._steps: list[Any] = []

    def fit(self, texts: Sequence[str]) -> None:
        """Learn terms, weights and directions.

        Args:
            texts: the train split's texts.

        Raises:
            DataError: if they have no words.
        """
        text = require("sklearn.feature_extraction.text", self.title, "tfidf", "scikit-learn")
        vectorizer = text.TfidfVectorizer(sublinear_tf=True, max_features=_MAX_TERMS, dtype=np.float32)
        try:
            weights = vectorizer.fit_transform(texts)
        except ValueError as error:
            raise errors.DataError(
                f"{self.title} finds no word of two or more letters in the {len(texts)} train texts; check the texts, "
                "or choose another text backbone"
            ) from error
        terms = weights.shape[1]
        self._steps = [vectorizer]
        if terms > _COMPONENTS:
            decomposition = require("sklearn.decomposition", self.title, "tfidf", "scikit-learn")
            preprocessing = require("sklearn.preprocessing", self.title, "tfidf", "scikit-learn")
            terms = min(_COMPONENTS, weights.shape[0])
            svd = decomposition.TruncatedSVD(terms, random_state=_SEED).fit(weights)
            self._steps += [svd, preprocessing.Normalizer()]
        self.dim = terms + 1

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts, of the train split or not.

        Args:
            texts: n texts.

        Returns:
            (n, dim) float32.

        Raises:
            PluginError: if :meth:`fit` was not called before.
        """
        if not self._steps:
            raise errors.PluginError(
                f"{self.title} was asked for features before it saw the train texts; call fit first"
            )
        features = np.full((len(texts), self.dim), _CONSTANT, dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            batch: Any = texts[start : start + _BATCH]
            for step in self._steps:
                batch = step.transform(batch)
            features[start : start + _BATCH, :-1] = batch.toarray() if len(self._steps) == 1 else batch
        return features
