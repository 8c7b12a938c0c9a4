"""Methods that a config file makes of a loss, without code."""

import pytest

import huse_bench as hb
from huse_bench.config import resolve_config
from huse_bench.errors import ConfigError, UnknownComponentError
from huse_bench.report.notes import notes
from huse_bench.runs.methods import resolve_methods


def methods(tmp_path, text, **given):
    file = tmp_path / "ablation.toml"
    file.write_text(text)
    return resolve_methods(resolve_config(file, given))


def test_a_variant_is_its_base_with_other_hyper_parameters(tmp_path):
    huse, other = methods(tmp_path, '[methods.huse]\n[methods.huse-or]\nbase = "huse"\nrelaxation = "or"\ngamma = 2\n')
    assert (other.name, other.title, other.base) == ("huse-or", "huse-or", "huse")
    assert set(other.changes) == {"relaxation", "gamma"}
    assert (huse.title, huse.base, huse.changes) == ("HUSE", None, ())
    assert other.loss_class is huse.loss_class
    assert other.parameters == {**huse.parameters, "relaxation": "or", "gamma": 2.0}
    assert other.build().relaxation == "or"


def test_a_variant_may_have_a_title_and_may_change_nothing(tmp_path):
    titled, plain = methods(
        tmp_path, '[methods.a]\nbase = "huse"\ntitle = "HUSE once more"\n[methods.again]\nbase = "huse"\n'
    )
    assert [titled.title, plain.title] == ["HUSE once more", "again"]


def test_what_differs_is_told_from_what_is_said(tmp_path):
    """A file of tuned hyper-parameters gives all of them."""
    (method,) = methods(tmp_path, '[methods.x]\nbase = "huse"\nalpha = 1\nbeta = 22.9\nrelaxation = "and"\n')
    defaults = methods(tmp_path, "[methods.huse]\n")[0].parameters
    assert method.changes == tuple(key for key in defaults if method.parameters[key] != defaults[key])
    assert "beta" in method.changes
    assert "relaxation" not in method.changes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[methods.x]\nbase = "hose"\n',
            r"methods.x \(file .*\): base = 'hose': no loss is named 'hose'; did you mean",
        ),
        ("[methods.x]\nbase = 3\n", r"methods.x \(file .*\): base must be a string of one line, got 3"),
        ('[methods.x]\nbase = "huse"\ntitle = ""\n', "title must be a string of one line, got ''"),
        ('[methods.x]\nbase = "huse"\ntitle = "a\\nb"\n', r"title must be a string of one line, got 'a\\nb'"),
        ('[methods.x]\nbase = "huse"\ntitle = "\\u001b[2J"\n', "title must be a string of one line"),
        ('[methods.""]\nbase = "huse"\n', "its name must be a string of one line, got ''"),
        ('[methods."a\\tb"]\nbase = "huse"\n', r"its name must be a string of one line, got 'a\\tb'"),
        ('[methods."control:x"]\nbase = "huse"\n', "names that begin with 'control:' are those of controls"),
        ('[methods.cme]\nbase = "huse"\n', "has a base, but 'cme' is a loss itself: call the variant otherwise"),
        ('[methods.x]\nbase = "huse"\nrelax = "or"\n', "the method 'x' has no hyper-parameter 'relax'"),
        ('[methods.x]\nbase = "huse"\nalpha = "one"\n', r"methods.x.alpha = 'one' .*: must be a number"),
        ('[methods.x]\nbase = "huse"\nalpha = -1.0\n', "alpha must be at least 0"),
        ('[methods.huse]\ntitle = "Mine"\n', "the method 'huse' has no hyper-parameter 'title'"),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        methods(tmp_path, text)


def test_a_variant_without_a_base_is_an_unknown_loss(tmp_path):
    with pytest.raises(UnknownComponentError, match="no loss is named 'huse-or'"):
        methods(tmp_path, '[methods.huse-or]\nrelaxation = "or"\n')


