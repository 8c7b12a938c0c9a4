"""TensorFlow Hub's models, with SavedModels that have the Universal Sentence Encoder's signature.

TensorFlow runs in one process of its own: its import takes seconds, warns, and stays.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from huse_bench import errors
from huse_bench_backbones.tfhub_use import TFHubUSE

TEXTS = ["apple", "a much longer text than the other ones", "", "pie"] * 40

# A text's vector is the mean of one vector a byte, with one more for the start.
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
import tensorflow as tf
from huse_bench import errors
from huse_bench_backbones.tfhub_use import TFHubUSE

table = np.random.default_rng(0).normal(size=(129, 512)).astype(np.float32)

class Encoder(tf.Module):
    def __init__(self):
        self.table = tf.Variable(table)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, texts):
        letters = tf.strings.unicode_decode(texts, "UTF-8")
        start = tf.fill([tf.shape(texts)[0], 1], 128)
        return tf.reduce_mean(tf.gather(self.table, tf.concat([start, letters], 1)), axis=1)

class Mute(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def encode(self, texts):
        return tf.strings.length(texts)

class Flat(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, texts):
        return tf.cast(tf.strings.length(texts), tf.float32)

class Numbers(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, numbers):
        return numbers

for kind in (Encoder, Mute, Flat, Numbers):
    tf.saved_model.save(kind(), kind.__name__.lower())
(Path("broken")).mkdir()
Path("broken/saved_model.pb").write_bytes(b"no graph")

texts = json.loads(Path("texts.json").read_text())
backbone = TFHubUSE("encoder")
features = backbone.encode(texts)
assert backbone.dim == 512 and features.dtype == np.float32 and backbone.encode([]).shape == (0, 512)
np.savez("features.npz", table=table, features=features, again=backbone.encode(texts), one=backbone.encode(texts[:1]))
messages = {}
for name in ("mute", "flat", "numbers", "broken", "https://models.invalid/encoder/4"):
    try:
        TFHubUSE(name).encode(texts)
    except errors.DataError as error:
        messages[name] = str(error)
Path("messages.json").write_text(json.dumps(messages))
"""


@pytest.fixture(scope="module")
def installed() -> None:
    try:
        TFHubUSE("https://models.invalid/encoder/4")
    except errors.MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def encoded(installed, tmp_path_factory) -> Path:  # noqa: ARG001  skips before the folder is made
    folder = tmp_path_factory.mktemp("tfhub")
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pkg_resources" not in done.stderr
    return folder


def test_features_are_those_of_the_model(encoded) -> None:
    found = np.load(encoded / "features.npz")
    table = found["table"]
    expected = [table[[128, *map(ord, text)]].mean(axis=0) for text in TEXTS]
    np.testing.assert_allclose(found["features"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found["features"], found["again"])
    np.testing.assert_allclose(found["features"][:1], found["one"], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mute", "it is not callable on texts"),
        ("flat", r"it gives an array of shape \(1,\) for 1 texts"),
        ("numbers", "it cannot encode a list of strings"),
        ("broken", "it cannot be loaded"),
        ("https://models.invalid/encoder/4", r"it cannot be loaded \(<urlopen error .*Without a network, fetch"),
    ],
)
def test_what_is_wrong_with_a_model_is_said_in_one_line(encoded, name, message) -> None:
    messages = json.loads((encoded / "messages.json").read_text())
    with pytest.raises(errors.DataError, match=message):
        raise errors.DataError(messages[name])
    assert repr(name) in messages[name]
    assert "tfhub-use:/path/to/folder" in messages[name]
    assert len(messages[name].splitlines()) == 1


def test_a_folder_is_known_by_its_content(encoded, tmp_path) -> None:
    revision = TFHubUSE(str(encoded / "encoder")).revision
    copy = tmp_path / "copy"
    shutil.copytree(encoded / "encoder", copy)
    assert TFHubUSE(str(copy)).revision == revision
    variables = next((copy / "variables").glob("*.data*"))
    variables.write_bytes(variables.read_bytes()[:-1] + b"\xff")
    assert TFHubUSE(str(copy)).revision != revision


@pytest.mark.usefixtures("installed")
def test_a_handle_is_known_by_its_name_and_version() -> None:
    assert TFHubUSE().revision == "universal-sentence-encoder-4"
    assert TFHubUSE("https://models.invalid/g/large/5?tf-hub-format=compressed").revision == "large-5"
    with pytest.raises(errors.DataError, match="its version must be named"):
        TFHubUSE("https://models.invalid/g/large")


@pytest.mark.usefixtures("installed")
def test_a_folder_that_is_no_saved_model(tmp_path) -> None:
    with pytest.raises(errors.DataError, match=r"has no saved_model\.pb"):
        TFHubUSE(str(tmp_path))
    with pytest.raises(errors.DataError, match="nowhere is not a folder"):
        TFHubUSE(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("module", "package"),
    [("tensorflow", "tensorflow"), ("tensorflow_hub", "tensorflow-hub"), ("pkg_resources", "setuptools<82")],
)
@pytest.mark.usefixtures("installed")
def test_a_missing_package_is_named(module, package, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(errors.MissingExtraError, match=rf"'{package}'.*huse-bench\[tfhub\]"):
        TFHubUSE()
