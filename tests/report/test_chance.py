"""Rows below chance, by hand."""

from huse_bench.report import render
from huse_bench.report.chance import below_chance
from huse_bench.results import Results
from huse_bench.results.layout import LAYOUT


def rows_of(*records):
    return Results(records).rows


def test_below_chance_by_the_protocol_and_by_the_control(make_record):
    recall, accuracy = LAYOUT["table1"][0], LAYOUT["table3"][0]
    assert (recall.task, recall.metric, accuracy.task) == ("i2i", "R@1", "image")

    def record(name, r_at_1, accuracies=(0.5, 0.5, 0.5)):
        return make_record(name, start=r_at_1, accuracies=accuracies, protocol={"chance": {"R@1": 0.05}})

    at, below = record("a", 0.05), record("b", 0.04)
    assert below_chance(rows_of(at, below), [recall]) == {"B": [recall]}
    # The records are of 80 classes.
    guessing = record("a", 0.05, (0.01, 0.5, 0.5))
    assert below_chance(rows_of(guessing), [recall, accuracy]) == {"A": [accuracy]}
    # The control knows better, and is itself no method; so is what was trained on shuffled labels.
    control, shuffled = record("control:chance", 0.06), record("control:shuffled-a", 0.01)
    assert below_chance(rows_of(at, record("c", 0.07), control, shuffled), [recall]) == {"A": [recall]}
    # Equal as printed is not below; in-modal columns have a chance of their own, where the record says it.
    assert below_chance(rows_of(record("a", 0.0499)), [recall]) == {}
    both = {"chance": {"R@1": 0.9, "in-modal R@1": 0.01}}
    across = LAYOUT["table1"][3]
    assert (across.task, across.metric) == ("i2t", "R@1")
    apart = make_record("a", start=0.02, protocol=both)
    assert below_chance(rows_of(apart), [recall, across]) == {"A": [across]}
    silent = make_record("old", start=0.0, protocol={"recall": "class-hit-rate/v1"})
    assert below_chance(rows_of(silent), [recall]) == {}


def test_a_row_below_chance_is_marked_and_said(make_record):
    low = make_record("low", start=0.5, accuracies=None, protocol={"chance": {"R@5": 0.6, "HP@2": 0.9}})
    text = render(Results([low])).replace("\n  ", " ")
    assert "¶ LOW is below chance in i2i R@5, i2t R@5." in text
    assert "¶ LOW is below chance in i2i HP@2, i2t HP@2, t2i HP@2, t2t HP@2." in text
    # In Tables 1 and 2, not in Table 3.
    assert text.count("\nLOW¶ ") == 2
    assert r"LOW\P{} &" in render(Results([low]), "latex")
    assert "¶" not in render(Results([make_record("high")]))
