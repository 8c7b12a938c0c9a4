"""Nothing private in what a run leaves: no path, no host, no user."""

import io
import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import huse_bench as hb
from huse_bench.cli.tables import tables
from huse_bench.runs.privacy import Privacy


@pytest.fixture
def privacy(tmp_path, monkeypatch):
    for folder in ("work", "my vault/pics"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("USER", "quentin")
    monkeypatch.setenv("HOSTNAME", "dunwich-7.lan")
    return Privacy(tmp_path / "my vault")


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("cannot read /home/quentin/x.png.", "cannot read x.png."),
        ("file ~/bench.toml", "file bench.toml"),
        ("file ~bob/bench.toml", "file bench.toml"),
        ("file ../private/bench.toml", "file bench.toml"),
        ("file a/../../private/b.toml", "file b.toml"),
        (r"C:\Users\Quentin\a.csv: no", "a.csv: no"),
        ("D:/Users/Quentin/a.csv", "a.csv"),
        (r"\\server\share\a.csv", "a.csv"),
        (r"'C:\\Users\\Quentin\\My Data\\a b.csv'", "'a b.csv'"),
        ("'/srv/My Data/a b.csv' is gone", "'a b.csv' is gone"),
        ("run '--data=/srv/My Data/a.csv' --seeds 3", "run '--data=a.csv' --seeds 3"),
        ("--data=/srv/x/a.csv,/srv/y/b.csv", "--data=a.csv,b.csv"),
        ("file:///srv/x/a.csv", "a.csv"),
        ("hf-image:/srv/models/vit@sha256-12", "hf-image:vit@sha256-12"),
        ("(/srv/x/y)", "(y)"),
        ("/srv/x/", "x"),
        ("https://quentin:secret@tfhub.dev/google/use/4", "https://tfhub.dev/google/use/4"),
        ("quentin@dunwich-7.lan or dunwich-7", "user@host or host"),
    ],
)
def test_what_is_private_is_said_otherwise(privacy, text, public):
    assert privacy.text(text) == public
    assert privacy.text(public) == public


@pytest.mark.parametrize(
    "text",
    [
        "",
        "google/vit-base-patch16-224@3f49326eb077187dfe1c2a2bb15fbd74e6ab91e3",
        "https://tfhub.dev/google/use/4?x=~/y",
        "s3://bucket/a/b.csv",
        "huse-bench run --params results/emoji/tuned.toml --results results/emoji",
        "file bench.toml",
        "file ./conf/bench.toml",
        "a/../b.toml",
        "70 / 10 / 20 % and/or 1/2, ~5 of 10, ... or ..",
        "AMD EPYC 7R13, 2 cores @ 2.65 GHz",
        "huse_bench_losses.huse:Huse",
        "2026-01-01T10:00:00+00:00",
        "quentins",
        "openmoji/1F468-200D-1F9B2",
    ],
)
def test_what_is_not_private_stays(privacy, text):
    assert privacy.text(text) == text


def test_paths_are_said_relative_to_what_is_known(privacy, tmp_path):
    vault = tmp_path / "my vault"
    assert privacy.text(f"{vault}/pics/a.png: no") == "pics/a.png: no"
    assert privacy.text(f"'{vault}/pics/a b.png': no") == "'pics/a b.png': no"
    assert privacy.text(f"{vault}/../other/a.png") == "a.png"
    assert privacy.text(f"{tmp_path / 'work'}/results/x.json") == "results/x.json"
    assert privacy.text(f'File "{hb.__file__}", line 3') == 'File "huse_bench/__init__.py", line 3'
    assert privacy.text(f'File "{torch.__file__}", line 3') == 'File "torch/__init__.py", line 3'
    assert privacy.text(f'File "{os.__file__}", line 3') == 'File "os.py", line 3'


def test_a_data_file_is_said_by_its_name(tmp_path):
    (tmp_path / "items.csv").write_text("")
    assert Privacy(tmp_path / "items.csv").text(f"{tmp_path}/items.csv: line 3") == "items.csv: line 3"


