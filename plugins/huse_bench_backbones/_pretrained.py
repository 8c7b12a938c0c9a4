"""What the backbones that are transformers models share: loading, and the mean over tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from huse_bench_backbones._extras import require
from huse_bench_backbones._precision import computing_in
from huse_bench_backbones._source import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "encode_by_length",
    "load_network",
    "load_part",
    "load_tokenizer",
    "masked_mean",
    "one_vector",
    "quiet",
    "token_limit",
]

# Texts of a batch: few enough that sorted ones are of one length, and as fast as more on a processor.
_TEXTS = 16

_VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model")


def load_network(source: Source, *, pooler: bool) -> Any:
    """Read a model in float32 and evaluation mode.

    A model of a contrastive pair is read whole; one that was saved as one side with its projection stays that.

    Args:
        source: where its files are.
        pooler: whether the features come from its pooling layer, which many files lack.

    Returns:
        The transformers model.

    Raises:
        DataError: if it cannot be read, is an encoder-decoder, or lacks weights, which would then be random.
    """
    transformers = require("transformers", source.backbone, "hf", "transformers")
    config = source.config()
    if config.get("is_encoder_decoder"):
        raise source.error("it is an encoder-decoder; an encoder is needed")
    folder = source.weights()
    name = next(iter(config.get("architectures") or [""]))
    kind = getattr(transformers, name if name.endswith("WithProjection") else "AutoModel")
    network, report = load_part(source, kind, folder, dtype="float32", output_loading_info=True)
    missing = sorted(key for key in report["missing_keys"] if pooler or not key.startswith("pooler."))
    if missing:
        raise source.error(f"its file lacks {len(missing)} weights, such as {missing[0]}, which would be random")
    return network.eval()


def load_part(source: Source, kind: Any, folder: Path, **options: Any) -> Any:
    """Read a model, tokenizer or image processor from a folder.

    Args:
        source: the model, for messages.
        kind: a class with ``from_pretrained``.
        folder: what to read.
        options: for ``from_pretrained``.

    Returns:
        What it returns.

    Raises:
        DataError: if it cannot be read.
    """
    # Each file format fails in its own way, and none of them should be the user's traceback.
    try:
        with quiet():
            # Code that comes with a model is never run.
            return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)
    except Exception as error:
        cause = next(iter(f"{error}".strip().splitlines()), type(error).__name__)
        raise source.error(f"{kind.__name__} cannot read it ({cause})") from error


def load_tokenizer(source: Source) -> Any:
    """Read a model's tokenizer.

    Args:
        source: the model.

    Returns:
        The transformers tokenizer.

    Raises:
        DataError: if it cannot be read or is not there; transformers would make up one that knows no word.
    """
    transformers = require("transformers", source.backbone, "hf", "transformers")
    if not any(path for pattern in _VOCABULARIES for path in source.folder.glob(pattern)):
        raise source.error(f"{source.folder} has no tokenizer ({', '.join(_VOCABULARIES)})")
    return load_part(source, transformers.AutoTokenizer, source.folder)


def token_limit(network: Any, most: int) -> int:
    """How many tokens of a text a model has positions for.

    RoBERTa and its family count positions from behind the padding token's on, so that the first ones are never used;
    their position embeddings say so by a padding index. What a tokenizer states is another matter, and often nothing.

    Args:
        network: the transformers model.
        most: the limit of those that have as many or more, or count positions otherwise.

    Returns:
        The number, start and end tokens included.
    """
    config = getattr(network.config, "text_config", network.config)
    positions = getattr(config, "max_position_embeddings", None) or -1
    for name, part in network.named_modules():
        if name.rpartition(".")[2] == "position_embeddings" and getattr(part, "padding_idx", None) is not None:
            positions = part.num_embeddings - part.padding_idx - 1
    # Some models without a limit say so by a number that is none.
    return most if positions < 1 else min(positions, most)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from printing its reports and bars, for as long as the block runs."""
    logging = require("transformers.utils.logging", "a transformers model", "hf", "transformers")
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def encode_by_length(
    texts: Sequence[str], dim: int, encode: Callable[[list[str]], Tensor], precision: str = "float32"
) -> NDArray[np.float32]:
    """Encode texts in batches of similar length, for a batch takes the time that its longest text takes.

    Args:
        texts: n texts.
        dim: length of a vector.
        encode: (k, dim) vectors of k texts.
        precision: what it computes in.

    Returns:
        (n, dim) float32, in the order of the texts.
    """
    features = np.empty((len(texts), dim), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    with torch.inference_mode(), computing_in(precision):
        for start in range(0, len(order), _TEXTS):
            rows = order[start : start + _TEXTS]
            features[rows] = encode([texts[row] for row in rows]).float().numpy()
    return features


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean over a text's tokens, padding left out.

    Args:
        hidden: (n, t, d) one vector a token.
        mask: (n, t), 1 for a token and 0 for padding.

    Returns:
        (n, d) float32.
    """
    present = mask.unsqueeze(2)
    return (hidden.float() * present).sum(1) / present.sum(1)


def one_vector(source: Source, outputs: Any, projected: str) -> Tensor:
    """The one vector that a model's own pooling gives for each picture or text.

    Args:
        source: the model, for messages.
        outputs: what it returned.
        projected: name of the projected embedding among the outputs, which is preferred to the pooled output.

    Returns:
        (n, d).

    Raises:
        DataError: if there is none.
    """
    vectors = getattr(outputs, projected, None)
    vectors = getattr(outputs, "pooler_output", None) if vectors is None else vectors
    if not isinstance(vectors, Tensor) or vectors.flatten(1).shape[1] != vectors.shape[1]:
        raise source.error(f"a model of the type {source.config().get('model_type')!r} gives no single vector an item")
    return vectors.flatten(1)
