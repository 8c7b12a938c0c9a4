"""Methods of a comparison: losses with their hyper-parameters, checked before anything is trained."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from huse_bench.arguments import checked_arguments
from huse_bench.components import Loss
from huse_bench.config import RunConfig
from huse_bench.discovery import Component, components, find, load, source_hash
from huse_bench.errors import ConfigError, PluginConflictError, UnknownComponentError, UsageError
from huse_bench.hints import did_you_mean
from huse_bench.results.schema import CONTROL_PREFIX, one_line

__all__ = ["Method", "resolve_methods"]


@dataclass(frozen=True)
class Method:
    """A loss with all its hyper-parameters.

    Attributes:
        name: of the loss, or of the variant of it that a config file defines.
        title: name of its row in the tables.
        component: who provides the loss.
        loss_class: the loss.
        parameters: every constructor argument with its value, defaults included.
        source_hash: sha256 of the class's code, see :func:`huse_bench.discovery.source_hash`.
        base: name of the loss that this is a variant of; None for the loss itself.
        changes: hyper-parameters of a variant that differ from the loss's defaults.
    """

    name: str
    title: str
    component: Component
    loss_class: type[Loss]
    parameters: Mapping[str, Any]
    source_hash: str
    base: str | None = None
    changes: tuple[str, ...] = ()

    @property
    def is_control(self) -> bool:
        """Whether this is no method but a floor for one."""
        return self.name.startswith(CONTROL_PREFIX)

    def build(self) -> Loss:
        """A new loss with these hyper-parameters; raises ConfigError where it refuses them."""
        return self.loss_class(**self.parameters)


def resolve_methods(config: RunConfig) -> list[Method]:
    """The methods that a configuration asks for, in its order.

    Raises:
        UnknownComponentError, PluginLoadError, PluginConflictError: if a method cannot be had.
        ConfigError: for hyper-parameters that the method does not have or refuses, or of what is no method, a method
            named twice, or a variant whose base is no loss or whose name is one's already.
    """
    names: Sequence[str]
    if config.methods is None:
        names = [component.name for component in components("loss") if component.status == "available"]
    else:
        names = config.methods
    if not names:
        raise ConfigError("no method to run: name some with --methods, see huse-bench plugins list")
    methods = [_resolve(name, config) for name in names]
    keys = [(method.component.distribution, method.name) for method in methods]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise ConfigError(f"the method {names[index]!r} is named twice in methods")
    _check_parameters_have_methods(config, methods)
    # A class that refuses its hyper-parameters must do so before the first method is trained.
    for method in methods:
        method.build()
    if config.methods is None:
        methods.sort(key=lambda method: (method.loss_class.section, method.loss_class.position, method.title))
    return methods


def _resolve(name: str, config: RunConfig) -> Method:
    given = dict(config.parameters.get(name, {}))
    if "base" in given:
        return _variant(name, given, config)
    component = find("loss", name)
    given = given or dict(config.parameters.get(component.name, {}))
    return _method(component.name, name, given, config)


def _variant(name: str, given: dict[str, Any], config: RunConfig) -> Method:
    """A method that a config file makes of a loss: ``[methods.huse-or] base = "huse", relaxation = "or"``."""
    where = f"methods.{name} ({config.origin('parameters')})"
    base, title = given.pop("base"), given.pop("title", None)
    for key, value in (("base", base), ("title", title), ("its name", name)):
        if value is not None and not (isinstance(value, str) and value.strip() and one_line(value) == value):
            raise ConfigError(f"{where}: {key} must be a string of one line, got {value!r}")
    if name.startswith(CONTROL_PREFIX):
        raise ConfigError(f"{where}: names that begin with {CONTROL_PREFIX!r} are those of controls: call it otherwise")
    taken = [component.name for component in components("loss")]
    if name in taken:
        raise ConfigError(f"{where} has a base, but {name!r} is a loss itself: call the variant otherwise")
    try:
        find("loss", base)
    except UnknownComponentError as error:
        raise ConfigError(f"{where}: base = {base!r}: {error}") from error
    method = _method(name, base, given, config)
    defaults = inspect.signature(method.loss_class).parameters
    changes = tuple(key for key, value in method.parameters.items() if value != defaults[key].default)
    return replace(method, title=title or name, base=method.component.name, changes=changes)


def _method(name: str, loss: str, given: Mapping[str, Any], config: RunConfig) -> Method:
    loss_class = load("loss", loss)
    return Method(
        name=name,
        title=loss_class.title,
        component=find("loss", loss),
        loss_class=loss_class,
        parameters=checked_arguments(
            loss_class,
            given,
            owner=f"the method {name!r}",
            noun="hyper-parameter",
            table=f"methods.{name}",
            origin=lambda _: config.origin("parameters"),
        ),
        source_hash=source_hash(loss_class),
    )


def _check_parameters_have_methods(config: RunConfig, methods: Sequence[Method]) -> None:
    names = {method.name for method in methods} | set(config.methods or ())
    # A file may be for more methods than those that the command picks; who names both in one place has slipped.
    picked = "methods" in config.origins and not config.origin("parameters").startswith(config.origin("methods"))
    others = {component.name for component in components("loss")} if picked else set()
    for name, given in config.parameters.items():
        if name in names or (picked and _is_of_another(name, given, methods)):
            continue
        raise ConfigError(
            f"hyper-parameters are given for {name!r} ({config.origin('parameters')}), which is not among the "
            f"methods to run: {', '.join(sorted(names))}{', nor another that is installed' if picked else ''}."
            f"{did_you_mean(name, sorted(names | others))}"
        )


def _is_of_another(name: str, given: Mapping[str, Any], methods: Sequence[Method]) -> bool:
    """Whether a table is of an installed loss that is not run, or of a variant of any."""
    try:
        component = find("loss", str(given.get("base", name)))
    except UsageError:
        return False
    except PluginConflictError:
        # Which of them is meant matters to those who run it.
        return True
    return "base" in given or component not in (method.component for method in methods if method.name == component.name)
