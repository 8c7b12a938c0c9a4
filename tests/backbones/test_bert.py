"""BERT as the HUSE paper uses it: which words are kept, and which layers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from huse_bench import errors
from huse_bench_backbones._salient import most_salient, sentence_weights
from huse_bench_backbones.bert import Bert, last_layers

TEXT = (
    "Apple pie is a classic dessert. Peel the apple and slice the apple!\n"
    "Bake the pie until golden. Serve the pie with ice cream."
)
SENTENCES = [
    ["apple", "pie", "is", "a", "classic", "dessert"],
    ["peel", "the", "apple", "and", "slice", "the", "apple"],
    ["bake", "the", "pie", "until", "golden"],
    ["serve", "the", "pie", "with", "ice", "cream"],
]
# What gensim 4.4.0's TfidfModel gives for these sentences.
GENSIM = [
    {"pie": 0.100155236075, "apple": 0.241316113, **dict.fromkeys(["is", "a", "classic", "dessert"], 0.482632226)},
    {"the": 0.20318977863, **dict.fromkeys(["peel", "apple", "and", "slice"], 0.489569687037)},
    {"the": 0.118127325187, "pie": 0.118127325187, **dict.fromkeys(["bake", "until", "golden"], 0.569236878077)},
    {"the": 0.102660022511, "pie": 0.102660022511} | dict.fromkeys(["serve", "with", "ice", "cream"], 0.494702395273),
]


def _one_each(words) -> list[int]:
    return [1] * len(words)


def test_weights_are_those_of_gensim() -> None:
    for ours, theirs in zip(sentence_weights(SENTENCES), GENSIM, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)


words = st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=8), min_size=1, max_size=6)


@given(words)
def test_weights_by_definition(sentences) -> None:
    for sentence, weights in zip(sentences, sentence_weights(sentences), strict=True):
        raw = {w: sentence.count(w) * math.log2(len(sentences) / sum(w in s for s in sentences)) for w in set(sentence)}
        norm = sum(value**2 for value in raw.values()) ** 0.5
        assert weights == pytest.approx({word: value / norm for word, value in raw.items() if value > 0})


@pytest.mark.parametrize(
    ("budget", "kept"),
    [
        (0, ""),
        (1, "Bake"),
        (3, "Bake until golden"),
        (5, "Bake until golden Serve with"),
        (8, "Apple Bake until golden Serve with ice cream"),
        # Each occurrence of a word has the word's score, and the earlier ones come first.
        (13, "Apple Peel apple and slice apple Bake until golden Serve with ice cream"),
        (100, TEXT.replace(".", "").replace("!", "").replace("\n", " ")),
    ],
)
def test_the_words_that_say_most_are_kept(budget, kept) -> None:
    assert most_salient(TEXT, _one_each, budget) == kept


def test_words_are_taken_until_one_does_not_fit() -> None:
    def lengths(words):
        return [3 if word == "until" else 1 for word in words]

    assert most_salient(TEXT, lengths, 3) == "Bake"
    assert most_salient(TEXT, lengths, 4) == "Bake until"


def test_one_sentence_keeps_its_first_words() -> None:
    assert sentence_weights([["a", "b", "a"]]) == [{}]
    assert most_salient("every word counts the same here", _one_each, 3) == "every word counts"
    assert most_salient("... ?!", _one_each, 3) == ""


SMALL = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
TOKENS = {"vocab_size": 20, "pad_token_id": 0}


@pytest.fixture(scope="module")
def tiny(transformers, make, save, tokenizer):
    tokens = tokenizer(model_max_length=512)
    config = transformers.BertConfig(**SMALL, **TOKENS, num_hidden_layers=5, max_position_embeddings=12)
    model = make("BertModel", config)
    return model, tokens, save(model, tokens)


def test_the_last_four_layers_are_averaged_over_the_tokens() -> None:
    # Layers -1 to -4 of one text of four tokens and one padding, as extract_features.py of google-research/bert orders.
    layers = torch.tensor(
        [
            [[1.541, -0.2934], [0.5684, -1.0845], [0.4033, 0.838], [-0.4033, -0.5966], [-0.8567, 1.1006]],
            [[0.1227, -0.5663], [-0.892, -1.5091], [1.4565, 0.9398], [0.1919, 1.2638], [-0.7911, -0.0209]],
            [[0.5186, -1.3125], [0.5428, -2.2188], [-1.0297, -0.5008], [-0.9181, -0.0404], [-0.0075, -0.9145]],
            [[-0.2666, 0.1894], [2.0576, -0.0354], [-0.7663, 1.0993], [0.1753, -0.9315], [-0.661, 1.3232]],
        ]
    )
    first = torch.full((1, 5, 2), 99.0)
    hidden = [first, *(layer[None] for layer in layers.flip(0))]
    features = last_layers(hidden, torch.tensor([[1, 1, 1, 1, 0]]))
    expected = [0.52735, -0.284125, 0.219775, 0.03205, -0.2216, -1.018125, 0.3, 0.08045]
    np.testing.assert_allclose(features.numpy(), [expected], rtol=1e-5)


def test_features_are_those_of_the_model(tiny) -> None:
    model, tokens, folder = tiny
    backbone = Bert(str(folder))
    texts = ["apple pie", "bake the golden apple pie", ""] * 12
    features = backbone.encode(texts)
    assert features.dtype == np.float32
    assert backbone.dim == 4 * 32
    for row, text in zip(features[-3:], texts[-3:], strict=True):
        with torch.inference_mode():
            hidden = model(**tokens(text, return_tensors="pt"), output_hidden_states=True).hidden_states
        np.testing.assert_allclose(row, torch.cat([hidden[-i].mean(1)[0] for i in (1, 2, 3, 4)]), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(features, backbone.encode(texts))
    assert backbone.encode([]).shape == (0, 128)


def test_a_long_text_is_cut_to_what_says_most(tiny) -> None:
    # Two of the twelve positions are the start and the end.
    backbone = Bert(str(tiny[2]))
    kept = most_salient(TEXT, _one_each, 10)
    assert kept == "Apple Peel apple Bake until golden Serve with ice cream"
    np.testing.assert_allclose(backbone.encode([TEXT]), backbone.encode([kept]), atol=1e-6)
    just_fits = "apple pie is a classic. dessert bake the golden"
    assert backbone._cut(just_fits) == just_fits


def test_fewer_than_four_layers_are_refused(transformers, make, save, tokenizer) -> None:
    config = transformers.BertConfig(**SMALL, **TOKENS, num_hidden_layers=3)
    folder = save(make("BertModel", config), tokenizer())
    with pytest.raises(errors.DataError, match="the last 4 layers, and it has 3"):
        Bert(str(folder)).encode(["apple"])


def test_bert_base_uncased_is_the_default(monkeypatch, tmp_path) -> None:
    pytest.importorskip("huggingface_hub.constants", reason="huggingface-hub is not installed")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        errors.DataError, match=r"'bert-base-uncased' is no folder here, is not in the cache.*bert:FOLDER"
    ):
        Bert()


def test_a_model_that_counts_positions_from_behind_the_padding(transformers, make, save, tokenizer) -> None:
    sizes = {"hidden_size": 8, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.RobertaConfig(**sizes, vocab_size=20, pad_token_id=0, max_position_embeddings=16)
    words, model = tokenizer(), make("RobertaModel", config)
    backbone = Bert(str(save(model, words)))
    features = backbone.encode(["serve with ice cream " * 9])
    # 15 positions, of which the start and the end take two.
    ids = [1, *words("serve with ice cream " * 9, add_special_tokens=False)["input_ids"][:13], 2]
    with torch.inference_mode():
        hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    np.testing.assert_allclose(features, last_layers(hidden, torch.ones(1, 15)).numpy(), rtol=1e-4, atol=1e-5)
