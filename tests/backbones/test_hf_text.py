"""Features of text models of transformers, against the models themselves on one unpadded text at a time."""

import json
import sys

import numpy as np
import pytest
import torch

from huse_bench import errors
from huse_bench_backbones._pretrained import encode_by_length, token_limit
from huse_bench_backbones.hf_text import HFText

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
VISION = {"image_size": 32, "patch_size": 8, **SMALL}
TOKENS = {"vocab_size": 20, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 16}
TEXTS = ["apple", "bake the golden apple pie", "", "serve with ice cream " * 9]


def _ids(tokenizer, text: str, length: int = 16) -> torch.Tensor:
    inside = tokenizer(text, add_special_tokens=False)["input_ids"][: length - 2]
    return torch.tensor([[1, *inside, 2]])


def _each(tokenizer, encode, length: int = 16) -> np.ndarray:
    with torch.inference_mode():
        return torch.cat([encode(_ids(tokenizer, text, length)) for text in TEXTS]).numpy()


@pytest.fixture(scope="module")
def bert(transformers, make, save, tokenizer):
    words = tokenizer(model_max_length=16)
    model = make("BertForMaskedLM", transformers.BertConfig(**SMALL, **TOKENS))
    return model, words, save(model, words)


def test_the_mean_is_over_the_tokens_of_a_text(bert) -> None:
    model, words, folder = bert
    backbone = HFText(str(folder))
    features = backbone.encode(TEXTS)
    expected = _each(words, lambda ids: model.bert(ids).last_hidden_state.mean(1))
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    assert features.dtype == np.float32
    assert backbone.dim == 32
    assert backbone.revision.startswith("sha256-")


def test_many_texts_give_what_each_gives(bert) -> None:
    backbone = HFText(str(bert[2]))
    many = TEXTS * 9
    features = backbone.encode(many)
    assert len(many) > 32
    np.testing.assert_array_equal(features, backbone.encode(many))
    np.testing.assert_allclose(features[-4:], features[:4], atol=1e-5)
    assert backbone.encode([]).shape == (0, 32)


def _pair(transformers, **options):
    text = SMALL | TOKENS | options
    return transformers.CLIPConfig(text_config=text, vision_config=VISION, projection_dim=24)


def test_a_contrastive_pair_is_projected(transformers, make, save, tokenizer) -> None:
    words, model = tokenizer(model_max_length=16), make("CLIPModel", _pair(transformers))
    backbone = HFText(str(save(model, words)))
    expected = _each(words, lambda ids: model.text_projection(model.text_model(ids).pooler_output))
    np.testing.assert_allclose(backbone.encode(TEXTS), expected, rtol=1e-4, atol=1e-5)
    assert backbone.dim == 24


@pytest.mark.parametrize("name", ["CLIPTextModelWithProjection", "CLIPTextModel"])
def test_the_text_side_of_a_pair(name, transformers, make, save, tokenizer) -> None:
    words, model = tokenizer(model_max_length=16), make(name, _pair(transformers).text_config)
    features = HFText(str(save(model, words))).encode(TEXTS)
    key = "text_embeds" if "Projection" in name else "pooler_output"
    np.testing.assert_allclose(features, _each(words, lambda ids: getattr(model(ids), key)), rtol=1e-4, atol=1e-5)


def test_siglip_reads_texts_of_full_length(transformers, make, save, tokenizer) -> None:
    words = tokenizer(model_max_length=64)
    config = transformers.SiglipConfig(text_config=SMALL | TOKENS, vision_config=VISION)
    model = make("SiglipModel", config)

    def padded(ids):
        full = torch.zeros((1, 16), dtype=torch.int64)
        full[:, : ids.shape[1]] = ids
        return model.text_model(full).pooler_output

    features = HFText(str(save(model, words))).encode(TEXTS)
    np.testing.assert_allclose(features, _each(words, padded), rtol=1e-4, atol=1e-5)


def test_a_decoder_without_padding_token(transformers, make, save, tokenizer) -> None:
    words = tokenizer(model_max_length=16, padding_side="left")
    words.pad_token = None
    config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=16, vocab_size=20, eos_token_id=2)
    model = make("GPT2LMHeadModel", config)
    features = HFText(str(save(model, words))).encode(TEXTS)
    expected = _each(words, lambda ids: model.transformer(ids).last_hidden_state.mean(1))
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


