"""What a record says of the machine."""

import shlex
import sys

import numpy as np
import pytest
import torch

from huse_bench.runs.device import device_info, forget_peak
from huse_bench.runs.provenance import provenance


def test_the_command_can_be_given_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/opt/bin/huse-bench", "run", "--data", "my items.csv", "--seeds", "0,1"])
    facts, _ = provenance()
    assert facts["command"] == "huse-bench run --data 'my items.csv' --seeds 0,1"
    assert shlex.split(facts["command"])[3] == "my items.csv"


def test_the_processor_and_the_peak_of_memory():
    before = device_info(torch.device("cpu"), "bfloat16", provenance()[0]["processor"])
    assert (before.kind, before.precision) == ("cpu", "bfloat16")
    assert before.name
    if sys.platform == "win32":
        assert before.peak_memory_bytes is None
        return
    import psutil

    # Both in bytes: a peak is no less than what is in use now.
    assert psutil.Process().memory_info().rss * 0.9 <= before.peak_memory_bytes <= psutil.virtual_memory().total
    ballast = np.ones(before.peak_memory_bytes // 8 + 2**22)
    grown = device_info(torch.device("cpu"), "float32", "a processor").peak_memory_bytes
    assert grown >= before.peak_memory_bytes + 2**24
    del ballast
    assert device_info(torch.device("cpu"), "float32", "a processor").peak_memory_bytes >= grown


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_and_the_peak_of_its_memory():
    device = torch.device("cuda")
    forget_peak("cuda")
    torch.ones(2**20, device=device)
    found = device_info(device, "float32", "a processor")
    assert found.kind == "cuda"
    assert found.name == torch.cuda.get_device_name()
    assert found.peak_memory_bytes >= 4 * 2**20
