"""Small random models, saved as their authors save large ones."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

WORDS = ["apple", "pie", "is", "a", "classic", "dessert", "bake", "the", "golden", "serve", "with", "ice", "cream"]


@pytest.fixture(scope="session")
def transformers() -> ModuleType:
    module = pytest.importorskip("transformers", reason="transformers is not installed")
    module.utils.logging.set_verbosity_error()
    module.utils.logging.disable_progress_bar()
    return module


@pytest.fixture(scope="session")
def save(tmp_path_factory) -> Callable:
    """Save a model, with what belongs to it, in a new folder."""

    def saved(model, *parts) -> Path:
        folder = tmp_path_factory.mktemp("model") / "saved"
        for part in (model.eval(), *parts):
            part.save_pretrained(folder)
        return folder

    return saved


@pytest.fixture(scope="session")
def make(transformers) -> Callable:
    """A model with random weights, by the name of its class."""

    def made(name: str, config: object):
        torch.manual_seed(0)
        model = getattr(transformers, name)(config).eval()
        for parameter in model.parameters():
            # Models start with zeros and ones in places where trained ones have neither.
            parameter.data += 0.1 * torch.randn_like(parameter)
        return model

    return made


@pytest.fixture(scope="session")
def tokenizer(transformers) -> Callable:
    """A tokenizer of whole words that begins and ends each text with a token."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

    def made(specials: tuple[str, str, str] = ("[PAD]", "[CLS]", "[SEP]"), **options):
        words = [*specials, "[UNK]", *WORDS]
        inner = tokenizers.Tokenizer(
            tokenizers.models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]")
        )
        inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        inner.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"{specials[1]} $A {specials[2]}", special_tokens=[(specials[1], 1), (specials[2], 2)]
        )
        return transformers.PreTrainedTokenizerFast(
            tokenizer_object=inner, unk_token="[UNK]", pad_token=specials[0], eos_token=specials[2], **options
        )

    return made


@pytest.fixture(scope="session")
def pictures() -> list:
    """Noise of several shapes: wide, high, square, and smaller than any input."""
    pil = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    shapes = [(40, 77, 3), (91, 60, 3), (64, 64, 3), (20, 21, 3)]
    rng = np.random.default_rng(0)
    return [pil.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]
