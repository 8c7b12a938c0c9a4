"""What a run is computed on, as its record says it."""

from __future__ import annotations

import sys

import torch

from huse_bench.results.schema import Device

__all__ = ["device_info", "forget_peak"]


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
