"""What a benchmark run leaves behind: measurements and the facts of the machine they were made on, as one JSON."""

import os
import platform
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from cpuinfo import get_cpu_info
from pydantic import BaseModel, ConfigDict

from benchmarks.versions import installed

FOLDER = Path(__file__).parents[1] / "results" / "benchmarks"
SCHEMA_VERSION: Literal[1] = 1

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "amx_tile", "asimd", "sve", "bf16")
_DISTRIBUTIONS = (
    "huse-bench",
    "torch",
    "numba",
    "numpy",
    "triton",
    "faiss-cpu",
    "scikit-learn",
    "pytorch-metric-learning",
)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spread(_Model):
    """The median of the rounds, and the quartiles beside it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: "Sequence[float] | np.ndarray") -> "Spread":
        low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
        return cls(median=float(median), low=float(low), high=float(high))


class Entry(_Model):
    """One competitor's figures; a ratio is its time over ours, so above 1 where ours is faster."""

    name: str
    note: str = ""
    difference: float
    seconds: dict[str, Spread]
    total: Spread
    ratio: Spread | None = None
    tuned_ratio: Spread | None = None
    bound_share: Spread | None = None
    memory_mib: float | None = None


class Measurement(_Model):
    """An operation on data of one size, with all competitors."""

    operation: str
    rows: int
    dim: int
    threads: int
    clock: Literal["processor", "wall", "cuda events"]
    rounds: int
    facts: dict[str, float] = {}
    entries: list[Entry]

    def entry(self, name: str) -> Entry | None:
        """The figures of a competitor; None where it did not take part."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def completed(self, memory: dict[str, float], tuned: dict[str, float] | None) -> "Measurement":
        """With the memory of the competitors, and the first one's ratio under the tuned allocator."""
        entries = [entry.model_copy(update={"memory_mib": memory.get(entry.name)}) for entry in self.entries]
        if tuned:
            entries[0] = entries[0].model_copy(update={"tuned_ratio": Spread(**tuned)})
        return self.model_copy(update={"entries": entries})


class Machine(_Model):
    """What the times depend on."""

    processor: str
    cpus: int
    flags: list[str]
    system: str
    blas: str
    torch_capability: str
    gpus: list[str]
    load_before: float | None


class Report(_Model):
    """All of one run."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    quick: bool
    date: str
    machine: Machine
    versions: dict[str, str]
    absent: dict[str, str] = {}
    measurements: list[Measurement]

    @classmethod
    def of(cls, measurements: list[Measurement], machine: Machine, name: str, *, quick: bool) -> "Report":
        """The report of measurements made just now."""
        return cls(
            name=name,
            quick=quick,
            date=datetime.now(UTC).date().isoformat(),
            machine=machine,
            versions={"python": platform.python_version(), **installed(_DISTRIBUTIONS)},
            absent=absent(),
            measurements=measurements,
        )


def absent() -> dict[str, str]:
    """The peers that cannot compete here, and why."""
    versions = installed(_DISTRIBUTIONS)
    missing = {name: "not installed" for name in _DISTRIBUTIONS if name not in versions}
    if shutil.which("c++") is None and shutil.which("g++") is None:
        missing["torch.compile"] = "no C++ compiler"
    return missing


def machine() -> Machine:
    """The facts of this machine; call it before measuring, for the load."""
    info = get_cpu_info()
    blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    return Machine(
        processor=info.get("brand_raw", platform.machine()),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        flags=[flag for flag in _FLAGS if flag in info.get("flags", ())],
        system=f"{platform.system()} {platform.machine()}",
        blas=blas[1] if blas else "unknown",
        torch_capability=torch.backends.cpu.get_cpu_capability(),
        gpus=[torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        load_before=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def slug(facts: Machine, *, quick: bool) -> str:
    """A file name for results of the machine; a quick run never takes the name of a full one."""
    words = re.sub(r"\(.*?\)|\bcpu\b|@.*", " ", facts.processor.lower())
    name = "-".join(re.findall(r"[a-z0-9.]+", f"{words} {facts.cpus} cpus"))
    return f"{name}-quick" if quick else name
