"""Layers of the configuration: who wins, who gets the blame."""

import codecs
from pathlib import Path

import pytest

from huse_bench.config import PRESETS, RunConfig, TrainingConfig, resolve_config
from huse_bench.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "bench.toml"
    path.write_text(text)
    return path


def test_nothing_given_is_the_quick_preset():
    config = resolve_config()
    assert config.preset == "quick"
    assert config.training == TrainingConfig(**PRESETS["quick"])
    assert config.results_folder == Path("results/emoji")
    assert config.origin("training.steps") == "preset quick"
    assert config.origin("training.width") == "default"


def test_paper_preset_is_that_of_section_4_1_3():
    training = resolve_config(given={"preset": "paper"}).training
    assert (training.steps, training.batch_size, training.learning_rate) == (250_000, 1024, 1.6192e-05)
    assert (training.optimizer, training.momentum, training.dropout) == ("rmsprop-tf", 0.9, 0.15)
    assert (training.image_layers, training.text_layers, training.width) == (5, 2, 512)
    assert training.head_scale is None


def test_command_line_wins_over_file_over_preset(tmp_path):
    path = write(tmp_path, "seeds = [3, 4]\n[training]\nsteps = 7\nbatch_size = 9\n[methods.huse]\nalpha = 2\n")
    config = resolve_config(path, {"training": {"steps": 5}, "dataset": "other"}, by="command line")
    assert (config.training.steps, config.training.batch_size) == (5, 9)
    assert config.seeds == (3, 4)
    assert config.methods == ("huse",)
    assert config.parameters == {"huse": {"alpha": 2}}
    assert config.origin("training.steps") == "command line"
    assert config.origin("training.batch_size") == f"file {path}"
    assert config.origin("training.optimizer") == "preset quick"
    assert config.results_folder == Path("results/other")


def test_methods_given_win_over_the_tables_of_the_file(tmp_path):
    path = write(tmp_path, "[methods.huse]\nalpha = 2\n")
    config = resolve_config(path, {"methods": ["cme", "huse"]})
    assert config.methods == ("cme", "huse")
    assert config.parameters == {"huse": {"alpha": 2}}


def test_options_of_the_dataset_come_from_all_layers(tmp_path):
    path = write(tmp_path, "[dataset_options]\nseed = 1\ntaxonomy = 'tree.csv'\n")
    config = resolve_config(path, {"dataset_options": {"seed": 2}})
    assert config.dataset_options == {"seed": 2, "taxonomy": "tree.csv"}
    assert config.origin("dataset_options.seed") == "argument"
    assert config.origin("dataset_options.taxonomy") == f"file {path}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz = 3", r"unknown option 'stepz' \(file .*bench.toml\)"),
        ("steps = 3", r"unknown option 'steps' \(file .*\). It belongs under \[training\]"),
        ("datasets = 'x'", r"unknown option 'datasets' .* Did you mean 'dataset'\?"),
        ("[training]\nstep = 3", r"unknown option 'training.step' .* Did you mean 'steps'\?"),
        ("training = 3", r"training must be a table"),
        ("dataset_options = 3", r"dataset_options must be a table of options \(file .*bench.toml\), got 3"),
        ("strict = 'very'", r"strict = 'very' \(file .*\): Input should be a valid boolean"),
        ("[training]\nsteps = 'many'", r"training.steps = 'many' \(file .*\): Input should be a valid integer"),
        ("[training]\nsteps = 0", r"training.steps = 0 \(file .*\): Input should be greater than or equal to 1"),
        ("[training]\noptimizer = 'adam'", r"training.optimizer = 'adam' .* 'rmsprop-tf', 'rmsprop' or 'adamw'"),
        ("preset = 'quik'", r"unknown preset 'quik'.* Did you mean 'quick'\?"),
        ("preset = ['quick']", r"unknown preset \['quick'\]: there are"),
        ("seeds = [1, 1]", r"seeds = .*: a seed is given twice"),
        ("seeds = [-1]", r"seeds must be at least 0"),
        ("seeds = []", r"at least one seed is needed"),
        ("dataset = 3", r"dataset = 3 \(file .*\): Input should be a valid string"),
        ("origins = {}", r"unknown option 'origins'"),
        ("steps 3", r"bench.toml is not a TOML file"),
    ],
)
def test_wrong_files(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        resolve_config(write(tmp_path, text))


@pytest.mark.parametrize(
    ("seeds", "message"),
    [([], "at least one seed"), ([-1], "at least 0"), ([2**63], r"below 2\*\*63"), ([3, 3], "given twice")],
)
def test_wrong_seeds(seeds, message):
    with pytest.raises(ConfigError, match=message):
        resolve_config(None, {"seeds": seeds})


@pytest.mark.parametrize("text", ["[training]\nsteps = 3\n", "[training]\r\nsteps = 3\r\n"])
def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path, text):
    path = tmp_path / "bench.toml"
    path.write_bytes(codecs.BOM_UTF8 + text.encode())
    assert resolve_config(path).training.steps == 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(tmp_path, encoding):
    path = tmp_path / "bench.toml"
    path.write_bytes("[training]\nsteps = 3\n".encode(encoding))
    name = encoding[:6].upper()
    with pytest.raises(ConfigError, match=rf"bench.toml is not a TOML file: it is encoded in {name}; save it as UTF-8"):
        resolve_config(path)
    path.write_bytes("dataset = 'caf\xe9'".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"bench.toml is not a TOML file: 'utf-8' codec can't decode byte 0xe9"):
        resolve_config(path)


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the configuration file .*none.toml: No such file"):
        resolve_config(tmp_path / "none.toml")


def test_origins_are_no_option_of_the_constructor_alone():
    assert RunConfig().origin("dataset") == "default"
