"""Methods of a comparison: losses with their hyper-parameters, checked before anything is trained."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huse_bench.components import Loss
from huse_bench.config import RunConfig, did_you_mean
from huse_bench.discovery import Component, components, find, load, source_hash
from huse_bench.errors import ConfigError

__all__ = ["Method", "resolve_methods"]


@dataclass(frozen=True)
class Method:
    """A loss with all its hyper-parameters.

    Attributes:
        name: as asked for.
        component: who provides the loss.
        loss_class: the loss.
        parameters: every constructor argument with its value, defaults included.
        source_hash: sha256 of the source file of the class.
    """

    name: str
    component: Component
    loss_class: type[Loss]
    parameters: Mapping[str, Any]
    source_hash: str

    def build(self) -> Loss:
        """A new loss with these hyper-parameters; raises ConfigError where it refuses them."""
        return self.loss_class(**self.parameters)


def resolve_methods(config: RunConfig) -> list[Method]:
    """The methods that a configuration asks for, in its order.

    Raises:
        UnknownComponentError, PluginLoadError, PluginConflictError: if a method cannot be had.
        ConfigError: for hyper-parameters that the method does not have or refuses, or a method named twice.
    """
    names: Sequence[str]
    if config.methods is None:
        names = [component.name for component in components("loss") if component.status == "available"]
    else:
        names = config.methods
    if not names:
        raise ConfigError("no method to run: name some with --methods, see huse-bench plugins list")
    methods = [_resolve(name, config) for name in names]
    keys = [(method.component.distribution, method.component.name) for method in methods]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise ConfigError(f"the method {names[index]!r} is named twice in methods")
    _check_parameters_have_methods(config, methods)
    # A class that refuses its hyper-parameters must do so before the first method is trained.
    for method in methods:
        method.build()
    if config.methods is None:
        methods.sort(key=lambda method: (method.loss_class.position, method.loss_class.title))
    return methods


def _resolve(name: str, config: RunConfig) -> Method:
    loss_class = load("loss", name)
    component = find("loss", name)
    given = config.parameters.get(name, config.parameters.get(component.name, {}))
    return Method(
        name=component.name,
        component=component,
        loss_class=loss_class,
        parameters=_parameters(component.name, loss_class, given, config),
        source_hash=source_hash(loss_class),
    )


def _parameters(name: str, loss_class: type[Loss], given: Mapping[str, Any], config: RunConfig) -> dict[str, Any]:
    signature = inspect.signature(loss_class.__init__).parameters
    known = {
        key: parameter.default
        for key, parameter in signature.items()
        if key != "self" and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    where = config.origin("parameters")
    for key, value in given.items():
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ConfigError(
                f"the method {name!r} has no hyper-parameter {key!r} ({where}); {has}.{did_you_mean(key, list(known))}"
            )
        if not _fits(value, known[key]):
            raise ConfigError(
                f"methods.{name}.{key} = {value!r} ({where}): must be a {_kind(known[key])}, "
                f"as its default {known[key]!r}"
            )
    missing = [key for key, default in known.items() if default is inspect.Parameter.empty and key not in given]
    if missing:
        raise ConfigError(
            f"the method {name!r} has no default for {', '.join(missing)}: "
            f"set it in a config file under [methods.{name}]"
        )
    values = {**known, **given}
    # 1 and 1.0 are the same hyper-parameter and must give the same fingerprint.
    return {key: float(value) if isinstance(known[key], float) else value for key, value in values.items()}


def _fits(value: object, default: object) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(default, str):
        return isinstance(value, str)
    return True


def _kind(default: object) -> str:
    kinds = {bool: "true or false", float: "number", int: "whole number", str: "string"}
    return kinds.get(type(default), type(default).__name__)


def _check_parameters_have_methods(config: RunConfig, methods: Sequence[Method]) -> None:
    names = {method.name for method in methods} | set(config.methods or ())
    for name in config.parameters:
        if name not in names:
            raise ConfigError(
                f"hyper-parameters are given for {name!r} ({config.origin('parameters')}), which is not among the "
                f"methods to run: {', '.join(sorted(names))}.{did_you_mean(name, sorted(names))}"
            )
