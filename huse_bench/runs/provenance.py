"""Where numbers come from: versions of the software, and the machine."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TypedDict

import torch

from huse_bench.discovery import collect

__all__ = ["DeviceFacts", "device_facts", "provenance"]


class DeviceFacts(TypedDict):
    """What trained a run.

    Attributes:
        kind: class of the device, ``"cpu"`` or ``"cuda"``.
        name: of the processor or of the GPU.
        precision: of the towers' matrix products.
        peak_memory_bytes: the most memory in use: of this process since it began on a processor, and of tensors on the
            GPU since its statistics were reset last; None where the system does not say.
    """

    kind: str
    name: str
    precision: str
    peak_memory_bytes: int | None


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
    results, errors = collect("huse_bench_provenance")
    for extra in results:
        facts |= extra
    return facts, errors


def device_facts(device: torch.device, precision: str) -> DeviceFacts:
    """What a record says of the device that trained; to be asked for when the training has ended.

    Args:
        device: where it trained.
        precision: as in the training's settings.
    """
    if device.type == "cuda":
        name, peak = torch.cuda.get_device_name(device), int(torch.cuda.max_memory_allocated(device))
        return {"kind": device.type, "name": name, "precision": precision, "peak_memory_bytes": peak}
    return {
        "kind": device.type,
        "name": _processor(),
        "precision": precision,
        "peak_memory_bytes": _peak_resident_bytes() if device.type == "cpu" else None,
    }


def _peak_resident_bytes() -> int | None:
    try:
        import resource  # noqa: PLC0415  not on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kibibytes, but on macOS.
    return peak if sys.platform == "darwin" else 1024 * peak


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
