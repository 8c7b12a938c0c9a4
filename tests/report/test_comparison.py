"""A comparison of two methods as text."""

from huse_bench.report.comparison import comparison_text
from huse_bench.results import load_results
from huse_bench.results.comparison import compare

SEEDS = range(3)


def test_long_labels_fit_too(tmp_path, write_run):
    for seed in SEEDS:
        write_run("cme", seed, 0.3, method__title="A loss whose author could not settle on a short name")
        write_run("huse", seed, 0.4, method__title="Nor could this one, whose title is just as long as the other's")
    lines = comparison_text(compare(load_results(tmp_path), "huse", "cme")).splitlines()
    assert max(map(len, lines)) <= 120
    heading = next(line for line in lines if "95 % interval" in line)
    assert heading.split()[:2] == ["first", "second"]
    assert lines[0].startswith("Nor could this one")
