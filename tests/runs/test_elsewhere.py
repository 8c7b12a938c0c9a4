"""A run by its plan as a text: the same bits, done once, and refused where code or data are others."""

import json
import os
import sys
from dataclasses import replace

import pytest
import torch

import huse_bench as hb
from huse_bench.config import resolve_config
from huse_bench.errors import ConfigError, EngineError
from huse_bench.features.prepared_files import save_prepared
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs.data import device_here, device_of, load, make_ready
from huse_bench.runs.elsewhere import do_run, plan_text, read_answer
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.plan import plan_runs
from huse_bench.runs.unit import run_unit


@pytest.fixture
def planned(toy, quick_training, tmp_path):  # noqa: ARG001 - has the data
    """Plans of methods, their data, and where these lie as files."""

    def plan(*names, **options):
        given = {"dataset": "toy", "methods": list(names), "training": quick_training, **options}
        config = resolve_config(None, given)
        _, prepared = make_ready(load(config), config, Reporter(quiet=True))
        specs = plan_runs(config, resolve_methods(config), prepared)
        return specs, prepared, save_prepared(prepared, tmp_path / "data")

    return plan


def everything(record):
    """A record less what is of the moment."""
    fields = record.model_dump(mode="json", exclude={"created"})
    del fields["training"]["seconds"], fields["training"]["steps_per_second"], fields["device"]["peak_memory_bytes"]
    return fields


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": [3, 4], "save_model": True},
        {"controls": True, "device": "cpu", "protocol": "v1"},
        {
            "parameters": {
                "wide": {"base": "huse", "title": "Wide", "margin": 1, "relaxation": "or"},
                "huse": {"beta": 2},
            }
        },
    ],
)
def test_a_plan_as_text_gives_the_same_records(planned, tmp_path, options):
    names = ["huse", *(name for name in options.get("parameters", {}) if name != "huse")]
    specs, prepared, data = planned(*names, **options)
    here, there = Store(tmp_path / "here", "toy"), Store(tmp_path / "there", "toy")
    assert len(specs) == 2
    for spec in specs:
        expected = run_unit(spec, prepared, here)
        answer = read_answer(do_run(plan_text(spec, data, there, 1, None)))
        assert answer.fingerprint == expected.fingerprint
        assert len(answer.files) == ("save_model" in options)
        found, wanted = everything(there.find(spec.fingerprint)), everything(expected)
        assert {k: v for k, v in found["provenance"].items() if v != wanted["provenance"][k]} == {}
        assert found == wanted
    assert len(there.read()[0]) == 2


def test_a_failing_method_is_a_record_and_its_reason_an_answer(planned, tmp_path):
    (spec,), _, data = planned("crash")
    store = Store(tmp_path / "results", "toy")
    assert read_answer(do_run(plan_text(spec, data, store, 1, None))).error == "ZeroDivisionError: oh no"
    assert store.find(spec.fingerprint).status == "failed"


def test_what_another_worker_did_meanwhile_is_not_done_again(planned, tmp_path):
    (spec,), _, data = planned("gap")
    store = Store(tmp_path / "results", "toy")
    text = plan_text(spec, data, store, 1, None)
    do_run(text)
    first = store.find(spec.fingerprint)
    do_run(text)
    assert store.find(spec.fingerprint).created == first.created
    # Asked for anew, it is.
    do_run(plan_text(spec, data, store, 1, first))
    assert store.find(spec.fingerprint).created > first.created


def test_a_worker_with_other_code_refuses(planned, tmp_path, toy):
    (spec,), _, data = planned("gap")
    store = Store(tmp_path / "results", "toy")
    text = plan_text(spec, data, store, 1, None)
    path = toy.parent / "site/toy_plugins.py"
    path.write_text(path.read_text().replace("self.weight * (1 -", "self.weight * (2 -"))
    with pytest.raises(EngineError, match=r"has another 'gap' than this process: .* Install the same versions"):
        read_answer(do_run(text))
    assert store.read() == ([], [])


def test_a_worker_without_the_data_says_so(planned, tmp_path):
    (spec,), _, _ = planned("gap")
    text = plan_text(spec, tmp_path / "nowhere", Store(tmp_path / "results", "toy"), 1, None)
    with pytest.raises(EngineError, match=r"nowhere holds no prepared data that can be read"):
        read_answer(do_run(text))


def test_a_worker_sees_the_settings_and_the_command_of_who_asked(planned, tmp_path, monkeypatch):
    (spec,), _, data = planned("gap")
    store = Store(tmp_path / "results", "toy")
    (tmp_path / "plugins").mkdir()
    monkeypatch.setattr(sys, "argv", ["huse-bench", "run", "--jobs", "2"])
    monkeypatch.setenv("HUSE_BENCH_PLUGINS_DIR", str(tmp_path / "plugins"))
    text = plan_text(spec, data, store, 1, None)
    monkeypatch.setattr(sys, "argv", ["worker"])
    monkeypatch.setenv("HUSE_BENCH_PLUGINS_DIR", "elsewhere")
    monkeypatch.setenv("HUSE_BENCH_STRICT_PLUGINS", "1")
    do_run(text)
    assert os.environ["HUSE_BENCH_PLUGINS_DIR"] == str(tmp_path / "plugins")
    assert "HUSE_BENCH_STRICT_PLUGINS" not in os.environ
    assert store.find(spec.fingerprint).provenance["command"] == "huse-bench run --jobs 2"


def test_a_plan_is_plain_and_what_is_not_plain_is_refused(planned, tmp_path):
    (spec,), _, data = planned("gap")
    store = Store(tmp_path / "results", "toy")
    assert json.loads(plan_text(spec, data, store, 1, None))["fingerprint"] == spec.fingerprint
    odd = replace(spec, config=spec.config.model_copy(update={"parameters": {"gap": {"weight": object()}}}))
    with pytest.raises(ConfigError, match=r"a setting is no plain number, text or list .*leave out --jobs"):
        plan_text(odd, data, store, 1, None)


def test_the_public_function_refuses_what_an_engine_does_not_take(toy):  # noqa: ARG001
    with pytest.raises(ConfigError, match=r"'dask' needs the address"):
        hb.run(["gap"], "toy", engine="dask", quiet=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="shows what happens without a GPU")
def test_the_machine_of_the_command_needs_no_gpu_where_those_of_the_cluster_train():
    config = resolve_config(None, {"device": "cuda", "engine": "slurm"})
    assert (device_of(config), device_here(config)) == ("cuda", "cpu")
    with pytest.raises(ConfigError, match="device 'cuda' cannot be used here"):
        device_of(resolve_config(None, {"device": "cuda", "engine": "loky"}))
