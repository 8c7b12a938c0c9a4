"""Compiled functions: numba's, kept between processes where there is a folder to keep them in.

Each installation waits once until they are compiled. Numba's sorts and searches take half a second to several each, and
so do assignments and sums of whole arrays, with their messages for shapes that differ: the kernels have loops instead.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

__all__ = ["is_kept", "njit"]

_refused: list[str] = []


def _has_place() -> bool:
    """Whether there may be a folder for what is compiled."""
    try:
        # Where there is no home, numba would make a folder called ~ wherever the command is called.
        return bool(numba.config.CACHE_DIR or Path.home())  # type: ignore[attr-defined]
    except RuntimeError:
        return False


_HAS_PLACE = _has_place()


def njit(*, cache: bool, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit``, which also compiles where nothing can be written beside the source, in the user's cache or in
    ``NUMBA_CACHE_DIR``: a user without a home and a read-only installation.

    Args:
        cache: keep what is compiled, where there is a folder for it.
        **options: as ``numba.njit`` takes them.

    Returns:
        The decorator.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=cache and _HAS_PLACE, **options)(function)
        except RuntimeError as error:
            # Numba has no class of its own for this.
            if "cannot cache function" not in str(error):
                raise
            _refused.append(function.__name__)
            return numba.njit(**options)(function)

    return decorate


def is_kept() -> bool:
    """Whether what was compiled is kept for the next process."""
    return _HAS_PLACE and not _refused
