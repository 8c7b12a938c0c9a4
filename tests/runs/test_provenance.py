"""What a record says of the machine."""

import shlex
import subprocess
import sys

import psutil
import pytest
import torch

from huse_bench.runs.device import device_info, forget_peak
from huse_bench.runs.provenance import provenance


def test_the_command_can_be_given_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/opt/bin/huse-bench", "run", "--data", "my items.csv", "--seeds", "0,1"])
    facts, _ = provenance()
    assert facts["command"] == "huse-bench run --data 'my items.csv' --seeds 0,1"
    assert shlex.split(facts["command"])[3] == "my items.csv"


# What is in use, the peak, the peak after more than that was taken at once, and the one after it was given back.
PEAKS = """
import numpy as np, psutil, torch
from huse_bench.runs.device import device_info

def peak():
    return device_info(torch.device("cpu"), "float32", "a processor").peak_memory_bytes

print(psutil.Process().memory_info().rss)
print(before := peak())
ballast = np.ones(before // 8 + 2**22)
print(peak())
del ballast
print(peak())
"""


def test_the_processor():
    found = device_info(torch.device("cpu"), "bfloat16", provenance()[0]["processor"])
    assert (found.kind, found.precision) == ("cpu", "bfloat16")
    assert found.name


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_the_peak_of_memory():
    # In a process of its own, for a second peak of that of all tests may be more than there is.
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    now, before, grown, after = map(int, done.stdout.split())
    # Both in bytes: a peak is no less than what is in use now.
    assert now * 0.9 <= before <= psutil.virtual_memory().total
    assert grown >= before + 2**24
    assert after >= grown


@pytest.mark.skipif(sys.platform != "win32", reason="others tell")
def test_where_the_peak_is_not_told_there_is_none():
    assert device_info(torch.device("cpu"), "float32", "a processor").peak_memory_bytes is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_and_the_peak_of_its_memory():
    device = torch.device("cuda")
    forget_peak("cuda")
    torch.ones(2**20, device=device)
    found = device_info(device, "float32", "a processor")
    assert found.kind == "cuda"
    assert found.name == torch.cuda.get_device_name()
    assert found.peak_memory_bytes >= 4 * 2**20
