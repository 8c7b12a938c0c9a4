"""Features of a dataset's items: made by backbones, kept in a cache, checked and ready to train on."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huse_bench.features._audit import Audit, audit
    from huse_bench.features._load import load_dataset, make_features
    from huse_bench.features._prepare import Prepared, SplitFeatures, prepare

__all__ = ["Audit", "Prepared", "SplitFeatures", "audit", "load_dataset", "make_features", "prepare"]

# Neither the commands on the cache nor the processes that decode pictures need what training does.
_MODULES = {
    "Audit": "_audit",
    "Prepared": "_prepare",
    "SplitFeatures": "_prepare",
    "audit": "_audit",
    "load_dataset": "_load",
    "make_features": "_load",
    "prepare": "_prepare",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'huse_bench.features' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"huse_bench.features.{_MODULES[name]}"), name)
