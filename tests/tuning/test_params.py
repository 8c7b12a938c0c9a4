"""Runs with tuned hyper-parameters: what is read, what is refused, and what the records and tables say of it."""

import codecs
import sys
from pathlib import Path

import pytest

import huse_bench as hb
from huse_bench.errors import ConfigError
from huse_bench.report import render
from huse_bench.report.tuning_budget import tuned_more
from huse_bench.runs.params import ParamsFile

# A factor on the only term of a loss is nothing to AdamW.
REPEATED = "Tunable: 2 trials (1 distinct)"
DOUBTS = "Tunable: 2 of 2 trials gave the same metrics to the bit"


@pytest.fixture
def run(site, quick_training):  # noqa: ARG001 - site puts the losses on the path
    def call(methods=None, params="results/toy/tuned.toml", **options):
        training = {**quick_training, "steps": 10, **options.pop("training", {})}
        quiet = options.pop("quiet", True)
        return hb.run(methods, "toy", params=params, training=training, quiet=quiet, **options)

    return call


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_run_has_the_tuned_hyper_parameters_and_their_ledger(search, run):
    (tuned, _), _ = search(["tunable", "triplet"], 3)
    results = run()
    record = next(record for record in results.records if record.method.name == "tunable")
    assert {record.method.name for record in results.records} == {"tunable", "triplet"}
    assert record.method.parameters == {"power": 1, **tuned.best.parameters}
    assert record.method.space == ("weight", "squared")
    assert (record.tuning.trials, record.tuning.failed, record.tuning.steps, record.tuning.batch_size) == (3, 0, 10, 32)
    assert (record.tuning.value, record.tuning.default_value) == (tuned.best.value, tuned.trials[0].value)
    assert record.tuning.objective == ("mean R@1",)
    # No seed of a run is that of the trials, so that none repeats the luck that the best was chosen for.
    assert record.validation != tuned.best.metrics
    assert run(["tunable"], seeds=[record.tuning.training_seed]).records[0].validation == tuned.best.metrics
    by_hand = run(["tunable"], None, parameters={"tunable": tuned.best.parameters}, results="other").records[0]
    assert by_hand.fingerprint == record.fingerprint
    assert by_hand.tuning is None


def test_a_variant_comes_with_its_base(search, run):
    search(["twice"], 2, parameters={"twice": {"base": "tunable", "title": "Twice", "squared": True}})
    record = run(["twice"]).records[0]
    assert record.method.title == "Twice"
    assert record.method.parameters["squared"] is True
    assert record.tuning.trials == 2


def test_a_record_from_before_is_told_what_was_spent_and_is_not_run_again(search, run, toy):
    before = run(["tunable"], None)
    scores = before.per_query(before.records[0])
    # A search of one trial has but the defaults to choose.
    search(["tunable"], 1)
    after = run(["tunable"])
    assert after.records[0].tuning.trials == 1
    assert after.records[0].model_copy(update={"tuning": None}) == before.records[0]
    stored = after.per_query(after.records[0])
    assert all((stored[d][n] == column).all() for d, columns in scores.items() for n, column in columns.items())
    # It remains true when the same hyper-parameters are asked for by another way.
    assert run(["tunable"], None).records[0].tuning.trials == 1
    assert len(list((toy / "results/toy/runs").glob("*.json"))) == 1


def test_the_table_tells_unequal_budgets(search, run):
    search(["tunable"], 2)
    search(["triplet"], 1)
    results = run(["tunable", "triplet", "huse", "separate"])
    assert tuned_more(results.rows) == {"Tunable", "Triplet"}
    text = " ".join(render(results).split())
    objective = "for mean R@1 on the validation split by protocol v2, seed 0"
    assert (
        f"Tuning: NOT EQUAL: none (HUSE); 1 trials of 10 steps of 32 pairs, {objective} (Triplet); "
        f"2 trials of 10 steps of 32 pairs, {objective} (Tunable); {REPEATED}; Separate Models: nothing to tune."
    ) in " ".join(sorted_groups(text).split())
    assert "Tunable‡" in text
    assert "Triplet‡" in text
    assert "HUSE‡" not in text
    assert "Separate Models‡" not in text


def sorted_groups(text):
    """The text with the groups of the tuning line in alphabetical order but for those without trials."""
    head, _, rest = text.partition("Tuning: NOT EQUAL: ")
    line, _, tail = rest.partition(f"; {REPEATED}")
    groups = sorted(line.split("; "), key=lambda group: (not group.startswith("none"), group))
    return f"{head}Tuning: NOT EQUAL: {'; '.join(groups)}; {REPEATED}{tail}"


def test_what_has_nothing_to_tune_is_no_inequality(search, run):
    search(["tunable", "triplet"], 2)
    results = run(["tunable", "triplet", "separate"])
    assert not tuned_more(results.rows)
    text = " ".join(render(results).split())
    assert "Tuning: 2 trials of 10 steps of 32 pairs, for mean R@1 on" in text
    assert f"; {REPEATED}; Separate Models: nothing to tune. Doubts about the tuning: " in text
    assert DOUBTS in text
    assert "NOT EQUAL" not in text
    untuned = run(["triplet", "separate"], None, results="other")
    assert "Tuning: none." in " ".join(render(untuned).split())


