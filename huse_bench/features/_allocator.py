"""Memory that is freed and asked for again at once, kept from the system meanwhile."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["freed_memory_kept"]

# Names and numbers of glibc's malloc.h. A network asks for the same large tensors for each batch; glibc gives each back
# to the system once it is free, which then hands out pages of zeros one by one. EfficientNet-Lite0 spent half of its
# processor time, on a virtual machine of two Xeon cores, on 12,500 page faults a picture; with these settings there are
# none, and it takes 29.8 ms a picture instead of 54.6. Trainings and rankings spend 1 to 4 % of theirs on them, on two
# cores with AVX2, and need no such care.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_KEEPING = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
# Setting one ends glibc's own adjustment for good, so what follows gets what that leads to where blocks are large.
_USUAL = {_MMAP_MAX: 65_536, _TRIM_THRESHOLD: 64 << 20, _TOP_PAD: 128 << 10, _MMAP_THRESHOLD: 32 << 20}


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Have this process keep the memory that it frees, for as long as the block runs; then all of it is given back.

    Results do not depend on it. Where the allocator is not glibc's, nothing happens.
    """
    # Windows has no library of this name.
    library: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(library, "mallopt"):
        yield
        return
    _set(library, _KEEPING)
    try:
        yield
    finally:
        _set(library, _USUAL)
        library.malloc_trim(0)


def _set(library: Any, options: dict[int, int]) -> None:
    for name, value in options.items():
        library.mallopt(name, value)
