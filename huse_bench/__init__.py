"""A benchmark of semantic cross-modal losses: image-text embedding methods compared on equal terms."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from huse_bench import errors
from huse_bench.errors import HuseBenchError
from huse_bench.version import installed_version

if TYPE_CHECKING:
    from huse_bench import evaluation, kernels
    from huse_bench.components import (
        Batch,
        ClassGraph,
        Dataset,
        Features,
        ImageBackbone,
        Items,
        Loss,
        Terms,
        TextBackbone,
        View,
    )
    from huse_bench.config import RunConfig
    from huse_bench.discovery import hookimpl, load
    from huse_bench.results import Results, load_results, summary
    from huse_bench.runs.call import run
    from huse_bench.space import Choice, LogUniform, Uniform
    from huse_bench.taxonomy import Taxonomy

    __version__: str

__all__ = [
    "Batch",
    "Choice",
    "ClassGraph",
    "Dataset",
    "Features",
    "HuseBenchError",
    "ImageBackbone",
    "Items",
    "LogUniform",
    "Loss",
    "Results",
    "RunConfig",
    "Taxonomy",
    "Terms",
    "TextBackbone",
    "Uniform",
    "View",
    "__version__",
    "errors",
    "evaluation",
    "hookimpl",
    "kernels",
    "load",
    "load_results",
    "run",
    "summary",
]

# Importing huse_bench must cost neither torch nor numpy: each name is imported when it is first used.
_MODULES = {
    "Batch": "components",
    "Choice": "space",
    "ClassGraph": "components",
    "Dataset": "components",
    "Features": "components",
    "ImageBackbone": "components",
    "Items": "components",
    "LogUniform": "space",
    "Loss": "components",
    "Results": "results",
    "RunConfig": "config",
    "Taxonomy": "taxonomy",
    "Terms": "components",
    "TextBackbone": "components",
    "Uniform": "space",
    "View": "components",
    "hookimpl": "discovery",
    "load": "discovery",
    "load_results": "results",
    "run": "runs.call",
    "summary": "results",
}
_SUBMODULES = ("evaluation", "kernels")


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"huse_bench.{name}")
    if name == "__version__":
        return installed_version()
    if name not in _MODULES:
        raise AttributeError(f"module 'huse_bench' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"huse_bench.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
