"""What Weights & Biases would send of the runs that it was told of, read from its files without it."""

import json
import os
import struct

import pytest

pytest.importorskip("wandb", reason="there is no Weights & Biases: pip install 'huse-bench[wandb]'")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    for variable in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


def records(path):
    """The records of a file: after seven bytes blocks of 32 KiB, whose parts have a checksum, a length and a kind."""
    from wandb.proto import wandb_internal_pb2

    data, at, part = path.read_bytes(), 7, b""
    assert data.startswith(b":W&B")
    while at < len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        # Whole, or the last part of one.
        if kind in (1, 4):
            yield wandb_internal_pb2.Record.FromString(part)
            part = b""


def values(items):
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def read(folder):
    """Name, project and configuration of the only run, its points, and its summary."""
    (path,) = folder.glob("tracking/wandb/offline-run-*/*.wandb")
    begun, points, summary = None, [], {}
    for record in records(path):
        if record.HasField("run"):
            begun = begun or record.run
        elif record.HasField("history"):
            points.append(values(record.history.item) | {"_step": record.history.step.num})
        elif record.HasField("summary"):
            summary |= values(record.summary.update)
    return begun, points, summary


def test_curves_parameters_and_numbers_of_a_run(run, toy, left_by):
    run(results="without")
    (record,) = run(results="with", track="wandb").records
    assert left_by("with") == left_by("without")
    begun, points, summary = read(toy / "with")
    assert (begun.display_name, begun.project, begun.run_group) == ("huse seed 0", "huse-bench", "toy")
    config = values(begun.config.update)
    assert config["method"] == "huse"
    assert config["training.steps"] == 40
    assert {name: config[name] for name in record.method.parameters} == record.method.parameters
    assert [point["_step"] for point in points] == list(record.learning.steps)
    for name, kept in record.learning.losses.items():
        assert [point[f"loss/{name}"] for point in points] == pytest.approx(list(kept), rel=1e-5)
    for name, kept in record.learning.validation.items():
        assert [point[f"validation/{name}"] for point in points] == pytest.approx(list(kept), rel=1e-5)
    assert summary["test/i2t R@1"] == record.retrieval["i2t"]["R@1"]
    assert summary["status"] == "finished"


def test_a_run_that_failed_says_why_and_the_project_is_who_asks_for_it(run, toy, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    run(["crash"], track="wandb")
    begun, _, summary = read(toy / "results/toy")
    assert begun.project == "mine"
    assert (summary["status"], summary["error"]) == ("failed", "oh no")


def test_who_switches_it_off_has_runs_all_the_same(run, toy, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (record,) = run(track="wandb").records
    assert record.status == "finished"
    assert not list(toy.glob("results/toy/tracking/**/*.wandb"))