def test_names_stay_in_what_is_called_so(privacy):
    fields = {
        "method": {"name": "quentin", "parameters": {"path": "/srv/x/y.npy", "n": 1}, "space": ("quentin", "/a/b")},
        "error": "quentin",
        "warnings": ["at /srv/x/y"],
        "seed": 3,
        "nothing": None,
    }
    assert privacy.record(fields) == {
        "method": {"name": "quentin", "parameters": {"path": "y.npy", "n": 1}, "space": ("quentin", "b")},
        "error": "user",
        "warnings": ["at y"],
        "seed": 3,
        "nothing": None,
    }


def test_long_texts_take_no_long_time():
    # Where a rule looked again from each sign of a word on, this would take minutes.
    for text in ("a-b.c-" * 100_000, "ab/" * 100_000, "'" * 100_000, "\\\\a" * 100_000, "~a" * 100_000):
        assert Privacy().text(text)


def test_common_names_are_words(monkeypatch):
    for name in ("root", "data", "me"):
        monkeypatch.setenv("USER", name)
        assert Privacy().text(f"the {name} of the taxonomy") == f"the {name} of the taxonomy"


PART = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters="_-"), min_size=1, max_size=8)
ROOT = st.sampled_from(["/", "//", "~/", "../", "../../", "C:\\", "z:/", "\\\\srv\\", "file:///", "a/../../"])
AROUND = st.sampled_from([("", ""), ("cannot read ", ": gone"), ("(", ")"), ("--data=", " --seeds 3"), ("'", "'")])


@settings(deadline=None)
@given(ROOT, st.lists(PART, max_size=4), PART, AROUND)
def test_of_any_path_the_name_alone_is_left(root, parts, name, around):
    slash = "\\" if "\\" in root else "/"
    secret = ["s3cret" + part for part in parts]
    path = root + slash.join([*secret, f"{name}.csv"])
    assert Privacy().text(around[0] + path + around[1]) == f"{around[0]}{name}.csv{around[1]}"


@settings(deadline=None)
@given(st.text(st.sampled_from("ab /\\.~:'\"=-C\n")))
def test_what_is_public_stays_as_it_is_and_holds_no_path_from_a_root(text):
    privacy = Privacy()
    public = privacy.text(text)
    assert not any(word.startswith(("/a", "/b", "~/", "../", "C:\\a")) for word in public.split())


@pytest.fixture
def planted(toy, tmp_path, monkeypatch):  # noqa: ARG001 - toy puts the plugins on the path
    """A private world: a home, a user, a host, and data, a config file and plugins in private folders."""
    secret = tmp_path / "homes/quentin-vane"
    for folder in ("hidden vault/pictures", "confidential"):
        (secret / folder).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(secret))
    monkeypatch.setenv("HUSE_BENCH_CACHE", str(tmp_path / "cache"))
    for variable in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(variable, "quentin")
    monkeypatch.setenv("HOSTNAME", "dunwich-7")
    plugins = tmp_path / "site/toy_plugins.py"
    plugins.write_text(
        plugins.read_text()
        + f'''
import huse_bench as hb


class Leak(Gap):
    """Fails with an error that says where its files are."""
    title = "Leak"
    space = {{"weight": hb.Uniform(0.5, 2.0)}}

    def __init__(self, weight: float = 1.0, table: str = "x") -> None:
        super().__init__(weight)
        self.table = table

    def forward(self, batch):
        open({str(secret / "hidden vault/absent table.npy")!r})


class Pixels(hb.ImageBackbone):
    """The pixels themselves, in the name of a folder."""
    title = "Pixels"
    revision = "1"
    dim = 192
    reference = "a folder"

    def __init__(self, folder):
        self.folder = folder

    def preprocess(self, image):
        return np.asarray(image, np.float32).transpose(2, 0, 1) / 255 + 1

    def encode_pixels(self, pixels):
        return pixels.reshape(len(pixels), -1)


class Letters(hb.TextBackbone):
    """How often each letter occurs."""
    title = "Letters"
    revision = "1"
    dim = 27

    def encode(self, texts):
        return np.array([[text.count(chr(97 + i)) for i in range(26)] + [1] for text in texts], np.float32)
'''
    )
    with (tmp_path / "site/toy_plugins-1.0.dist-info/entry_points.txt").open("a") as file:
        file.write("leak = toy_plugins:Leak\n[huse_bench.backbones]\n")
        file.write("pixels = toy_plugins:Pixels\nletters = toy_plugins:Letters\n")
    return secret


