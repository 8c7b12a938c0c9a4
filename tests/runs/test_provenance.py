"""What a record says of the machine."""

import shlex
import sys

import numpy as np
import pytest
import torch

from huse_bench.runs.provenance import device_facts, provenance


def test_the_command_can_be_given_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/opt/bin/huse-bench", "run", "--data", "my items.csv", "--seeds", "0,1"])
    facts, _ = provenance()
    assert facts["command"] == "huse-bench run --data 'my items.csv' --seeds 0,1"
    assert shlex.split(facts["command"])[3] == "my items.csv"


def test_the_processor_and_the_peak_of_memory():
    before = device_facts(torch.device("cpu"), "bfloat16")
    assert set(before) == {"kind", "name", "precision", "peak_memory_bytes"}
    assert (before["kind"], before["precision"]) == ("cpu", "bfloat16")
    assert before["name"]
    if sys.platform == "win32":
        assert before["peak_memory_bytes"] is None
        return
    import psutil

    # Both in bytes: a peak is no less than what is in use now.
    assert psutil.Process().memory_info().rss * 0.9 <= before["peak_memory_bytes"] <= psutil.virtual_memory().total
    ballast = np.ones(before["peak_memory_bytes"] // 8 + 2**22)
    grown = device_facts(torch.device("cpu"), "float32")["peak_memory_bytes"]
    assert grown >= before["peak_memory_bytes"] + 2**24
    del ballast
    assert device_facts(torch.device("cpu"), "float32")["peak_memory_bytes"] >= grown


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_and_the_peak_of_its_memory():
    device = torch.device("cuda")
    torch.cuda.reset_peak_memory_stats(device)
    torch.ones(2**20, device=device)
    facts = device_facts(device, "float32")
    assert facts["kind"] == "cuda"
    assert facts["name"] == torch.cuda.get_device_name()
    assert facts["peak_memory_bytes"] >= 4 * 2**20