FAMILY = [("RobertaModel", "RobertaConfig"), ("MPNetModel", "MPNetConfig"), ("CamembertModel", "CamembertConfig")]


@pytest.mark.parametrize(("name", "config"), FAMILY)
def test_positions_that_are_never_used_are_no_room_for_tokens(name, config, transformers, make, save, tokenizer):
    # Its tokenizer states no length, and the longest text has 38 tokens.
    words, model = tokenizer(), make(name, getattr(transformers, config)(**SMALL | TOKENS))
    assert words.model_max_length > 10**9
    # Positions begin behind that of the padding token, which is 0 here: 15 of 16 are left.
    index = model.embeddings.position_embeddings.padding_idx
    assert index == (1 if name == "MPNetModel" else 0)
    features = HFText(str(save(model, words))).encode(TEXTS)
    each = _each(words, lambda ids: model(ids).last_hidden_state.mean(1), 15 - index)
    np.testing.assert_allclose(features, each, rtol=1e-4, atol=1e-5)
    with pytest.raises((IndexError, RuntimeError), match="out of"):
        model(torch.full((1, 16 - index), 5))


@pytest.mark.parametrize(("positions", "limit"), [(600, 512), (40, 40), (-1, 512)])
def test_the_number_of_positions_or_the_most(positions, limit, transformers, make) -> None:
    network = make("BertModel", transformers.BertConfig(**SMALL | TOKENS))
    network.config.max_position_embeddings = positions
    assert token_limit(network, 512) == limit


def test_a_tokenizer_without_any_end_is_refused(transformers, make, save, tokenizer) -> None:
    words = tokenizer()
    words.pad_token = words.eos_token = None
    folder = save(make("BertModel", transformers.BertConfig(**SMALL, **TOKENS)), words)
    with pytest.raises(errors.DataError, match="neither a padding nor an end token"):
        HFText(str(folder)).encode(TEXTS)


def test_an_encoder_decoder_is_refused(bert, tmp_path) -> None:
    for part in bert[2].iterdir():
        (tmp_path / part.name).write_bytes(part.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"is_encoder_decoder": True}))
    with pytest.raises(errors.DataError, match="it is an encoder-decoder"):
        HFText(str(tmp_path)).encode(TEXTS)


def test_a_folder_without_tokenizer_is_refused(bert, tmp_path) -> None:
    for part in ("config.json", "model.safetensors"):
        (tmp_path / part).symlink_to(bert[2] / part)
    with pytest.raises(errors.DataError, match=r"has no tokenizer \(tokenizer\.json"):
        HFText(str(tmp_path)).encode(TEXTS)


def test_missing_weights_are_an_error(bert, tmp_path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    for part in bert[2].iterdir():
        (tmp_path / part.name).write_bytes(part.read_bytes())
    tensors = safetensors.load_file(tmp_path / "model.safetensors")
    del tensors["bert.encoder.layer.1.output.dense.weight"]
    safetensors.save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(errors.DataError, match=r"lacks 1 weights, such as encoder\.layer\.1\.output\.dense\.weight"):
        HFText(str(tmp_path)).encode(TEXTS)


def test_what_to_write_is_said() -> None:
    with pytest.raises(errors.ConfigError, match="write hf-text:MODEL"):
        HFText()


def test_a_missing_package_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(errors.MissingExtraError, match=r"'transformers'.*huse-bench\[hf\]"):
        HFText("our/bert")


def test_texts_of_a_batch_are_of_similar_length() -> None:
    texts = ["x" * (7 * index % 40) for index in range(40)]
    seen: list[int] = []

    def encode(batch: list[str]) -> torch.Tensor:
        assert len(batch) <= 16
        seen.extend(len(text) for text in batch)
        return torch.tensor([[len(text), 1.0] for text in batch])

    features = encode_by_length(texts, 2, encode)
    assert features[:, 0].tolist() == [len(text) for text in texts]
    assert seen == list(range(40))
    assert features.dtype == np.float32
