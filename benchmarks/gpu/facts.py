"""What the machine is and does at most: packages, tools, the card, its peaks, and what a launch and a wait cost."""

import importlib.util
import shutil
import subprocess
import time

import torch

from benchmarks.gpu import card
from benchmarks.measuring import Effort

# What the later stages import, by the name that it is imported by.
_NEEDED = ("triton", "numba", "scipy", "pandas", "pyarrow", "pydantic", "pytest", "threadpoolctl", "cpuinfo", "xdist")
_TOOLS = ("gcc", "g++", "nvcc", "ptxas", "cuobjdump")
_QUERY = "driver_version,memory.total,clocks.sm,clocks.max.sm,clocks.mem,power.limit,temperature.gpu"
_LAUNCHES, _WAITS = 2000, 500


def check(notes):
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            notes.fail(f"the package {name} is not installed")
    # torch.compile needs a C compiler, and the report of resources needs what triton brings.
    notes.add("tools", **{name: shutil.which(name) or "none" for name in _TOOLS})
    if notes.dry_run:
        return
    here = torch.cuda.get_device_properties(0)
    notes.add(
        "card",
        name=here.name,
        capability=f"{here.major}.{here.minor}",
        memory_gib=here.total_memory / 2**30,
        multiprocessors=here.multi_processor_count,
        l2_mib=here.L2_cache_size / 2**20,
        cuda=torch.version.cuda,
    )
    with notes.guarded("nvidia-smi"):
        command = ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader", "--id=0"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - no user input
        notes.add("nvidia-smi", **dict(zip(_QUERY.split(","), said.split(", "), strict=True)))
    with notes.guarded("peaks"):
        notes.add("peaks, a second", **card.peaks(Effort(seconds=0.5, least=3, most=15)))
    with notes.guarded("launches"):
        notes.add("microseconds", **_launches())


def _launches():
    one = torch.zeros(1, device="cuda")

    def chain():
        for _ in range(_LAUNCHES):
            one.add_(1)

    chain()
    torch.cuda.synchronize()
    start = time.perf_counter()
    chain()
    queued = time.perf_counter() - start
    torch.cuda.synchronize()
    done = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(_WAITS):
        one.item()
    waited = time.perf_counter() - start
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        chain()
    replayed = card.seconds(graph.replay, Effort(seconds=0.5, least=3, most=15))
    return {
        "to queue a launch": queued / _LAUNCHES * 1e6,
        "until it is done": done / _LAUNCHES * 1e6,
        "to read a number": waited / _WAITS * 1e6,
        "a launch in a CUDA graph": replayed / _LAUNCHES * 1e6,
    }