def test_nothing_private_is_in_what_a_run_leaves(planted, toy):
    rng = np.random.default_rng(0)
    vault = planted / "hidden vault"
    rows = ["image,text,label,split"]
    for row in range(120):
        split = ("train", "train", "validation", "test")[row % 4]
        rows.append(f"pictures/{row}.png,a picture of {row},{('cat', 'dog')[row // 4 % 2]},{split}")
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(vault / f"pictures/{row}.png")
    (vault / "pictures/0.png").write_bytes(b"\x89PNG damaged")
    (vault / "items.csv").write_text("\n".join(rows))
    (planted / "confidential/bench.toml").write_text(
        f"""
        results = "out"
        [training]
        steps = 5
        batch_size = 16
        width = 8
        embedding_dim = 4
        [methods.gap]
        [methods.leak]
        table = {str(vault / "my table.npy")!r}
        """
    )
    given = ["--config", str(planted / "confidential/bench.toml"), "--dataset", "manifest"]
    given += ["--data", str(vault / "items.csv"), "--text-backbone", "letters", "--class-backbone", "letters"]
    (vault / "my model").mkdir()
    given += ["--image-backbone", f"pixels:{vault / 'my model'}"]

    def call(*words):
        return subprocess.run([sys.executable, "-m", "huse_bench", *words], capture_output=True, text=True, check=False)

    ran = call("run", *given, "--controls", "--save-model", "--save-embeddings")
    assert "absent table.npy" in ran.stderr
    tuned = call("tune", *given, "--methods", "leak", "--trials", "1")
    assert "failed: FileNotFoundError" in tuned.stderr
    records = hb.load_results("out").records
    leak = next(record for record in records if record.method.name == "leak")
    said = [str(path.relative_to(toy)) for path in (toy / "out").rglob("*")]
    said += [text for path in (toy / "out").rglob("*") if path.is_file() for text in texts_of(path)]
    said += [CliRunner().invoke(tables, ["--results", "out", "--format", form]).output for form in FORMATS]
    assert all(said)

    # What is not private is there, so that it was not there to be left out.
    assert any("1 of 120 pictures cannot be decoded" in warning for warning in leak.warnings)
    assert "FileNotFoundError" in leak.error
    assert "'absent table.npy'" in leak.error
    assert 'File "huse_bench/' in leak.error
    assert leak.method.parameters["table"] == "my table.npy"
    assert leak.config["training.steps"].origin == "file bench.toml"
    assert leak.dataset.image_backbone == "pixels:my model@1"
    assert "--config bench.toml --dataset manifest --data 'items.csv'" in leak.provenance["command"]
    assert any("leak" in text and "absent table.npy" in text for text in said)
    home = str(planted.parents[1])
    for word in ("quentin", "dunwich-7", "hidden vault", "confidential", home):
        assert not [text for text in said if word in text], word


FORMATS = ("text", "markdown", "latex", "csv", "json")


def texts_of(path):
    """What a file says: its bytes, and of a Parquet file its strings, which are packed."""
    contents = path.read_bytes()
    yield path.name + contents.decode("utf-8", "replace")
    if path.suffix == ".parquet":
        table = pq.read_table(io.BytesIO(contents))
        yield f"{table.schema} {table.schema.metadata} {table.to_pydict()}"
