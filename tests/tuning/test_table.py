"""The table of ``huse-bench tune``: what each study found, and what its gain is worth."""

import pytest

from huse_bench.cli import main
from huse_bench.runs.params import ParamsFile

TRAINING = "[training]\nsteps = 80\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nwarmup_steps = 5\n"
LEARNS = "learning_rate = 0.01\ndropout = 0.0\nimage_layers = 2\n"


@pytest.fixture
def tune(site, toy, capsys):  # noqa: ARG001 - site puts the losses on the path
    (toy / "quick.toml").write_text(TRAINING + LEARNS)

    def call(*arguments):
        assert main(["tune", "--dataset", "deep", "--config", "quick.toml", *arguments]) == 0
        return capsys.readouterr().out.splitlines()

    return call


def test_each_study_has_a_line_with_the_gain_that_the_ledger_keeps(tune, toy):
    heading, _, *lines = tune("--methods", "blind", "--trials", "2", "--studies", "2", "--objective", "hierarchy")
    assert heading.split()[:6] == ["Method", "Study", "Trials", "Failed", "Defaults", "Best"]
    file = ParamsFile.read(toy / "results/deep/tuned.toml")
    assert file.ledger.objective == ("mean HP@5",)
    for number, (line, spent) in enumerate(zip(lines[:2], file.ledger.methods["blind"], strict=True), 1):
        low, high = spent.gain_interval
        gain = spent.value - spent.default_value
        assert gain > 0
        assert low < gain < high
        shown = f"Blind {number} 2 0 {spent.default_value:.4f} {spent.value:.4f} {gain:+.4f} ± {high - gain:.4f} 2"
        assert " ".join(line.split()).startswith(shown)
    assert lines[3] == (
        "Gain: best less defaults; ± is the 95 % interval over groups of validation queries. The best of several trials"
    )


def test_a_search_that_found_nothing_better_claims_nothing(tune):
    _, _, line, *below = tune("--methods", "tunable", "--trials", "1")
    assert line.split()[5] == "none"
    assert not below