MANY = """
[methods.huse]
gamma = 2.0
[methods.huse-or]
base = "huse"
relaxation = "or"
[methods.triplet]
margin = 0.4
[methods."huse-bench::cme"]
margin = 0.2
"""


def test_a_file_may_be_for_more_methods_than_are_run(tmp_path):
    (only,) = methods(tmp_path, MANY, methods=["huse-or"])
    assert (only.name, only.parameters["relaxation"], only.parameters["gamma"]) == ("huse-or", "or", 1.0)
    one, two = methods(tmp_path, MANY, methods=["separate", "huse"])
    assert (one.name, two.name, two.parameters["gamma"]) == ("separate", "huse", 2.0)


@pytest.mark.parametrize(
    ("table", "picked", "message"),
    [
        ("[methods.trplet]\nmargin = 0.4\n", "huse",
         r"given for 'trplet' \(file .*\), which is not among the methods to run: huse, nor .*Did you mean 'triplet'"),
        ('[methods.or]\nbase = "hose"\n', "huse", "given for 'or' .* not among the methods to run: huse, nor another"),
        # Written otherwise, it would be run without them.
        ("[methods.huse_p]\nalpha = 2.0\n", "huse-p", r"given for 'huse_p' .*Did you mean 'huse-p'\?"),
    ],
)  # fmt: skip
def test_a_file_for_what_is_no_method_is_refused(tmp_path, table, picked, message):
    with pytest.raises(ConfigError, match=message):
        methods(tmp_path, f"[methods.huse]\n{table}", methods=[picked])


def test_who_names_methods_and_parameters_in_one_place_means_the_same():
    given = {"methods": ["huse"], "parameters": {"cme": {"margin": 0.2}}}
    with pytest.raises(
        ConfigError, match=r"given for 'cme' \(argument\), which is not among the methods to run: huse\."
    ):
        resolve_methods(resolve_config(None, given))


def test_variants_are_rows_of_their_own(toy, quick_training):
    table = '[methods.gap]\n[methods.gap-2]\nbase = "gap"\nweight = 2.0\n[methods.gap-3]\nbase = "gap"\ntitle = "G3"\n'
    (toy / "ablation.toml").write_text(table)
    results = hb.run(dataset="toy", config="ablation.toml", training=quick_training, quiet=True)
    assert [row.label for row in results.rows] == ["Gap only", "gap-2", "G3"]
    assert "Variants: gap-2 is Gap only with weight=2; G3 is Gap only with nothing changed." in notes(results)
    # Names change no number: the same settings give the same, whatever they are called.
    scores = {record.method.name: record.retrieval for record in results.records}
    assert scores["gap-3"] == scores["gap"]
    alone = hb.Results([record for record in results.records if record.method.name != "gap"])
    assert "Variants: gap-2 is gap with weight=2 and else its defaults; G3 is gap with its defaults." in notes(alone)
    assert len({record.fingerprint for record in results.records}) == 3
    assert [record.method.name for record in results.records if record.method.parameters["weight"] == 2.0] == ["gap-2"]
    again = hb.load_results("results/toy")
    assert [row.label for row in again.rows] == [row.label for row in results.rows]


def test_a_long_name_is_trained_and_all_its_files_are_written(toy, quick_training):
    name = f"gap {'p=0.1428571429 ' * 30}"
    (toy / "long.toml").write_text(f'[methods."{name}"]\nbase = "gap"\n')
    results = hb.run(
        dataset="toy", config="long.toml", training=quick_training, save_model=True, save_embeddings=True, quiet=True
    )
    assert [(record.method.name, record.status) for record in results.records] == [(name, "finished")]
    assert hb.load_results("results/toy").records == results.records
    for folder in ("models", "embeddings"):
        assert [path.stem for path in (toy / "results/toy" / folder).iterdir()] == [results.records[0].stem]
