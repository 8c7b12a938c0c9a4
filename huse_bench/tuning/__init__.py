"""Tuning of hyper-parameters: every method gets as many trials, and what was spent is kept with the result."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huse_bench.tuning.objective import METRICS, Objective
    from huse_bench.tuning.params_file import ParamsFile
    from huse_bench.tuning.search import Tuned, tune

__all__ = ["METRICS", "Objective", "ParamsFile", "Tuned", "tune"]

# A run with --params reads the file; it must not need the packages of a search.
_MODULES = {
    "METRICS": "objective",
    "Objective": "objective",
    "ParamsFile": "params_file",
    "Tuned": "search",
    "tune": "search",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'huse_bench.tuning' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"huse_bench.tuning.{_MODULES[name]}"), name)