def test_what_differs_from_the_search_is_said(search, run, site, capsys):
    search(["tunable"], 1)
    run(["tunable", "huse", "separate"], training={"steps": 11, "dropout": 0.2}, quiet=False)
    err = capsys.readouterr().err
    assert "tuned otherwise: in results/toy/tuned.toml training.steps is 10, not 11" in err
    assert "training.dropout is 0.15, not 0.2" in err
    assert "HUSE is not in results/toy/tuned.toml: it is run with no trials spent on it" in err
    assert "Separate" not in err.split("toy: 96 train")[0]
    assert "has changed" not in err
    with (site / "toy_plugins.py").open("a") as file:
        file.write("\nCHANGED = True\n")
    run(["tunable"], quiet=False)
    assert "the code of Tunable has changed since results/toy/tuned.toml was made" in capsys.readouterr().err


def test_a_file_of_other_methods_is_refused(search, run):
    search(["tunable"], 1)
    with pytest.raises(
        ConfigError, match=r"tuned.toml is of tunable, and none of these is among the methods to run \(huse, cme\)"
    ):
        run(["huse", "cme"])


def test_a_file_of_other_data_is_refused(search, run, toy):
    _, path = search(["tunable"], 1)
    content_hash = ParamsFile.read(path).ledger.content_hash
    edit(path, content_hash, "f" * 64)
    with pytest.raises(
        ConfigError, match=rf"tuned on other data: content_hash is '{'f' * 64}' there and '{content_hash}'"
    ):
        run()
    edit(path, 'dataset = "toy"', 'dataset = "emoji"')
    with pytest.raises(ConfigError, match=r"on other data: dataset is 'emoji' there and 'toy' here. Tune on this data"):
        run()
    assert not list((toy / "results/toy/runs").glob("*.json"))


def test_a_loss_of_another_distribution_is_refused(search, run):
    _, path = search(["tunable"], 1)
    edit(path, 'distribution = "toy-plugins"', 'distribution = "others"')
    with pytest.raises(
        ConfigError, match=r"tuned for the loss of others, not for that of toy-plugins; .*others::tunable"
    ):
        run(["toy-plugins::tunable"])


def test_a_method_may_be_asked_for_by_its_qualified_name(search, run):
    (tuned,), _ = search(["toy-plugins::tunable"], 2)
    record = run(["toy-plugins::tunable"]).records[0]
    assert record.method.parameters["weight"] == tuned.best.parameters["weight"]
    assert record.tuning.trials == 2


def test_a_hyper_parameter_that_is_given_twice(search, run):
    _, path = search(["tunable"], 1)
    weight = ParamsFile.read(path).methods["tunable"][0]["weight"]
    assert run(parameters={"tunable": {"weight": weight}}).records[0].tuning.trials == 1
    with pytest.raises(
        ConfigError,
        match=rf"methods.tunable.weight is 3.5 \(argument\) and {weight} \(params file .*\); leave one of the two out",
    ):
        run(parameters={"tunable": {"weight": 3.5}})


def test_a_wrong_hyper_parameter_in_the_file_names_the_file(search, run):
    _, path = search(["tunable"], 1)
    edit(path, "[methods.tunable]", '[methods.tunable]\nlenght = "x"')
    with pytest.raises(
        ConfigError, match=r"'tunable' has no hyper-parameter 'lenght' \(params file results/toy/tuned.toml"
    ):
        run()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[methods.huse]\nalpha = 2.0\n", r"t.toml has no \[ledger\], so it is no file of tuned.*by --config"),
        ("alpha =", "t.toml is not a TOML file: .*make it with huse-bench tune"),
        ('[ledger]\ndataset = "toy"\n', r"t.toml: ledger.content_hash: Field required"),
        (None, "cannot read the params file t.toml: No such file"),
    ],
)
def test_files_that_are_none_of_a_search(run, toy, text, message):
    if text is not None:
        (toy / "t.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        run(["huse"], "t.toml")


def test_a_byte_order_mark_is_no_part_of_the_file(search):
    _, path = search(["tunable"], 1)
    expected = ParamsFile.read(path)
    text = path.read_bytes()
    path.write_bytes(codecs.BOM_UTF8 + text)
    assert ParamsFile.read(path) == expected
    path.write_bytes(text.decode().encode("utf-16"))
    with pytest.raises(ConfigError, match=r"is not a TOML file: it is encoded in UTF-16; save it as UTF-8; make it"):
        ParamsFile.read(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("trials = 1", 'trials = "many"', "ledger.methods.tunable.trials: Input should be a valid integer"),
        ("trials = 1", "trials = 0", "ledger.methods.tunable.trials: Input should be greater than or equal to 1"),
        ("steps = 10", "steps = 0", "ledger.training.steps: Input should be greater than or equal to 1"),
        ("value = ", "value = nan # ", "ledger.methods.tunable.value: Input should be a finite number"),
        ("[methods.tunable]", "[methods.other]", r"the method '.*' needs both \[methods"),
    ],
)
def test_a_spoilt_file_names_the_place(search, run, old, new, message):
    _, path = search(["tunable"], 1)
    edit(path, old, new)
    with pytest.raises(ConfigError, match=message):
        run()


def test_reading_needs_neither_optuna_nor_the_writer(search, run, monkeypatch):
    search(["tunable"], 1)
    for module in ("optuna", "tomli_w"):
        monkeypatch.setitem(sys.modules, module, None)
    assert run().records[0].status == "finished"


def test_what_is_written_is_what_is_read(search):
    _, path = search(["tunable", "picky"], 3)
    file = ParamsFile.read(path)
    other = Path("copy.toml")
    file.write(other)
    assert other.read_text() == path.read_text()
    assert ParamsFile.read(other) == file
