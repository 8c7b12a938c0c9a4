"""What a run is computed on, as its record says it."""

from __future__ import annotations

import sys

import torch

from huse_bench.results.schema import Device

__all__ = ["device_info", "forget_peak", "settle_functions"]

# Those that torch gives to the vector functions of Intel's library where it is built with it.
_FUNCTIONS = (
    *(torch.acos, torch.asin, torch.atan, torch.cos, torch.cosh, torch.erf, torch.erfc, torch.erfinv, torch.exp),
    *(torch.expm1, torch.log, torch.log10, torch.log1p, torch.log2, torch.sin, torch.sinh, torch.sqrt, torch.tan),
    *(torch.tanh, torch.trunc),
)


def settle_functions() -> None:
    """Call each elementary function once on this thread, so that training gives the same bits whenever it is run.

    The library chooses the code for the processor at a function's first call. Where two threads make it together, one
    of them may compute its part by other code, which rounds otherwise: so differed the arccosine of ArcFace in some of
    many processes of two threads.
    """
    for dtype in (torch.float32, torch.float64):
        few = torch.linspace(0.1, 0.9, 16, dtype=dtype)
        for function in _FUNCTIONS:
            function(few)


def forget_peak(device: str) -> None:
    """Begin to measure anew how much memory of a GPU is in use at once; a CPU's peak is that of the process."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def device_info(device: torch.device, precision: str, processor: str) -> Device:
    """Name a device, and say the most memory that was in use at once.

    Args:
        device: the CPU or a GPU.
        precision: that products of the training were made in.
        processor: name of the CPU.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return Device(
            kind="cuda", name=name, precision=precision, peak_memory_bytes=torch.cuda.max_memory_allocated(device)
        )
    return Device(kind="cpu", name=processor, precision=precision, peak_memory_bytes=_resident_peak())


def _resident_peak() -> int | None:
    """The most memory that the process has had; None where the system does not say."""
    if sys.platform == "win32":
        return None
    # Windows has no such module.
    import resource  # noqa: PLC0415

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kilobytes, macOS bytes.
    return peak if sys.platform == "darwin" else peak * 1024
