"""One command on several data sets: what each is given, and that all are refused before any is trained."""

import json
from pathlib import Path

import pytest

import huse_bench as hb
from huse_bench.cli import main
from huse_bench.config import resolve_config
from huse_bench.errors import ConfigError, DataError, UnknownComponentError
from huse_bench.runs.several import dataset_names, expanded

TOYS = '''
from toy_plugins import Gap, Toy

class Second(Toy):
    """The same classes with other noise."""
    title = "Second toy"
    shipped = True

    def load(self):
        import dataclasses
        import numpy as np
        from huse_bench import Features

        items = super().load()
        values = items.image_features.values + np.float32(0.05)
        return dataclasses.replace(items, image_features=Features(values, "toy6@2"))
'''


@pytest.fixture
def toys(toy):
    """The toy data sets and a second one, which alone of them comes whole; gives an empty working folder."""
    from huse_bench import discovery

    site = toy.parent / "site"
    (site / "more_toys.py").write_text(TOYS)
    info = site / "more_toys-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more-toys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[huse_bench.datasets]\nsecond = more_toys:Second\n")
    discovery.refresh()
    return toy


def config(**given):
    return resolve_config(None, given)


def test_a_single_data_set_stays_as_it_is():
    for given in ({}, {"dataset": "nowhere"}, {"dataset": ["emoji"]}, {"results": Path("mine"), "data": Path("x")}):
        asked = config(**given)
        assert expanded(asked) == [(asked.dataset, asked)]


@pytest.mark.usefixtures("toys")
def test_each_of_several_has_its_own_folder_and_all_else_alike():
    asked = config(dataset=["toy", "second"], seeds=[3, 4], methods=["huse"])
    parts = expanded(asked)
    assert [title for title, _ in parts] == ["toy", "second"]
    assert [str(part.results_folder) for _, part in parts] == [str(Path("results/toy")), str(Path("results/second"))]
    for _, part in parts:
        assert part.model_copy(update={"dataset": asked.dataset}) == asked
    for given, folders in (
        ("mine", ["mine/toy", "mine/second"]),
        ("mine/{dataset}/tuned", ["mine/toy/tuned", "mine/second/tuned"]),
    ):
        found = expanded(config(dataset="toy, second", results=Path(given), params=Path("p/{dataset}.toml")))
        assert [part.results.as_posix() for _, part in found] == folders
        assert [part.params.as_posix() for _, part in found] == ["p/toy.toml", "p/second.toml"]


@pytest.mark.usefixtures("toys")
def test_all_are_those_that_come_whole():
    assert dataset_names("all") == ["clipart", "emoji", "icons", "second"]
    assert dataset_names("toy,all") == ["toy", "clipart", "emoji", "icons", "second"]
    assert dataset_names("second,all") == ["second", "clipart", "emoji", "icons"]
    # A name alone is looked up where the data are loaded, which has more to say.
    assert dataset_names("tooy") == ["tooy"]


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"dataset": ","}, ConfigError, "',' names no data set"),
        ({"dataset": ["toy", "Toy"]}, ConfigError, "names the data set 'Toy' twice"),
        ({"dataset": ["toy", "secnd"]}, UnknownComponentError, "second"),
        ({"dataset": ["toy", "second"], "data": Path("x")}, ConfigError, "data = 'x' .argument. is a copy of one data"),
        ({"dataset": ["toy", "second"], "params": Path("t.toml")}, ConfigError, r"results/\{dataset\}/tuned.toml"),
        ({"dataset": ["toy", 3]}, ConfigError, r"dataset = \['toy', 3\]"),
    ],
)
def test_mistakes(given, error, message):
    with pytest.raises(error, match=message):
        expanded(config(**given))


