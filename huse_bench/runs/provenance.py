"""Where numbers come from: versions of the software, and the machine."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

from huse_bench.discovery import collect
from huse_bench.training.parallel import processes

__all__ = ["provenance"]


def provenance() -> tuple[dict[str, str], list[str]]:
    """Versions and the machine by name, with what hooks add, and one line for each hook that failed."""
    packages = ("huse-bench", "torch", "numpy", "numba")
    facts = {name: metadata.version(name) for name in packages}
    facts |= {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "torch threads": str(torch.get_num_threads()),
        # Quoted where that is needed, so that a path with spaces is seen to be one.
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
    if processes() > 1:
        facts["processes"] = str(processes())
    results, errors = collect("huse_bench_provenance")
    for extra in results:
        facts |= extra
    return facts, errors


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
