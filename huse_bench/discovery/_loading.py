"""Importing the one component that was asked for, and checking that it is one."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Literal, overload

from huse_bench.discovery._component import BUILTIN, Component, Kind, describe, repair
from huse_bench.discovery._registry import find
from huse_bench.discovery._session import hooks_of
from huse_bench.discovery._sources import sources_of
from huse_bench.errors import HuseBenchError, PluginError, PluginLoadError
from huse_bench.fingerprint import source_digest

if TYPE_CHECKING:
    from huse_bench.components import Dataset, ImageBackbone, Loss, TextBackbone

__all__ = ["examine", "load", "source_hash"]


@overload
def load(kind: Literal["loss"], name: str) -> type[Loss]: ...
@overload
def load(kind: Literal["backbone"], name: str) -> type[ImageBackbone | TextBackbone]: ...
@overload
def load(kind: Literal["dataset"], name: str) -> type[Dataset]: ...
@overload
def load(kind: Literal["tracker"], name: str) -> type: ...
def load(kind: Kind, name: str) -> type:
    """Import one loss, backbone, dataset or tracker by its name.

    Args:
        kind: ``"loss"``, ``"backbone"``, ``"dataset"`` or ``"tracker"``.
        name: its name, or ``distribution::name`` where two distributions provide it.

    Returns:
        The class.

    Raises:
        UnknownComponentError: if no distribution provides it, or the one that does is switched off.
        PluginConflictError: if more than one distribution provides it.
        PluginLoadError: if it cannot be imported, or is no class that this huse-bench can use.
        UsageError: if the kind or an environment variable is not understood.

    Examples:
        >>> load("loss", "huse").title
        'HUSE'
    """
    return _import(find(kind, name))


def examine(component: Component) -> Component:
    """The record of a component after trying to import it: with the milliseconds that took, or as broken."""
    if component.kind == "hooks" or component.status in ("broken", "disabled"):
        return component
    start = perf_counter()
    try:
        _import(component)
    except PluginLoadError as error:
        return replace(component, status="broken", error=str(error))
    return replace(component, import_ms=(perf_counter() - start) * 1000)


def source_hash(cls: type) -> str:
    """The SHA-256, in hexadecimal, of the code that defines a class, without comments and docstrings.

    Args:
        cls: a class of an importable module. The files of what it derives from, and what these files import of their
            own package, count too.

    Raises:
        PluginError: if no file defines it, as for a class typed into a notebook.
    """
    try:
        return source_digest(sources_of(cls))
    except (OSError, TypeError) as error:
        raise PluginError(
            f"the source of {cls.__module__}.{cls.__qualname__} cannot be read, so a run could not tell whether it "
            f"changed ({describe(error)}). Define the class in a .py file and import it from there"
        ) from error


def _import(component: Component) -> type:
    if component.status == "broken":
        raise PluginLoadError(component.error)
    module_name, _, attribute = component.target.partition(":")
    try:
        cls = reduce(getattr, attribute.split("."), import_module(module_name))
    except (Exception, SystemExit) as error:
        # An error of huse-bench's own already says what to do about it.
        cure = "" if isinstance(error, HuseBenchError) else f". {repair(component, error)}"
        raise PluginLoadError(f"{component.label} cannot be loaded: {describe(error)}{cure}") from error
    return _checked_tracker(component, cls) if component.kind == "tracker" else _checked(component, cls)


def _checked_tracker(component: Component, cls: object) -> type:
    cure = repair(component)
    if not isinstance(cls, type):
        raise PluginLoadError(f"{component.label} cannot be used: it is no class. {cure}")
    try:
        hooks_of(cls)
    except PluginError as error:
        raise PluginLoadError(f"{component.label} cannot be used: {describe(error)}. {cure}") from error
    return cls


def _checked(component: Component, cls: object) -> type:
    # Naming a component must not import torch, which this module does.
    from huse_bench import components as contract  # noqa: PLC0415  see above

    bases = {
        "loss": (contract.Loss,),
        "backbone": (contract.ImageBackbone, contract.TextBackbone),
        "dataset": (contract.Dataset,),
    }[component.kind]
    wanted = " or ".join(f"huse_bench.{base.__name__}" for base in bases)
    cure = repair(component)
    if not isinstance(cls, type) or not issubclass(cls, bases):
        raise PluginLoadError(f"{component.label} cannot be used: it is no class derived from {wanted}. {cure}")
    api = getattr(cls, "api", None)
    if api != contract.API_VERSION:
        newer = isinstance(api, int) and api > contract.API_VERSION
        upgrade = BUILTIN if newer else component.distribution
        raise PluginLoadError(
            f"{component.label} cannot be used: it was written for version {api!r} of the plugin contract and this "
            f"huse-bench has version {contract.API_VERSION}. Upgrade {upgrade}"
        )
    if missing := ", ".join(sorted(getattr(cls, "__abstractmethods__", ()))):
        raise PluginLoadError(f"{component.label} cannot be used: the class does not define {missing}. {cure}")
    return cls