def test_from_python_a_list_gives_results_by_name(toys, quick_training):
    found = hb.run(methods=["gap"], dataset=["toy", "second"], training=quick_training, seeds=2, quiet=True)
    assert list(found) == ["toy", "second"]
    assert [each.records[0].dataset.name for each in found.values()] == ["toy", "second"]
    assert {path.parts[1] for path in Path("results").glob("*/runs/*.json")} == {"toy", "second"}
    frame = hb.summary(found.values())
    assert list(frame.index) == ["Gap only"]
    # Four classes are all right for HP@5, and the loss has no classifier.
    assert frame.notna().any().groupby(level=0, sort=False).any().to_dict() == {
        "R@1 in-modal": True,
        "R@1 cross-modal": True,
        "HP@5": False,
        "Fusion accuracy": False,
    }
    alone = hb.run(methods=["gap"], dataset=["toy"], training=quick_training, seeds=2, quiet=True)
    assert list(alone) == ["toy"]
    (toys / "c.toml").write_text('dataset = ["toy", "second"]\n')
    with pytest.raises(
        ConfigError, match=r"2 data sets.* ask for them by a list: hb.run\(dataset=\['toy', 'second'\]\)"
    ):
        hb.run(config="c.toml")


@pytest.mark.usefixtures("toys")
def test_what_one_data_set_lacks_stops_all_before_the_first_training(quick_training):
    with pytest.raises(DataError, match="'small'"):
        hb.run(methods=["gap"], dataset=["toy", "small"], training=quick_training, quiet=True)
    assert not Path("results").exists()


@pytest.fixture
def call(toys, capsys):
    training = "steps = 40\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nwarmup_steps = 5\n"
    (toys / "quick.toml").write_text(f'dataset = ["toy", "second"]\n[training]\n{training}')

    def call(*arguments):
        code = main(["run", "--config", "quick.toml", *arguments])
        return code, *capsys.readouterr()

    return call


def test_the_command_prints_the_tables_of_each_and_ends_with_the_summary(call, capsys):
    code, out, err = call("--methods", "gap,huse", "--seeds", "2")
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith(("Table", "Summary"))] == [
        *(
            f"Table {number}: {words} {title}."
            for title in ("Toy classes", "Second toy")
            for number, words in (
                (1, "Retrieval performance of various methods on four retrieval tasks of"),
                (2, "Hierarchical precision of various methods on four retrieval tasks of"),
                (3, "Classification accuracy (%) on"),
            )
        ),
        "Summary: Methods over 2 data sets.",
    ]
    assert "\nImprovement: " in out
    assert err.index("second: 96 train") > err.index("toy: 96 train")
    # The same from the folders, in the same order.
    assert main(["tables", "--dataset", "toy,second", "--table", "summary"]) == 0
    assert out.endswith(capsys.readouterr().out.partition("=\n\n")[2])


def test_a_run_that_fails_is_exit_code_1_and_the_others_go_on(call):
    code, out, _ = call("--methods", "gap,crash")
    assert code == 1
    assert out.count("failed") >= 2
    assert "Left out: Crash (no run finished on" in out
    assert len(list(Path("results/second/runs").glob("gap*.json"))) == 1


def test_a_plan_of_several(call, toys):
    assert call("--methods", "gap", "--dataset", "toy")[0] == 0
    code, out, _ = call("--methods", "gap", "--seeds", "2", "--dry-run", "--json")
    document = json.loads(out)
    assert (code, document["waiting"]) == (0, 3)
    assert [(plan["dataset"], plan["waiting"]) for plan in document["datasets"]] == [("toy", 1), ("second", 2)]
    assert document["seconds"] == pytest.approx(sum(plan["seconds"] for plan in document["datasets"]))
    _, out, _ = call("--methods", "gap", "--seeds", "2", "--dry-run")
    assert out.index("Data set toy") < out.index("Data set second") < out.index("Of 2 data sets 3 runs are waiting")
    assert not (toys / "results/second").exists()


def test_each_data_set_is_tuned_by_itself_and_run_with_its_own_parameters(call, capsys):
    pytest.importorskip("optuna")
    tune = ["tune", "--config", "quick.toml", "--methods", "triplet", "--trials", "2", "--steps", "5", "-q"]
    assert main(tune) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("Data set")] == [
        "Data set toy",
        "Data set second",
    ]
    code, out, err = call("--params", "results/{dataset}/tuned.toml", "--steps", "5")
    assert (code, out.count("Tuning: 2 trials of 5 steps")) == (0, 2), err
    assert main([*tune, "--output", "t.toml"]) == 2
    assert "--output = 't.toml' is a file of one data set, and there are several" in capsys.readouterr().err
