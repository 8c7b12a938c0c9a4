"""Tuning of hyper-parameters: every method gets as many trials, and what was spent is kept with the result."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huse_bench.tuning.found import Tuned
    from huse_bench.tuning.objective import METRICS, OBJECTIVES, Objective
    from huse_bench.tuning.search import tune

__all__ = ["METRICS", "OBJECTIVES", "Objective", "Tuned", "tune"]

# Asking for a name must not need the packages of a search.
_MODULES = {
    "METRICS": "objective",
    "OBJECTIVES": "objective",
    "Objective": "objective",
    "Tuned": "found",
    "tune": "search",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'huse_bench.tuning' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"huse_bench.tuning.{_MODULES[name]}"), name)
