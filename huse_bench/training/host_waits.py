"""Where the host waits for a device, which a CUDA graph cannot do."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["cuda_waits", "host_waits"]

# Operators, without underscores before, whose result or whose shape the host has to know before it goes on.
_WAIT = ("local_scalar_dense", "bincount", "equal", "is_nonzero", "masked_select", "nonzero", "unique")
_NOT_THE_CAUSE = (__file__, str(Path(torch.__file__).parent))


@contextmanager
def host_waits(device: torch.device) -> Iterator[list[str]]:
    """Note where the host waits for a device, as torch's operators and, on CUDA, torch itself tell.

    Args:
        device: the one to wait for.

    Returns:
        File, line and operator of each wait, complete when the context has ended.
    """
    places: list[str] = []
    told: list[str] = []
    with cuda_waits(device) if device.type == "cuda" else nullcontext(told) as told, _Operators(places):
        yield places
    places += told


@contextmanager
def cuda_waits(device: torch.device | None = None) -> Iterator[list[str]]:
    """Note where torch notices that the host waits for CUDA.

    Args:
        device: what is waited for before; the current one by default.

    Returns:
        File and line of each wait, complete when the context has ended.
    """
    places: list[str] = []
    torch.cuda.synchronize(device)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield places
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for said in caught:
        if "synchroniz" in str(said.message).lower():
            places.append(f"{Path(said.filename).name}:{said.lineno}")
        else:
            warnings.warn_explicit(said.message, said.category, said.filename, said.lineno)


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Notes operators that wait for a device."""

    def __init__(self, places: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._places = places

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Do what is asked, and note whether it waits."""
        out = func(*args, **kwargs or {})
        name = func.overloadpacket.__name__
        if name.lstrip("_").startswith(_WAIT) or _picks(name, args) or _moves(out, args):
            self._places.append(f"{_caller()} ({name})")
        return out


def _picks(name: str, args: tuple[Any, ...]) -> bool:
    """Whether an operator picks by a mask, which first counts it."""
    if not name.startswith("index") or len(args) < 2 or not isinstance(args[1], (list, tuple)):
        return False
    return any(isinstance(one, Tensor) and one.dtype in (torch.bool, torch.uint8) for one in args[1])


def _moves(out: Any, args: tuple[Any, ...]) -> bool:
    """Whether an operator copies between the host and a device."""
    devices = {one.device.type for one in (out, *args) if isinstance(one, Tensor) and one.ndim}
    return len(devices) > 1


def _caller() -> str:
    """File and line of the innermost code that is neither torch's nor this."""
    frame = sys._getframe()  # noqa: SLF001 - the way to a caller
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_NOT_THE_CAUSE):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
