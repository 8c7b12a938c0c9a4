"""The Universal Sentence Encoder as TensorFlow Hub serves it, as text and class-name features."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huse_bench import TextBackbone, errors
from huse_bench_backbones._extras import check, require
from huse_bench_backbones._source import content_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TFHubUSE"]

_BATCH = 64
_DEFAULT = "https://tfhub.dev/google/universal-sentence-encoder/4"
_VERSIONED = re.compile(r"https?://.+/(?P<name>[^/]+)/(?P<version>\d+)(\?.*)?")


class TFHubUSE(TextBackbone):
    """A sentence encoder of TensorFlow Hub, such as the Universal Sentence Encoder (Cer et al. 2018).

    Anything that ``tensorflow_hub.load`` makes callable on a list of strings will do. The multilingual encoders
    need the package tensorflow-text as well; the backbone ``use`` is one of them without TensorFlow.

    Args:
        reference: a handle with its version, or the folder of a SavedModel; by default version 4 of the encoder.

    Raises:
        DataError: if the handle has no version, or the folder holds no SavedModel.
        MissingExtraError: if the packages of the extra ``tfhub`` are not installed.
    """

    title = "Universal Sentence Encoder (TensorFlow Hub)"
    reference = f"a handle of TensorFlow Hub, or the folder of a SavedModel; by default {_DEFAULT}"

    def __init__(self, reference: str | None = None) -> None:
        packages = {
            "tensorflow": "tensorflow",
            "tensorflow_hub": "tensorflow-hub",
            "tf_keras": "tf-keras",
            "pkg_resources": "setuptools<82",
        }
        check(self.title, "tfhub", packages)
        self._handle = reference or _DEFAULT
        if "://" in self._handle:
            versioned = _VERSIONED.fullmatch(self._handle)
            if versioned is None:
                raise self._error(f"its version must be named, as in {_DEFAULT}")
            self.revision = f"{versioned['name']}-{versioned['version']}"
        else:
            self.revision = self._local_revision()

    def _local_revision(self) -> str:
        folder = Path(self._handle).expanduser()
        if not (folder / "saved_model.pb").is_file():
            found = "has no saved_model.pb" if folder.is_dir() else "is not a folder"
            raise self._error(f"{folder} {found}")
        parts = [folder / "saved_model.pb", *folder.glob("variables/*"), *folder.glob("assets/**/*")]
        return content_hash(folder, [part for part in parts if part.is_file()])

    @cached_property
    def dim(self) -> int:  # type: ignore[override]
        """Length of one feature vector, read off the features of a text."""
        return int(self._vectors(["text"]).shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts.

        Args:
            texts: n texts.

        Returns:
            (n, dim) float32.

        Raises:
            DataError: if the model cannot be fetched or read, or takes no list of strings.
        """
        features = np.empty((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            features[start : start + _BATCH] = self._vectors(texts[start : start + _BATCH])
        return features

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        tensorflow = require("tensorflow", self.title, "tfhub", "tensorflow")
        try:
            vectors = np.asarray(self._model(tensorflow.constant(list(texts))), dtype=np.float32)
        except Exception as error:
            raise self._error(f"it cannot encode a list of strings ({_first_line(error)})") from error
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise self._error(f"it gives an array of shape {vectors.shape} for {len(texts)} texts")
        return vectors

    @cached_property
    def _model(self) -> Any:
        # Its start messages would stand between the progress bars.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with warnings.catch_warnings():
            # It uses a part of setuptools that is going to be removed, which the extra therefore pins.
            warnings.simplefilter("ignore")
            hub = require("tensorflow_hub", self.title, "tfhub", "tensorflow-hub")
        handle = self._handle if "://" in self._handle else str(Path(self._handle).expanduser())
        try:
            model = hub.load(handle)
        except Exception as error:
            raise self._error(f"it cannot be loaded ({_first_line(error)})") from error
        if not callable(model):
            raise self._error("it is not callable on texts")
        return model

    def _error(self, problem: str) -> errors.DataError:
        return errors.DataError(
            f"the model {self._handle!r} cannot be used by tfhub-use: {problem}. Without a network, fetch and unpack "
            "it elsewhere and name its folder as tfhub-use:/path/to/folder"
        )


def _first_line(error: Exception) -> str:
    return next(iter(f"{error}".strip().splitlines()), type(error).__name__)
