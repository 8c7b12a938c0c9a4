"""The CPU backends need memory linear in the rows."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, resource, sys
from pathlib import Path
import torch
from huse_bench import kernels

def inputs(count, dim):
    x, text, psi = (
        torch.nn.functional.normalize(torch.randn(*shape), dim=1) for shape in ((count, dim), (count, dim), (400, 8))
    )
    return x.requires_grad_(), text.requires_grad_(), torch.randint(400, (count,)), 1 - psi @ psi.T

losses = {
    "graph_loss, and": lambda x, text, labels, distances: kernels.graph_loss(x, labels, distances, 0.5, "and"),
    "graph_loss, none": lambda x, text, labels, distances: kernels.graph_loss(x, labels, distances, 0.5, "none"),
    "semihard_triplet": lambda x, text, labels, distances: kernels.semihard_triplet(x, labels, 0.3),
    "double_triplet": lambda x, text, labels, distances: kernels.double_triplet(x, text, labels, 0.3, 0.1),
    "cosine_embedding": lambda x, text, labels, distances: kernels.cosine_embedding(x, text, 0.1, 0.8),
}

def peak():
    # Of this program alone: getrusage also counts what the process was before it became this one.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024

def gradients(loss, rows):
    loss(*rows).backward()
    rows[0].grad = rows[1].grad = None

torch.manual_seed(0)
torch.set_num_threads(1)
for loss in losses.values():
    gradients(loss, inputs(64, 512))
if sys.argv[1:] == ["compile"]:
    sys.exit()
rows = inputs(8192, 512)
resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
peaks = {}
for name, loss in losses.items():
    gradients(loss, rows)
    peaks[name] = peak() - resident
print(json.dumps(peaks))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads how much memory is resident from Linux's /proc")
def test_8192_rows_of_512_need_under_100_mib():
    # What is freed goes back at once, so that the peak is of what is held, not of what glibc keeps in reserve.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    # Compiling takes more than running: a process of its own does it, and leaves the code in numba's cache.
    for mode in ("compile", "run"):
        command = [sys.executable, "-c", PROGRAM, mode]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert ran.returncode == 0, ran.stderr
    # A peak is that of the loss or of one before it; a matrix of all pairs alone would take 256.
    peaks = json.loads(ran.stdout)
    assert max(peaks.values()) < 100, peaks
